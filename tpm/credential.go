package tpm

import (
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/google/go-tpm/tpm2"
)

// secrets makes the secrets of credentials. Half of each is random, the other half a MAC by which the verifier
// recognizes what it made itself: so an answer to another challenge is told from one that is wrong. A guess succeeds
// with a probability of 2^-128 for the random half alone.
type secrets struct {
	key [32]byte
}

const nonceHalf = secretSize / 2

// expectation is what the activation of one challenge must hold, once.
type expectation struct {
	identity, decryption []byte
	used                 atomic.Bool
}

func (s *secrets) fresh() []byte {
	secret := make([]byte, nonceHalf, secretSize)
	_, _ = rand.Read(secret) // never fails
	return append(secret, s.mac(secret)...)
}

func (s *secrets) mac(nonce []byte) []byte {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write(nonce)
	return mac.Sum(nil)[:nonceHalf]
}

// own is true for a secret of any challenge of this verifier.
func (s *secrets) own(secret []byte) bool {
	return hmac.Equal(s.mac(secret[:nonceHalf]), secret[nonceHalf:])
}

// challenge encrypts a secret for each key (TPM 2.0 Library, part 1, 24 and part 3, 12.6, which a TPM does the same).
func (s *secrets) challenge(ek *endorsementKey, names keyNames) (json.RawMessage, *expectation, error) {
	e := &expectation{identity: s.fresh(), decryption: s.fresh()}
	var c credentials
	var err error
	if c.Identity, err = protect(ek, names.identity, e.identity); err != nil {
		return nil, nil, err
	}
	if c.Decryption, err = protect(ek, names.decryption, e.decryption); err != nil {
		return nil, nil, err
	}
	text, err := json.Marshal(c)
	return text, e, err
}

// protect encrypts a secret to an endorsement key, bound to the name of an object.
func protect(ek *endorsementKey, name, secret []byte) (credential, error) {
	var object, seed []byte
	var err error
	fips140.WithoutEnforcement(func() { // for AES in CFB mode, as in a session
		object, seed, err = tpm2.CreateCredential(rand.Reader, ek.encaps, name, secret)
	})
	if err != nil {
		return credential{}, fmt.Errorf("tpm: verifier: credential: %w", err)
	}
	return credential{Credential: sized2B(object), Secret: sized2B(seed)}, nil
}

// sized2B puts the length before the content, as in a TPM2B.
func sized2B(content []byte) []byte {
	return append([]byte{byte(len(content) >> 8), byte(len(content))}, content...)
}

// verify compares an activation with what it must hold, in constant time.
func (s *secrets) verify(e *expectation, text json.RawMessage) error {
	if e.used.Swap(true) {
		return refuse(EvidenceReplayed, "this challenge has been answered before; connect again")
	}
	a, err := decodeActivation(text)
	if err != nil {
		return err
	}
	right := subtle.ConstantTimeCompare(a.Identity, e.identity) & subtle.ConstantTimeCompare(a.Decryption, e.decryption)
	switch {
	case right == 1:
		return nil
	case hmac.Equal(a.Identity, e.decryption) && hmac.Equal(a.Decryption, e.identity):
		return refuse(EvidenceKeysSwapped, "the activation has identity and decryption key in each other's place")
	case s.own(a.Identity) && s.own(a.Decryption):
		return refuse(EvidenceReplayed, "the activation answers another challenge than this one")
	}
	return refuse(EvidenceActivation, "the activation is wrong: the keys are not both in the TPM of the endorsement key")
}
