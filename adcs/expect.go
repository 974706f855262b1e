package adcs

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net/netip"
	"time"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

// SIDForm says where a certificate carries the security identifier (SID) of its account.
type SIDForm uint8

// The places of a SID.
const (
	// SIDInExtension is the NTDS security extension, szOID_NTDS_CA_SECURITY_EXT ([MS-WCCE], section 2.2.2.7.7.4).
	SIDInExtension SIDForm = iota
	// SIDInURI is a subject alternative name of type URI, as Microsoft's KB5014754 describes it.
	SIDInURI
	// SIDInBoth is both of them.
	SIDInBoth
)

// Expect is what [Verify] expects of a certificate. [ExpectRequest] fills in what a certification request says.
type Expect struct {
	// PublicKey is the key of the request. Required.
	PublicKey crypto.PublicKey

	// Roots are the certificates that the chain must end in. Required, unless InsecureSkipChain is set.
	Roots *x509.CertPool

	// InsecureSkipChain leaves the chain unchecked: the certificate is then as trustworthy as the CA's answer.
	InsecureSkipChain bool

	// Intermediates may be used to build the chain; they are not trusted. This is the place for Result.Chain. Those with
	// RSA keys of more than 16384 bits are passed over.
	Intermediates []*x509.Certificate

	// FromDirectory says that the template takes subject and names from the directory, not from the request. Subject
	// and SID are then compared only if they are set here, and the names listed here must be there, among others.
	FromDirectory bool

	// Subject is the DER of the subject's Name, as in [x509.CertificateRequest.RawSubject]. Values are compared, not
	// string types. If nil, the subject is not compared.
	Subject []byte

	// The subject alternative names: these and no others.
	DNSNames       []string
	EmailAddresses []string
	URIs           []string // without the one that carries the SID
	UPNs           []string // user principal names
	IPAddresses    []netip.Addr

	// SID is the security identifier in string form (S-1-5-21-…), and SIDForm the place where it must be. If SID is
	// empty, the certificate must not carry one, unless FromDirectory is set.
	SID     string
	SIDForm SIDForm

	// EKUs are extended key usages that the certificate must have; it may have more. One without any, which is good for
	// all purposes, does not satisfy them.
	EKUs []asn1.ObjectIdentifier

	// Template is the cn of the template. It is compared where the certificate carries a name, which those of newer
	// templates do not. TemplateOID, if set, must be in the certificate.
	Template    string
	TemplateOID asn1.ObjectIdentifier

	// Now is the time at which the certificate must be valid; the zero time means the current one.
	Now time.Time
}

// ExpectRequest returns what a certification request (DER, at most 1 MiB) asks for: its key, its subject, its subject
// alternative names and its SID. It takes what [Request.CSR] takes. Roots and the like are for the caller to add; if
// the template takes the subject from the directory, so is FromDirectory, with Subject set to nil. Errors match
// [ErrInvalidRequest].
func ExpectRequest(csr []byte) (Expect, error) {
	if len(csr) > maxRequest {
		return Expect{}, fmt.Errorf("%w: the CSR has %d bytes, the limit is %d", ErrInvalidRequest, len(csr), maxRequest)
	}
	pkcs10, _, err := inner(csr)
	if err != nil {
		return Expect{}, err
	}
	request, err := x509.ParseCertificateRequest(pkcs10)
	if err != nil {
		return Expect{}, fmt.Errorf("%w: the CSR cannot be parsed: %v", ErrInvalidRequest, err)
	}
	names, err := namesOf(request.Extensions)
	if err != nil {
		return Expect{}, fmt.Errorf("%w: %v", ErrInvalidRequest, err)
	}
	sid, form, err := names.singleSID()
	if err != nil {
		return Expect{}, fmt.Errorf("%w: %v", ErrInvalidRequest, err)
	}
	return Expect{
		PublicKey:      request.PublicKey,
		Subject:        request.RawSubject,
		DNSNames:       names.san.DNS,
		EmailAddresses: names.san.Email,
		URIs:           names.san.URI,
		UPNs:           names.san.UPN,
		IPAddresses:    names.san.IP,
		SID:            sid,
		SIDForm:        form,
	}, nil
}

// check refuses an expectation that cannot be judged. These are mistakes of the caller, not of the CA.
func (e *Expect) check() error {
	if _, ok := e.PublicKey.(comparableKey); !ok {
		return fmt.Errorf("adcs: Verify: Expect.PublicKey is %T, not a public key", e.PublicKey)
	}
	if e.Roots == nil && !e.InsecureSkipChain {
		return fmt.Errorf("adcs: Verify: Expect.Roots is not set")
	}
	if e.SIDForm > SIDInBoth {
		return fmt.Errorf("adcs: Verify: Expect.SIDForm is %d", e.SIDForm)
	}
	if e.SID != "" {
		if err := adcsasn1.ValidSID(e.SID); err != nil {
			return fmt.Errorf("adcs: Verify: Expect.SID: %v", err)
		}
	}
	for _, uri := range e.URIs {
		if adcsasn1.IsSIDURI(uri) {
			return fmt.Errorf("adcs: Verify: Expect.URIs holds a SID, which belongs into Expect.SID")
		}
	}
	return nil
}

// comparableKey is what all public keys of the standard library implement.
type comparableKey interface {
	Equal(crypto.PublicKey) bool
}
