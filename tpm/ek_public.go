package tpm

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"

	"github.com/google/go-tpm/tpm2"
)

// endorsementKey is the public half of an endorsement key, checked to be by one of the TCG's templates.
type endorsementKey struct {
	area   *keyArea
	key    crypto.PublicKey // *rsa.PublicKey or *ecdh.PublicKey
	spki   []byte           // SubjectPublicKeyInfo of an RSA key (RFC 3279, 2.3.1) or an EC key (RFC 5480)
	encaps tpm2.LabeledEncapsulationKey
	name   *tpm2.TPM2BName
}

// parseEndorsementKey reads the public area of an endorsement key.
func parseEndorsementKey(raw []byte) (*endorsementKey, error) {
	area, err := parseKeyArea(raw)
	if err != nil {
		return nil, refuse(EvidenceMalformed, "the endorsement key's public area cannot be read")
	}
	if _, known := ekOf(area); !known {
		return nil, refuse(EvidenceEKPublic, "the endorsement key is not by a template of the TCG EK Credential "+
			"Profile (L-1, L-2, H-1, H-2, H-3, H-6): its attributes, policy or algorithms are other ones")
	}
	ek := &endorsementKey{area: area}
	if ek.key, err = area.key(); err != nil {
		return nil, refuse(EvidenceEKPublic, "the endorsement key's public area does not hold a key of its kind")
	}
	if ek.spki, err = x509.MarshalPKIXPublicKey(ek.key); err != nil {
		return nil, refuse(EvidenceEKPublic, "the endorsement key has no form as SubjectPublicKeyInfo")
	}
	// Only now, when nothing in it is left to be decided, go-tpm reads the area.
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](raw)
	if err == nil {
		ek.encaps, err = tpm2.ImportEncapsulationKey(public)
	}
	if err == nil {
		ek.name, err = tpm2.ObjectName(public)
	}
	if err != nil {
		return nil, refuse(EvidenceEKPublic, "the endorsement key cannot be encrypted to")
	}
	return ek, nil
}

// key returns the public key, on its curve or of its size.
func (p *keyArea) key() (crypto.PublicKey, error) {
	if p.kind == tpm2.TPMAlgRSA {
		return p.rsaKey()
	}
	return p.ecKey()
}

// hash identifies an endorsement key on a list of trusted ones.
func (ek *endorsementKey) hash() [32]byte { return sha256.Sum256(ek.spki) }
