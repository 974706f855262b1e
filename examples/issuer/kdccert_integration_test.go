//go:build integration && linux

package issuer_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/adcs"
)

// kdcCertificate has the CA issue the certificate of a KDC, PEM.
func (c *company) kdcCertificate(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:         pkix.Name{CommonName: "kdc.example.com"},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: kdcName(kdcRealm)}},
	}, key)
	require.NoError(t, err)
	client, err := adcs.New(c.ca.Host(), c.ca.Name(), adcs.Password(c.ca.User().Account(), c.ca.User().Password),
		&adcs.Options{AllowNTLM: true, DialContext: c.ca.DialContext})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	result, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "KDC"})
	require.NoError(t, err)
	require.NotNil(t, result.Certificate)
	return pemOf(result.Certificate)
}

// roots is the company's root alone.
func (c *company) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.ca.Chain()[len(c.ca.Chain())-1])
	return pool
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// kdcName is the alternative name of a KDC: its principal krbtgt/REALM@REALM as a KRB5PrincipalName (RFC 4556, section
// 3.2.4).
func kdcName(realm string) []byte {
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
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 2, 2})
		tagged(0, sequence(tagged(0, text(realm)), tagged(1, principal)))(b)
	}))(&b)
	return b.BytesOrPanic()
}
