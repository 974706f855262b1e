package connector

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/wsproto"
)

var errKeysEqual = errors.New("the identity key and the decryption key are the same")

// siblingKeys are the parsed keys of a pinned sibling.
type siblingKeys struct {
	identity   *ecdsa.PublicKey
	decryption *ecdh.PublicKey
}

func (s *Sibling) parse() (siblingKeys, error) {
	identity, err := wsproto.ParsePublicKey(s.IdentityKey)
	if err != nil {
		return siblingKeys{}, fmt.Errorf("connector: sibling %q: identity key: %w", s.Name, err)
	}
	decryption, err := wsproto.ParseDecryptionKey(s.DecryptionKey)
	if err != nil {
		return siblingKeys{}, fmt.Errorf("connector: sibling %q: decryption key: %w", s.Name, err)
	}
	if string(s.IdentityKey) == string(s.DecryptionKey) {
		return siblingKeys{}, fmt.Errorf("connector: sibling %q: %w", s.Name, errKeysEqual)
	}
	return siblingKeys{identity: identity, decryption: decryption}, nil
}
