package connector_test

import (
	"crypto"
	"crypto/ecdh"
	"io"
)

// flakySigner and flakyBox are keys that fail when their chip does.
type flakySigner struct {
	crypto.Signer
	chip *chip
}

func (s *flakySigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := s.chip.fails(); err != nil {
		return nil, err
	}
	return s.Signer.Sign(random, digest, opts)
}

type flakyBox struct {
	ecdh.KeyExchanger
	chip *chip
}

func (b *flakyBox) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	if err := b.chip.fails(); err != nil {
		return nil, err
	}
	return b.KeyExchanger.ECDH(peer)
}
