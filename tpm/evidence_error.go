package tpm

import "fmt"

// EvidenceReason says what is wrong with evidence, or with an activation. The set is closed. As an error it is a target
// for errors.Is: every [*EvidenceError] matches its reason.
type EvidenceReason string

// The reasons.
const (
	// EvidenceMalformed: not of the format, truncated, oversized, a member twice.
	EvidenceMalformed EvidenceReason = "malformed"
	// EvidenceEKPublic: the endorsement key's public area is not by one of the TCG's templates.
	EvidenceEKPublic EvidenceReason = "ek-public"
	// EvidenceEKMismatch: the certificate is of another endorsement key.
	EvidenceEKMismatch EvidenceReason = "ek-mismatch"
	// EvidenceKeyMismatch: the public area is not that of the key that the connector speaks for.
	EvidenceKeyMismatch EvidenceReason = "key-mismatch"
	// EvidenceKeysSwapped: identity and decryption key stand in each other's place.
	EvidenceKeysSwapped EvidenceReason = "keys-swapped"
	// EvidenceKeyAlgorithm: not P-256, or with another scheme or name algorithm than the format says.
	EvidenceKeyAlgorithm EvidenceReason = "key-algorithm"
	// EvidenceKeyAttributes: the attributes don't say that the key was made in the TPM, is fixed to it and has one use.
	EvidenceKeyAttributes EvidenceReason = "key-attributes"
	// EvidenceKeyPolicy: the key has an authorization policy, with which it could be activated without being in the
	// TPM.
	EvidenceKeyPolicy EvidenceReason = "key-policy"
	// EvidenceActivation: the activation does not hold what the credentials protect: not that TPM, or not those keys.
	EvidenceActivation EvidenceReason = "activation"
	// EvidenceReplayed: the activation answers another challenge, or one that was answered before.
	EvidenceReplayed EvidenceReason = "replayed"

	// EvidenceFormat: of another format than "tpm2", so it says nothing to this package.
	EvidenceFormat EvidenceReason = "format"
	// EvidenceEKMissing: there is no certificate, and the endorsement key is not on the list.
	EvidenceEKMissing EvidenceReason = "ek-certificate-missing"
	// EvidenceEKCertificate: the certificate cannot be read, or is not one of an endorsement key.
	EvidenceEKCertificate EvidenceReason = "ek-certificate-wrong"
	// EvidenceEKExpired: the certificate, or one above it, has expired or is not valid yet.
	EvidenceEKExpired EvidenceReason = "ek-certificate-expired"
	// EvidenceEKUntrusted: there is no chain from the certificate to a given root.
	EvidenceEKUntrusted EvidenceReason = "ek-certificate-untrusted"
)

// EvidenceReasons lists all reasons. The last five make a lower level, and an error only if
// [VerifierOptions.RequireVerified] is set; the others are always errors.
func EvidenceReasons() []EvidenceReason {
	return []EvidenceReason{
		EvidenceMalformed, EvidenceEKPublic, EvidenceEKMismatch, EvidenceKeyMismatch, EvidenceKeysSwapped,
		EvidenceKeyAlgorithm, EvidenceKeyAttributes, EvidenceKeyPolicy, EvidenceActivation, EvidenceReplayed,
		EvidenceFormat, EvidenceEKMissing, EvidenceEKCertificate, EvidenceEKExpired, EvidenceEKUntrusted,
	}
}

// Error is the reason's name.
func (r EvidenceReason) Error() string { return "tpm: evidence: " + string(r) }

// EvidenceError says why evidence or an activation is refused. Its text is for people on either side: it holds no
// secrets, and nothing that the other side has written.
type EvidenceError struct {
	Reason EvidenceReason
	// Text says what is wrong, and what to do where somebody can.
	Text string
}

// Error gives the text and the reason.
func (e *EvidenceError) Error() string {
	return "tpm: evidence: " + e.Text + " (" + string(e.Reason) + ")"
}

// Refusal is the text to tell the connector and people. A gateway tells by this method that the evidence is to blame,
// and not the verifier.
func (e *EvidenceError) Refusal() string { return e.Error() }

// Is is true for the error's reason.
func (e *EvidenceError) Is(target error) bool {
	reason, ok := target.(EvidenceReason)
	return ok && reason == e.Reason
}

// refuse makes an EvidenceError.
func refuse(reason EvidenceReason, format string, args ...any) error {
	return &EvidenceError{Reason: reason, Text: fmt.Sprintf(format, args...)}
}
