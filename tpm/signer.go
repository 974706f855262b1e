package tpm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/google/go-tpm/tpm2"
)

// Signer is a signing key in a TPM. It implements [crypto.Signer] and is safe for any number of goroutines.
type Signer struct {
	t      *TPM
	key    *key
	public crypto.PublicKey
}

var _ crypto.Signer = (*Signer)(nil)

// newSigner loads a key to see whether it can be loaded and signs.
func (t *TPM) newSigner(ctx context.Context, k *key) (*Signer, error) {
	if !k.public.ObjectAttributes.SignEncrypt {
		return nil, errors.New("tpm: the key is not one for signatures")
	}
	public, err := publicKey(k.public)
	if err != nil {
		return nil, fmt.Errorf("tpm: signing key: %w", err)
	}
	if err := t.tryLoad(ctx, k); err != nil {
		return nil, err
	}
	return &Signer{t, k, public}, nil
}

// tryLoad loads a key to see whether it can be loaded.
func (t *TPM) tryLoad(ctx context.Context, k *key) error {
	return t.use(ctx, func(c *conn) error {
		_, err := c.load(k)
		return err
	})
}

// Public returns the public key, an *ecdsa.PublicKey or *rsa.PublicKey.
func (s *Signer) Public() crypto.PublicKey { return s.public }

// Sign signs a digest of SHA-256, SHA-384 or SHA-512, as opts says; with ECDSA the signature is ASN.1. The salt of a PSS
// signature is as long as the TPM makes it: usually as the digest, with some TPMs as long as possible, so ask for
// rsa.PSSSaltLengthAuto; rsa.PSSSaltLengthEqualsHash fails if the TPM does otherwise. The random source is the TPM's.
func (s *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	scheme, err := s.scheme(digest, opts)
	if err != nil {
		return nil, err
	}
	var signature []byte
	err = s.t.use(context.Background(), func(c *conn) error {
		return c.with(s.key, in, func(h tpm2.AuthHandle) error {
			response, err := run(c, tpm2.Sign{
				KeyHandle: h, Digest: tpm2.TPM2BDigest{Buffer: digest}, InScheme: scheme,
				Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
			})
			if err != nil {
				return err
			}
			signature, err = s.encode(&response.Signature, digest, opts)
			return err
		})
	})
	return signature, err
}

// scheme returns the TPM's name for what is asked for.
func (s *Signer) scheme(digest []byte, opts crypto.SignerOpts) (tpm2.TPMTSigScheme, error) {
	if opts == nil {
		return tpm2.TPMTSigScheme{}, errors.New("tpm: sign: the options have to name the hash")
	}
	var hash tpm2.TPMIAlgHash
	switch opts.HashFunc() {
	case crypto.SHA256:
		hash = tpm2.TPMAlgSHA256
	case crypto.SHA384:
		hash = tpm2.TPMAlgSHA384
	case crypto.SHA512:
		hash = tpm2.TPMAlgSHA512
	default:
		return tpm2.TPMTSigScheme{}, fmt.Errorf("tpm: sign: a digest of %v; SHA-256, SHA-384 and SHA-512 are supported",
			opts.HashFunc())
	}
	if len(digest) != opts.HashFunc().Size() {
		return tpm2.TPMTSigScheme{}, fmt.Errorf("tpm: sign: %d octets are no digest of %v", len(digest), opts.HashFunc())
	}
	scheme := func(alg tpm2.TPMAlgID) (tpm2.TPMTSigScheme, error) {
		return tpm2.TPMTSigScheme{Scheme: alg, Details: tpm2.NewTPMUSigScheme(alg, &tpm2.TPMSSchemeHash{HashAlg: hash})}, nil
	}
	pss, isPSS := opts.(*rsa.PSSOptions)
	switch _, isRSA := s.public.(*rsa.PublicKey); {
	case !isRSA:
		return scheme(tpm2.TPMAlgECDSA)
	case !isPSS:
		return scheme(tpm2.TPMAlgRSASSA)
	case pss.SaltLength > 0 && pss.SaltLength != len(digest):
		return tpm2.TPMTSigScheme{}, fmt.Errorf("tpm: sign: a TPM cannot make a salt of %d octets", pss.SaltLength)
	}
	return scheme(tpm2.TPMAlgRSAPSS)
}

// encode writes a signature as crypto.Signer wants it and verifies it: a TPM with a fault must not give its key away, and
// what the TPM does for PSS has to be what was asked for.
func (s *Signer) encode(signature *tpm2.TPMTSignature, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	errWrong := &transportError{cause: errors.New("the signature of the TPM does not verify"), slow: true}
	switch public := s.public.(type) {
	case *ecdsa.PublicKey:
		sig, err := signature.Signature.ECDSA()
		if err != nil {
			return nil, errWrong
		}
		der, err := asn1.Marshal(struct{ R, S *big.Int }{
			new(big.Int).SetBytes(sig.SignatureR.Buffer), new(big.Int).SetBytes(sig.SignatureS.Buffer),
		})
		if err != nil || !ecdsa.VerifyASN1(public, digest, der) {
			return nil, errWrong
		}
		return der, nil
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			sig, err := signature.Signature.RSAPSS()
			if err != nil {
				return nil, errWrong
			}
			if err := rsa.VerifyPSS(public, opts.HashFunc(), digest, sig.Sig.Buffer, pss); err != nil {
				return nil, fmt.Errorf("%w, or has a salt of another length; ask for rsa.PSSSaltLengthAuto", errWrong)
			}
			return sig.Sig.Buffer, nil
		}
		sig, err := signature.Signature.RSASSA()
		if err != nil || rsa.VerifyPKCS1v15(public, opts.HashFunc(), digest, sig.Sig.Buffer) != nil {
			return nil, errWrong
		}
		return sig.Sig.Buffer, nil
	}
	return nil, errWrong
}
