package cms

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// errPKCS10 is for what is not a PKCS#10 request.
var errPKCS10 = errors.New("cms: not a PKCS#10 certification request in DER")

// maxRequestAttributes bounds the attributes of a PKCS#10 request; Windows sends four or five.
const maxRequestAttributes = 64

// WithAttribute returns a PKCS#10 request (RFC 2986) with one more attribute, which takes the place of those of its
// type, signed anew with the key that the request is for. Version, subject, public key and the other attributes stay as
// they are. The request's own signature is not looked at.
func WithAttribute(csr []byte, key crypto.Signer, oid asn1.ObjectIdentifier, value []byte) ([]byte, error) {
	request, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errPKCS10, err)
	}
	suite, err := suiteOf(request.PublicKey)
	if err != nil {
		return nil, err
	}
	info, err := infoWith(request.RawTBSCertificateRequest, oid, value)
	if err != nil {
		return nil, err
	}
	signature, err := suite.sign(key, request.PublicKey, info)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(info)
		b.AddBytes(algorithmIdentifier(suite.request, suite.null))
		b.AddASN1BitString(signature)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	again, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("cms: the request cannot be parsed any more: %v", err)
	}
	if err := again.CheckSignature(); err != nil {
		return nil, fmt.Errorf("cms: %w: the request's own signature does not verify: %v", ErrSigning, err)
	}
	return der, nil
}

// infoWith is a CertificationRequestInfo with the attribute.
func infoWith(info []byte, oid asn1.ObjectIdentifier, value []byte) ([]byte, error) {
	in := cryptobyte.String(info)
	var body, head, attributes cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) {
		return nil, errPKCS10
	}
	head = body
	if !body.SkipASN1(cbasn1.INTEGER) || !body.SkipASN1(cbasn1.SEQUENCE) || !body.SkipASN1(cbasn1.SEQUENCE) {
		return nil, errPKCS10
	}
	head = head[:len(head)-len(body)]
	// The attributes are not optional in RFC 2986, but some leave out an empty set.
	if !body.Empty() && !body.ReadASN1(&attributes, contextTag(0)) || !body.Empty() {
		return nil, errPKCS10
	}
	set := [][]byte{encodeAttribute(oid, func(b *cryptobyte.Builder) { b.AddBytes(value) })}
	for n := 0; !attributes.Empty(); n++ {
		var element, attribute cryptobyte.String
		var kind asn1.ObjectIdentifier
		if n == maxRequestAttributes || !attributes.ReadASN1Element(&element, cbasn1.SEQUENCE) {
			return nil, errPKCS10
		}
		whole := element
		if !element.ReadASN1(&attribute, cbasn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&kind) ||
			!attribute.SkipASN1(cbasn1.SET) || !attribute.Empty() {
			return nil, errPKCS10
		}
		if !kind.Equal(oid) {
			set = append(set, whole)
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(head)
		addSet(b, contextTag(0), set)
	})
	return b.Bytes()
}

// Attributes returns the values of the attributes of one type in a PKCS#10 request, each in DER.
func Attributes(request *x509.CertificateRequest, oid asn1.ObjectIdentifier) ([][]byte, error) {
	in := cryptobyte.String(request.RawTBSCertificateRequest)
	var body, attributes cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.SkipASN1(cbasn1.INTEGER) || !body.SkipASN1(cbasn1.SEQUENCE) ||
		!body.SkipASN1(cbasn1.SEQUENCE) || !body.Empty() && !body.ReadASN1(&attributes, contextTag(0)) {
		return nil, errPKCS10
	}
	var found [][]byte
	for n := 0; !attributes.Empty(); n++ {
		var attribute, values cryptobyte.String
		var kind asn1.ObjectIdentifier
		if n == maxRequestAttributes || !attributes.ReadASN1(&attribute, cbasn1.SEQUENCE) ||
			!attribute.ReadASN1ObjectIdentifier(&kind) || !attribute.ReadASN1(&values, cbasn1.SET) || !attribute.Empty() {
			return nil, errPKCS10
		}
		for kind.Equal(oid) && !values.Empty() {
			var value cryptobyte.String
			var tag cbasn1.Tag
			if len(found) == maxRequestAttributes || !values.ReadAnyASN1Element(&value, &tag) {
				return nil, errPKCS10
			}
			found = append(found, value)
		}
	}
	return found, nil
}
