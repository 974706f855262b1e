// Package envelope encrypts small secrets to a P-256 or X25519 key with HPKE (RFC 9180, base mode), and encodes the
// length-prefixed fields that signatures and encryption contexts of this module are bound to.
//
// The curve of the key decides the KEM: DHKEM(P-256, HKDF-SHA256) or DHKEM(X25519, HKDF-SHA256). The rest of the suite is
// fixed: HKDF-SHA256, AES-256-GCM, empty associated data, the first message of its context. Base mode does not
// authenticate the sender; whoever needs that signs the result.
package envelope

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/binary"
	"errors"
)

const (
	// EncapsulationSize is the length of a key encapsulated to a P-256 key: an uncompressed point.
	EncapsulationSize = 65
	// EncapsulationSizeX25519 is the length of a key encapsulated to an X25519 key.
	EncapsulationSizeX25519 = 32
	// Overhead is what encryption adds to a plaintext: the tag of AES-GCM.
	Overhead = 16
	// MaxPlaintext bounds what one envelope holds, in bytes.
	MaxPlaintext = 1 << 20
)

var (
	// ErrKey says that a key is neither on P-256 nor an X25519 key.
	ErrKey = errors.New("envelope: the key is not a P-256 or X25519 key")
	// ErrSize says that a part of an envelope has an impossible length.
	ErrSize = errors.New("envelope: a part has an impossible length")
	// ErrOpen says that an envelope is not for this key and this context, or was changed.
	ErrOpen = errors.New("envelope: it is not for this key and context, or was changed")
)

// KeyError says that a key in hardware failed: nothing is known about the envelope.
type KeyError struct{ Err error }

// Error returns what the hardware said.
func (e *KeyError) Error() string { return "envelope: the key failed: " + e.Err.Error() }

// Unwrap returns what the hardware said.
func (e *KeyError) Unwrap() error { return e.Err }

// encapsulationSize returns the length of a key encapsulated to a key on this curve, or 0 for a curve without a suite.
func encapsulationSize(curve ecdh.Curve) int {
	switch curve {
	case ecdh.P256():
		return EncapsulationSize
	case ecdh.X25519():
		return EncapsulationSizeX25519
	}
	return 0
}

// Seal encrypts plaintext to a P-256 or X25519 key, bound to info. It returns the encapsulated key and the ciphertext.
// An X25519 key of low order, with which everybody agrees on the same secret, is refused.
func Seal(to *ecdh.PublicKey, info, plaintext []byte) (encapsulation, ciphertext []byte, err error) {
	if to == nil || encapsulationSize(to.Curve()) == 0 {
		return nil, nil, ErrKey
	}
	if len(plaintext) > MaxPlaintext {
		return nil, nil, ErrSize
	}
	pub, err := hpke.NewDHKEMPublicKey(to)
	if err != nil {
		return nil, nil, ErrKey
	}
	encapsulation, sender, err := hpke.NewSender(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), info)
	if err != nil {
		return nil, nil, err
	}
	ciphertext, err = sender.Seal(nil, plaintext)
	return encapsulation, ciphertext, err
}

// Open decrypts what [Seal] made for this key and info. The key may live in hardware: its failures are [*KeyError]. All
// failures of the cryptography are [ErrOpen]; nothing of the content is in an error. The plaintext is the caller's to wipe.
func Open(key ecdh.KeyExchanger, info, encapsulation, ciphertext []byte) ([]byte, error) {
	if key == nil {
		return nil, ErrKey
	}
	size := encapsulationSize(key.Curve())
	if size == 0 {
		return nil, ErrKey
	}
	if len(encapsulation) != size || len(ciphertext) < Overhead || len(ciphertext) > MaxPlaintext+Overhead {
		return nil, ErrSize
	}
	watched := &watchedKey{KeyExchanger: key}
	priv, err := hpke.NewDHKEMPrivateKey(watched)
	if err != nil {
		return nil, ErrKey
	}
	recipient, err := hpke.NewRecipient(encapsulation, priv, hpke.HKDFSHA256(), hpke.AES256GCM(), info)
	if watched.err != nil {
		return nil, &KeyError{watched.err}
	}
	if err != nil {
		return nil, ErrOpen
	}
	plaintext, err := recipient.Open(nil, ciphertext)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// watchedKey remembers that the key itself failed, which hpke does not tell from a bad envelope.
type watchedKey struct {
	ecdh.KeyExchanger
	err error
}

// ECDH is reached with points only that are on the curve, so that its failure is the key's. A software key can fail on a
// point of low order of X25519 all the same, which is the envelope's fault.
func (k *watchedKey) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	secret, err := k.KeyExchanger.ECDH(peer)
	if _, software := k.KeyExchanger.(*ecdh.PrivateKey); !software && (peer.Curve() != ecdh.X25519() || usableX25519(peer)) {
		k.err = err
	}
	return secret, err
}

// AppendField appends a field: its length as a big-endian uint32, then its bytes.
func AppendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

// AppendString appends the bytes of a string as a field.
func AppendString(b []byte, field string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

// AppendUint64 appends a number as a field of eight bytes, big-endian.
func AppendUint64(b []byte, n uint64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, n)
}

// CutField takes the first field off b. Whatever follows it is rest.
func CutField(b []byte) (field, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, ErrSize
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, ErrSize
	}
	return b[4 : 4+n : 4+n], b[4+n:], nil
}
