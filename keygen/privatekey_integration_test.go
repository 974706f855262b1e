//go:build integration

package keygen_test

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// TestPrivateKeysOfOpenSSL has OpenSSL check the keys that are written here, and reads those that it makes.
func TestPrivateKeysOfOpenSSL(t *testing.T) {
	for alg, options := range map[keygen.Algorithm]string{
		keygen.RSA2048: "RSA -pkeyopt rsa_keygen_bits:2048", keygen.RSA3072: "", keygen.RSA4096: "",
		keygen.ECDSAP256: "EC -pkeyopt ec_paramgen_curve:P-256", keygen.ECDSAP384: "EC -pkeyopt ec_paramgen_curve:P-384",
		keygen.ECDSAP521: "EC -pkeyopt ec_paramgen_curve:P-521",
	} {
		t.Run(string(alg), func(t *testing.T) {
			key := testKey(t, alg)
			der, err := keygen.MarshalPrivateKey(key)
			require.NoError(t, err)
			out := run(t, der, "pkey", "-check", "-noout")
			assert.Contains(t, out, "Key is valid")
			spki, err := x509.MarshalPKIXPublicKey(key.Public())
			require.NoError(t, err)
			assert.Equal(t, string(spki), run(t, der, "pkey", "-pubout", "-outform", "DER"))

			if options == "" { // takes too long
				return
			}
			file := filepath.Join(t.TempDir(), "key.der")
			args := append([]string{"genpkey", "-outform", "DER", "-out", file, "-algorithm"}, strings.Fields(options)...)
			text, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
			require.NoError(t, err, "%s", text)
			foreign, err := os.ReadFile(file)
			require.NoError(t, err)
			theirs, err := keygen.ParsePrivateKey(pkcs8(t, foreign))
			require.NoError(t, err)
			got, err := keygen.AlgorithmOf(theirs.Public())
			require.NoError(t, err)
			assert.Equal(t, alg, got)
			spki, err = x509.MarshalPKIXPublicKey(theirs.Public())
			require.NoError(t, err)
			assert.Equal(t, string(spki), run(t, foreign, "pkey", "-pubout", "-outform", "DER"))
			parseRequest(t, theirs, &keygen.Request{Subject: "CN=a"})
		})
	}
}

// pkcs8 converts a key of OpenSSL's, which writes older forms in DER.
func pkcs8(t *testing.T, der []byte) []byte {
	t.Helper()
	return []byte(run(t, der, "pkcs8", "-topk8", "-nocrypt", "-outform", "DER"))
}
