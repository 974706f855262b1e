package keygen

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"reflect"

	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/internal/x500"
)

// SIDForm is where a certification request carries the SID of the account that the certificate is for.
type SIDForm string

// The forms. Domain controllers read either (KB5014754); a CA copies the extension only for templates whose subject is
// in the request, and only since the updates of May 2022.
const (
	SIDExtension SIDForm = "extension" // the SID security extension (MS-WCCE section 2.2.2.7.7.4); the default
	SIDURI       SIDForm = "uri"       // a URI among the alternative names
	SIDBoth      SIDForm = "both"
)

// ErrName is matched by every error about an alternative name, SID or template that a request cannot carry.
var ErrName = errors.New("keygen: name refused")

// Template names a certificate template by its object identifier, as templates of version 2 and later allow.
type Template struct {
	// OID is the msPKI-Cert-Template-OID of the template.
	OID asn1.ObjectIdentifier
	// Major and Minor are its revision and msPKI-Template-Minor-Revision. Both 0 leaves the version out.
	Major, Minor uint32
}

// Request is what a certification request asks for. All of it is optional; the zero Request asks for a certificate whose
// contents the CA takes from its directory.
type Request struct {
	// Subject is the subject in the form of RFC 4514; see [ParseSubject].
	Subject string
	// RDNs is the subject in the order of the certificate, instead of Subject. A value is a string, of which the
	// attribute type decides the ASN.1 type, or an asn1.RawValue of a string type.
	RDNs pkix.RDNSequence

	// DNSNames are host names: ASCII (A-labels for other scripts), no trailing dot; a wildcard is the whole first label.
	DNSNames []string
	// EmailAddresses are mailboxes local@host in ASCII.
	EmailAddresses []string
	// URIs are absolute URIs (RFC 3986). One that carries a SID is refused: it belongs in SID.
	URIs []string
	// IPAddresses are addresses without a zone. An IPv4 address in IPv6 form is written as IPv4.
	IPAddresses []netip.Addr
	// UPNs are user principal names, user@suffix.
	UPNs []string

	// SID is the security identifier of the account, S-1-5-21-…; SIDForm says where it goes, "" means [SIDExtension].
	SID     string
	SIDForm SIDForm

	// TemplateName is the common name of the template, for the version 1 template extension. AD CS also takes the name
	// as an attribute beside the request, which is the usual way.
	TemplateName string
	// Template is for the version 2 template extension; nil leaves it out.
	Template *Template
}

// CreateRequest returns a PKCS#10 certification request (RFC 2986), DER, signed by key: with SHA-256 for RSA and P-256,
// SHA-384 for P-384, SHA-512 for P-521. The key may be any [crypto.Signer], for example in a TPM, with a public key of
// one of the algorithms of this package; the signature is verified before the request is returned.
//
// Errors match [ErrAlgorithm], [ErrSubject] or [ErrName] where the request cannot be made as asked, or are those of the
// signer.
func CreateRequest(key crypto.Signer, r *Request) ([]byte, error) {
	if isNil(key) {
		return nil, fmt.Errorf("%w: no key", ErrAlgorithm)
	}
	if _, err := AlgorithmOf(key.Public()); err != nil {
		return nil, err
	}
	if r == nil {
		r = &Request{}
	}
	subject, err := r.encodeSubject()
	if err != nil {
		return nil, err
	}
	extensions, err := r.extensions()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrName, err)
	}
	// x509 chooses the hash by the key and verifies what the signer returns.
	template := &x509.CertificateRequest{RawSubject: subject, ExtraExtensions: extensions}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fmt.Errorf("keygen: certification request: %w", err)
	}
	return der, nil
}

func (r *Request) encodeSubject() ([]byte, error) {
	name := r.RDNs
	if r.Subject != "" {
		if len(name) > 0 {
			return nil, refuseSubject("it is given both as text and as structure")
		}
		var err error
		if name, err = x500.Parse(r.Subject); err != nil {
			return nil, refuseSubject("%v", err)
		}
	}
	name, err := encodableSubject(name)
	if err != nil {
		return nil, err
	}
	der, err := asn1.Marshal(name)
	if err != nil {
		return nil, refuseSubject("%v", err)
	}
	return der, nil
}

// extensions returns the requested extensions: templates first, as Windows orders them.
func (r *Request) extensions() ([]pkix.Extension, error) {
	var list []pkix.Extension
	add := func(ext pkix.Extension, err error) error {
		list = append(list, ext)
		return err
	}
	if r.TemplateName != "" {
		if err := add(adcsasn1.TemplateNameExtension(r.TemplateName)); err != nil {
			return nil, err
		}
	}
	if t := r.Template; t != nil {
		v2 := adcsasn1.Template{OID: t.OID, Major: t.Major, Minor: t.Minor}
		if err := add(v2.Extension()); err != nil {
			return nil, err
		}
	}
	san, err := r.alternativeNames()
	if err != nil {
		return nil, err
	}
	if san.Count() > 0 {
		if err := add(san.Extension()); err != nil {
			return nil, err
		}
	}
	if r.SID != "" && r.SIDForm != SIDURI {
		if err := add(adcsasn1.SIDExtension(r.SID)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r *Request) alternativeNames() (adcsasn1.SAN, error) {
	san := adcsasn1.SAN{
		UPN: r.UPNs, DNS: r.DNSNames, Email: r.EmailAddresses, IP: r.IPAddresses,
		URI: append([]string(nil), r.URIs...),
	}
	for _, uri := range r.URIs {
		if adcsasn1.IsSIDURI(uri) {
			return san, errors.New("a SID is given as a URI and not as SID")
		}
	}
	switch r.SIDForm {
	case "", SIDExtension:
	case SIDURI, SIDBoth:
		if r.SID == "" {
			break
		}
		if err := adcsasn1.ValidSID(r.SID); err != nil {
			return san, err
		}
		san.URI = append(san.URI, adcsasn1.SIDURI(r.SID))
	default:
		return san, errors.New("the form of the SID is none of extension, uri and both")
	}
	return san, nil
}

// isNil is true for no signer and for a nil pointer in the interface, on which Public would panic.
func isNil(key crypto.Signer) bool {
	if key == nil {
		return true
	}
	v := reflect.ValueOf(key)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
