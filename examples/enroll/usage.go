package main

import (
	"flag"
	"fmt"
)

const synopsis = `Enroll gets one certificate from one CA and writes it, with its key, to a .p12 file.

  enroll -host ca.corp.test -ca "Corp CA" -template Device -user 'CORP\enroller' -password-file secret \
      -auth ntlm -subject CN=device,O=Corp -dns device.corp.test -roots corp-root.pem -out device.p12
  enroll -retrieve 42 -key-file device.key -host … -ca … -user … -password-file … -auth ntlm -out device.p12

Exit status:
  0  issued: the .p12 is written
  1  failed before anything was issued
  2  wrong use
  3  held: a manager has to decide; later -retrieve, or -wait at once
  4  refused by the CA
  5  rejected: issued, but not what was asked for, or not by a CA under -roots
  6  unknown: the CA may have issued, but its answer was lost. Do not simply run enroll again
  7  logon failed. Retries lock accounts

Flags:
`

// usage prints the help.
func usage(s *flag.FlagSet) {
	fmt.Fprint(s.Output(), synopsis)
	s.PrintDefaults()
}
