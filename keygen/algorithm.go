package keygen

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
)

// Algorithm names a kind of key pair. The text is stable: it stands in orders and configuration files.
type Algorithm string

// The algorithms, all of which AD CS templates can ask for (MS-CRTD section 2.23). Ed25519 is not among them.
const (
	RSA2048   Algorithm = "rsa2048"
	RSA3072   Algorithm = "rsa3072"
	RSA4096   Algorithm = "rsa4096"
	ECDSAP256 Algorithm = "p256"
	ECDSAP384 Algorithm = "p384"
	ECDSAP521 Algorithm = "p521"
)

// ErrAlgorithm is matched by every error about a kind of key that this package does not make or take.
var ErrAlgorithm = errors.New("keygen: unsupported key algorithm")

// Algorithms returns all algorithms.
func Algorithms() []Algorithm {
	return []Algorithm{RSA2048, RSA3072, RSA4096, ECDSAP256, ECDSAP384, ECDSAP521}
}

// ParseAlgorithm returns the algorithm of exactly this name. The error matches [ErrAlgorithm].
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range Algorithms() {
		if string(a) == name {
			return a, nil
		}
	}
	if len(name) > 32 {
		name = name[:32] + "…"
	}
	return "", fmt.Errorf("%w: %q is none of %v", ErrAlgorithm, name, Algorithms())
}

// Generate makes a key pair with the generator of the standard library: a *[rsa.PrivateKey] or an *[ecdsa.PrivateKey].
// An RSA key takes long, and not always equally long: about 40 ms (2048 bits) to 600 ms (4096) in the middle, several
// times that now and then. The error matches [ErrAlgorithm] if the algorithm is not one of this package.
func Generate(alg Algorithm) (crypto.Signer, error) {
	if bits := alg.rsaBits(); bits != 0 {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return nil, fmt.Errorf("keygen: %s: %w", alg, err)
		}
		return key, nil
	}
	if curve := alg.curve(); curve != nil {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("keygen: %s: %w", alg, err)
		}
		return key, nil
	}
	_, err := ParseAlgorithm(string(alg))
	return nil, err
}

// AlgorithmOf returns the algorithm of a public key: *[rsa.PublicKey] or *[ecdsa.PublicKey]. The error matches
// [ErrAlgorithm].
func AlgorithmOf(pub crypto.PublicKey) (Algorithm, error) {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if pub == nil || pub.N == nil {
			break
		}
		for _, a := range Algorithms() {
			if a.rsaBits() == pub.N.BitLen() {
				return a, nil
			}
		}
		return "", fmt.Errorf("%w: RSA with %d bits", ErrAlgorithm, pub.N.BitLen())
	case *ecdsa.PublicKey:
		if pub == nil || pub.Curve == nil {
			break
		}
		for _, a := range Algorithms() {
			if a.curve() == pub.Curve {
				return a, nil
			}
		}
		return "", fmt.Errorf("%w: the curve %s", ErrAlgorithm, pub.Curve.Params().Name)
	}
	return "", fmt.Errorf("%w: %T", ErrAlgorithm, pub)
}

// rsaBits is the length of the modulus, 0 if the algorithm is not RSA.
func (a Algorithm) rsaBits() int {
	switch a {
	case RSA2048:
		return 2048
	case RSA3072:
		return 3072
	case RSA4096:
		return 4096
	}
	return 0
}

// curve is nil if the algorithm is not ECDSA.
func (a Algorithm) curve() elliptic.Curve {
	switch a {
	case ECDSAP256:
		return elliptic.P256()
	case ECDSAP384:
		return elliptic.P384()
	case ECDSAP521:
		return elliptic.P521()
	}
	return nil
}
