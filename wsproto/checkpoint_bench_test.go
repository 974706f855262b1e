package wsproto_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// BenchmarkCheckpoint measures what a connector does for each job besides the certificate: with keys in software, and a
// device key of each usual kind. The number of siblings is what sealing depends on.
func BenchmarkCheckpoint(b *testing.B) {
	maker := newBench(b)
	for _, device := range []struct {
		name   string
		secret wsproto.CheckpointSecret
	}{{"p256", maker.secret}, {"rsa2048", newRSASecret(b)}} {
		b.Run("software/"+device.name, func(b *testing.B) {
			benchmarkCheckpoints(b, maker.maker, maker.makerBox, device.secret)
		})
	}
}

// benchmarkCheckpoints seals and opens with one connector's keys, whatever they are made of.
func benchmarkCheckpoints(b *testing.B, identity crypto.Signer, box ecdh.KeyExchanger, secret wsproto.CheckpointSecret) {
	c := newBench(b)
	want := c.expect
	want.Makers = []*ecdsa.PublicKey{identity.Public().(*ecdsa.PublicKey)}
	sealed, err := wsproto.SealCheckpoint(c.clear, secret, identity, box.PublicKey())
	require.NoError(b, err)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := wsproto.SealCheckpoint(c.clear, secret, identity, box.PublicKey()); err != nil {
				b.Fatal(err)
			}
		}
		reportRate(b)
	})
	b.Run("seal+sibling", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := wsproto.SealCheckpoint(c.clear, secret, identity, box.PublicKey(), c.siblingBox.PublicKey()); err != nil {
				b.Fatal(err)
			}
		}
		reportRate(b)
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := wsproto.OpenCheckpoint(sealed, box, want); err != nil {
				b.Fatal(err)
			}
		}
		reportRate(b)
	})
}

func reportRate(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "checkpoints/s")
}

func newRSASecret(t testing.TB) wsproto.CheckpointSecret {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return wsproto.CheckpointSecret{PrivateKey: der, Request: request}
}
