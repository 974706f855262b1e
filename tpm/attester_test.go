package tpm_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// open opens a software TPM until the test ends.
func open(t testing.TB, device *tpmtest.TPM, opts *tpm.Options) *tpm.TPM {
	t.Helper()
	opened, err := tpm.Open(device.Path(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, opened.Close()) })
	return opened
}

func TestAttestationOnATPM(t *testing.T) {
	for name, ek := range map[string]tpmtest.EK{"ECC": tpmtest.ECC, "RSA": tpmtest.RSA} {
		t.Run(name, func(t *testing.T) {
			device := tpmtest.Start(t, &tpmtest.Options{EKs: []tpmtest.EK{ek}})
			opened := open(t, device, nil)
			identity, decryption, err := opened.MakeKeys(t.Context())
			require.NoError(t, err)
			attester, err := tpm.NewAttester(identity, decryption)
			require.NoError(t, err)
			evidence, err := attester.Evidence(t.Context())
			require.NoError(t, err)
			credentials, verify, err := trusting(device.Manufacturer()).Challenge(t.Context(), "acme", evidence,
				spki(t, identity.Public()), spki(t, decryption.PublicKey()))
			require.NoError(t, err)
			activation, err := attester.Activate(t.Context(), credentials)
			require.NoError(t, err)
			level, detail, err := verify(activation)
			require.NoError(t, err)
			assert.Equal(t, tpm.LevelVerified, level, detail)
		})
	}
}
