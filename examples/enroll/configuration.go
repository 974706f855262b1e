package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"

	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/pkcs12/mobileconfig"
)

// apple reports whether the .p12 is for a platform that takes it in a configuration profile, with the CAs beside it.
func (f *fileFlags) apple() bool { return f.profile.Shape() == pkcs12.LeafOnly }

// configuration is the file of that profile.
func (f *flags) configuration() string { return f.beside(".mobileconfig") }

// encodeConfiguration makes the profile: the .p12 without its password, which the device asks for, and the CAs. A root is
// among them if it is of -roots.
func (e *enrollment) encodeConfiguration(p12 []byte, chain []*x509.Certificate) ([]byte, error) {
	leaf := chain[0]
	profile := mobileconfig.Profile{
		Identifier: identifier(leaf), DisplayName: "Certificate", Identity: mobileconfig.Identity{PKCS12: p12, Password: e.p12Password},
		CAs: chain[1:],
	}
	if name := pkcs12.NameFor(leaf); name != "" && len(name) <= mobileconfig.MaxText {
		profile.DisplayName = name
	}
	return mobileconfig.Encode(profile)
}

// identifier names the profile by what stays the same when the certificate is renewed, so that the device replaces the
// old one: subject, alternative names and template.
func identifier(leaf *x509.Certificate) string {
	h := sha256.New()
	add := func(b []byte) { fmt.Fprintf(h, "%d:%s", len(b), b) }
	add(leaf.RawSubject)
	for _, e := range leaf.Extensions { // the CA's order is that of its template
		if t, err := adcsasn1.TemplateFromExtension(e.Value); e.Id.Equal(adcsasn1.OIDTemplate()) && err == nil {
			add([]byte(t.OID.String())) // without its version
		} else if e.Id.Equal(adcsasn1.OIDSubjectAltName()) || e.Id.Equal(adcsasn1.OIDTemplateName()) {
			add(e.Value)
		}
	}
	return "adcskit.enroll." + hex.EncodeToString(h.Sum(nil)[:16])
}
