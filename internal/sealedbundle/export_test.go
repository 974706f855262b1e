package sealedbundle

// Names that the tests of this package need and nobody else.

func (b *Bundle) Info() []byte { return b.info() }

func (b *Bundle) Signed() []byte { return b.signed() }
