package adcs

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/internal/cms"
)

// RenewalRequest makes the request for a certificate that takes the place of an older one: a PKCS#10 request that holds
// the old certificate as an attribute, in CMS that is signed with the old key ([MS-WCCE], section 3.1.1.4.3.2.1). It is
// for [Request.CSR], and [ExpectRequest] takes it.
//
// The csr is a PKCS#10 request for key, DER; it is signed anew with the attribute in it, whatever its signature was. If
// it is nil, one is made that asks for what the old certificate says: subject, subject alternative names, SID and
// template. The new key may be the old one; many CAs want another. Keys are RSA keys of 1024 to 16384 bits, which sign
// with PKCS #1 v1.5 and SHA-256, or ECDSA keys, which sign with the hash of their size. oldKey is that of old. Both may
// be in hardware.
//
// A CA refuses the request if the old certificate has expired or was revoked, is from another template than is asked
// for now, or, where subjects come from the directory, belongs to another account than the one that submits it.
//
// Errors match [ErrInvalidRequest], or are those of the keys.
func RenewalRequest(csr []byte, key crypto.Signer, old *x509.Certificate, oldKey crypto.Signer) ([]byte, error) {
	if old == nil || len(old.Raw) == 0 || key == nil || oldKey == nil {
		return nil, fmt.Errorf("%w: a renewal needs the old certificate, its key and the new key", ErrInvalidRequest)
	}
	if len(csr) > maxRequest {
		return nil, fmt.Errorf("%w: the CSR has %d bytes, the limit is %d", ErrInvalidRequest, len(csr), maxRequest)
	}
	if csr == nil {
		var err error
		if csr, err = likeOld(old, key); err != nil {
			return nil, err
		}
	}
	csr, err := cms.WithAttribute(csr, key, cms.OIDRenewalCertificate(), old.Raw)
	if err != nil {
		return nil, builderError("renewal", err)
	}
	// Windows signs renewals without attributes ([MS-WSTEP], section 4).
	signed, err := cms.Sign(csr, cms.Signer{Certificate: old, Key: oldKey})
	if err != nil {
		return nil, builderError("renewal", err)
	}
	return signed, nil
}

// likeOld makes a PKCS#10 request for what a certificate says.
func likeOld(old *x509.Certificate, key crypto.Signer) ([]byte, error) {
	template := &x509.CertificateRequest{RawSubject: old.RawSubject}
	for _, ext := range old.Extensions {
		if ext.Id.Equal(adcsasn1.OIDSubjectAltName()) || ext.Id.Equal(adcsasn1.OIDSIDExtension()) ||
			ext.Id.Equal(adcsasn1.OIDTemplate()) || ext.Id.Equal(adcsasn1.OIDTemplateName()) {
			template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: ext.Id, Value: ext.Value})
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fmt.Errorf("%w: renewal: %w", ErrInvalidRequest, err)
	}
	return csr, nil
}

// builderError makes ErrInvalidRequest of what the caller gave, and leaves the errors of keys alone.
func builderError(what string, err error) error {
	if errors.Is(err, cms.ErrSigning) {
		return fmt.Errorf("adcs: %s: %w", what, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrInvalidRequest, what, err)
}
