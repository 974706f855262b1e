package tpm_test

import (
	"crypto"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// lockOut gives the TPM wrong authorization values for a key of somebody else's until it takes none any more.
func lockOut(t *testing.T, tp transport.TPM, owner string) {
	t.Helper()
	template := tpm2.ECCSRKTemplate
	template.ObjectAttributes.NoDA = false
	made, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth([]byte(owner))},
		InPublic:      tpm2.New2B(template),
		InSensitive:   tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte("right")}}},
	}.Execute(tp)
	require.NoError(t, err)
	defer flush(t, tp, made.ObjectHandle)
	key := tpm2.AuthHandle{Handle: made.ObjectHandle, Name: made.Name, Auth: tpm2.PasswordAuth([]byte("wrong"))}
	for range 40 {
		_, err = tpm2.Create{ParentHandle: key, InPublic: tpm2.New2B(template)}.Execute(tp)
		require.Error(t, err)
	}
	require.ErrorIs(t, err, tpm2.TPMRCLockout)
}

// What others do wrong with a TPM does not concern a connector: its keys, their parent and what proves them are not subject
// to the lock-out.
func TestLockout(t *testing.T) {
	for name, ek := range map[string]tpmtest.EK{"ECC": tpmtest.ECC, "RSA": tpmtest.RSA} {
		t.Run(name, func(t *testing.T) {
			device := tpmtest.Start(t, &tpmtest.Options{EKs: []tpmtest.EK{ek}})
			device.Do(func(tp transport.TPM) {
				for h, auth := range map[tpm2.TPMHandle]string{tpm2.TPMRHOwner: "owner", tpm2.TPMRHEndorsement: "endorsement"} {
					_, err := tpm2.HierarchyChangeAuth{AuthHandle: h, NewAuth: tpm2.TPM2BAuth{Buffer: []byte(auth)}}.Execute(tp)
					require.NoError(t, err)
				}
			})
			device.Do(func(tp transport.TPM) { lockOut(t, tp, "owner") })
			opened := open(t, device, &tpm.Options{
				KeyAuth: []byte("key"), OwnerAuth: []byte("owner"), EndorsementAuth: []byte("endorsement"),
			})
			p := newParty(t, opened)
			_, err := p.identity.Sign(nil, make([]byte, 32), crypto.SHA256)
			require.NoError(t, err)
			level, detail := p.attest(t, trusting(device.Manufacturer()))
			assert.Equal(t, tpm.LevelVerified, level, detail)
			require.NoError(t, opened.Close())

			wrong := open(t, device, &tpm.Options{OwnerAuth: []byte("wrong")})
			for range 5 {
				_, err = wrong.NewSigner(t.Context(), tpm.P256)
				require.ErrorIs(t, err, tpm.ErrNoOwner)
				require.NotErrorIs(t, err, tpm.ErrLockout)
			}
		})
	}
}
