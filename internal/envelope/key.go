package envelope

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"slices"
)

// MaxPublicKey bounds an encoded public key, in bytes: one on P-256 has 91, one of X25519 has 44.
const MaxPublicKey = 128

// ParsePublicKey reads a SubjectPublicKeyInfo that can be encrypted to: P-256 with an uncompressed point (RFC 5480), or
// X25519 (RFC 8410). Any other encoding of the same key is refused, so that a key has one fingerprint. So is an X25519 key
// of low order, with which everybody agrees on the same secret, and one that is not reduced: what is encrypted to it would
// not open. The error is [ErrKey].
func ParsePublicKey(spki []byte) (*ecdh.PublicKey, error) {
	if len(spki) > MaxPublicKey {
		return nil, ErrKey
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, ErrKey
	}
	if again, err := x509.MarshalPKIXPublicKey(parsed); err != nil || !bytes.Equal(again, spki) {
		return nil, ErrKey
	}
	switch pub := parsed.(type) {
	case *ecdsa.PublicKey:
		key, err := pub.ECDH()
		if err != nil || key.Curve() != ecdh.P256() {
			return nil, ErrKey
		}
		return key, nil
	case *ecdh.PublicKey:
		if pub.Curve() != ecdh.X25519() || !usableX25519(pub) {
			return nil, ErrKey
		}
		return pub, nil
	}
	return nil, ErrKey
}

// usableX25519 reports whether a u-coordinate is below 2^255 - 19 and not of low order. HPKE binds the bytes of the key
// (RFC 9180, section 4.1), which the owner computes anew, reduced.
func usableX25519(pub *ecdh.PublicKey) bool {
	u := pub.Bytes()
	slices.Reverse(u) // big-endian
	limit := bytes.Repeat([]byte{0xff}, len(u))
	limit[0], limit[len(limit)-1] = 0x7f, 0xed
	if bytes.Compare(u, limit) >= 0 {
		return false
	}
	// Any scalar shows it: all are multiples of the cofactor (RFC 7748, section 5).
	probe, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{1}, len(u)))
	if err != nil {
		return false
	}
	_, err = probe.ECDH(pub)
	return err == nil
}

// MarshalPublicKey encodes a P-256 or X25519 key as SubjectPublicKeyInfo, in the one form that [ParsePublicKey] reads. The
// error is [ErrKey].
func MarshalPublicKey(pub *ecdh.PublicKey) ([]byte, error) {
	if pub == nil {
		return nil, ErrKey
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, ErrKey
	}
	if _, err := ParsePublicKey(der); err != nil {
		return nil, err
	}
	return der, nil
}

// Fingerprint returns the SHA-256 of a key's SubjectPublicKeyInfo. The error is [ErrKey].
func Fingerprint(pub *ecdh.PublicKey) ([sha256.Size]byte, error) {
	der, err := MarshalPublicKey(pub)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(der), nil
}
