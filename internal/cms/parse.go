package cms

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// MaxCertificates bounds the certificates of one message: a CA sends the leaf and its own certificates, of which one
// that was renewed often may have a few.
const MaxCertificates = 64

// MaxSigners bounds the signers of one message. A certification request has one or two.
const MaxSigners = 16

// ErrMalformed is matched by every error of Parse about what is not a SignedData.
var ErrMalformed = errors.New("not a CMS SignedData in DER")

// SignedData is a parsed message: RFC 5652, section 5.1. Its slices lie in what was parsed.
type SignedData struct {
	ContentType  asn1.ObjectIdentifier
	Content      []byte   // nil if absent
	Certificates [][]byte // DER, each a SEQUENCE; in the order of the message, which means nothing
	Signers      [][]byte // SignerInfos, DER, each a SEQUENCE; see ParseSigner
}

// IsContentInfo reports whether DER looks like a ContentInfo, and not like a PKCS#10 request: what follows the outer
// SEQUENCE is an object identifier.
func IsContentInfo(der []byte) bool {
	in := cryptobyte.String(der)
	var outer cryptobyte.String
	return in.ReadASN1(&outer, cbasn1.SEQUENCE) && outer.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER)
}

// Parse parses a ContentInfo with a SignedData in it. The whole of data must be used.
func Parse(data []byte) (*SignedData, error) {
	in := cryptobyte.String(data)
	var contentInfo, explicit, body cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&contentInfo, cbasn1.SEQUENCE) || !in.Empty() ||
		!contentInfo.ReadASN1ObjectIdentifier(&oid) ||
		!contentInfo.ReadASN1(&explicit, contextTag(0)) || !contentInfo.Empty() ||
		!explicit.ReadASN1(&body, cbasn1.SEQUENCE) || !explicit.Empty() {
		return nil, ErrMalformed
	}
	if !oid.Equal(OIDSignedData()) {
		return nil, fmt.Errorf("%w: content type %v", ErrMalformed, oid)
	}
	return parseBody(body)
}

func parseBody(body cryptobyte.String) (*SignedData, error) {
	var version int
	var digests, encap, certificates, signers cryptobyte.String
	var hasCertificates bool
	if !body.ReadASN1Integer(&version) || version < 1 || version > 5 ||
		!body.ReadASN1(&digests, cbasn1.SET) ||
		!body.ReadASN1(&encap, cbasn1.SEQUENCE) ||
		!body.ReadOptionalASN1(&certificates, &hasCertificates, contextTag(0)) ||
		!body.SkipOptionalASN1(contextTag(1)) || // revocation lists
		!body.ReadASN1(&signers, cbasn1.SET) || !body.Empty() {
		return nil, ErrMalformed
	}
	sd := new(SignedData)
	if err := sd.parseContent(encap); err != nil {
		return nil, err
	}
	if err := sd.parseCertificates(certificates); err != nil {
		return nil, err
	}
	for n := 0; !signers.Empty(); n++ {
		var signer cryptobyte.String
		if n == MaxSigners {
			return nil, fmt.Errorf("more than %d signers", MaxSigners)
		}
		if !signers.ReadASN1Element(&signer, cbasn1.SEQUENCE) {
			return nil, fmt.Errorf("%w: signerInfos", ErrMalformed)
		}
		sd.Signers = append(sd.Signers, signer)
	}
	return sd, nil
}

func (sd *SignedData) parseContent(encap cryptobyte.String) error {
	var explicit, content cryptobyte.String
	var present bool
	if !encap.ReadASN1ObjectIdentifier(&sd.ContentType) ||
		!encap.ReadOptionalASN1(&explicit, &present, contextTag(0)) || !encap.Empty() {
		return fmt.Errorf("%w: encapContentInfo", ErrMalformed)
	}
	if !present {
		return nil
	}
	if !explicit.ReadASN1(&content, cbasn1.OCTET_STRING) || !explicit.Empty() {
		return fmt.Errorf("%w: eContent", ErrMalformed)
	}
	sd.Content = content
	if sd.Content == nil {
		sd.Content = []byte{}
	}
	return nil
}

// parseCertificates takes the certificates of a CertificateSet and skips the other choices of RFC 5652, section 10.2.2,
// which are obsolete or attribute certificates.
func (sd *SignedData) parseCertificates(set cryptobyte.String) error {
	for n := 0; !set.Empty(); n++ {
		if n == MaxCertificates {
			return fmt.Errorf("more than %d certificates", MaxCertificates)
		}
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !set.ReadAnyASN1Element(&element, &tag) {
			return fmt.Errorf("%w: certificates", ErrMalformed)
		}
		if tag == cbasn1.SEQUENCE {
			sd.Certificates = append(sd.Certificates, element)
		}
	}
	return nil
}

func contextTag(n uint8) cbasn1.Tag { return cbasn1.Tag(n).Constructed().ContextSpecific() }
