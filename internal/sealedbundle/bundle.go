// Package sealedbundle is the format of sealed delivery: a .p12 and its password, encrypted to a recipient and signed by
// the connector that made them, with everything about them that whoever relays it must not change. It is one JSON object;
// PROTOCOL.md of wsproto, section 7.7, is normative.
package sealedbundle

import (
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/adcskit/adcskit/internal/envelope"
	"github.com/adcskit/adcskit/internal/strictjson"
)

// Version is the one version of the format that there is.
const Version = 1

// Bounds, in bytes.
const (
	// MaxText bounds the JSON text of a bundle.
	MaxText = 3 << 19
	// MaxPKCS12 bounds the .p12.
	MaxPKCS12 = envelope.MaxPlaintext - 2*4 - MaxPassword
	// MaxPassword bounds its password.
	MaxPassword = 255
	// MaxName bounds the name of a tenant and the id of a recipient.
	MaxName = 255
	// MaxJob bounds the id of a job.
	MaxJob = 64
	// MaxSignature bounds an ECDSA signature in ASN.1; one on P-256 has at most 72 bytes.
	MaxSignature = 80
	minSignature = 8
)

// The KEM of a bundle is named by the curve of the recipient's key.
const (
	KEMP256   = "P-256"  // DHKEM(P-256, HKDF-SHA256)
	KEMX25519 = "X25519" // DHKEM(X25519, HKDF-SHA256)
)

// Error says why a bundle cannot be used. The constants are all there are.
type Error string

// What can be wrong with a bundle, in the order in which it is checked.
const (
	ErrMalformed Error = "malformed, or out of bounds"
	ErrSigner    Error = "signed by a connector that is not accepted"
	ErrSignature Error = "its signature does not verify"
	ErrContext   Error = "made for another tenant, job, recipient or certificate"
	ErrRecipient Error = "sealed for another key"
	ErrSealed    Error = "does not open with this key"
	ErrContent   Error = "opened, but its content is malformed"
)

// Error says what is wrong.
func (e Error) Error() string { return "sealed bundle: " + string(e) }

// Bundle is a sealed bundle as it stands on the wire. All of it is bound by the signature; all but the last three members
// by the encryption as well.
type Bundle struct {
	Version       int64  `json:"version"`
	Tenant        string `json:"tenant"`
	Job           string `json:"job"`
	Connector     []byte `json:"connector"` // SHA-256 of SignerKey
	SignerKey     []byte `json:"signerKey"` // the connector's identity key: SubjectPublicKeyInfo, DER, P-256
	Recipient     string `json:"recipient"`
	RecipientKey  []byte `json:"recipientKey"` // SHA-256 of the recipient's key
	KEM           string `json:"kem"`
	Thumbprint    []byte `json:"thumbprint"` // SHA-256 of the certificate
	Encapsulation []byte `json:"enc"`
	Ciphertext    []byte `json:"ciphertext"`
	Signature     []byte `json:"signature"` // by SignerKey
}

// Parse reads the JSON text of a bundle and checks every bound, and that the fingerprint of the signer is that of its key;
// not the signature: see [Bundle.Verify]. Members that are not of this version are refused, since nothing binds them. The
// error matches [ErrMalformed] and holds nothing of the text.
func Parse(text []byte) (*Bundle, error) {
	if len(text) > MaxText {
		return nil, ErrMalformed
	}
	if err := onlyKnown(text); err != nil {
		return nil, err
	}
	b := new(Bundle)
	if err := strictjson.Unmarshal(text, b, ErrMalformed); err != nil {
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return b, nil
}

// onlyKnown refuses what is no object of the members of a Bundle.
func onlyKnown(text []byte) error {
	s := strictjson.New(text, ErrMalformed)
	err := s.Object(func(name string) error {
		switch name {
		case "version", "tenant", "job", "connector", "signerKey", "recipient", "recipientKey", "kem", "thumbprint", "enc",
			"ciphertext", "signature":
			_, err := s.Value()
			return err
		}
		return fmt.Errorf("%w: a member of a later version, or of none", ErrMalformed)
	})
	if err != nil {
		return err
	}
	return s.End()
}

// check tests the bounds of every member.
func (b *Bundle) check() error {
	text := func(s string, most int) bool { return s != "" && len(s) <= most && utf8.ValidString(s) }
	bytes := func(b []byte, least, most int) bool { return len(b) >= least && len(b) <= most }
	for _, c := range []struct {
		ok     bool
		member string
	}{
		{b.Version == Version, "version"},
		{text(b.Tenant, MaxName), "tenant"},
		{text(b.Job, MaxJob), "job"},
		{text(b.Recipient, MaxName), "recipient"},
		{bytes(b.RecipientKey, sha256.Size, sha256.Size), "recipientKey"},
		{b.KEM == KEMP256 || b.KEM == KEMX25519, "kem"},
		{bytes(b.Thumbprint, sha256.Size, sha256.Size), "thumbprint"},
		{len(b.Encapsulation) == encapsulationSize(b.KEM), "enc"},
		{bytes(b.Ciphertext, envelope.Overhead+1, envelope.MaxPlaintext+envelope.Overhead), "ciphertext"},
		{bytes(b.Signature, minSignature, MaxSignature), "signature"},
	} {
		if !c.ok {
			return fmt.Errorf("%w: %s", ErrMalformed, c.member)
		}
	}
	if _, err := b.signer(); err != nil {
		return err
	}
	return nil
}

func encapsulationSize(kem string) int {
	if kem == KEMX25519 {
		return envelope.EncapsulationSizeX25519
	}
	return envelope.EncapsulationSize
}

// kemOf names the KEM of a key, or "" if there is none for it.
func kemOf(pub *ecdh.PublicKey) string {
	switch pub.Curve() {
	case ecdh.P256():
		return KEMP256
	case ecdh.X25519():
		return KEMX25519
	}
	return ""
}

// Encode returns the JSON text of a bundle.
func (b *Bundle) Encode() (json.RawMessage, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("sealed bundle: encoding: %w", err)
	}
	if len(text) > MaxText {
		return nil, fmt.Errorf("%w: too large", ErrMalformed)
	}
	return text, nil
}
