package pkcs12

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/wipe"
)

// Limits of what Encode takes; Decode takes the same keys.
const (
	minRSABits = 2048
	maxRSABits = 4096
	maxChain   = 32
)

// Iterations that a file is written with.
const (
	defaultIterations = 2048
	minIterations     = 1024 // RFC 7292, C: at least
	// maxIterations is for one derivation. There are three, and Windows takes no more than 600,000 (BoringSSL's
	// pkcs8_x509.cc, which does not say whether of one or of all); .NET by default 300,000 of one (Pkcs12LoaderLimits).
	maxIterations = 200_000
)

// Options says how a file is made. The zero Options are those of [Compat] without a name.
type Options struct {
	// Profile says which algorithms the file is made with and which certificates of the chain are in it.
	Profile Profile
	// FriendlyName is what importers show for the key and its certificate, and Java's alias; see [CheckName]. Without
	// one they make one up: the subject, a number. That of the key is not encrypted: who has the file can read it. For
	// the platforms of Windows the certificate alone has a name: Windows would make that of the key the name of its
	// container, which programs take for an identifier.
	FriendlyName string
	// Iterations of the derivation of the encryption keys, of which there are two: 1024 to 200,000, or 0 for 2048. More of
	// them make up for a weak password a little; a random one (see [NewPassword]) needs no more.
	Iterations int
	// MACIterations is the same for the key of the MAC: 1 to 200,000, or 0 for as many as the encryption has. Who guesses
	// passwords tries them where it costs less, so that the smaller of the two numbers counts. OpenSSL has always
	// written 2048; other programs, 1.
	MACIterations int
}

// Check returns an error if no file can be made with the options, whatever is in it. It matches [ErrName], [ErrLimit]
// or [ErrFIPS]. Call it before a certificate is ordered, together with [CheckPassword].
func (o Options) Check() error {
	if err := checkFIPS(); err != nil {
		return err
	}
	if n := o.Iterations; n != 0 && (n < minIterations || n > maxIterations) {
		return fmt.Errorf("%w: %d iterations, not %d to %d", ErrLimit, n, minIterations, maxIterations)
	}
	if n := o.MACIterations; n < 0 || n > maxIterations {
		return fmt.Errorf("%w: %d iterations of the MAC, not 1 to %d", ErrLimit, n, maxIterations)
	}
	return CheckName(o.FriendlyName)
}

// iterations returns those of the encryption and of the MAC.
func (o Options) iterations() (encryption, mac int) {
	encryption = cmp.Or(o.Iterations, defaultIterations)
	return encryption, cmp.Or(o.MACIterations, encryption)
}

// Encode returns a PKCS#12 file for the profile; it is [Options.Encode] without other options.
func Encode(p Profile, key crypto.PrivateKey, chain []*x509.Certificate, password string) ([]byte, error) {
	return Options{Profile: p}.Encode(key, chain, password)
}

// Encode returns a PKCS#12 file, DER, with the key and the chain: the certificate of the key first, then the CA
// certificates in the order given, all different. Of the chain the file holds what the shape of the profile says.
// Before Encode returns the file it opens it once, with go-pkcs12, and compares.
//
// The key is an *[rsa.PrivateKey] of 2048 to 4096 bits or an *[ecdsa.PrivateKey] on P-256, P-384 or P-521: what every
// target reads (NSS and Apple read no Ed25519). The password must pass [CheckPassword],
// which can be asked before a certificate is ordered.
//
// Errors match those of [Options.Check], [ErrPassword], [ErrUnsupported] (the key), [ErrChain] or [ErrKeyMismatch].
func (o Options) Encode(key crypto.PrivateKey, chain []*x509.Certificate, password string) ([]byte, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
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
	c := contents{set: o.Profile.set, key: signer, chain: o.Profile.pick(chain), name: o.FriendlyName, password: password}
	if o.Profile.namesKey() {
		c.keyName = c.name
	}
	c.iterations, c.macIterations = o.iterations()
	file, err := c.file()
	if err != nil {
		return nil, err
	}
	if err := verify(file, signer, c.chain, password); err != nil {
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
	gotKey, gotChain, err := decode(file, password)
	if err != nil {
		return fmt.Errorf("pkcs12: the new file does not open: %w", err)
	}
	defer wipe.Key(gotKey)
	same := key.Equal(gotKey) && len(gotChain) == len(chain)
	for i := 0; same && i < len(chain); i++ {
		same = bytes.Equal(gotChain[i].Raw, chain[i].Raw)
	}
	if !same {
		return errors.New("pkcs12: the new file does not hold what was put in")
	}
	return nil
}
