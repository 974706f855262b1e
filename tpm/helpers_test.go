package tpm

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// opened starts a software TPM and opens it.
func opened(t *testing.T, opts *Options) (*tpmtest.TPM, *TPM) {
	t.Helper()
	device := tpmtest.Start(t, nil)
	tpm, err := Open(device.Path(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tpm.Close()) })
	return device, tpm
}

// signerIn makes a signing key.
func signerIn(t *testing.T, tpm *TPM, a Algorithm) *Signer {
	t.Helper()
	file, err := tpm.NewSigner(t.Context(), a)
	require.NoError(t, err)
	signer, err := tpm.Signer(t.Context(), file)
	require.NoError(t, err)
	return signer
}

// exchangerIn makes a key for ECDH.
func exchangerIn(t *testing.T, tpm *TPM) *KeyExchanger {
	t.Helper()
	file, err := tpm.NewKeyExchanger(t.Context())
	require.NoError(t, err)
	exchanger, err := tpm.KeyExchanger(t.Context(), file)
	require.NoError(t, err)
	return exchanger
}

// sign signs something. Signer verifies it by itself.
func sign(s *Signer) error {
	digest := sha256.Sum256([]byte("something"))
	_, err := s.Sign(nil, digest[:], crypto.SHA256)
	return err
}

// agree computes a shared secret on both sides.
func agree(t *testing.T, e *KeyExchanger) error {
	other, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	secret, err := e.ECDH(other.PublicKey())
	if err != nil {
		return err
	}
	want, err := other.ECDH(e.PublicKey())
	require.NoError(t, err)
	assert.Equal(t, want, secret)
	return nil
}

// requireEmpty wants a TPM without loaded objects, loaded sessions and saved sessions. Nobody else may be connected.
func requireEmpty(t *testing.T, device *tpmtest.TPM) {
	t.Helper()
	device.Do(func(tp transport.TPM) { assert.Empty(t, loadedIn(t, tp)) })
}

func loadedIn(t *testing.T, tp transport.TPM) []tpm2.TPMHandle {
	t.Helper()
	var all []tpm2.TPMHandle
	for _, kind := range []tpm2.TPMHandle{typeTransient, typeHMAC, typePolicy} {
		response, err := tpm2.GetCapability{
			Capability: tpm2.TPMCapHandles, Property: uint32(kind << 24), PropertyCount: 64,
		}.Execute(tp)
		require.NoError(t, err)
		list, err := response.CapabilityData.Data.Handles()
		require.NoError(t, err)
		all = append(all, list.Handle...)
	}
	return all
}

// in runs a function in the exclusive section.
func within(t *testing.T, tpm *TPM, f func(c *conn) error) {
	t.Helper()
	require.NoError(t, tpm.use(context.Background(), f))
}
