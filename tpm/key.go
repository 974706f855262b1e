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
}

// authorized loads a key and returns it with what authorizes one command on it, which encrypts its parameters.
func (c *conn) authorized(k *key, d directions) (tpm2.AuthHandle, error) {
	var auth []byte
	if !k.open {
		auth = c.t.auth.key()
		if len(auth) == 0 && !k.public.ObjectAttributes.NoDA { // a wrong guess would count
			return tpm2.AuthHandle{}, errors.New("tpm: the key has an authorization value: set Options.KeyAuth to it")
		}
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
		c.t.cache.add(loadedKey{handle: h, name: k.name})
	}
	c.used = append(c.used, h)
	return h, nil
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
