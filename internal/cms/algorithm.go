package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
)

// algorithms finds out how a signer has signed. RSA signatures name the key's algorithm alone or the hash with it
// (RFC 3370, section 3.2); both are in use.
func (s *SignerInfo) algorithms(cert *x509.Certificate) (x509.SignatureAlgorithm, crypto.Hash, error) {
	for _, h := range hashes() {
		if !s.digest.Equal(oidHash(h)) {
			continue
		}
		switch key := cert.PublicKey.(type) {
		case *rsa.PublicKey:
			if key.N.BitLen() > maxKeyBits {
				return 0, 0, fmt.Errorf("%w: an RSA key of %d bits", ErrAlgorithm, key.N.BitLen())
			}
			if s.algorithm.Equal(oidRSA()) || s.algorithm.Equal(oidRSAWith(h)) {
				return rsaWith(h), h, nil
			}
		case *ecdsa.PublicKey:
			if s.algorithm.Equal(oidECDSA(h)) {
				return ecdsaWith(h), h, nil
			}
		}
	}
	return 0, 0, fmt.Errorf("%w: digest %v, signature %v", ErrAlgorithm, s.digest, s.algorithm)
}

func rsaWith(h crypto.Hash) x509.SignatureAlgorithm {
	switch h {
	case crypto.SHA384:
		return x509.SHA384WithRSA
	case crypto.SHA512:
		return x509.SHA512WithRSA
	}
	return x509.SHA256WithRSA
}

func ecdsaWith(h crypto.Hash) x509.SignatureAlgorithm {
	switch h {
	case crypto.SHA384:
		return x509.ECDSAWithSHA384
	case crypto.SHA512:
		return x509.ECDSAWithSHA512
	}
	return x509.ECDSAWithSHA256
}

// suite is how a key signs.
type suite struct {
	hash      crypto.Hash
	signature asn1.ObjectIdentifier // in a SignerInfo
	request   asn1.ObjectIdentifier // in a PKCS#10 request
	null      bool                  // the parameters of signature and request are NULL, and not absent
	algorithm x509.SignatureAlgorithm
}

// suiteOf chooses the hash for a key: SHA-256, or for larger curves the one of their size (RFC 5753, section 8). RSA
// keys sign with PKCS#1 v1.5, which every CA takes.
func suiteOf(public crypto.PublicKey) (suite, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < 1024 || bits > maxKeyBits {
			return suite{}, fmt.Errorf("%w: an RSA key of %d bits", ErrAlgorithm, bits)
		}
		return suite{crypto.SHA256, oidRSA(), oidRSAWith(crypto.SHA256), true, x509.SHA256WithRSA}, nil
	case *ecdsa.PublicKey:
		h := crypto.SHA256
		switch bits := key.Curve.Params().BitSize; {
		case bits > 384:
			h = crypto.SHA512
		case bits > 256:
			h = crypto.SHA384
		}
		return suite{h, oidECDSA(h), oidECDSA(h), false, ecdsaWith(h)}, nil
	}
	return suite{}, fmt.Errorf("%w: a key of type %T; RSA and ECDSA keys can sign", ErrAlgorithm, public)
}
