package wsproto

// Names that the tests of this package need and nobody else.

func DecodeFrame(text []byte) error {
	_, err := decodeFrame(text)
	return err
}

func (c *Checkpoint) SignedBytes() []byte { return c.signedBytes() }

func (c *Checkpoint) SealInfo() []byte { return c.sealInfo() }

func (s CheckpointSecret) Encode() []byte { return s.encode() }

func DecodeSecret(b []byte) (*CheckpointSecret, error) { return decodeSecret(b) }

func (c *Checkpoint) Resign(sign func(transcript []byte) []byte) { c.Signature = sign(c.signedBytes()) }

const (
	MaxIDForTest     = maxID
	MaxMethodForTest = maxMethod
	MaxNameForTest   = maxName
	MaxOrderForTest  = maxOrder
)
