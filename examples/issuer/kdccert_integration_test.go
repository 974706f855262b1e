//go:build integration && linux

package issuer_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/adtest"
)

// kdcCertificate has the CA issue the certificate of a KDC, PEM.
func (c *company) kdcCertificate(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:         pkix.Name{CommonName: "kdc.example.com"},
		ExtraExtensions: []pkix.Extension{adtest.KDCNames(kdcRealm)},
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
