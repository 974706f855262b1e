package adcstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

const (
	minRSABits = 1024  // Windows takes no smaller key anywhere (KB2661254)
	maxRSABits = 16384 // and none larger; it also bounds the cost of verifying a signature
	// maxRequestExtensions bounds what is kept of a request.
	maxRequestExtensions = 100
)

func oidMSExtensions() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 14}
}

func oidNameValuePair() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 13, 2, 1}
}

// certRequest is what the CA keeps of a certification request.
type certRequest struct {
	spki          []byte // SubjectPublicKeyInfo, DER
	publicKey     any    // *rsa.PublicKey or *ecdsa.PublicKey
	algorithm     string // RSA, ECDSA_P256, …
	bits          int
	subject       []byte // Name, DER
	names         []pkix.AttributeTypeAndValue
	san           []byte // value of the extension; nil if there is none
	sid           string
	templateNames []string
	templateIDs   []adcsasn1.Template
	signed        *signedBy // what is around it; nil for PKCS#10 alone
}

// parseRequest reads a PKCS#10 request and proves that whoever made it holds the key (MS-WCCE section
// 3.2.1.4.2.1.4.1.1). What it could read is returned along with a refusal, for the row in the request table.
func parseRequest(flags uint32, der []byte) (*certRequest, *refusal) {
	if r := checkFormat(flags, der); r != nil {
		return nil, r
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, parseError(malformed(der))
	}
	req := &certRequest{
		spki: csr.RawSubjectPublicKeyInfo, publicKey: csr.PublicKey, subject: csr.RawSubject, names: csr.Subject.Names,
	}
	if r := req.checkKey(); r != nil {
		return req, r
	}
	if err := csr.CheckSignature(); err != nil {
		return req, &refusal{code: hrBadSignature, stage: stageVerify}
	}
	if !req.readAttributes(csr) {
		return req, parseError(hrASN1BadTag)
	}
	return req, nil
}

// The request formats and flags of dwFlags (MS-WCCE section 3.2.1.4.3.1.1).
const (
	flagFormatMask   uint32 = 0x0000FF00
	flagFormatAny    uint32 = 0x00000000
	flagFormatPKCS10 uint32 = 0x00000100
	flagFullResponse uint32 = 0x00040000 // Y
	flagCRLs         uint32 = 0x00080000 // X
	// flagUnsupported are renewal on behalf (Z), certificate transparency (A) and pre-signing (B).
	flagUnsupported uint32 = 0x0C200000
)

// checkFormat refuses what is not PKCS#10, or is not said to be. KEYGEN, CMC and the answers to challenges are formats
// that this CA does not support, for which CRYPT_E_INVALID_MSG_TYPE is the answer (MS-WCCE section
// 3.2.1.4.2.1.4).
func checkFormat(flags uint32, der []byte) *refusal {
	if flags&flagUnsupported != 0 {
		return parseError(hrInvalidArg)
	}
	if f := flags & flagFormatMask; f != flagFormatAny && f != flagFormatPKCS10 {
		return parseError(hrInvalidMsgType)
	}
	s := cryptobyte.String(der)
	var outer cryptobyte.String
	if !s.ReadASN1(&outer, cbasn1.SEQUENCE) || !s.Empty() {
		return parseError(malformed(der))
	}
	if outer.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) { // a ContentInfo
		return parseError(hrInvalidMsgType)
	}
	return nil
}

// malformed tells a request that ends too early from one that is no PKCS#10.
func malformed(der []byte) uint32 {
	s := cryptobyte.String(der)
	var outer cryptobyte.String
	if len(der) > 0 && der[0] == byte(cbasn1.SEQUENCE) && !s.ReadASN1(&outer, cbasn1.SEQUENCE) {
		return hrASN1EndOfData
	}
	return hrASN1BadTag
}

// checkKey names the key's algorithm and bounds its size, before anything is computed with it.
func (r *certRequest) checkKey() *refusal {
	switch pub := r.publicKey.(type) {
	case *rsa.PublicKey:
		r.algorithm, r.bits = keyRSA, pub.N.BitLen()
		if r.bits < minRSABits || r.bits > maxRSABits {
			return &refusal{code: hrWeakKey, stage: stageVerify}
		}
		return nil
	case *ecdsa.PublicKey:
		r.bits = pub.Curve.Params().BitSize
		switch pub.Curve {
		case elliptic.P256():
			r.algorithm = "ECDSA_P256"
		case elliptic.P384():
			r.algorithm = "ECDSA_P384"
		case elliptic.P521():
			r.algorithm = "ECDSA_P521"
		}
	}
	if r.algorithm == "" {
		return parseError(hrUnknownAlgorithm)
	}
	return nil
}

