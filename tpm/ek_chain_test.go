package tpm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHintsThatTakeLong leaves out CAs of the evidence with keys that cost the verifier much more than whoever sends them.
func TestHintsThatTakeLong(t *testing.T) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	modulus := func(bits int) *big.Int { return new(big.Int).SetBit(big.NewInt(1), bits-1, 1) }
	for name, test := range map[string]struct {
		key any
		use bool
	}{
		"EC":                {&signer.PublicKey, true},
		"RSA":               {&rsa.PublicKey{N: modulus(4096), E: 65537}, true},
		"a large modulus":   {&rsa.PublicKey{N: modulus(4097), E: 65537}, false},
		"a large exponent":  {&rsa.PublicKey{N: modulus(2048), E: 65539}, false},
		"both, and largest": {&rsa.PublicKey{N: modulus(28_000), E: 1<<31 - 1}, false},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, test.key, signer)
		require.NoError(t, err, name)
		assert.LessOrEqual(t, len(der), maxCertificate, name)
		none := x509.NewCertPool()
		assert.Equal(t, test.use, !new(chains).options([][]byte{der}).Intermediates.Equal(none), name)
	}
}
