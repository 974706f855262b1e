package envelope_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/envelope"
)

func spki(t testing.TB, pub any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	require.NoError(t, err)
	return der
}

func TestPublicKeys(t *testing.T) {
	for curve, size := range map[ecdh.Curve]int{ecdh.P256(): 91, ecdh.X25519(): 44} {
		pub := newKey(t, curve).PublicKey()
		der, err := envelope.MarshalPublicKey(pub)
		require.NoError(t, err)
		assert.Len(t, der, size)
		again, err := envelope.ParsePublicKey(der)
		require.NoError(t, err)
		assert.True(t, pub.Equal(again))
		sum, err := envelope.Fingerprint(pub)
		require.NoError(t, err)
		assert.Equal(t, sha256.Sum256(der), sum)
	}
}

// x25519 is the SubjectPublicKeyInfo of a u-coordinate (RFC 8410, section 4), whatever it is.
func x25519(first, middle, last byte) []byte {
	der := []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00, first}
	der = append(der, bytes.Repeat([]byte{middle}, 30)...)
	return append(der, last)
}

func TestPublicKeysThatAreRefused(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	good := spki(t, newKey(t, ecdh.P256()).PublicKey())
	off := bytes.Clone(good)
	off[len(off)-1] ^= 1
	_, err = envelope.ParsePublicKey(x25519(9, 0, 0)) // the base point
	require.NoError(t, err)
	_, err = envelope.ParsePublicKey(x25519(0xec-1, 0xff, 0x7f)) // p - 2
	require.NoError(t, err)
	for name, der := range map[string][]byte{
		"nothing": nil, "text": []byte("key"), "P-384": spki(t, p384.Public()), "Ed25519": spki(t, edwards),
		"a point off the curve": off, "more after it": append(bytes.Clone(good), 0), "too long": append(bytes.Clone(good), make([]byte, 64)...),
		"zero": x25519(0, 0, 0), "one": x25519(1, 0, 0), "p - 1": x25519(0xec, 0xff, 0x7f), "p": x25519(0xed, 0xff, 0x7f),
		"p + 9": x25519(0xf6, 0xff, 0x7f), "the high bit": x25519(9, 0, 0x80),
	} {
		_, err := envelope.ParsePublicKey(der)
		assert.Equal(t, envelope.ErrKey, err, name)
	}
	for _, pub := range []*ecdh.PublicKey{nil, newKey(t, ecdh.P384()).PublicKey()} {
		_, err := envelope.Fingerprint(pub)
		assert.Equal(t, envelope.ErrKey, err)
	}
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(spki(f, newKey(f, ecdh.P256()).PublicKey()))
	f.Add(spki(f, newKey(f, ecdh.X25519()).PublicKey()))
	f.Add(x25519(0xed, 0xff, 0x7f))
	f.Fuzz(func(t *testing.T, der []byte) {
		pub, err := envelope.ParsePublicKey(der)
		if err != nil {
			require.Nil(t, pub)
			return
		}
		again, err := envelope.MarshalPublicKey(pub)
		require.NoError(t, err)
		require.Equal(t, der, again)
		_, _, err = envelope.Seal(pub, nil, []byte("x")) // whatever is taken can be encrypted to
		require.NoError(t, err)
	})
}
