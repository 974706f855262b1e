package tpm

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// meanings are all errors that a refusal can mean.
func meanings() []error {
	return []error{ErrLockout, ErrBusy, ErrMemory, ErrAuth, ErrNoOwner, ErrHandle, ErrUnsupported, ErrFailure, ErrOtherTPM,
		errDamaged}
}

func TestRefusals(t *testing.T) {
	load, sign, owner := tpm2.Load{}, tpm2.Sign{}, tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner}
	ek := tpm2.CreatePrimary{PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement}}
	for _, test := range []struct {
		cmd  any
		code tpm2.TPMRC
		want []error
		text string
	}{
		{sign, 0x921, []error{ErrLockout}, "tpm: Sign: after too many wrong authorization values"},
		{sign, 0x922, []error{ErrBusy}, "(TPM_RC_RETRY, 0x922)"},
		{sign, 0x90a, []error{ErrBusy}, "try again later"},
		{load, 0x902, []error{ErrMemory}, "tpm: Load: other programs fill"},
		{load, 0x903, []error{ErrMemory}, "TPM_RC_SESSION_MEMORY"},
		{sign, 0x98e, []error{ErrAuth}, "(TPM_RC_AUTH_FAIL (session 1), 0x98e)"},
		{sign, 0x98e, []error{ErrAuth}, "repeated attempts may lock"},
		{sign, 0x9a2, []error{ErrAuth}, "Options.KeyAuth"},
		{sign, 0x9a2, []error{ErrAuth}, "whether the key has one (TPM_RC_BAD_AUTH (session 1), 0x9a2)"},
		{load, 0x9a2, []error{ErrAuth}, "Options.Parent"},
		{owner, 0x9a2, []error{ErrAuth, ErrNoOwner}, "Options.OwnerAuth"},
		{owner, 0x185, []error{ErrNoOwner}, "(TPM_RC_HIERARCHY (handle 1), 0x185)"},
		{owner, 0x921, []error{ErrLockout}, "tpm: CreatePrimary: "},
		{ek, 0x9a2, []error{ErrAuth}, "Options.EndorsementAuth"},
		{ek, 0x185, nil, "tpm: CreatePrimary: TPM_RC_HIERARCHY (handle 1): hierarchy is not enabled"},
		{tpm2.PolicySecret{AuthHandle: tpm2.TPMRHEndorsement}, 0x9a2, []error{ErrAuth}, "Options.EndorsementAuth"},
		{load, 0x1df, []error{ErrOtherTPM}, "in another TPM, or in this one before it was cleared"},
		{tpm2.ActivateCredential{}, 0x1df, nil, "tpm: ActivateCredential: TPM_RC_INTEGRITY (parameter 1)"},
		{load, 0x2e5, []error{errDamaged}, "its file is damaged"},
		{sign, 0x18b, []error{ErrHandle}, "(TPM_RC_HANDLE (handle 1), 0x18b)"},
		{sign, 0x910, []error{ErrHandle}, "TPM_RC_REFERENCE_H0"},
		{sign, 0x91e, []error{ErrHandle}, "TPM_RC_REFERENCE_S6"},
		{sign, 0x143, []error{ErrUnsupported}, "use P-256"},
		{sign, 0x000b0143, []error{ErrUnsupported}, "(TPM_RC_COMMAND_CODE, 0xb0143)"}, // the kernel's resource manager
		{sign, 0x2e6, []error{ErrUnsupported}, "(TPM_RC_CURVE (parameter 2), 0x2e6)"},
		{tpm2.PolicySecret{}, 0x80280400, []error{ErrUnsupported}, "Windows lets programs of this account not use the command"},
		{sign, 0x101, []error{ErrFailure}, "restart the machine"},
		{sign, 0x101, []error{ErrFailure}, "--flags startup-clear (TPM_RC_FAILURE, 0x101)"},
		{sign, 0x100, []error{ErrFailure}, "--flags startup-clear (TPM_RC_INITIALIZE, 0x100)"},
		{sign, 0x2c4, nil, "tpm: Sign: TPM_RC_VALUE (parameter 2): value is out of range"},
		{sign, 0x5ff, nil, "0x5ff"}, // a vendor's
		{sign, 0xffffffff, nil, "0xffffffff"},
	} {
		err := refused(test.cmd, test.code)
		assert.ErrorContains(t, err, test.text)
		for _, meaning := range meanings() {
			assert.Equal(t, slices.Contains(test.want, meaning), errors.Is(err, meaning), "%v: %v", err, meaning)
		}
		var refusal *CommandError
		require.ErrorAs(t, err, &refusal)
		assert.Equal(t, uint32(test.code), refusal.Code)
		if test.code < 0x80000000 {
			require.ErrorIs(t, err, canonicalCode(test.code&0xffff), "go-tpm's code")
		}
		assert.Less(t, len(err.Error()), 400)
	}
	err := refused(load, errors.New("no code"))
	assert.EqualError(t, err, "tpm: Load: no code")
	var refusal *CommandError
	assert.False(t, errors.As(err, &refusal))
}

