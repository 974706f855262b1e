package tpm_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
)

// seeds is the vector, and what is nearly one of its objects.
func seeds(f *testing.F, object func(v *vector) json.RawMessage) *vector {
	f.Helper()
	v, _ := readVector(f)
	text := string(object(v))
	for _, seed := range []string{
		text, "{}", "[]", "null", text[:len(text)/2], strings.Replace(text, "identity", "decryption", 1),
		strings.Replace(text, `:"`, `:"AAAA`, 1), strings.Replace(text, "A", "/", 20),
	} {
		f.Add([]byte(seed))
	}
	return v
}

// mustRefuse checks that an error is one that may be told.
func mustRefuse(t *testing.T, err error) {
	t.Helper()
	refused, ok := errors.AsType[*tpm.EvidenceError](err)
	require.True(t, ok, "%v", err)
	assert.Contains(t, tpm.EvidenceReasons(), refused.Reason)
	assert.Less(t, len(refused.Error()), 400)
}

// FuzzEvidence: whatever a connector sends is refused with a reason, or challenged; it never verifies without the
// answer.
func FuzzEvidence(f *testing.F) {
	v := seeds(f, func(v *vector) json.RawMessage { return v.Evidence })
	verifier := tpm.NewVerifier(tpm.VerifierOptions{Time: func() time.Time { return v.Time }})
	f.Fuzz(func(t *testing.T, evidence []byte) {
		credentials, verify, err := verifier.Challenge(t.Context(), "acme", evidence, v.IdentityKey, v.DecryptionKey)
		if err != nil {
			mustRefuse(t, err)
			assert.Nil(t, credentials)
			return
		}
		if credentials == nil { // of another format
			level, _, err := verify(v.Activation)
			require.NoError(t, err)
			require.Equal(t, tpm.LevelSoftware, level)
			return
		}
		require.NoError(t, tpm.DecodeCredentials(credentials))
		_, _, err = verify(v.Activation)
		assert.ErrorIs(t, err, tpm.EvidenceActivation)
		hash, err := tpm.EvidenceEKHash(evidence)
		require.NoError(t, err)
		assert.NotZero(t, hash)
	})
}

// FuzzPublicArea: a public area is refused, or is exactly what its parts are written as.
func FuzzPublicArea(f *testing.F) {
	v := seeds(f, func(v *vector) json.RawMessage { return v.Evidence })
	var said evidence
	require.NoError(f, json.Unmarshal(v.Evidence, &said))
	for _, area := range [][]byte{said.EK.Public, said.Keys.Identity, said.Keys.Decryption} {
		f.Add(area)
		f.Add(area[:len(area)-1])
		f.Add(append(area, 0))
	}
	f.Fuzz(func(t *testing.T, area []byte) {
		if again, err := tpm.RewriteKeyArea(area); err == nil {
			assert.Equal(t, area, again)
		}
	})
}

// FuzzCredentials: whatever a gateway sends is refused before a TPM sees it, or has the lengths that it states.
func FuzzCredentials(f *testing.F) {
	seeds(f, func(v *vector) json.RawMessage { return v.Credentials })
	f.Fuzz(func(t *testing.T, credentials []byte) {
		if err := tpm.DecodeCredentials(credentials); err != nil {
			mustRefuse(t, err)
		}
	})
}

// FuzzActivation: nothing but the right answer verifies.
func FuzzActivation(f *testing.F) {
	v := seeds(f, func(v *vector) json.RawMessage { return v.Activation })
	verifier := tpm.NewVerifier(tpm.VerifierOptions{})
	f.Fuzz(func(t *testing.T, activation []byte) {
		_, verify, err := verifier.Challenge(t.Context(), "acme", v.Evidence, v.IdentityKey, v.DecryptionKey)
		require.NoError(t, err)
		level, detail, err := verify(activation)
		mustRefuse(t, err)
		assert.Empty(t, level+detail)
	})
}
