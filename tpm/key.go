package tpm

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// key is a key of a file: what a TPM needs to load it.
type key struct {
	name    []byte
	public  *tpm2.TPMTPublic
	private tpm2.TPM2BPrivate
	parent  tpm2.TPMHandle // persistent, or TPM_RH_OWNER
	rsa     bool           // the transient parent is the RSA one
	open    bool           // there is no authorization value; with files of others a hint
	sure    bool           // open is no hint any more: it was right, or the opposite has been tried
	barred  error          // why no authorization value is tried any more, since wrong ones count
}

// with loads a key and runs a function that has it authorize one command, which encrypts its parameters.
//
// Whether a key has an authorization value is a hint in its file, and a wrong one in those that tpm2_encodeobject of
// tpm2-tools 5.4 writes. So if the file says that there is none, and there is one in the options, that is tried next. A
// wrong value for a key that counts them is not tried again.
func (c *conn) with(k *key, d directions, f func(h tpm2.AuthHandle) error) error {
	if k.barred != nil {
		return k.barred
	}
	h, err := c.authorized(k, d)
	if err != nil {
		return err
	}
	err = f(h)
	switch {
	case !wrongValue(err):
		k.sure = k.sure || err == nil
		return err
	case k.open && !k.sure && len(c.t.auth.key()) > 0:
		k.open, k.sure = false, true
		if err = c.with(k, d, f); wrongValue(err) {
			k.open, k.sure = true, false
		}
	case !k.public.ObjectAttributes.NoDA:
		k.barred = err
	}
	return err
}

// wrongValue is true for a refusal of a key's authorization value, not of one that another entity has.
func wrongValue(err error) bool {
	var refusal *CommandError
	if !errors.As(err, &refusal) || !errors.Is(err, ErrAuth) {
		return false
	}
	switch refusal.Command {
	case "Sign", "ECDHZGen", "ActivateCredential":
		return true
	}
	return false
}

// authorized loads a key and returns it with what authorizes one command on it.
func (c *conn) authorized(k *key, d directions) (tpm2.AuthHandle, error) {
	var auth []byte
	if !k.open {
		auth = c.t.auth.key()
	}
	s, err := c.authorize(auth, d)
	if err != nil {
		return tpm2.AuthHandle{}, err
	}
	h, err := c.load(k)
	return tpm2.AuthHandle{Handle: h, Name: tpm2.TPM2BName{Buffer: k.name}, Auth: s}, err
}

// load returns the handle of a key, which it loads if it is not in the cache.
func (c *conn) load(k *key) (tpm2.TPMHandle, error) {
	h, ok := c.t.cache.find(k.name)
	if !ok {
		var err error
		if h, err = c.loadNow(k); err != nil {
			return 0, err
		}
		c.keep(loadedKey{handle: h, name: k.name})
		return h, nil
	}
	c.used = append(c.used, h)
	return h, nil
}

// keep puts a key into the cache, and flushes at once those that have no room beside it.
func (c *conn) keep(k loadedKey) {
	c.used = append(c.used, k.handle)
	for len(c.t.cache.keys) >= maxLoaded {
		h, ok := c.t.cache.evict(c.used)
		if !ok || c.flush(h) != nil {
			break // it goes when the section ends
		}
	}
	c.t.cache.add(k)
}

func (c *conn) loadNow(k *key) (tpm2.TPMHandle, error) {
	s, err := c.authorize(nil, both)
	if err != nil {
		return 0, err
	}
	p, err := c.parentOf(k.parent, k.rsa)
	if err != nil {
		return 0, err
	}
	response, err := run(c, tpm2.Load{
		ParentHandle: tpm2.AuthHandle{Handle: p.Handle, Name: p.Name, Auth: s},
		InPrivate:    k.private, InPublic: tpm2.New2B(*k.public),
	})
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(response.Name.Buffer, k.name) {
		return 0, c.malformed(errors.New("the TPM has loaded another key than the one it was given"))
	}
	return response.ObjectHandle, nil
}

// publicKey returns the public key of a public area, checked: P-256, P-384, or RSA of 2048 to 4096 bits.
func publicKey(public *tpm2.TPMTPublic) (crypto.PublicKey, error) {
	p, err := tpm2.Pub(*public)
	if err != nil {
		return nil, err
	}
	switch p := p.(type) {
	case *ecdsa.PublicKey:
		if _, err := p.ECDH(); err != nil { // it is on the curve
			return nil, err
		}
		if size := p.Curve.Params().BitSize; size != 256 && size != 384 {
			return nil, fmt.Errorf("a curve of %d bits; P-256 and P-384 are supported", size)
		}
	case *rsa.PublicKey:
		if size := p.N.BitLen(); size < 2048 || size > 4096 || p.E < 3 || p.E%2 == 0 {
			return nil, fmt.Errorf("an RSA key of %d bits with the exponent %d; 2048 to 4096 bits are supported", size, p.E)
		}
	}
	return p, nil
}

// exchangeKey returns the public key of a public area as a key for ECDH.
func exchangeKey(public *tpm2.TPMTPublic) (*ecdh.PublicKey, error) {
	p, err := publicKey(public)
	if err != nil {
		return nil, err
	}
	e, ok := p.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("an RSA key; a key for ECDH has a curve")
	}
	return e.ECDH()
}
