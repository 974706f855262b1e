package pkcs12

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDerive has vectors of other implementations: golang.org/x/crypto/pkcs12 and go-pkcs12 (one with a sum that begins
// with a zero byte).
func TestDerive(t *testing.T) {
	for name, tc := range map[string]struct {
		purpose    byte
		password   []byte
		salt       string
		iterations int
		want       string
	}{
		"sesame": {
			forKey, bmpPassword("sesame"), "ffffffffffffffff", 2048,
			"7cd9fd3e2b3be7691a44e3bef0f9ea0fb9b897d4e325d9d1",
		},
		"leading zero": {
			forKey, []byte{0, 0}, "f37e05b518324b4b", 2048,
			"00f759ff47d14dd03665d5943cb3c4a39a2555c02aed66e1",
		},
	} {
		salt, err := hex.DecodeString(tc.salt)
		require.NoError(t, err)
		got := derive(sha1.New, tc.purpose, tc.password, salt, tc.iterations, len(tc.want)/2)
		assert.Equal(t, tc.want, hex.EncodeToString(got), name)
	}
}

// TestDeriveOpenSSL has three blocks of output of `openssl kdf ... PKCS12KDF`.
func TestDeriveOpenSSL(t *testing.T) {
	want := "405d9cbaccbd835fd7561bc7af4cbe6aa95b97cb71aa7d7c0c06b4d15635855b6da4a9ea23d52475760dc630c1188b708a6a" +
		"2905da86c04cb4ef7c0db576cadb940cf1a56966"
	assert.Equal(t, want, hex.EncodeToString(derive(sha256.New, forKey, bmpPassword("ses"), []byte{1, 2}, 3, 70)))
}

// TestDeriveShort has the same beginning for every length, and differs by purpose, hash and iterations.
func TestDeriveShort(t *testing.T) {
	password := bmpPassword("a password of more than 32 characters, so that it fills two blocks")
	long := derive(sha256.New, forKey, password, []byte("salt"), 3, 200)
	for n := range 200 {
		assert.Equal(t, long[:n], derive(sha256.New, forKey, password, []byte("salt"), 3, n))
	}
	assert.NotEqual(t, long, derive(sha256.New, forMAC, password, []byte("salt"), 3, 200))
	assert.NotEqual(t, long, derive(sha256.New, forKey, password, []byte("salt"), 4, 200))
	assert.NotEqual(t, long, derive(sha1.New, forKey, password, []byte("salt"), 3, 200))
}
