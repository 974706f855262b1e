// Enroll gets one certificate from one CA and writes it, with its key, to a .p12 file.
//
//	enroll -host ca.corp.test -ca "Corp CA" -template Device -user 'CORP\enroller' -password-file secret \
//	    -auth ntlm -subject CN=device,O=Corp -dns device.corp.test -roots corp-root.pem -out device.p12
//
// Passwords come from files or from the environment (ADCS_PASSWORD, P12_PASSWORD), never from the command line. Without
// a password for the .p12, one is made and written beside it.
//
// The private key is on the disk before the request leaves (-key-file, mode 0600), and is removed once it is in the
// .p12 or known to be useless. Where a manager has to approve the request, or the CA's answer was lost, it stays there:
//
//	enroll -retrieve 42 -key-file device.key -host … -ca … -user … -password-file … -auth ntlm -out device.p12
//
// The exit status tells what became of the request:
//
//	0  issued: the .p12 is written
//	1  failed: not sent, not reached, or a file could not be read or written. If the request has an id and the key is
//	   still in its file, it may be issued: use -retrieve
//	2  wrong use: flags, names that a request cannot hold, what is not supported yet
//	3  held: a manager has to decide; use -retrieve, or -wait at once
//	4  refused by the CA
//	5  rejected: issued, but not what was asked for, or not by a CA under -roots; nothing is written
//	6  unknown: the request may have been executed, but the answer was lost. Do not simply run enroll again
//	7  logon failed: wrong user or password, or an account that may not. Retries lock accounts
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	f, err := parseFlags(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(exitIssued)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	r := report{CA: f.ca, Host: f.host}
	if err == nil {
		err = enroll(ctx, f, &r)
	} else {
		err = &usageError{err}
	}
	stop()
	r.conclude(err)
	if err := r.print(os.Stdout, os.Stderr, f.json); err != nil && r.exit == exitIssued {
		r.exit = exitFailed
	}
	os.Exit(r.exit)
}