// TestEveryCodeIsCanonical goes through all codes of go-tpm's table with every number that they can have.
func TestEveryCodeIsCanonical(t *testing.T) {
	for code, meaning := range classes {
		assert.Equal(t, code, canonicalCode(code))
		if code&formatOne == 0 {
			continue
		}
		for n := range tpm2.TPMRC(16) {
			for _, about := range []tpm2.TPMRC{0, 0x40} { // handles and sessions, parameters
				err := refused(tpm2.Sign{}, code|n<<8|about)
				require.ErrorIs(t, err, meaning)
				require.ErrorIs(t, err, code)
			}
		}
	}
}

func TestTextsSayWhatToDo(t *testing.T) {
	for _, meaning := range meanings() {
		assert.True(t, strings.HasPrefix(meaning.Error(), "tpm: "), meaning)
	}
}

// ask runs one command in an exclusive section.
func ask[R any](t *testing.T, d *TPM, cmd command[R]) error {
	t.Helper()
	return d.use(t.Context(), func(c *conn) error {
		_, err := run(c, cmd)
		return err
	})
}

// TestRefusalsOfATPM lets a TPM refuse.
func TestRefusalsOfATPM(t *testing.T) {
	dev := tpmtest.Start(t, &tpmtest.Options{Certificate: tpmtest.None})
	dev.Do(func(w transport.TPM) {
		for _, h := range []tpm2.TPMHandle{tpm2.TPMRHOwner, tpm2.TPMRHEndorsement} {
			_, err := tpm2.HierarchyChangeAuth{AuthHandle: h, NewAuth: tpm2.TPM2BAuth{Buffer: []byte("secret")}}.Execute(w)
			require.NoError(t, err)
		}
	})
	d, err := Open(dev.Path(), nil)
	require.NoError(t, err)
	defer d.Close()
	primary := func(h tpm2.TPMHandle) tpm2.CreatePrimary {
		return tpm2.CreatePrimary{PrimaryHandle: h, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}
	}
	noDA := tpm2.ECCSRKTemplate
	noDA.ObjectAttributes.NoDA = false
	curve := tpm2.ECCSRKTemplate
	curve.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull}, CurveID: tpm2.TPMECCBNP638,
	})
	err = ask(t, d, primary(tpm2.TPMRHOwner))
	require.ErrorIs(t, err, ErrNoOwner)
	require.ErrorIs(t, err, ErrAuth)
	require.NotErrorIs(t, ask(t, d, primary(tpm2.TPMRHEndorsement)), ErrNoOwner)
	require.ErrorContains(t, ask(t, d, primary(tpm2.TPMRHEndorsement)), "Options.EndorsementAuth")
	require.ErrorIs(t, ask(t, d, tpm2.ReadPublic{ObjectHandle: tpm2.TPMHandle(0x80000000)}), ErrHandle)
	require.ErrorIs(t, ask(t, d, tpm2.ReadPublic{ObjectHandle: tpm2.TPMHandle(0x81001234)}), ErrHandle)
	require.ErrorIs(t, ask(t, d, tpm2.PolicyGetDigest{PolicySession: tpm2.TPMHandle(0x03000000)}), ErrHandle)
	require.ErrorIs(t, ask(t, d, tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHNull, InPublic: tpm2.New2B(curve),
	}), ErrUnsupported)

	err = d.use(t.Context(), func(c *conn) error { // wrong values for a key that counts them
		key, err := run(c, tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHNull, InPublic: tpm2.New2B(noDA),
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				UserAuth: tpm2.TPM2BAuth{Buffer: []byte("right")}}}})
		require.NoError(t, err)
		h := tpm2.AuthHandle{Handle: key.ObjectHandle, Name: key.Name, Auth: tpm2.PasswordAuth([]byte("wrong"))}
		for range 50 {
			_, err = run(c, tpm2.Create{ParentHandle: h, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)})
			if !errors.Is(err, ErrAuth) {
				break
			}
		}
		return err
	})
	require.ErrorIs(t, err, ErrLockout)

	err = d.use(t.Context(), func(c *conn) error { // the section's own objects don't make room
		for range 10 {
			made, err := run(c, primary(tpm2.TPMRHNull))
			if err != nil {
				return err
			}
			c.used = append(c.used, made.ObjectHandle)
		}
		return nil
	})
	require.ErrorIs(t, err, ErrMemory)
}
