package main

import (
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

	profile pkcs12.Profile
}

func (f *fileFlags) add(s *flag.FlagSet) {
	s.StringVar(&f.out, "out", "certificate.p12", "`file` to write")
	s.BoolVar(&f.force, "force", false, "replace -out and the file with its password if they are there, and the key in them")
	s.StringVar(&f.p12PasswordFile, "p12-password-file", "",
		"`file` with the password of the .p12; if empty $P12_PASSWORD, or one is made and written beside the .p12")
	s.StringVar(&f.profileName, "profile", "compat", "`profile` of the .p12: compat, modern or pbmac1")
	s.StringVar(&f.platform, "platform", "", "`platform` that the .p12 is for, in the place of -profile: it says which "+
		"algorithms and which CAs are in the file;\nwith a version (ios-17.4, windows-10.0.19045) or without: "+
		strings.Join(pkcs12.Platforms(), ", "))
}

// parse finds the profile.
func (f *fileFlags) parse(set map[string]bool) (err error) {
	if f.platform == "" {
		f.profile, err = pkcs12.ParseProfile(f.profileName)
		return err
	}
	f.profile, err = pkcs12.ParseProfile(f.platform)
	switch {
	case set["profile"]:
		return errors.New("-profile and -platform: give one of them")
	case err == nil && f.profile.Shape() == pkcs12.AsGiven:
		return fmt.Errorf("-platform: %q is no platform; there are %v", f.platform, pkcs12.Platforms())
	}
	return err
}
