package wsproto

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Fingerprint is the SHA-256 of a key's SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7).
type Fingerprint [sha256.Size]byte

// FingerprintSPKI returns the fingerprint of an encoded public key.
func FingerprintSPKI(der []byte) Fingerprint { return sha256.Sum256(der) }

// FingerprintKey returns the fingerprint of a P-256 public key: *ecdsa.PublicKey or *ecdh.PublicKey.
func FingerprintKey(pub crypto.PublicKey) (Fingerprint, error) {
	der, err := MarshalPublicKey(pub)
	if err != nil {
		return Fingerprint{}, err
	}
	return FingerprintSPKI(der), nil
}

// ParseFingerprint reads what [Fingerprint.String] writes, in either case and with or without colons.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(b) != len(f) {
		return f, errors.New("wsproto: a fingerprint is 64 hexadecimal digits")
	}
	copy(f[:], b)
	return f, nil
}

// String returns 64 hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Equal reports whether b is this fingerprint.
func (f Fingerprint) Equal(b []byte) bool { return bytes.Equal(f[:], b) }

// maxSPKI bounds an encoded public key; one on P-256 has 91 bytes.
const maxSPKI = 128

// ErrKeyType says that a key is not on P-256, or is not encoded as protocol v1 requires.
var ErrKeyType = errors.New("wsproto: not a P-256 key (SubjectPublicKeyInfo) as protocol v1 requires")

// ParsePublicKey reads a SubjectPublicKeyInfo: P-256, the point uncompressed, nothing after it. Any other encoding of
// the same key is refused, so that a key has one fingerprint.
func ParsePublicKey(spki []byte) (*ecdsa.PublicKey, error) {
	if len(spki) > maxSPKI {
		return nil, ErrKeyType
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, ErrKeyType
	}
	pub, ok := parsed.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, ErrKeyType
	}
	if again, err := x509.MarshalPKIXPublicKey(pub); err != nil || !bytes.Equal(again, spki) {
		return nil, ErrKeyType
	}
	return pub, nil
}

// ParseDecryptionKey reads a SubjectPublicKeyInfo like [ParsePublicKey], for key agreement.
func ParseDecryptionKey(spki []byte) (*ecdh.PublicKey, error) {
	pub, err := ParsePublicKey(spki)
	if err != nil {
		return nil, err
	}
	return pub.ECDH()
}

// MarshalPublicKey encodes a P-256 key, *ecdsa.PublicKey or *ecdh.PublicKey, as SubjectPublicKeyInfo.
func MarshalPublicKey(pub crypto.PublicKey) ([]byte, error) {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if k == nil || k.Curve != elliptic.P256() {
			return nil, ErrKeyType
		}
	case *ecdh.PublicKey:
		if k == nil || k.Curve() != ecdh.P256() {
			return nil, ErrKeyType
		}
	default:
		return nil, ErrKeyType
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, ErrKeyType
	}
	return der, nil
}

// maxSignature bounds an ECDSA signature in ASN.1; one on P-256 has at most 72 bytes.
const maxSignature = 80

// ErrSignature says that a signature does not verify.
var ErrSignature = errors.New("wsproto: the signature does not verify")

// sign signs a transcript: ECDSA on P-256 over its SHA-256, in ASN.1 (RFC 3279, section 2.2.3). The key may live in
// hardware.
func sign(key crypto.Signer, transcript []byte) ([]byte, error) {
	if key == nil {
		return nil, ErrKeyType
	}
	pub, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || pub == nil || pub.Curve != elliptic.P256() {
		return nil, ErrKeyType
	}
	digest := sha256.Sum256(transcript)
	sig, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, &KeyError{Use: "sign", Err: err}
	}
	return sig, nil
}

// KeyError says that a private key could not be used, such as one in hardware that is gone, busy or locked. It says
// nothing about what was to be signed or decrypted: the same call may succeed later.
type KeyError struct {
	Use string // "sign" or "decrypt"
	Err error  // what the key said
}

// Error says what failed.
func (e *KeyError) Error() string {
	return fmt.Sprintf("wsproto: the key could not %s: %v", e.Use, e.Err)
}

// Unwrap returns what the key said.
func (e *KeyError) Unwrap() error { return e.Err }

// verify checks what sign made.
func verify(pub *ecdsa.PublicKey, transcript, sig []byte) error {
	if pub == nil || pub.Curve != elliptic.P256() {
		return ErrKeyType
	}
	digest := sha256.Sum256(transcript)
	if len(sig) > maxSignature || !ecdsa.VerifyASN1(pub, digest[:], sig) {
		return ErrSignature
	}
	return nil
}
