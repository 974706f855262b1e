package tpm

import (
	"github.com/google/go-tpm/tpm2"
)

// attestedAttributes are those of a key that was made in this TPM and can never leave it, usable with its
// authorization value and not counted for the lock-out. To them comes one use: signing, or decryption.
const attestedAttributes = bitFixedTPM | bitFixedParent | bitSensitiveDataOrigin | bitUserWithAuth | bitNoDA

// keyNames are the names of the two keys, to which the TPM binds an activation.
type keyNames struct {
	identity, decryption []byte
}

// checkKeys checks the public areas of both keys against those that the connector speaks for.
func checkKeys(k *evidenceKeys, identityKey, decryptionKey []byte) (keyNames, error) {
	identity, err := parseKeyArea(k.Identity)
	if err != nil {
		return keyNames{}, refuse(EvidenceMalformed, "the identity key's public area cannot be read")
	}
	decryption, err := parseKeyArea(k.Decryption)
	if err != nil {
		return keyNames{}, refuse(EvidenceMalformed, "the decryption key's public area cannot be read")
	}
	if sameKey(identity, decryptionKey) && sameKey(decryption, identityKey) {
		return keyNames{}, refuse(EvidenceKeysSwapped,
			"the evidence has identity and decryption key in each other's place")
	}
	if err := checkKey(identity, identityKey, bitSign, "identity"); err != nil {
		return keyNames{}, err
	}
	if err := checkKey(decryption, decryptionKey, bitDecrypt, "decryption"); err != nil {
		return keyNames{}, err
	}
	return keyNames{identity: identity.name(), decryption: decryption.name()}, nil
}

// checkKey checks one key. The name, to which the activation is bound, covers all that is checked here, so the TPM
// vouches for it; what the area says about a key that is not in the TPM is of no use.
func checkKey(area *keyArea, spki []byte, use uint32, what string) error {
	if !sameKey(area, spki) {
		return refuse(EvidenceKeyMismatch, "the evidence is about another %s key than the connector's", what)
	}
	if area.nameAlg != tpm2.TPMAlgSHA256 || !validDetails(area.details, use) {
		return refuse(EvidenceKeyAlgorithm, "the %s key is not a P-256 key by the format: name algorithm SHA-256, "+
			"no symmetric algorithm, no scheme (or ECDSA with SHA-256 for the identity key)", what)
	}
	if area.attributes != attestedAttributes|use {
		return refuse(EvidenceKeyAttributes, "the %s key has the attributes %#08x instead of %#08x: fixedTPM, "+
			"fixedParent, sensitiveDataOrigin, userWithAuth, noDA and its one use; make the key anew in the TPM",
			what, area.attributes, attestedAttributes|use)
	}
	// The public half of a software key, loaded with TPM2_LoadExternal, can have any attributes. Activation needs an
	// authorization, though, and an object without a private half has no authorization value. What is left is a
	// policy, which a TPM must not take for such an object either; but nothing here needs one.
	if len(area.policy) != 0 {
		return refuse(EvidenceKeyPolicy, "the %s key has an authorization policy; make the key anew without one", what)
	}
	return nil
}

func validDetails(d keyDetails, use uint32) bool {
	want := keyDetails{
		symmetric: tpm2.TPMAlgNull, scheme: tpm2.TPMAlgNull, kdf: tpm2.TPMAlgNull, curve: tpm2.TPMECCNistP256,
	}
	if use == bitSign && d.scheme == tpm2.TPMAlgECDSA {
		want.scheme, want.schemeHash = tpm2.TPMAlgECDSA, tpm2.TPMAlgSHA256
	}
	return d == want
}
