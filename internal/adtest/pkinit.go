package adtest

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// PKINIT is what a KDC needs for logons with certificates (RFC 4556).
type PKINIT struct {
	Key         *rsa.PrivateKey     // of the KDC
	Certificate *x509.Certificate   // of the KDC, with [KDCNames] and the extended key usage 1.3.6.1.5.2.3.5
	Chain       []*x509.Certificate // of the CAs whose certificates log users on, the root last
}

// KDCNames is the alternative name of a KDC: its principal krbtgt/REALM@REALM as a KRB5PrincipalName (RFC 4556, section
// 3.2.4).
func KDCNames(realm string) pkix.Extension {
	tagged := func(n uint8, f func(*cryptobyte.Builder)) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.Tag(n).ContextSpecific().Constructed(), f) }
	}
	sequence := func(parts ...func(*cryptobyte.Builder)) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, part := range parts {
					part(b)
				}
			})
		}
	}
	text := func(s string) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.GeneralString, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
		}
	}
	const serviceInstance = 2 // NT-SRV-INST
	number := func(b *cryptobyte.Builder) { b.AddASN1Int64(serviceInstance) }
	principal := sequence(tagged(0, number), tagged(1, sequence(text("krbtgt"), text(realm))))
	var b cryptobyte.Builder
	sequence(tagged(0, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 2, 2}) // id-pkinit-san
		tagged(0, sequence(tagged(0, text(realm)), tagged(1, principal)))(b)
	}))(&b)
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: b.BytesOrPanic()}
}

// kdcSection is Heimdal's, of which Samba has a copy. MIT's programs pass over it.
const kdcSection = `
[kdc]
	enable-pkinit = yes
	pkinit_identity = FILE:FOLDER/kdc.pem,FOLDER/kdc.key
	pkinit_anchors = FILE:FOLDER/root.pem
	pkinit_pool = FILE:FOLDER/pool.pem
	pkinit_principal_in_certificate = yes
`

// EnablePKINIT restarts the domain controller with a KDC that takes certificates in place of passwords, and as it was
// when the test ends. No other test may use the domain meanwhile. Log has what the KDC does with certificates.
//
// Samba 4.17 finds the user by the principal name in the certificate, in any letter case. It looks neither at the SID
// nor at the extended key usage, and at no revocation list. RSA is all that it verifies from MIT's clients.
func (d *Domain) EnablePKINIT(t testing.TB, p PKINIT) {
	t.Helper()
	folder := filepath.Join(d.folder, "pkinit")
	if err := p.write(folder); err != nil {
		t.Fatalf("adtest: %v", err)
	}
	d.reconfigure(t, []string{"log level = 1 kerberos:5"}, strings.ReplaceAll(kdcSection, "FOLDER", folder))
}

func (p PKINIT) write(folder string) error {
	key, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var pool [][]byte
	for _, cert := range p.Chain[:len(p.Chain)-1] {
		pool = append(pool, cert.Raw)
	}
	return errors.Join(
		writePEMs(filepath.Join(folder, "kdc.key"), "PRIVATE KEY", key),
		writePEMs(filepath.Join(folder, "kdc.pem"), "CERTIFICATE", p.Certificate.Raw),
		writePEMs(filepath.Join(folder, "root.pem"), "CERTIFICATE", p.Chain[len(p.Chain)-1].Raw),
		writePEMs(filepath.Join(folder, "pool.pem"), "CERTIFICATE", pool...),
	)
}

func writePEMs(path, kind string, ders ...[]byte) error {
	var text []byte
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	return os.WriteFile(path, text, 0o600)
}

// Log is what the domain controller has printed since it was last started.
func (d *Domain) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.folder, "samba.log"))
	if err != nil {
		t.Fatalf("adtest: %v", err)
	}
	return string(text)
}
