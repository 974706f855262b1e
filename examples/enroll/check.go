package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/adcskit/adcskit/adcs"
)

// check looks for what is missing or contradicts itself.
func (f *flags) check(rest []string) error {
	r := f.request
	names := len(r.DNSNames) + len(r.EmailAddresses) + len(r.URIs) + len(r.UPNs) + len(r.IPAddresses)
	f.asked = r.Subject != "" || names > 0 || r.SID != ""
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unknown argument %q", rest[0])
	case f.timeout < 0 || f.wait < 0 || f.poll < 0:
		return errors.New("-timeout must not be negative, nor -wait or -poll")
	}
	// What this version cannot do is said before anything is asked for that it would need. New does no I/O.
	if _, err := adcs.New("ca", "ca", adcs.Password("user", "password"), f.options()); err != nil {
		return err
	}
	switch {
	case (f.host == "" || f.ca == "") && !f.discover:
		return errors.New("-host and -ca are required")
	case f.currentAccount && (f.user != "" || f.keytab+f.passwordFile+f.ccache != ""):
		return errors.New("-current-account needs no account, password, keytab or credential cache")
	case f.user == "" && !f.currentAccount && (f.keytab != "" || f.passwordFile != "" || f.ccache == "" && os.Getenv("KRB5CCNAME") == ""):
		return errors.New("-user is required, but with a credential cache")
	case more(f.passwordFile, f.keytab, f.ccache):
		return errors.New("-password-file, -keytab and -ccache: give one of them")
	case (f.keytab != "" || f.ccache != "") && f.auth == string(adcs.AuthNTLM):
		return errors.New("-auth ntlm needs a password; -keytab and -ccache are for Kerberos")
	case f.preflight && f.retrieve != 0:
		return errors.New("-check submits nothing: -retrieve has no place beside it")
	case f.discover && (f.preflight || f.retrieve != 0):
		return errors.New("-discover, -check and -retrieve: one at a time")
	case f.directory != "" && !f.preflight && !f.discover:
		return errors.New("-directory is for -check and -discover")
	case f.directory == "" && (f.discover || f.directoryRoots != ""):
		return errors.New("-directory is required with -discover and -directory-roots")
	case f.preflight || f.discover:
		return nil
	case f.out == "":
		return errors.New("-out must name a file")
	case f.retrieve > 1<<32-1:
		return errors.New("-retrieve: a request id has 32 bits")
	case f.retrieve == 0 && !f.set["template"] && r.TemplateName == "" && (f.renew == "" || f.asked):
		return errors.New("-template is required")
	case f.retrieve != 0 && f.keyFile == "":
		return errors.New("-retrieve needs -key-file, the file that was written when the request was sent")
	case f.retrieve != 0 && (f.asked || r.TemplateName != ""):
		return errors.New("-retrieve takes what was asked for from -key-file")
	}
	if err := f.signedFlags.check(f.retrieve != 0); err != nil {
		return err
	}
	f.fromDirectory = f.fromDirectory || f.retrieve == 0 && !f.asked && f.renew == ""
	if f.keyFile == "" {
		f.keyFile = f.beside(".key")
	}
	return f.distinct()
}

// more reports whether more than one of the values is given.
func more(values ...string) bool {
	given := 0
	for _, v := range values {
		if v != "" {
			given++
		}
	}
	return given > 1
}
