package main

import (
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/adcs"
)

// check looks for what is missing or contradicts itself.
func (f *flags) check(rest []string) error {
	r := f.request
	names := len(r.DNSNames) + len(r.EmailAddresses) + len(r.URIs) + len(r.UPNs) + len(r.IPAddresses)
	asked := r.Subject != "" || names > 0 || r.SID != ""
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
	case f.host == "" || f.ca == "" || f.user == "":
		return errors.New("-host, -ca and -user are required")
	case f.out == "":
		return errors.New("-out must name a file")
	case f.retrieve > 1<<32-1:
		return errors.New("-retrieve: a request id has 32 bits")
	case f.retrieve == 0 && !f.set["template"] && r.TemplateName == "":
		return errors.New("-template is required")
	case f.retrieve != 0 && f.keyFile == "":
		return errors.New("-retrieve needs -key-file, the file that was written when the request was sent")
	case f.retrieve != 0 && (asked || r.TemplateName != ""):
		return errors.New("-retrieve takes what was asked for from -key-file")
	}
	f.fromDirectory = f.fromDirectory || f.retrieve == 0 && !asked
	if f.keyFile == "" {
		f.keyFile = f.beside(".key")
	}
	return f.distinct()
}
