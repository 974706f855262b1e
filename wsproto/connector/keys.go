package connector

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
)

var (
	errNotP256   = errors.New("not a P-256 public key (SubjectPublicKeyInfo, DER)")
	errNotSPKI   = errors.New("not in the one DER form of a public key")
	errKeysEqual = errors.New("the identity key and the decryption key are the same")
)

// siblingKeys are the parsed keys of a pinned sibling.
type siblingKeys struct {
	identity   *ecdsa.PublicKey
	decryption *ecdh.PublicKey
	maker      [sha256.Size]byte // SHA-256 of the identity key, as checkpoints name their maker
}

func (s *Sibling) parse() (*siblingKeys, error) {
	identity, err := parseP256(s.IdentityKey)
	if err != nil {
		return nil, fmt.Errorf("connector: sibling %q: identity key: %w", s.Name, err)
	}
	d, err := parseP256(s.DecryptionKey)
	if err != nil {
		return nil, fmt.Errorf("connector: sibling %q: decryption key: %w", s.Name, err)
	}
	if identity.Equal(d) {
		return nil, fmt.Errorf("connector: sibling %q: %w", s.Name, errKeysEqual)
	}
	decryption, err := d.ECDH()
	if err != nil {
		return nil, fmt.Errorf("connector: sibling %q: decryption key: %w", s.Name, err)
	}
	return &siblingKeys{identity: identity, decryption: decryption, maker: sha256.Sum256(s.IdentityKey)}, nil
}

func parseP256(der []byte) (*ecdsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errNotP256
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errNotP256
	}
	// Hashes of this DER name the key, so another encoding of the same key must not pass.
	if again, err := x509.MarshalPKIXPublicKey(key); err != nil || string(again) != string(der) {
		return nil, errNotSPKI
	}
	return key, nil
}
