package adcs

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxCertificates bounds the certificates of one CMS message: a CA sends the leaf and its own certificates, of which
// one that was renewed often may have a few.
const maxCertificates = 64

var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
)

var errCMS = errors.New("not a CMS SignedData in DER")

// signedData is what an answer of a CA needs of a CMS SignedData: RFC 5652, section 5.1. The signature over a CMC
// response is not looked at: the answer came over an authenticated connection, and a certificate is judged by Verify
// alone.
type signedData struct {
	contentType  asn1.ObjectIdentifier
	content      []byte   // nil if absent
	certificates [][]byte // DER, each a SEQUENCE; in the order of the message, which means nothing
	signers      int
}

// parseSignedData parses a ContentInfo with a SignedData in it. The whole of data must be used.
func parseSignedData(data []byte) (*signedData, error) {
	in := cryptobyte.String(data)
	var contentInfo, explicit, body cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&contentInfo, cbasn1.SEQUENCE) || !in.Empty() ||
		!contentInfo.ReadASN1ObjectIdentifier(&oid) ||
		!contentInfo.ReadASN1(&explicit, contextTag(0)) || !contentInfo.Empty() ||
		!explicit.ReadASN1(&body, cbasn1.SEQUENCE) || !explicit.Empty() {
		return nil, errCMS
	}
	if !oid.Equal(oidSignedData) {
		return nil, fmt.Errorf("%w: content type %v", errCMS, oid)
	}
	return parseSignedDataBody(body)
}

func parseSignedDataBody(body cryptobyte.String) (*signedData, error) {
	var version int
	var digests, encap, certificates, signers cryptobyte.String
	var hasCertificates bool
	if !body.ReadASN1Integer(&version) || version < 1 || version > 5 ||
		!body.ReadASN1(&digests, cbasn1.SET) ||
		!body.ReadASN1(&encap, cbasn1.SEQUENCE) ||
		!body.ReadOptionalASN1(&certificates, &hasCertificates, contextTag(0)) ||
		!body.SkipOptionalASN1(contextTag(1)) || // revocation lists
		!body.ReadASN1(&signers, cbasn1.SET) || !body.Empty() {
		return nil, errCMS
	}
	sd := new(signedData)
	if err := sd.parseContent(encap); err != nil {
		return nil, err
	}
	if err := sd.parseCertificates(certificates); err != nil {
		return nil, err
	}
	for !signers.Empty() {
		if !signers.SkipASN1(cbasn1.SEQUENCE) {
			return nil, fmt.Errorf("%w: signerInfos", errCMS)
		}
		sd.signers++
	}
	return sd, nil
}

func (sd *signedData) parseContent(encap cryptobyte.String) error {
	var explicit, content cryptobyte.String
	var present bool
	if !encap.ReadASN1ObjectIdentifier(&sd.contentType) ||
		!encap.ReadOptionalASN1(&explicit, &present, contextTag(0)) || !encap.Empty() {
		return fmt.Errorf("%w: encapContentInfo", errCMS)
	}
	if !present {
		return nil
	}
	if !explicit.ReadASN1(&content, cbasn1.OCTET_STRING) || !explicit.Empty() {
		return fmt.Errorf("%w: eContent", errCMS)
	}
	sd.content = content
	if sd.content == nil {
		sd.content = []byte{}
	}
	return nil
}

// parseCertificates takes the certificates of a CertificateSet and skips the other choices of RFC 5652, section 10.2.2,
// which are obsolete or attribute certificates.
func (sd *signedData) parseCertificates(set cryptobyte.String) error {
	for n := 0; !set.Empty(); n++ {
		if n == maxCertificates {
			return fmt.Errorf("more than %d certificates", maxCertificates)
		}
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !set.ReadAnyASN1Element(&element, &tag) {
			return fmt.Errorf("%w: certificates", errCMS)
		}
		if tag == cbasn1.SEQUENCE {
			sd.certificates = append(sd.certificates, element)
		}
	}
	return nil
}

func contextTag(n uint8) cbasn1.Tag {
	return cbasn1.Tag(n).Constructed().ContextSpecific()
}
