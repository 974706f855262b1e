package main

const help = `Quickstart runs the whole path in one process, on loopback: a CA, a gateway, and a connector that enrolls, takes orders
and delivers .p12 files that the CA signed. Nothing leaves the machine.

  quickstart
  quickstart -platform ios-17.4      make the files for one platform, and print how they get onto it

Exit status: 0 if every order ended as it should, 1 for an error, 2 for wrong use.

Flags:
`
