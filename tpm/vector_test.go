package tpm_test

import (
	"crypto/ecdh"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
)

// vector is one attestation with the private half of its endorsement key, for other implementations. PROTOCOL.md of
// wsproto, section 5.3, names the file.
type vector struct {
	Time           time.Time       `json:"time"`
	Roots          [][]byte        `json:"roots"`
	EKPrivate      []byte          `json:"ekPrivate"` // PKCS #8
	EKHash         []byte          `json:"ekHash"`
	IdentityKey    []byte          `json:"identityKey"`
	DecryptionKey  []byte          `json:"decryptionKey"`
	IdentityName   []byte          `json:"identityName"`
	DecryptionName []byte          `json:"decryptionName"`
	Evidence       json.RawMessage `json:"evidence"`
	Credentials    json.RawMessage `json:"credentials"`
	Activation     json.RawMessage `json:"activation"`
}

// readVector returns the vector, and a TPM that has its endorsement key.
func readVector(t testing.TB) (*vector, *softwareTPM) {
	t.Helper()
	raw, err := os.ReadFile("../wsproto/testdata/tpm2.json")
	require.NoError(t, err)
	v, s := &vector{}, &softwareTPM{tb: t}
	require.NoError(t, json.Unmarshal(raw, v))
	require.NoError(t, json.Unmarshal(v.Evidence, &s.said))
	key, err := x509.ParsePKCS8PrivateKey(v.EKPrivate)
	require.NoError(t, err)
	s.ekKey, err = key.(interface {
		ECDH() (*ecdh.PrivateKey, error)
	}).ECDH()
	require.NoError(t, err)
	return v, s
}

func TestVector(t *testing.T) {
	v, s := readVector(t)
	assert.JSONEq(t, string(v.Activation), string(s.activate(v.Credentials)), "the credentials hold the activation")
	for _, of := range []struct{ area, name []byte }{
		{s.said.Keys.Identity, v.IdentityName}, {s.said.Keys.Decryption, v.DecryptionName},
	} {
		digest := sha256.Sum256(of.area)
		assert.Equal(t, append([]byte{0, 11}, digest[:]...), of.name)
	}
	hash, err := tpm.EvidenceEKHash(v.Evidence)
	require.NoError(t, err)
	assert.Equal(t, v.EKHash, hash[:])

	roots := x509.NewCertPool()
	for _, der := range v.Roots {
		root, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		roots.AddCert(root)
	}
	verifier := tpm.NewVerifier(tpm.VerifierOptions{Roots: roots, Time: func() time.Time { return v.Time }})
	credentials, verify, err := verifier.Challenge(t.Context(), "acme", v.Evidence, v.IdentityKey, v.DecryptionKey)
	require.NoError(t, err)
	level, detail, err := verify(s.activate(credentials))
	require.NoError(t, err)
	assert.Equal(t, tpm.LevelVerified, level, detail)
}
