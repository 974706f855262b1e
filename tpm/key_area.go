package tpm

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/crypto/cryptobyte"
)

// Bits of TPMA_OBJECT (TPM 2.0 Library, part 2, 8.3).
const (
	bitFixedTPM            = 1 << 1
	bitFixedParent         = 1 << 4
	bitSensitiveDataOrigin = 1 << 5
	bitUserWithAuth        = 1 << 6
	bitAdminWithPolicy     = 1 << 7
	bitNoDA                = 1 << 10
	bitRestricted          = 1 << 16
	bitDecrypt             = 1 << 17
	bitSign                = 1 << 18
)

// keyArea is a TPMT_PUBLIC of an asymmetric key (part 2, 12.2.4), read without trusting whoever wrote it: go-tpm's
// decoder is for answers of a TPM. Its form has no freedom, so two different texts are never the same area.
type keyArea struct {
	raw        []byte
	kind       tpm2.TPMAlgID
	nameAlg    tpm2.TPMAlgID
	attributes uint32
	policy     []byte
	details    keyDetails
	n, x, y    []byte // modulus; coordinates
}

// keyDetails is TPMS_RSA_PARMS or TPMS_ECC_PARMS, comparable.
type keyDetails struct {
	symmetric, mode, scheme, schemeHash, kdf tpm2.TPMAlgID
	symmetricBits, rsaBits                   uint16
	exponent                                 uint32
	curve                                    tpm2.TPMECCCurve
}

const (
	maxKeyArea     = 1024 // bytes; RSA with 4096 bits and the longest policy has less than 700
	maxPolicySize  = 64
	maxModulusSize = 512
	maxCoordinate  = 66
)

var errKeyArea = errors.New("no public area of a key")

// parseKeyArea reads a public area. Errors say nothing of its content.
func parseKeyArea(raw []byte) (*keyArea, error) {
	if len(raw) > maxKeyArea {
		return nil, errKeyArea
	}
	p := keyArea{raw: raw}
	s := cryptobyte.String(raw)
	ok := readAlg(&s, &p.kind) && readAlg(&s, &p.nameAlg) && s.ReadUint32(&p.attributes) &&
		readSized(&s, &p.policy, maxPolicySize) && p.details.readSymmetric(&s) && p.details.readScheme(&s)
	switch p.kind {
	case tpm2.TPMAlgRSA:
		ok = ok && s.ReadUint16(&p.details.rsaBits) && s.ReadUint32(&p.details.exponent) &&
			readSized(&s, &p.n, maxModulusSize)
	case tpm2.TPMAlgECC:
		ok = ok && readAlg(&s, &p.details.curve) && readAlg(&s, &p.details.kdf) && p.details.kdf == tpm2.TPMAlgNull &&
			readSized(&s, &p.x, maxCoordinate) && readSized(&s, &p.y, maxCoordinate)
	default:
		ok = false
	}
	if !ok || !s.Empty() {
		return nil, errKeyArea
	}
	return &p, nil
}

// readSymmetric reads TPMT_SYM_DEF_OBJECT (part 2, 11.1.7), AES or none.
func (d *keyDetails) readSymmetric(s *cryptobyte.String) bool {
	if !readAlg(s, &d.symmetric) {
		return false
	}
	switch d.symmetric {
	case tpm2.TPMAlgNull:
		return true
	case tpm2.TPMAlgAES:
		return s.ReadUint16(&d.symmetricBits) && readAlg(s, &d.mode)
	}
	return false
}

// readScheme reads TPMT_RSA_SCHEME or TPMT_ECC_SCHEME (part 2, 11.2.4.2 and 11.2.5.6): none, or one with a hash.
func (d *keyDetails) readScheme(s *cryptobyte.String) bool {
	return readAlg(s, &d.scheme) && (d.scheme == tpm2.TPMAlgNull || readAlg(s, &d.schemeHash))
}

func readAlg[T ~uint16](s *cryptobyte.String, out *T) bool {
	var n uint16
	ok := s.ReadUint16(&n)
	*out = T(n)
	return ok
}

// readSized reads a TPM2B.
func readSized(s *cryptobyte.String, out *[]byte, most int) bool {
	var content cryptobyte.String
	ok := s.ReadUint16LengthPrefixed(&content) && len(content) <= most
	*out = content
	return ok
}

// name is the object's name (part 1, 16), for the name algorithm SHA-256.
func (p *keyArea) name() []byte {
	sum := sha256.Sum256(p.raw)
	return append([]byte{byte(tpm2.TPMAlgSHA256 >> 8), byte(tpm2.TPMAlgSHA256 & 0xff)}, sum[:]...)
}

// ecKey returns the point, which is on its curve. A TPM may leave out leading zeros of a coordinate.
func (p *keyArea) ecKey() (*ecdh.PublicKey, error) {
	var curve ecdh.Curve
	size := 0
	switch p.details.curve {
	case tpm2.TPMECCNistP256:
		curve, size = ecdh.P256(), 32
	case tpm2.TPMECCNistP384:
		curve, size = ecdh.P384(), 48
	}
	if p.kind != tpm2.TPMAlgECC || curve == nil || len(p.x) > size || len(p.y) > size {
		return nil, errKeyArea
	}
	point := make([]byte, 1+2*size)
	point[0] = 4
	copy(point[1+size-len(p.x):], p.x)
	copy(point[1+2*size-len(p.y):], p.y)
	key, err := curve.NewPublicKey(point)
	if err != nil {
		return nil, errKeyArea
	}
	return key, nil
}

// rsaKey returns the key, whose modulus has exactly the size that the area states, and whose exponent is 65537 (0).
func (p *keyArea) rsaKey() (*rsa.PublicKey, error) {
	n := p.n
	if p.kind != tpm2.TPMAlgRSA || p.details.exponent != 0 || len(n) == 0 || 8*len(n) != int(p.details.rsaBits) ||
		n[0]&0x80 == 0 || n[len(n)-1]&1 == 0 {
		return nil, errKeyArea
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, nil
}

// sameTemplate is true for an area that differs from this one in nothing but the key itself.
func (p *keyArea) sameTemplate(o *keyArea) bool {
	return p.kind == o.kind && p.nameAlg == o.nameAlg && p.attributes == o.attributes &&
		bytes.Equal(p.policy, o.policy) && p.details == o.details
}
