package cms_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/cms"
)

// FuzzParse feeds arbitrary messages. What is found is part of the message, and no signature verifies that was not made
// with the key.
func FuzzParse(f *testing.F) {
	scalar := sha256.Sum256([]byte("agent"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	require.NoError(f, err)
	s := signer(f, key)
	pair, err := cms.NameValuePair("requestername", `CORP\bob`)
	require.NoError(f, err)
	s.Attributes = [][]byte{pair}
	content := []byte("a request")
	der, err := cms.Sign(content, s)
	require.NoError(f, err)
	f.Add(der)
	s.Attributes = nil
	plain, err := cms.Sign(content, s, s)
	require.NoError(f, err)
	f.Add(plain)
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		sd, err := cms.Parse(data)
		if err != nil {
			return
		}
		assert.True(t, cms.IsContentInfo(data))
		assert.LessOrEqual(t, len(sd.Certificates), cms.MaxCertificates)
		assert.LessOrEqual(t, len(sd.Signers), cms.MaxSigners)
		for _, c := range sd.Certificates {
			assert.True(t, bytes.Contains(data, c))
		}
		for _, der := range sd.Signers {
			info, err := cms.ParseSigner(der)
			if err != nil {
				continue
			}
			_, _ = info.Pairs()
			_ = info.Names(s.Certificate)
			if info.VerifyLenient(sd, s.Certificate) == nil {
				assert.Equal(t, content, sd.Content)
			}
		}
	})
}

// FuzzPKCS10 feeds arbitrary PKCS#10 requests to what reads and changes their attributes.
func FuzzPKCS10(f *testing.F) {
	scalar := sha256.Sum256([]byte("agent"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	require.NoError(f, err)
	csr, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{DNSNames: []string{"a.test"}}, key)
	require.NoError(f, err)
	f.Add(csr)
	f.Fuzz(func(t *testing.T, data []byte) {
		request, err := x509.ParseCertificateRequest(data)
		if err != nil {
			return
		}
		_, _ = cms.Attributes(request, cms.OIDRenewalCertificate())
		with, err := cms.WithAttribute(data, key, cms.OIDRenewalCertificate(), []byte{4, 0})
		if err != nil {
			return
		}
		request, err = x509.ParseCertificateRequest(with)
		require.NoError(t, err)
		values, err := cms.Attributes(request, cms.OIDRenewalCertificate())
		require.NoError(t, err)
		assert.Equal(t, [][]byte{{4, 0}}, values)
	})
}
