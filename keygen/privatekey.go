package keygen

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
)

// maxPrivateKey bounds a PKCS#8 key before it is parsed: checking an RSA key takes time that grows with its length.
// That of a 4096-bit key has about 2400 bytes.
const maxPrivateKey = 4096

// MarshalPrivateKey returns the key in PKCS#8 form (RFC 5208), DER. It takes the keys that [Generate] makes; the error
// for others matches [ErrAlgorithm]. The result is the key: keep it secret, and clear it when done.
func MarshalPrivateKey(key crypto.Signer) ([]byte, error) {
	if key == nil {
		return nil, fmt.Errorf("%w: no key", ErrAlgorithm)
	}
	if _, err := AlgorithmOf(public(key)); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		// Not the text of the cause: it may quote what it could not marshal.
		return nil, fmt.Errorf("%w: a %T cannot leave where it is", ErrAlgorithm, key)
	}
	return der, nil
}

// ParsePrivateKey reads a key in PKCS#8 form, DER, at most 4096 bytes, with nothing after it, of one of the algorithms
// of this package. The error matches [ErrAlgorithm] if the key is of another, and never quotes the key.
func ParsePrivateKey(der []byte) (crypto.Signer, error) {
	if len(der) > maxPrivateKey {
		return nil, fmt.Errorf("keygen: a private key of %d bytes, at most %d", len(der), maxPrivateKey)
	}
	var whole asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &whole); err != nil || len(rest) > 0 {
		return nil, errors.New("keygen: the private key is not one DER value")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("keygen: the private key is not in PKCS#8 form, or damaged")
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %T", ErrAlgorithm, parsed)
	}
	if _, err := AlgorithmOf(key.Public()); err != nil {
		return nil, err
	}
	return key, nil
}

// public returns the public key of a signer, nil if it is a nil pointer of a type that this package makes.
func public(key crypto.Signer) crypto.PublicKey {
	if isNil(key) {
		return nil
	}
	return key.Public()
}
