package wsproto_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func newDecryptionKey(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key
}

func spki(t testing.TB, pub any) []byte {
	t.Helper()
	der, err := wsproto.MarshalPublicKey(pub)
	require.NoError(t, err)
	return der
}

func fingerprint(t testing.TB, pub any) wsproto.Fingerprint {
	t.Helper()
	f, err := wsproto.FingerprintKey(pub)
	require.NoError(t, err)
	return f
}

// newSecret makes a device key with its certification request.
func newSecret(t testing.TB) wsproto.CheckpointSecret {
	t.Helper()
	key := newKey(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	request, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: "device"}}, key)
	require.NoError(t, err)
	return wsproto.CheckpointSecret{PrivateKey: pkcs8, Request: request}
}
