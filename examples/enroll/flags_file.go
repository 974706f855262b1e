package main

import (
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/adcskit/adcskit/pkcs12"
)

// fileFlags are those that say which .p12 is written.
type fileFlags struct {
	out, p12PasswordFile string
	force                bool
	profileName          string
	platform             string
	friendlyName         string

	profile pkcs12.Profile
	named   bool // friendlyName was given
}

func (f *fileFlags) add(s *flag.FlagSet) {
	s.StringVar(&f.out, "out", "certificate.p12", "`file` to write")
	s.BoolVar(&f.force, "force", false, "replace -out and what is written beside it (password, configuration profile) if that is "+
		"there, and the key in it")
	s.StringVar(&f.p12PasswordFile, "p12-password-file", "",
		"`file` with the password of the .p12; if empty $P12_PASSWORD, or one is made and written beside the .p12")
	s.StringVar(&f.profileName, "profile", "compat", "`profile` of the .p12: compat, modern or pbmac1")
	s.StringVar(&f.platform, "platform", "", "`platform` that the .p12 is for, in the place of -profile: it says which "+
		"algorithms and which CAs are in the file;\nwith a version (ios-17.4, windows-10.0.19045) or without: "+
		strings.Join(pkcs12.Platforms(), ", "))
	s.StringVar(&f.friendlyName, "friendly-name", "", "`name` that importers show for key and certificate in the .p12; '' for "+
		"none, and the common name of the certificate if this is not given")
}

// parse finds the profile.
func (f *fileFlags) parse(set map[string]bool) (err error) {
	f.named = set["friendly-name"]
	if err := pkcs12.CheckName(f.friendlyName); err != nil {
		return fmt.Errorf("-friendly-name: %w", err)
	}
	if f.platform == "" {
		f.profile, err = pkcs12.ParseProfile(f.profileName)
		return err
	}
	f.profile, err = pkcs12.ParseProfile(f.platform)
	switch {
	case set["profile"]:
		return errors.New("-profile and -platform: give one of them")
	case err == nil && f.profile.Shape() == pkcs12.AsGiven:
		return fmt.Errorf("-platform: %q is no platform; there are %s", f.platform, strings.Join(pkcs12.Platforms(), ", "))
	case err != nil:
		return fmt.Errorf("-platform: %w", err)
	}
	return nil
}

// p12Options says how the .p12 is made. Without a certificate it has all but the name that is made up.
func (f *fileFlags) p12Options(leaf *x509.Certificate) pkcs12.Options {
	o := pkcs12.Options{Profile: f.profile, FriendlyName: f.friendlyName}
	if !f.named && leaf != nil {
		o.FriendlyName = pkcs12.NameFor(leaf)
	}
	return o
}
