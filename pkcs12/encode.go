package pkcs12

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
)

// Limits of what Encode takes; Decode takes the same keys.
const (
	minRSABits = 2048
	maxRSABits = 4096
	maxChain   = 32
)

// Encode returns a PKCS#12 file, DER, with the key and the chain: the certificate of the key first, then the CA
// certificates in the order given, all different. Before it returns the file it opens it once with [Decode] and compares.
//
// The key is an *[rsa.PrivateKey] of 2048 to 4096 bits or an *[ecdsa.PrivateKey] on P-256, P-384 or P-521: what every
// target reads (NSS and Apple read no Ed25519). The password must pass [CheckPassword],
// which can be asked before a certificate is ordered.
//
// Errors match [ErrPassword], [ErrUnsupported] (the key), [ErrChain], [ErrKeyMismatch] or [ErrFIPS].
func Encode(p Profile, key crypto.PrivateKey, chain []*x509.Certificate, password string) ([]byte, error) {
	if err := CheckPassword(password); err != nil {
		return nil, err
	}
	signer, err := supportedKey(key)
	if err != nil {
		return nil, err
	}
	if err := checkChain(signer, chain); err != nil {
		return nil, err
	}
	file, err := p.encoder().Encode(signer, chain[0], chain[1:], password)
	if err != nil {
		// %v: the cause is another package's and not part of our contract.
		return nil, fmt.Errorf("pkcs12: encode: %v", err)
	}
	if err := verify(file, signer, chain, password); err != nil {
		return nil, err
	}
	return file, nil
}

// comparableKey is what the private keys of the standard library have besides Signer.
type comparableKey interface {
	crypto.Signer
	Equal(crypto.PrivateKey) bool
}

// supportedKey returns the key if every target can read one of its kind.
func supportedKey(key crypto.PrivateKey) (comparableKey, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key == nil || key.N == nil || len(key.Primes) != 2 {
			return nil, fmt.Errorf("%w: an RSA key without its two primes", ErrUnsupported)
		}
		if n := key.N.BitLen(); n < minRSABits || n > maxRSABits {
			return nil, fmt.Errorf("%w: RSA with %d bits, not %d to %d", ErrUnsupported, n, minRSABits, maxRSABits)
		}
		return key, nil
	case *ecdsa.PrivateKey:
		if key == nil || key.Curve == nil {
			return nil, fmt.Errorf("%w: an ECDSA key without a curve", ErrUnsupported)
		}
		if c := key.Curve; c != elliptic.P256() && c != elliptic.P384() && c != elliptic.P521() {
			return nil, fmt.Errorf("%w: the curve %s", ErrUnsupported, c.Params().Name)
		}
		return key, nil
	}
	return nil, fmt.Errorf("%w: a key of type %T", ErrUnsupported, key)
}

func checkChain(key crypto.Signer, chain []*x509.Certificate) error {
	if len(chain) == 0 || len(chain) > maxChain {
		return fmt.Errorf("%w: it has 1 to %d certificates, not %d", ErrChain, maxChain, len(chain))
	}
	for i, cert := range chain {
		if cert == nil || len(cert.Raw) == 0 {
			return fmt.Errorf("%w: certificate %d of it is missing", ErrChain, i+1)
		}
		for _, other := range chain[:i] {
			if cert.Equal(other) {
				return fmt.Errorf("%w: certificate %d of it is there twice", ErrChain, i+1)
			}
		}
	}
	if !belongs(key, chain[0]) {
		return ErrKeyMismatch
	}
	return nil
}

// belongs reports whether the certificate is one for the key.
func belongs(key crypto.Signer, cert *x509.Certificate) bool {
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(cert.PublicKey)
}

// verify opens a file that was just made and compares it with what went in.
func verify(file []byte, key comparableKey, chain []*x509.Certificate, password string) error {
	gotKey, gotChain, err := Decode(file, password)
	if err != nil {
		return fmt.Errorf("pkcs12: the new file does not open: %w", err)
	}
	same := key.Equal(gotKey) && len(gotChain) == len(chain)
	for i := 0; same && i < len(chain); i++ {
		same = bytes.Equal(gotChain[i].Raw, chain[i].Raw)
	}
	if !same {
		return errors.New("pkcs12: the new file does not hold what was put in")
	}
	return nil
}
