package wsproto

import "crypto/ecdh"

// Names that the tests of this package need and nobody else.

func DecodeFrame(text []byte) error {
	_, err := decodeFrame(text)
	return err
}

func (c *Checkpoint) SignedBytes() []byte { return c.signedBytes() }

func (c *Checkpoint) SealInfo() []byte { return c.sealInfo() }

func (s CheckpointSecret) Encode() []byte { return s.encode() }

func (c *Checkpoint) Accept(plaintext []byte) (*CheckpointSecret, error) { return c.accept(plaintext) }

func (c *Checkpoint) Encrypt(plaintext []byte, to ...*ecdh.PublicKey) error {
	return c.encrypt(plaintext, to)
}

func DecodeSecret(b []byte) (*CheckpointSecret, error) { return decodeSecret(b) }

func (c *Checkpoint) Resign(sign func(transcript []byte) []byte) { c.Signature = sign(c.signedBytes()) }

func (r *Rotation) SignedBytes(tenant string, identity, decryption []byte) []byte {
	return r.signedBytes(tenant, identity, decryption)
}

func RecipientBytes(tenant string, o *Order) ([]byte, error) { return recipientBytes(tenant, o) }

const (
	MaxIDForTest     = maxID
	MaxMethodForTest = maxMethod
	MaxNameForTest   = maxName
	MaxOrderForTest  = maxOrder
)
