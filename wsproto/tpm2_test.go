package wsproto_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
)

// The format tpm2 is package tpm's, which this one does not import; only their documents are the same.

type tpm2Vector struct {
	IdentityKey   []byte          `json:"identityKey"`
	DecryptionKey []byte          `json:"decryptionKey"`
	Evidence      json.RawMessage `json:"evidence"`
	Credentials   json.RawMessage `json:"credentials"`
	Activation    json.RawMessage `json:"activation"`
}

func TestTPM2ObjectsAreAsDescribed(t *testing.T) {
	raw, err := os.ReadFile("testdata/tpm2.json")
	require.NoError(t, err)
	var v tpm2Vector
	require.NoError(t, json.Unmarshal(raw, &v))
	made, _, err := tpm.NewVerifier(tpm.VerifierOptions{}).Challenge(t.Context(), "acme", v.Evidence, v.IdentityKey, v.DecryptionKey)
	require.NoError(t, err)
	doc := loadSchema(t)
	for name, texts := range map[string][]json.RawMessage{
		"TPM2Evidence": {v.Evidence}, "TPM2Credentials": {v.Credentials, made}, "TPM2Activation": {v.Activation},
	} {
		for _, text := range texts {
			assert.NoError(t, doc.ValidateSchema(name, text))
			assert.Error(t, doc.ValidateSchema(name, []byte(strings.Replace(string(text), `"identity"`, `"other"`, 1))), name)
		}
	}
	evidence := strings.Replace(string(v.Evidence), `"tpm2"`, `"tpm3"`, 1)
	assert.Error(t, doc.ValidateSchema("TPM2Evidence", []byte(evidence)))
}

// Every reason of a verifier is in PROTOCOL.md, but for the format, which is section 5.2's.
func TestProtocolListsTheReasonsOfEvidence(t *testing.T) {
	_, tables := protocol(t)
	var listed, want []string
	for _, row := range tables("#### What a verifier checks") {
		if name := strings.Trim(row[0], "`"); name != row[0] {
			listed = append(listed, name)
		}
	}
	for _, r := range tpm.EvidenceReasons() {
		if r != tpm.EvidenceFormat {
			want = append(want, string(r))
		}
	}
	assert.Equal(t, want, listed)
}
