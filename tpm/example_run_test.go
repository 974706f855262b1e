package tpm_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// TestExamples runs what the examples show, on a software TPM.
func TestExamples(t *testing.T) {
	device := tpmtest.Start(t, nil)
	var out bytes.Buffer
	require.NoError(t, requestOf(device.Path(), &out))
	key, rest := pem.Decode(out.Bytes())
	require.NotNil(t, key)
	assert.Equal(t, "TSS2 PRIVATE KEY", key.Type)
	block, _ := pem.Decode(rest)
	require.NotNil(t, block)
	request, err := x509.ParseCertificateRequest(block.Bytes)
	require.NoError(t, err)
	require.NoError(t, request.CheckSignature())
	require.ErrorIs(t, requestOf("unix:"+t.TempDir()+"/none", io.Discard), tpm.ErrNoTPM)

	opened := open(t, device, nil)
	file, err := opened.NewKeyExchanger(t.Context())
	require.NoError(t, err)
	exchanger, err := opened.KeyExchanger(t.Context(), file)
	require.NoError(t, err)
	sealed, err := sealTo(exchanger, []byte("info"), []byte("hello"))
	require.NoError(t, err)
	plaintext, err := openIn(opened, file, []byte("info"), sealed)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(plaintext))

	maker := device.Manufacturer()
	identity, decryption, err := keysIn(t.Context(), opened)
	require.NoError(t, err)
	verifier := tpm.NewVerifier(tpm.VerifierOptions{Roots: maker.Roots(), Intermediates: maker.Intermediates()})
	level, err := attestTo(verifier, identity, decryption)
	require.NoError(t, err)
	assert.Equal(t, tpm.LevelVerified, level)
}
