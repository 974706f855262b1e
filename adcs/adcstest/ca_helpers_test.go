package adcstest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/adcsasn1"
)

const (
	caName   = "Corp Issuing CA"
	issued   = uint32(3)
	pending  = uint32(5)
	denied   = uint32(2)
	aliceSID = "S-1-5-21-1-2-3-1105"
	heldOID  = "1.3.6.1.4.1.311.21.8.1.2.3.4"
)

func alice() [2]string { return [2]string{"CORP", "alice"} }

// templates are one of each kind.
func templates() []adcstest.Template {
	fromDirectory := func(name string, d adcstest.DirectorySubject) adcstest.Template {
		return adcstest.Template{Name: name, Directory: &d}
	}
	return []adcstest.Template{
		{Name: "WebServer", ExtKeyUsage: []string{"1.3.6.1.5.5.7.3.1"}},
		{Name: "Held", OID: heldOID, Major: 100, Minor: 5, Hold: true},
		{Name: "Denied", Deny: 0x80094012},
		{Name: "PlainlyDenied", Deny: 2, DenyMessage: "not on a Sunday"},
		{Name: "Strong", OID: heldOID + ".1", Major: 100, MinimumKeySize: 2048},
		{Name: "OnlyRSA", KeyAlgorithms: []string{"RSA"}},
		{Name: "Signed", OID: heldOID + ".2", Signatures: 1},
		{Name: "Closed", Enroll: []string{`CORP\bob`, "Admins", "S-1-5-21-1-2-3-9"}},
		{Name: "Computers", Enroll: []string{"domain computers"}},
		{Name: "NoSID", NoSecurityExtension: true},
		fromDirectory("User", adcstest.DirectorySubject{UPN: true}),
		fromDirectory("Mail", adcstest.DirectorySubject{Email: true, DN: true}),
		fromDirectory("Machine", adcstest.DirectorySubject{Machine: true, DNS: true}),
		fromDirectory("NamesOnly", adcstest.DirectorySubject{NoSubject: true, UPN: true}),
		fromDirectory("Nothing", adcstest.DirectorySubject{NoSubject: true}),
	}
}

func directory() []adcstest.Entry {
	return []adcstest.Entry{
		{
			Account: `CORP\alice`, CommonName: "Alice", DN: `CN=Alice,OU=R\, D,DC=corp,DC=test`, SID: aliceSID,
			UPN: "alice@corp.test", Email: "alice@corp.test", Groups: []string{"Staff"},
		},
		{Account: `CORP\bare`, SID: "S-1-5-21-1-2-3-1106"},
		{Account: `CORP\nosid`, UPN: "nosid@corp.test"},
		{Account: `CORP\admin`, SID: "S-1-5-21-1-2-3-1107", Groups: []string{"Admins"}},
		{Account: `CORP\PC1$`, SID: "S-1-5-21-1-2-3-1108", DNSName: "pc1.corp.test"},
		{Account: `CORP\PC2$`, SID: "S-1-5-21-1-2-3-1109"},
	}
}

func newAuthority(t testing.TB) *adcstest.Authority {
	t.Helper()
	a, err := adcstest.NewAuthority(adcstest.AuthorityConfig{
		Name: caName, Host: "ca.corp.test", Templates: templates(), Directory: directory(), Managers: []string{"Admins"},
	})
	require.NoError(t, err)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// newRequest signs a request for CN=device with the given extensions.
func newRequest(t testing.TB, key crypto.Signer, extensions ...pkix.Extension) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "device"}, ExtraExtensions: extensions,
	}, key)
	require.NoError(t, err)
	return der
}

func templateName(t testing.TB, name string) pkix.Extension {
	t.Helper()
	e, err := adcsasn1.TemplateNameExtension(name)
	require.NoError(t, err)
	return e
}

func templateOID(t testing.TB, major, minor uint32, oid ...int) pkix.Extension {
	t.Helper()
	e, err := adcsasn1.Template{OID: oid, Major: major, Minor: minor}.Extension()
	require.NoError(t, err)
	return e
}

// attributes encodes lines as a client does.
func attributes(lines string) []byte { return adcstest.WireString(lines) }

func submission(t testing.TB, template string) adcstest.AuthorityCall {
	return adcstest.AuthorityCall{
		Account: alice(), Authority: caName, Flags: 0x100, Attributes: attributes("CertificateTemplate:" + template),
		Raw: newRequest(t, newKey(t)),
	}
}

// text decodes a message.
func text(t testing.TB, wire []byte) string {
	t.Helper()
	require.NotEmpty(t, wire)
	require.Zero(t, len(wire)%2)
	units := make([]uint16, len(wire)/2)
	for i := range units {
		units[i] = uint16(wire[2*i]) | uint16(wire[2*i+1])<<8
	}
	require.Zero(t, units[len(units)-1], "terminating NUL")
	return string(utf16.Decode(units[:len(units)-1]))
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func extension(cert *x509.Certificate, oid []int) []byte {
	for _, e := range cert.Extensions {
		if e.Id.Equal(oid) {
			return e.Value
		}
	}
	return nil
}
