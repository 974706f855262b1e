package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxAttributes bounds the signed attributes of a signer; a request has three.
const maxAttributes = 32

// maxKeyBits bounds the RSA keys that signatures are verified with: the time grows with the square of the size.
const maxKeyBits = 16384

// ErrSignature is matched when a signature is not that of the certificate over the content.
var ErrSignature = errors.New("the CMS signature does not verify")

// ErrAlgorithm is matched when a signature cannot be judged, since its algorithms are not known here or are too weak to
// prove anything.
var ErrAlgorithm = errors.New("CMS signature algorithm is not supported")

// SignerInfo is a parsed SignerInfo: RFC 5652, section 5.3.
type SignerInfo struct {
	Issuer []byte   // Name, DER; nil if the signer is named by KeyID
	Serial *big.Int // with Issuer
	KeyID  []byte   // subject key identifier; nil if the signer is named by issuer and serial number

	// Attributes are the signed attributes: nil if there are none.
	Attributes []Attribute

	digest, algorithm asn1.ObjectIdentifier
	signed            []byte // the attributes, encoded as what is signed: a SET
	signature         []byte
}

// Attribute is a signed attribute. Values is the content of its SET.
type Attribute struct {
	Type   asn1.ObjectIdentifier
	Values []byte
}

// ParseSigner parses a SignerInfo in DER.
func ParseSigner(der []byte) (*SignerInfo, error) {
	bad := fmt.Errorf("%w: signerInfo", ErrMalformed)
	in := cryptobyte.String(der)
	var body, digest, attributes, algorithm cryptobyte.String
	var version int
	var signed bool
	s := new(SignerInfo)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() || !body.ReadASN1Integer(&version) || !s.readID(&body, version) ||
		!body.ReadASN1(&digest, cbasn1.SEQUENCE) || !digest.ReadASN1ObjectIdentifier(&s.digest) {
		return nil, bad
	}
	if body.PeekASN1Tag(contextTag(0)) {
		signed = true
		var whole cryptobyte.String
		if !body.ReadASN1Element(&whole, contextTag(0)) {
			return nil, bad
		}
		s.signed = append([]byte{byte(cbasn1.SET)}, whole[1:]...)
		if !whole.ReadASN1(&attributes, contextTag(0)) {
			return nil, bad
		}
	}
	if !body.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&s.algorithm) ||
		!body.ReadASN1Bytes(&s.signature, cbasn1.OCTET_STRING) || !body.SkipOptionalASN1(contextTag(1)) || !body.Empty() {
		return nil, bad
	}
	if signed && !s.readAttributes(attributes) {
		return nil, fmt.Errorf("%w: signed attributes", ErrMalformed)
	}
	return s, nil
}

// readID reads who signed. Version 1 goes with issuer and serial number, 3 with the key identifier.
func (s *SignerInfo) readID(body *cryptobyte.String, version int) bool {
	if body.PeekASN1Tag(cbasn1.Tag(0).ContextSpecific()) {
		return version == 3 && body.ReadASN1Bytes(&s.KeyID, cbasn1.Tag(0).ContextSpecific()) && len(s.KeyID) > 0
	}
	var id, issuer cryptobyte.String
	s.Serial = new(big.Int)
	if version != 1 || !body.ReadASN1(&id, cbasn1.SEQUENCE) || !id.ReadASN1Element(&issuer, cbasn1.SEQUENCE) ||
		!id.ReadASN1Integer(s.Serial) || !id.Empty() {
		return false
	}
	s.Issuer = issuer
	return true
}

func (s *SignerInfo) readAttributes(in cryptobyte.String) bool {
	for n := 0; !in.Empty(); n++ {
		var attribute, values cryptobyte.String
		var a Attribute
		if n == maxAttributes || !in.ReadASN1(&attribute, cbasn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&a.Type) ||
			!attribute.ReadASN1(&values, cbasn1.SET) || !attribute.Empty() {
			return false
		}
		a.Values = values
		s.Attributes = append(s.Attributes, a)
	}
	return len(s.Attributes) > 0
}

// attribute returns the values of the last attribute of a type, and how many there are.
func (s *SignerInfo) attribute(oid asn1.ObjectIdentifier) (values cryptobyte.String, found int) {
	for _, a := range s.Attributes {
		if a.Type.Equal(oid) {
			values, found = a.Values, found+1
		}
	}
	return values, found
}

// NoSignature reports whether the signature is none: id-alg-noSignature, a hash that anybody can compute.
func (s *SignerInfo) NoSignature() bool { return s.algorithm.Equal(oidNoSignature()) }

// Names reports whether the signer is the one that the certificate is for.
func (s *SignerInfo) Names(cert *x509.Certificate) bool {
	if s.KeyID != nil {
		return bytes.Equal(s.KeyID, cert.SubjectKeyId)
	}
	return bytes.Equal(s.Issuer, cert.RawIssuer) && s.Serial.Cmp(cert.SerialNumber) == 0
}

// Verify checks the signature over a message with the key of a certificate, as RFC 5652, sections 5.4 to 5.6, says.
// What the certificate itself is worth is for the caller to judge. Errors match ErrSignature or ErrAlgorithm.
func (s *SignerInfo) Verify(sd *SignedData, cert *x509.Certificate) error {
	return s.verify(sd, cert, true)
}

// VerifyLenient is Verify for the clients that leave out the content type among the signed attributes, which CAs let
// pass. One that is there has to be right.
func (s *SignerInfo) VerifyLenient(sd *SignedData, cert *x509.Certificate) error {
	return s.verify(sd, cert, false)
}

func (s *SignerInfo) verify(sd *SignedData, cert *x509.Certificate, strict bool) error {
	algorithm, hash, err := s.algorithms(cert)
	if err != nil {
		return err
	}
	signed := sd.Content
	if s.signed != nil {
		if err := s.checkAttributes(sd, hash, strict); err != nil {
			return err
		}
		signed = s.signed
	} else if !sd.ContentType.Equal(OIDData()) { // RFC 5652, section 5.3
		return fmt.Errorf("%w: it has no signed attributes", ErrSignature)
	}
	if err := cert.CheckSignature(algorithm, signed, s.signature); err != nil {
		return fmt.Errorf("%w: %v", ErrSignature, err)
	}
	return nil
}

// checkAttributes checks the two attributes that bind the others to the content.
func (s *SignerInfo) checkAttributes(sd *SignedData, hash crypto.Hash, strict bool) error {
	var kind asn1.ObjectIdentifier
	var digest []byte
	kinds, found := s.attribute(oidContentType())
	if strict && found != 1 || found > 1 {
		return fmt.Errorf("%w: its attributes have %d content types", ErrSignature, found)
	}
	if found == 1 && (!kinds.ReadASN1ObjectIdentifier(&kind) || !kinds.Empty() || !kind.Equal(sd.ContentType)) {
		return fmt.Errorf("%w: it is over another type of content", ErrSignature)
	}
	digests, found := s.attribute(oidMessageDigest())
	if found != 1 || !digests.ReadASN1Bytes(&digest, cbasn1.OCTET_STRING) || !digests.Empty() {
		return fmt.Errorf("%w: its attributes have %d digests, or a malformed one", ErrSignature, found)
	}
	h := hash.New()
	h.Write(sd.Content)
	if !bytes.Equal(h.Sum(nil), digest) {
		return fmt.Errorf("%w: it is over another content", ErrSignature)
	}
	return nil
}
