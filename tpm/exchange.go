package tpm

import (
	"context"
	"crypto/ecdh"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// KeyExchanger is a key for ECDH in a TPM. It implements [ecdh.KeyExchanger], so crypto/hpke can open with it
// (hpke.NewDHKEMPrivateKey), and is safe for any number of goroutines.
type KeyExchanger struct {
	t      *TPM
	key    *key
	public *ecdh.PublicKey
}

var _ ecdh.KeyExchanger = (*KeyExchanger)(nil)

// newKeyExchanger loads a key to see whether it can be loaded and agrees.
func (t *TPM) newKeyExchanger(ctx context.Context, k *key) (*KeyExchanger, error) {
	if !k.public.ObjectAttributes.Decrypt {
		return nil, errors.New("tpm: the key is not one for decryption")
	}
	public, err := exchangeKey(k.public)
	if err != nil {
		return nil, fmt.Errorf("tpm: decryption key: %w", err)
	}
	if err := t.tryLoad(ctx, k); err != nil {
		return nil, err
	}
	return &KeyExchanger{t, k, public}, nil
}

// PublicKey returns the public key.
func (e *KeyExchanger) PublicKey() *ecdh.PublicKey { return e.public }

// Curve returns the curve of the key.
func (e *KeyExchanger) Curve() ecdh.Curve { return e.public.Curve() }

// ECDH computes the shared secret with a public key of the same curve: TPM2_ECDH_ZGen (TPM 2.0 Library, part 3, 14.5). The
// secret comes from the TPM encrypted.
func (e *KeyExchanger) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	if peer == nil || peer.Curve() != e.public.Curve() {
		return nil, fmt.Errorf("tpm: ECDH: the other public key is not on %v", e.public.Curve())
	}
	var secret []byte
	err := e.t.use(context.Background(), func(c *conn) error {
		return c.with(e.key, both, func(h tpm2.AuthHandle) (err error) {
			secret, err = c.agree(h, peer)
			return err
		})
	})
	return secret, err
}

// agree is TPM2_ECDH_ZGen.
func (c *conn) agree(h tpm2.AuthHandle, peer *ecdh.PublicKey) ([]byte, error) {
	point := peer.Bytes()[1:] // uncompressed: 4, X, Y
	size := len(point) / 2
	response, err := run(c, tpm2.ECDHZGen{KeyHandle: h, InPoint: tpm2.New2B(tpm2.TPMSECCPoint{
		X: tpm2.TPM2BECCParameter{Buffer: point[:size]}, Y: tpm2.TPM2BECCParameter{Buffer: point[size:]},
	})})
	if err != nil {
		return nil, err
	}
	z, err := response.OutPoint.Contents()
	if err != nil || len(z.X.Buffer) == 0 || len(z.X.Buffer) > size {
		return nil, c.malformed(errors.Join(errors.New("the shared secret cannot be parsed"), err))
	}
	secret := make([]byte, size)
	copy(secret[size-len(z.X.Buffer):], z.X.Buffer) // some TPMs drop zeros in front
	clear(z.X.Buffer)
	return secret, nil
}
