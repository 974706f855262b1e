package keygen_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// TestKeysInATPM has keys that never leave a TPM sign requests, in every form that they can.
func TestKeysInATPM(t *testing.T) {
	device, err := tpm.Open(tpmtest.Start(t, nil).Path(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, device.Close()) })
	for _, c := range []struct {
		alg  tpm.Algorithm
		pss  bool
		want x509.SignatureAlgorithm
	}{{tpm.P256, false, x509.ECDSAWithSHA256}, {tpm.RSA2048, false, x509.SHA256WithRSA}, {tpm.RSA2048, true, x509.SHA256WithRSAPSS}} {
		file, err := device.NewSigner(t.Context(), c.alg)
		require.NoError(t, err)
		key, err := device.Signer(t.Context(), file)
		require.NoError(t, err)
		csr := parseRequest(t, key, &keygen.Request{Subject: "CN=a", SID: sampleSID, PSS: c.pss})
		assert.Equal(t, c.want, csr.SignatureAlgorithm)
		assert.Equal(t, key.Public(), csr.PublicKey)
		_, err = keygen.MarshalPrivateKey(key)
		assert.ErrorIs(t, err, keygen.ErrAlgorithm, "it stays where it is")
		keygen.Wipe(key)
		parseRequest(t, key, nil)
	}
}
