package wsproto

import (
	"crypto"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/envelope"
)

// Rotation is the statement of a connector's previous identity key that the keys of a [Hello] take its place: PROTOCOL.md,
// section 6.4. See [SignRotation].
type Rotation struct {
	IdentityKey   []byte `json:"identityKey"`   // the previous one: SubjectPublicKeyInfo, DER, P-256
	DecryptionKey []byte `json:"decryptionKey"` // the previous one: SubjectPublicKeyInfo, DER, P-256
	Signature     []byte `json:"signature"`     // by the previous identity key
}

// RotationKeys are the keys that a rotation names besides the previous identity key, which signs it. All are
// SubjectPublicKeyInfo in DER, on P-256.
type RotationKeys struct {
	PreviousDecryption []byte
	Identity           []byte // the new one
	Decryption         []byte // the new one
}

// ErrRotation says that the keys of a rotation are not four P-256 keys that all differ.
var ErrRotation = errors.New("wsproto: a rotation needs four different P-256 keys")

// SignRotation makes the statement that new keys take the place of previous ones at one tenant, in the context
// [ContextConnectorRotate]. The previous identity key, which may live in hardware, signs once. Errors match [ErrRotation]
// and [ErrKeyType], or are those of the key.
func SignRotation(previous crypto.Signer, tenant string, keys RotationKeys) (*Rotation, error) {
	if previous == nil {
		return nil, ErrKeyType
	}
	identity, err := MarshalPublicKey(previous.Public())
	if err != nil {
		return nil, err
	}
	r := &Rotation{IdentityKey: identity, DecryptionKey: keys.PreviousDecryption}
	if err := r.check(keys.Identity, keys.Decryption); err != nil {
		return nil, err
	}
	if r.Signature, err = sign(previous, r.signedBytes(tenant, keys.Identity, keys.Decryption)); err != nil {
		return nil, err
	}
	return r, nil
}

// VerifyRotation checks the rotation of a hello: its keys, and that the previous identity key stated it for this tenant
// and for the keys of the hello. Whether the previous key may be replaced, and whether the hello was sent by the owner
// of the new one, is for the caller to decide. Errors match [ErrRotation] and [ErrSignature].
func VerifyRotation(tenant string, h *Hello) error {
	if h.Rotation == nil {
		return ErrRotation
	}
	if err := h.Rotation.check(h.IdentityKey, h.DecryptionKey); err != nil {
		return err
	}
	pub, err := ParsePublicKey(h.Rotation.IdentityKey)
	if err != nil {
		return ErrRotation
	}
	return verify(pub, h.Rotation.signedBytes(tenant, h.IdentityKey, h.DecryptionKey), h.Rotation.Signature)
}

// check holds the previous keys and the new ones against each other.
func (r *Rotation) check(identity, decryption []byte) error {
	seen := make(map[string]bool, 4)
	for _, k := range [][]byte{r.IdentityKey, r.DecryptionKey, identity, decryption} {
		if _, err := ParsePublicKey(k); err != nil || seen[string(k)] {
			return ErrRotation
		}
		seen[string(k)] = true
	}
	return nil
}

// signedBytes are six fields: context, tenant, fingerprints of the previous identity and decryption key, new identity key,
// new decryption key.
func (r *Rotation) signedBytes(tenant string, identity, decryption []byte) []byte {
	oldIdentity, oldDecryption := FingerprintSPKI(r.IdentityKey), FingerprintSPKI(r.DecryptionKey)
	b := envelope.AppendString(nil, string(ContextConnectorRotate))
	b = envelope.AppendString(b, tenant)
	b = envelope.AppendField(b, oldIdentity[:])
	b = envelope.AppendField(b, oldDecryption[:])
	b = envelope.AppendField(b, identity)
	return envelope.AppendField(b, decryption)
}

// checkRotation checks the bounds of the rotation, if there is one.
func (h *Hello) checkRotation() error {
	if h.Rotation == nil {
		return nil
	}
	var c check
	c.bytes(h.Rotation.Signature, 8, maxSignature, "rotation.signature")
	if c.err == nil && h.Rotation.check(h.IdentityKey, h.DecryptionKey) != nil {
		return fmt.Errorf("%w: rotation", ErrBounds)
	}
	return c.err
}
