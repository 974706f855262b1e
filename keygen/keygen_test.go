package keygen_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// rsaKey reads a test key; making one takes too long for a matrix.
func rsaKey(t testing.TB, name string) crypto.Signer {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".pem")
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	key, err := keygen.ParsePrivateKey(block.Bytes)
	require.NoError(t, err)
	return key
}

// testKey returns a key of each algorithm without waiting for RSA.
func testKey(t testing.TB, alg keygen.Algorithm) crypto.Signer {
	t.Helper()
	switch alg {
	case keygen.RSA2048, keygen.RSA3072, keygen.RSA4096:
		return rsaKey(t, string(alg))
	}
	key, err := keygen.Generate(alg)
	require.NoError(t, err)
	return key
}

func TestGenerate(t *testing.T) {
	for _, alg := range []keygen.Algorithm{keygen.RSA2048, keygen.ECDSAP256, keygen.ECDSAP384, keygen.ECDSAP521} {
		t.Run(string(alg), func(t *testing.T) {
			key, err := keygen.Generate(alg)
			require.NoError(t, err)
			got, err := keygen.AlgorithmOf(key.Public())
			require.NoError(t, err)
			assert.Equal(t, alg, got)
		})
	}
	for _, bad := range []string{"", "RSA2048", "rsa1024", "ed25519", "p224", "rsa2048 "} {
		key, err := keygen.Generate(keygen.Algorithm(bad))
		assert.ErrorIs(t, err, keygen.ErrAlgorithm, bad)
		assert.Nil(t, key)
		_, err = keygen.ParseAlgorithm(bad)
		assert.ErrorIs(t, err, keygen.ErrAlgorithm, bad)
	}
}

func TestPrivateKeyRoundTrip(t *testing.T) {
	for _, alg := range keygen.Algorithms() {
		t.Run(string(alg), func(t *testing.T) {
			parsed, err := keygen.ParseAlgorithm(string(alg))
			require.NoError(t, err)
			key := testKey(t, parsed)
			der, err := keygen.MarshalPrivateKey(key)
			require.NoError(t, err)
			back, err := keygen.ParsePrivateKey(der)
			require.NoError(t, err)
			assert.Equal(t, key, back)
			_, err = keygen.ParsePrivateKey(append(der, 0))
			assert.Error(t, err, "something after the key")
		})
	}
}

func TestPrivateKeyRefuses(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	odd, err := rsa.GenerateKey(rand.Reader, 2176)
	require.NoError(t, err)
	for name, key := range map[string]crypto.Signer{
		"nil": nil, "nil pointer": (*ecdsa.PrivateKey)(nil), "Ed25519": edKey, "P-224": p224, "RSA 2176": odd,
		"hardware": opaque{testKey(t, keygen.ECDSAP256)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := keygen.MarshalPrivateKey(key)
			assert.ErrorIs(t, err, keygen.ErrAlgorithm)
		})
	}
	for _, key := range []crypto.Signer{edKey, p224, odd} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		_, err = keygen.ParsePrivateKey(der)
		assert.ErrorIs(t, err, keygen.ErrAlgorithm)
	}
	for _, bad := range [][]byte{nil, {}, {0x30, 0}, make([]byte, 5000), []byte("-----BEGIN PRIVATE KEY-----")} {
		_, err := keygen.ParsePrivateKey(bad)
		assert.Error(t, err)
	}
	_, err = keygen.ParsePrivateKey(make([]byte, 5000))
	assert.ErrorContains(t, err, "at most 4096", "before it is parsed")
}

// opaque is a signer of which only the interface is known, as with a key in hardware.
type opaque struct{ signer crypto.Signer }

func (o opaque) Public() crypto.PublicKey { return o.signer.Public() }

func (o opaque) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return o.signer.Sign(random, digest, opts)
}

func FuzzParsePrivateKey(f *testing.F) {
	for _, alg := range keygen.Algorithms() {
		der, err := keygen.MarshalPrivateKey(testKey(f, alg))
		require.NoError(f, err)
		f.Add(der)
		f.Add(der[:len(der)-1])
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := keygen.ParsePrivateKey(der)
		if err != nil {
			require.Nil(t, key)
			return
		}
		again, err := keygen.MarshalPrivateKey(key)
		require.NoError(t, err)
		back, err := keygen.ParsePrivateKey(again)
		require.NoError(t, err)
		require.Equal(t, key.Public(), back.Public())
	})
}

func TestWipe(t *testing.T) {
	for _, alg := range []keygen.Algorithm{keygen.RSA2048, keygen.ECDSAP256} {
		key := testKey(t, alg)
		before, err := keygen.MarshalPrivateKey(key)
		require.NoError(t, err)
		keygen.Wipe(key)
		after, err := keygen.MarshalPrivateKey(key)
		assert.True(t, err != nil || !bytes.Equal(before, after), "the secret is gone")
		got, err := keygen.AlgorithmOf(key.Public())
		require.NoError(t, err, "the public key stays")
		assert.Equal(t, alg, got)
	}
	keygen.Wipe(nil)
	token := opaque{testKey(t, keygen.ECDSAP256)}
	keygen.Wipe(token)
	parseRequest(t, token, nil)
}
