package connector

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// signing remembers that the identity key failed an order. While it stays away no other order is taken: each would end as
// failed, although nothing is wrong with it and another connector may serve it.
type signing struct {
	mu     sync.Mutex
	next   time.Time // when the key is tried again; zero: it works, as far as is known
	trying bool
}

// signingPause is how long a key that failed is left alone.
const signingPause = 10 * time.Second

// failed notes that an order could not be gone on with.
func (s *signing) failed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = time.Now().Add(signingPause)
}

// check returns nil if the key can be used, as far as is known. A key that has failed is tried first, by one offer at a
// time, and not before its pause is over.
func (s *signing) check(key crypto.Signer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next.IsZero() {
		return nil
	}
	if s.trying || time.Now().Before(s.next) {
		return errSigning
	}
	s.trying = true
	s.mu.Unlock()
	err := trySigning(key)
	s.mu.Lock()
	s.trying, s.next = false, time.Time{}
	if err != nil {
		s.next = time.Now().Add(signingPause)
	}
	return err
}

// errSigning says that the key failed a moment ago.
var errSigning = errors.New("connector: the identity key failed a moment ago, and is tried again soon")

// trySigning signs what means nothing to anybody: a random number in the place of a digest.
func trySigning(key crypto.Signer) error {
	digest := make([]byte, sha256.Size)
	rand.Read(digest) // never fails, see crypto/rand
	if _, err := key.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
		return &wsproto.KeyError{Use: "sign", Err: err}
	}
	return nil
}
