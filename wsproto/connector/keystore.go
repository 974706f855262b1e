package connector

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/wipe"
)

// KeyStore makes the keys of an [Identity] and opens them again, such as in a TPM. What it returns as a file is kept in
// the identity's folder and may be all there is of the key, or be worth nothing without the hardware.
//
// Its methods are called by one goroutine at a time, while the folder is locked. The keys that it opens are used from
// many. Files that are passed in are wiped afterwards: a store keeps copies.
type KeyStore interface {
	// Kind names what holds the keys, such as "tpm2". A folder with keys of one kind is never opened as another.
	Kind() string
	// Bind checks that this is the store that pin was returned for, and returns its pin, of at most 1 KiB. A nil pin, on
	// the first use, is any store's. The pin is no secret.
	Bind(pin []byte) (now []byte, err error)
	// NewSigner makes an identity key: ECDSA on P-256.
	NewSigner() (file []byte, err error)
	// NewKeyExchanger makes a decryption key: ECDH on P-256.
	NewKeyExchanger() (file []byte, err error)
	// Signer opens what NewSigner made.
	Signer(file []byte) (crypto.Signer, error)
	// KeyExchanger opens what NewKeyExchanger made.
	KeyExchanger(file []byte) (ecdh.KeyExchanger, error)
}

// KindSoftware is the kind of keys that are files: PKCS#8 in PEM. The tenant sees the level "software".
const KindSoftware = "software"

const pemType = "PRIVATE KEY"

// softwareKeys is the store behind a nil KeyStore.
type softwareKeys struct{}

func (softwareKeys) Kind() string { return KindSoftware }

// Bind has nothing to pin: whoever has the files has the keys.
func (softwareKeys) Bind([]byte) ([]byte, error) { return nil, nil }

func (softwareKeys) NewSigner() ([]byte, error) { return newKeyFile() }

func (softwareKeys) NewKeyExchanger() ([]byte, error) { return newKeyFile() }

func (softwareKeys) Signer(file []byte) (crypto.Signer, error) {
	key, err := parseKeyFile(file)
	if err != nil {
		return nil, err
	}
	return key, nil
}

func (softwareKeys) KeyExchanger(file []byte) (ecdh.KeyExchanger, error) {
	key, err := parseKeyFile(file)
	if err != nil {
		return nil, err
	}
	defer wipe.Key(key)
	box, err := key.ECDH()
	if err != nil {
		return nil, err
	}
	return box, nil
}

func newKeyFile() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	defer wipe.Key(key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

func parseKeyFile(file []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(file)
	if block == nil {
		return nil, errors.New("not a private key in PEM")
	}
	defer clear(block.Bytes)
	if block.Type != pemType {
		return nil, fmt.Errorf("a %.40q in PEM, not a private key in software", block.Type)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("not a P-256 key in PKCS#8")
	}
	return key, nil
}

// isSoftware reports whether a file holds the key itself.
func isSoftware(file []byte) bool {
	block, _ := pem.Decode(file)
	if block == nil {
		return false
	}
	clear(block.Bytes)
	return block.Type == pemType
}
