package wsproto

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"errors"

	"github.com/adcskit/adcskit/internal/envelope"
)

// ErrRecipient says that an order has no recipient, or one whose key cannot be encrypted to: see [ParseRecipientKey].
var ErrRecipient = errors.New("wsproto: not a P-256 or X25519 key (SubjectPublicKeyInfo) as protocol v1 requires of recipients")

// ParseRecipientKey reads the key of a [Recipient], a SubjectPublicKeyInfo: P-256 with the point uncompressed, or X25519
// (RFC 8410). Any other encoding of the same key is refused, and so is a key that nobody could open with: an X25519 key
// of low order, or one that is not reduced. Errors match [ErrRecipient].
func ParseRecipientKey(spki []byte) (*ecdh.PublicKey, error) {
	pub, err := envelope.ParsePublicKey(spki)
	if err != nil {
		return nil, ErrRecipient
	}
	return pub, nil
}

// MarshalRecipientKey encodes a P-256 or X25519 key as [ParseRecipientKey] reads it. Errors match [ErrRecipient].
func MarshalRecipientKey(pub *ecdh.PublicKey) ([]byte, error) {
	der, err := envelope.MarshalPublicKey(pub)
	if err != nil {
		return nil, ErrRecipient
	}
	return der, nil
}

// SignRecipient makes the signature of an order's recipient: the statement of an ordering key (P-256, ECDSA) that what
// this order asks for may be sealed for this recipient, for this tenant. It covers whatever decides what is issued and
// who can use it, in the context [ContextRecipient], so that it is worth nothing in another order: PROTOCOL.md, section
// 7.2. It does not cover how often the order is placed, nor Resubmit. Errors match [ErrRecipient] and [ErrKeyType], or are
// those of the key, which may live in hardware.
func SignRecipient(ordering crypto.Signer, tenant string, o *Order) ([]byte, error) {
	b, err := recipientBytes(tenant, o)
	if err != nil {
		return nil, err
	}
	return sign(ordering, b)
}

// VerifyRecipient checks the signature of an order's recipient with an ordering key. Errors match [ErrRecipient],
// [ErrKeyType] and [ErrSignature].
func VerifyRecipient(ordering *ecdsa.PublicKey, tenant string, o *Order) error {
	b, err := recipientBytes(tenant, o)
	if err != nil {
		return err
	}
	return verify(ordering, b, o.Recipient.Signature)
}

// recipientBytes is what an ordering key signs. Members stand in it as in the order, an absent one as the empty text: what
// a default means is not decided here.
func recipientBytes(tenant string, o *Order) ([]byte, error) {
	if o == nil || o.Recipient == nil {
		return nil, ErrRecipient
	}
	if _, err := ParseRecipientKey(o.Recipient.Key); err != nil {
		return nil, err
	}
	b := envelope.AppendString(nil, string(ContextRecipient))
	b = envelope.AppendString(b, tenant)
	b = envelope.AppendString(b, o.Recipient.ID)
	b = envelope.AppendField(b, o.Recipient.Key)
	for _, text := range []string{o.CA.Host, o.CA.Name, o.Template, o.SubjectSource, o.Subject} {
		b = envelope.AppendString(b, text)
	}
	for _, names := range [][]string{o.DNS, o.Email, o.URI, o.IP, o.UPN} {
		b = envelope.AppendUint64(b, uint64(len(names)))
		for _, name := range names {
			b = envelope.AppendString(b, name)
		}
	}
	for _, text := range []string{o.SID, o.SIDForm, o.Key, o.Profile} {
		b = envelope.AppendString(b, text)
	}
	return b, nil
}
