package main

const help = `Unseal is the recipient's side of sealed delivery: the .p12 that a connector has made arrives encrypted to the
recipient's key and signed by the connector, so that nobody in between can open or replace it.

  unseal [flags] COMMAND …

For the recipient:
  key FILE ID               make a key (PKCS#8 in PEM, mode 0600, never over another file) and print its public part as
                            orders have it in "recipient", and the policy of a connector in "recipients"
  public FILE ID            print that again
  show SEALED               print what can be read of a bundle without its key; proves nothing about who made it
  open FILE SEALED NAME     check who has sealed the bundle, open it with the key in FILE, see that it holds what it says,
                            and write NAME.p12 and NAME.password, mode 0600. Neither may be there already

For whoever decides for whom bundles may be sealed, where connectors do not list every recipient:
  orderkey FILE             make an ordering key and print its public part as policies have it in "orderingKeys"
  sign FILE TENANT ORDER    print the order with its recipient signed by the key in FILE. The signature is for this order
                            and this tenant: whatever is issued differently needs another one

SEALED is the "sealed" member of a job's outcome, a JSON object. TENANT is its name, as the connector has it. A connector
prints its fingerprint and public key (identityKey) with "connector show"; take them from there, not from the gateway, which
could name another connector. If a job may move to another connector, name both with -signer. A connector that has rotated
its keys has another fingerprint.

An ordering key in the wrong hands lets him who has it order, through a gateway that obeys him, what the policy of the
connector allows, for himself. Keep it where orders are decided, not on the gateway.

Exit status: 0 when done; 1 for an error, such as a bundle of another connector; 2 for wrong use.

Flags:
`
