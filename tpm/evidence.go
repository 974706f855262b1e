package tpm

import (
	"encoding/json"

	"github.com/adcskit/adcskit/internal/strictjson"
)

// FormatTPM2 names the format of evidence that this package makes and verifies (PROTOCOL.md of wsproto, section 5.3).
const FormatTPM2 = "tpm2"

// The levels that a [Verifier] gives.
const (
	// LevelVerified: the keys are in a TPM whose endorsement key has a certificate of a trusted manufacturer, or is
	// on the list of trusted ones.
	LevelVerified = "tpm-verified"
	// LevelUnverified: the keys are in something that behaves like a TPM.
	LevelUnverified = "tpm-unverified"
	// LevelSoftware: nothing is said that this package understands, so nothing is known.
	LevelSoftware = "software"
)

// Bounds of the three objects, in bytes unless said otherwise. Oversized ones are malformed.
const (
	maxUnknown       = 64 << 10 // evidence of any format
	maxEvidence      = 32 << 10
	maxActivation    = 4 << 10
	maxCredentials   = 12 << 10
	maxCertificate   = 4 << 10
	maxIntermediates = 8 // certificates
	maxIDObject      = 256
	maxSecret        = 512 // an RSA ciphertext of 4096 bits
	secretSize       = 32
)

// evidence is what a connector says of its keys. None of it is secret.
type evidence struct {
	Format string       `json:"format"`
	EK     evidenceEK   `json:"ek"`
	Keys   evidenceKeys `json:"keys"`
}

// evidenceEK is the endorsement key: TPMT_PUBLIC, DER.
type evidenceEK struct {
	Public        []byte   `json:"public"`
	Certificate   []byte   `json:"certificate,omitempty"`
	Intermediates [][]byte `json:"intermediates,omitempty"`
}

// evidenceKeys are TPMT_PUBLIC.
type evidenceKeys struct {
	Identity   []byte `json:"identity"`
	Decryption []byte `json:"decryption"`
}

// credentials are what a verifier encrypts to the endorsement key, for each key.
type credentials struct {
	Identity   credential `json:"identity"`
	Decryption credential `json:"decryption"`
}

// credential is a TPM2B_ID_OBJECT and a TPM2B_ENCRYPTED_SECRET.
type credential struct {
	Credential []byte `json:"credential"`
	Secret     []byte `json:"secret"`
}

// activation is what the TPM has decrypted.
type activation struct {
	Identity   []byte `json:"identity"`
	Decryption []byte `json:"decryption"`
}

// decodeEvidence reads evidence and checks its bounds, not yet what it says.
func decodeEvidence(text json.RawMessage) (*evidence, error) {
	var e evidence
	var kind struct {
		Format string `json:"format"`
	}
	// What else is in evidence of another format is for others to read.
	if err := decodeObject(text, &kind, maxUnknown, "the evidence"); err != nil {
		return nil, err
	}
	if kind.Format != "" && kind.Format != FormatTPM2 {
		return nil, refuse(EvidenceFormat, "the evidence is of another format than %q", FormatTPM2)
	}
	if err := decodeObject(text, &e, maxEvidence, "the evidence"); err != nil {
		return nil, err
	}
	if e.Format == "" {
		return nil, refuse(EvidenceMalformed, "the evidence does not say of which format it is")
	}
	if len(e.EK.Public) == 0 || len(e.Keys.Identity) == 0 || len(e.Keys.Decryption) == 0 {
		return nil, refuse(EvidenceMalformed, "a public area is missing from the evidence")
	}
	if len(e.EK.Intermediates) > maxIntermediates {
		return nil, refuse(EvidenceMalformed,
			"the evidence holds more than %d intermediate certificates", maxIntermediates)
	}
	for _, der := range append([][]byte{e.EK.Certificate}, e.EK.Intermediates...) {
		if len(der) > maxCertificate {
			return nil, refuse(EvidenceMalformed, "a certificate in the evidence has more than %d bytes", maxCertificate)
		}
	}
	return &e, nil
}

// decodeCredentials reads credentials. Here the verifier is the hostile side.
func decodeCredentials(text json.RawMessage) (*credentials, error) {
	var c credentials
	if err := decodeObject(text, &c, maxCredentials, "the credentials"); err != nil {
		return nil, err
	}
	for _, one := range []credential{c.Identity, c.Decryption} {
		if !sized(one.Credential, maxIDObject) || !sized(one.Secret, maxSecret) {
			return nil, refuse(EvidenceMalformed, "a credential has an impossible length")
		}
	}
	return &c, nil
}

func decodeActivation(text json.RawMessage) (*activation, error) {
	var a activation
	if err := decodeObject(text, &a, maxActivation, "the activation"); err != nil {
		return nil, err
	}
	if len(a.Identity) != secretSize || len(a.Decryption) != secretSize {
		return nil, refuse(EvidenceMalformed, "the activation does not hold two secrets of %d bytes", secretSize)
	}
	return &a, nil
}

func decodeObject(text json.RawMessage, v any, most int, what string) error {
	if len(text) > most {
		return refuse(EvidenceMalformed, "%s has more than %d bytes", what, most)
	}
	if err := strictjson.Unmarshal(text, v, EvidenceMalformed); err != nil {
		return refuse(EvidenceMalformed, "%s is not the JSON object that it should be", what)
	}
	return nil
}

// sized is true for a TPM2B: its length in two bytes, and as many bytes, at least one and at most as given.
func sized(b []byte, most int) bool {
	return len(b) > 2 && len(b)-2 <= most && len(b)-2 == int(b[0])<<8|int(b[1])
}
