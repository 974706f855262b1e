// Enroll gets one certificate from one CA and writes it, with its key, to a .p12 file.
//
//	enroll -host ca.corp.test -ca "Corp CA" -template Device -user enroller@CORP.TEST -password-file secret \
//	    -subject CN=device,O=Corp -dns device.corp.test -roots corp-root.pem -out device.p12
//
// It logs on with Kerberos, inside of SPNEGO, by a password, a keytab (-keytab) or a credential cache (-ccache, or what
// KRB5CCNAME names). The realm is that of -user or of krb5.conf; KDCs come from krb5.conf, -kdc or DNS. NTLM, which
// does not prove who the CA is, is used only where that is allowed: -allow-ntlm, where Kerberos is impossible, or -auth
// ntlm.
//
// With -renew, the old certificate and its key sign the request for the new one. With -on-behalf-of, an enrollment
// agent signs one for another account (-agent-cert):
//
//	enroll -renew device.p12 -signer-password-file device.password -host … -ca … -user … -roots … -out renewed.p12
//	enroll -on-behalf-of 'CORP\bob' -agent-cert agent.p12 -template User -host … -ca … -user … -roots … -out bob.p12
//
// Passwords come from files or from the environment (ADCS_PASSWORD, P12_PASSWORD, SIGNER_PASSWORD), never from the
// command line. Without a password for the .p12, one is made and written beside it. A .p12 or a password that is there
// already is replaced with -force only: it may hold the only copy of a key.
//
// -platform says what the .p12 is for, such as ios-17.4, windows-11 or android: with that the file has algorithms that the
// platform reads, and of the chain what it wants. Without it, every platform reads the algorithms, and the CAs below the root
// are in the file. Importers show the common name of the certificate, or what -friendly-name says.
// For Apple's platforms the CAs come beside the .p12, in a configuration profile that is written too: NAME.mobileconfig. A
// device replaces it by that of the renewed certificate. A root is in it, and in the .p12 for Android, only if -roots has it.
//
// The private key is on the disk before the request leaves (-key-file, mode 0600). Where a manager has to approve the
// request, the CA's answer was lost, or what it issued was rejected, it stays there, and enroll prints the command that
// goes on from there:
//
//	enroll -retrieve 42 -key-file device.key -host … -ca … -user … -password-file … -roots … -out device.p12
//
// The key file is removed when the key is known to be useless, or when it is in the .p12: that has then been written,
// synced and opened again. One that enroll did not write, or that somebody changed, is never removed. enroll says which
// file it removed, and which stays.
//
// With -discover it reads, in the place of all that, which CAs and templates the directory has, who may enroll, and
// what is dangerous about them:
//
//	enroll -discover -directory dc.corp.test -user … -password-file …
//
// With -json the result is one JSON object: outcome and exit_status, request_id, serial, sha256 and thumbprint, the
// files, the error with its remedy, and the commands that may come next.
//
// With -check nothing is submitted: it prints a table of what stands between this account and a certificate, from the
// name of the host to the CA's chain, each step with its remedy if it failed. -template, -roots and -directory add
// steps. The exit status is 0 if no step failed that matters (what was skipped is in the table), 7 if the logon was
// refused, else 1, and 2 for wrong use; a wrong password is tried once.
//
// The exit status tells what became of the request. Build the program for it, with go build ./examples/enroll: go run
// makes 1 of every status but 0.
//
//	0  issued: the .p12 is written
//	1  failed: not sent, not reached, or a file could not be read or written. If the request has an id and the key is
//	   still in its file, it may be issued: use -retrieve
//	2  wrong use: flags, names that a request cannot hold, files that are there already, the key of another request,
//	   what this system does not have, such as -current-account outside of Windows
//	3  held: a manager has to decide; use -retrieve, or -wait at once
//	4  refused by the CA
//	5  rejected: issued, but not what was asked for, or not by a CA under -roots; no .p12 is written
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
	if err == nil && f.preflight {
		p := runPreflight(ctx, f)
		stop()
		_ = p.print(os.Stdout, os.Stderr, f.json) // nobody is left who could be told that this fails
		os.Exit(p.ExitStatus)
	}
	if err == nil && f.discover {
		l := runDiscover(ctx, f)
		stop()
		_ = l.print(os.Stdout, os.Stderr, f.json)
		os.Exit(l.ExitStatus)
	}
	r := report{Account: f.user, CA: f.ca, Host: f.host, who: f.who(), again: f.again}
	if err == nil {
		err = enroll(ctx, f, &r)
	} else {
		err = &usageError{err}
	}
	stop()
	r.conclude(err)
	if err := r.print(os.Stdout, os.Stderr, f.json); err != nil && r.ExitStatus == exitIssued {
		r.ExitStatus = exitFailed
	}
	os.Exit(r.ExitStatus)
}