// readAttributes takes what matters from the attributes of the request.
func (r *certRequest) readAttributes(csr *x509.CertificateRequest) bool {
	extensions := csr.Extensions // those in the PKCS#9 attribute
	tbs := cryptobyte.String(csr.RawTBSCertificateRequest)
	var info, attributes cryptobyte.String
	if !tbs.ReadASN1(&info, cbasn1.SEQUENCE) ||
		!info.SkipASN1(cbasn1.INTEGER) || !info.SkipASN1(cbasn1.SEQUENCE) || !info.SkipASN1(cbasn1.SEQUENCE) ||
		!info.ReadASN1(&attributes, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return false
	}
	for !attributes.Empty() {
		var attr, values cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !attributes.ReadASN1(&attr, cbasn1.SEQUENCE) || !attr.ReadASN1ObjectIdentifier(&oid) ||
			!attr.ReadASN1(&values, cbasn1.SET) {
			return false
		}
		switch {
		case oid.Equal(oidMSExtensions()):
			var more []pkix.Extension
			if rest, err := asn1.Unmarshal(values, &more); err != nil || len(rest) != 0 {
				return false
			}
			extensions = append(extensions, more...)
		case oid.Equal(oidNameValuePair()):
			if !r.readPairs(values) {
				return false
			}
		}
	}
	return r.readExtensions(extensions)
}

// readPairs reads an enrollment name-value pair (MS-WCCE section 2.2.2.7.10): SEQUENCE { BMPString, BMPString } as
// clients send it, or a SEQUENCE of such pairs as the specification prints it.
func (r *certRequest) readPairs(values cryptobyte.String) bool {
	for !values.Empty() {
		var seq, pair cryptobyte.String
		if !values.ReadASN1(&seq, cbasn1.SEQUENCE) {
			return false
		}
		if !seq.PeekASN1Tag(cbasn1.SEQUENCE) {
			if !r.readPair(seq) {
				return false
			}
			continue
		}
		for !seq.Empty() {
			if !seq.ReadASN1(&pair, cbasn1.SEQUENCE) || !r.readPair(pair) {
				return false
			}
		}
	}
	return true
}

func (r *certRequest) readPair(pair cryptobyte.String) bool {
	name, ok1 := readBMP(&pair)
	value, ok2 := readBMP(&pair)
	if strings.EqualFold(name, "CertificateTemplate") {
		r.templateNames = append(r.templateNames, value)
	}
	return ok1 && ok2
}

func readBMP(s *cryptobyte.String) (string, bool) {
	var text cryptobyte.String
	if !s.ReadASN1(&text, cbasn1.Tag(asn1.TagBMPString)) || len(text)%2 != 0 {
		return "", false
	}
	units := make([]uint16, 0, len(text)/2)
	for !text.Empty() {
		var u uint16
		text.ReadUint16(&u)
		units = append(units, u)
	}
	return string(utf16.Decode(units)), true
}

// readExtensions takes the extensions that decide what is issued. An extension that is there twice is malformed.
func (r *certRequest) readExtensions(extensions []pkix.Extension) bool {
	if len(extensions) > maxRequestExtensions {
		return false
	}
	seen := map[string]bool{}
	for _, e := range extensions {
		id := e.Id.String()
		if seen[id] {
			return false
		}
		seen[id] = true
		var err error
		switch {
		case e.Id.Equal(adcsasn1.OIDSubjectAltName()):
			_, err = adcsasn1.SANFromExtension(e.Value)
			r.san = e.Value
		case e.Id.Equal(adcsasn1.OIDSIDExtension()):
			r.sid, err = adcsasn1.SIDFromExtension(e.Value)
		case e.Id.Equal(adcsasn1.OIDTemplateName()):
			var name string
			name, err = adcsasn1.TemplateNameFromExtension(e.Value)
			r.templateNames = append(r.templateNames, name)
		case e.Id.Equal(adcsasn1.OIDTemplate()):
			var id adcsasn1.Template
			id, err = adcsasn1.TemplateFromExtension(e.Value)
			r.templateIDs = append(r.templateIDs, id)
		}
		if err != nil {
			return false
		}
	}
	return true
}
