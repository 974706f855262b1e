package main

import (
	"flag"
	"fmt"
)

const synopsis = `Enroll gets one certificate from one CA and writes it, with its key, to a .p12 file.

  enroll -host ca.corp.test -ca "Corp CA" -template Device -user enroller@CORP.TEST -password-file secret \
      -subject CN=device,O=Corp -dns device.corp.test -roots corp-root.pem -out device.p12
  enroll -check -host … -ca … -template … -user … -password-file … -roots … -directory dc.corp.test
  enroll -discover -directory dc.corp.test -user … -password-file …
  enroll -retrieve 42 -key-file device.key -host … -ca … -user … -password-file … -roots … -out device.p12
  enroll -renew device.p12 -signer-password-file device.password -host … -ca … -user … -roots … -out renewed.p12
  enroll -on-behalf-of 'CORP\bob' -agent-cert agent.p12 -template User -host … -ca … -user … -roots … -out bob.p12

It logs on with Kerberos, by password, keytab or credential cache; NTLM has to be allowed (-allow-ntlm or -auth ntlm).

With -platform the .p12 is made for what it is for, say ios-17.4 or windows-11; without, every platform reads its
algorithms, and the CAs below the root are in it. For Apple's, NAME.mobileconfig holds the .p12 and the CAs. What
installs a root for its user, that and Android's .p12, has one only if -roots has it.

The key is in -key-file until it is in the .p12; then the file is removed, if enroll wrote it and nobody changed it.

With -check nothing is submitted: a table says what stands between the account and a certificate, and what to do. Exit
status: 0 no step failed, 1 a step failed, 2 wrong use, 7 the logon was refused.

With -discover it lists the CAs and templates of the directory, who may enroll, and what is dangerous. Exit status: 0 the
directory was read, 1 it was not, 2 wrong use, 7 the logon failed.

Exit status (build the program first: go run makes 1 of every status but 0):
  0  issued: the .p12 is written
  1  failed: not sent, not reached, or a file could not be read or written
  2  wrong use: flags, files that are there already, the key of another request
  3  held: a manager has to decide; later -retrieve, or -wait at once
  4  refused by the CA
  5  rejected: issued, but not what was asked for, or not by a CA under -roots; no .p12 is written
  6  unknown: the CA may have issued, but its answer was lost. Do not simply run enroll again
  7  logon failed. Retries lock accounts

Flags:
`

// usage prints the help.
func usage(s *flag.FlagSet) {
	fmt.Fprint(s.Output(), synopsis)
	s.PrintDefaults()
}
