package tpm

import (
	"bytes"
	"crypto/cipher"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParameterEncryption(t *testing.T) {
	u := authorization{session: &session{key: make([]byte, 32), nonceCaller: make([]byte, 32), nonceTPM: make([]byte, 32)}}
	secret := []byte("a parameter")
	data := bytes.Clone(secret)
	//lint:ignore SA1019 a TPM encrypts parameters in CFB mode
	require.NoError(t, u.cfb(data, u.nonceCaller, u.nonceTPM, cipher.NewCFBEncrypter))
	assert.NotEqual(t, secret, data)
	//lint:ignore SA1019 a TPM encrypts parameters in CFB mode
	require.NoError(t, u.cfb(data, u.nonceCaller, u.nonceTPM, cipher.NewCFBDecrypter))
	assert.Equal(t, secret, data)
}

// TestStrictFIPS runs what encrypts as a TPM does where Go allows only what is in its FIPS 140-3 module: no panic, above all
// none of a verifier, which others can cause.
func TestStrictFIPS(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(TestParameterEncryption|TestVerifierBelievesATPM)$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "--- PASS: TestParameterEncryption")
	assert.Contains(t, string(out), "--- PASS: TestVerifierBelievesATPM")
}
