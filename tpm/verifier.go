package tpm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// VerifierOptions say whom a [Verifier] trusts.
type VerifierOptions struct {
	// Roots are the certificates of TPM manufacturers (or of a tenant's own CA) to which a chain must lead. nil trusts
	// none; the roots of the operating system are never used.
	Roots *x509.CertPool
	// Intermediates are CAs between, for TPMs that don't hold the certificates themselves. They are not trusted by
	// themselves.
	Intermediates *x509.CertPool
	// EKHashes are endorsement keys that are trusted with any certificate or none: the SHA-256 of their
	// SubjectPublicKeyInfo, as [TPM.EndorsementKey] and [EvidenceEKHash] tell it.
	EKHashes [][32]byte
	// AllowEK is asked too, if it is set, whether an endorsement key is trusted by a tenant. It runs on the goroutine
	// of the call and may block. Its error ends the call.
	AllowEK func(ctx context.Context, tenant string, hash [32]byte) (bool, error)
	// RequireVerified makes an error of every endorsement key that is not verified, and of evidence of another format,
	// with the reason. Without it the level is lower, and the caller decides.
	RequireVerified bool
	// Time is the clock for the validity of certificates, by default time.Now.
	Time func() time.Time
}

// Verifier checks evidence of the format "tpm2". It needs no TPM. It may be used by any number of goroutines.
type Verifier struct {
	options VerifierOptions
	chains  chains
	secrets secrets
}

// NewVerifier makes a verifier. Its answers to a challenge are known to it alone: another one, of another process,
// takes a repeated activation for a wrong one.
func NewVerifier(o VerifierOptions) *Verifier {
	if o.Time == nil {
		o.Time = time.Now
	}
	o.EKHashes = slices.Clone(o.EKHashes)
	v := &Verifier{options: o, chains: chains{roots: o.Roots, intermediates: o.Intermediates}}
	_, _ = rand.Read(v.secrets.key[:]) // never fails
	return v
}

// Challenge checks evidence about two keys, given as SubjectPublicKeyInfo, and returns credentials which only the TPM
// of the evidence can open, and only if both keys are in it (TPM 2.0 Library, part 1, 24). Neither the evidence nor
// the keys prove anything by themselves: verify does, with what the TPM made of the credentials. It may be called
// once; the level is [LevelVerified] or [LevelUnverified], the detail says in a line for people which endorsement key
// it is and why the level is not higher.
//
// Evidence of another format proves nothing: there are no credentials then, and the level is [LevelSoftware].
//
// What contradicts itself is an [*EvidenceError] here or from verify, whatever the level that the caller wants.
func (v *Verifier) Challenge(
	ctx context.Context, tenant string, evidence json.RawMessage, identityKey, decryptionKey []byte,
) (
	credentials json.RawMessage, verify func(activation json.RawMessage) (level, detail string, err error), err error,
) {
	if err := context.Cause(ctx); err != nil {
		return nil, nil, err
	}
	e, err := decodeEvidence(evidence)
	if errors.Is(err, EvidenceFormat) && !v.options.RequireVerified {
		return nil, ununderstood, nil
	}
	if err != nil {
		return nil, nil, err
	}
	ek, err := parseEndorsementKey(e.EK.Public)
	if err != nil {
		return nil, nil, err
	}
	names, err := checkKeys(&e.Keys, identityKey, decryptionKey)
	if err != nil {
		return nil, nil, err
	}
	known, err := v.trust(ctx, tenant, &e.EK, ek)
	if err != nil {
		return nil, nil, err
	}
	credentials, expected, err := v.secrets.challenge(ek, names)
	if err != nil {
		return nil, nil, err
	}
	verify = func(activation json.RawMessage) (string, string, error) {
		if err := v.secrets.verify(expected, activation); err != nil {
			return "", "", err
		}
		level, detail := known.level(ek)
		return level, detail, nil
	}
	return credentials, verify, nil
}

// ununderstood is the verdict on evidence of another format: no lie, but nothing.
func ununderstood(json.RawMessage) (level, detail string, err error) {
	return LevelSoftware, "the evidence is of a format that is not known here", nil
}

// trust says whether an endorsement key is trusted. A certificate of another key is a lie, whatever it is worth.
func (v *Verifier) trust(ctx context.Context, tenant string, e *evidenceEK, ek *endorsementKey) (trust, error) {
	for _, der := range append([][]byte{e.Certificate}, e.Intermediates...) {
		if len(der) > 0 && !isDER(der) {
			return trust{}, refuse(EvidenceMalformed,
				"a certificate in the evidence is truncated, or something follows it")
		}
	}
	if len(e.Certificate) > 0 && mismatch(e.Certificate, ek) {
		return trust{}, refuse(EvidenceEKMismatch,
			"the certificate is of another endorsement key than the one in the evidence")
	}
	listed, err := v.listed(ctx, tenant, ek.hash())
	if err != nil {
		return trust{}, err
	}
	if listed {
		return trust{text: "on the list of trusted endorsement keys"}, nil
	}
	known := trust{EvidenceEKMissing, "it has no certificate and is not on the list of trusted ones"}
	if len(e.Certificate) > 0 {
		known = v.chains.check(e, v.options.Time())
	}
	if known.reason != "" && v.options.RequireVerified {
		return trust{}, refuse(known.reason, "the endorsement key is not trusted: %s", known.text)
	}
	return known, nil
}

func (v *Verifier) listed(ctx context.Context, tenant string, hash [32]byte) (bool, error) {
	if slices.Contains(v.options.EKHashes, hash) {
		return true, nil
	}
	if v.options.AllowEK == nil {
		return false, nil
	}
	allowed, err := v.options.AllowEK(ctx, tenant, hash)
	if err != nil {
		return false, fmt.Errorf("tpm: verifier: list of endorsement keys: %w", err)
	}
	return allowed, nil
}

func (t trust) level(ek *endorsementKey) (level, detail string) {
	hash := ek.hash()
	detail = "endorsement key " + hex.EncodeToString(hash[:]) + ": " + t.text
	if t.reason != "" {
		return LevelUnverified, detail
	}
	return LevelVerified, detail
}

// EvidenceEKHash returns the SHA-256 of the SubjectPublicKeyInfo of the endorsement key in evidence, for
// [VerifierOptions.EKHashes]. It proves nothing: evidence is verified by a [Verifier].
func EvidenceEKHash(evidence json.RawMessage) ([32]byte, error) {
	e, err := decodeEvidence(evidence)
	if err != nil {
		return [32]byte{}, err
	}
	ek, err := parseEndorsementKey(e.EK.Public)
	if err != nil {
		return [32]byte{}, err
	}
	return ek.hash(), nil
}

// sameKey compares a public area with a SubjectPublicKeyInfo.
func sameKey(area *keyArea, spki []byte) bool {
	key, err := area.key()
	if err != nil {
		return false
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	return err == nil && bytes.Equal(der, spki)
}
