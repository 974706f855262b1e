package tpm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
)

// Store makes and loads the two keys of a connector's identity in a TPM. Its methods take standard types only, so that
// whoever keeps the files need not know of TPMs.
type Store struct{ t *TPM }

// Store returns a store of P-256 keys in this TPM. The store is good until the TPM is closed.
func (t *TPM) Store() *Store { return &Store{t} }

// Kind returns "tpm2": files of this store are of no use to another kind of store.
func (s *Store) Kind() string { return "tpm2" }

// Bind compares the name of the TPM's storage key with the one that the caller has stored, and returns it. With nil, on
// first use, it takes the one that it finds, to be stored by the caller. From then on the TPM uses no other one. The error
// matches [ErrOtherTPM] if the name is not the stored one.
func (s *Store) Bind(pin []byte) (now []byte, err error) {
	if want := s.t.opts.ParentName; len(want) > 0 && len(pin) > 0 && !bytes.Equal(want, pin) {
		return nil, ErrOtherTPM
	}
	err = s.t.use(context.Background(), func(c *conn) error {
		before := c.t.cache.pin
		if want := pin; !bytes.Equal(before, want) || want == nil {
			c.t.cache.drop()
			c.t.cache.pin = bytes.Clone(want)
			if len(want) == 0 {
				c.t.cache.pin = c.t.opts.ParentName
			}
		}
		p, err := c.parent()
		if err != nil {
			c.t.cache.pin = before
			return err
		}
		now = bytes.Clone(p.Name.Buffer)
		return nil
	})
	return now, err
}

// NewSigner makes an ECDSA key and returns its file.
func (s *Store) NewSigner() (file []byte, err error) {
	return s.t.NewSigner(context.Background(), P256)
}

// NewKeyExchanger makes a key for ECDH and returns its file.
func (s *Store) NewKeyExchanger() (file []byte, err error) {
	return s.t.NewKeyExchanger(context.Background())
}

// Signer loads the key in a file of [Store.NewSigner]. The result is a *[Signer].
func (s *Store) Signer(file []byte) (crypto.Signer, error) {
	k, err := s.t.Signer(context.Background(), file)
	if err != nil {
		return nil, err // not a nil pointer in an interface
	}
	return k, nil
}

// KeyExchanger loads the key in a file of [Store.NewKeyExchanger]. The result is a *[KeyExchanger].
func (s *Store) KeyExchanger(file []byte) (ecdh.KeyExchanger, error) {
	k, err := s.t.KeyExchanger(context.Background(), file)
	if err != nil {
		return nil, err
	}
	return k, nil
}
