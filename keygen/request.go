package keygen

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"reflect"

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

// ErrName is matched by every error about an alternative name, SID, template, usage or attribute that a request cannot
// carry.
var ErrName = errors.New("keygen: name refused")

// Template names a certificate template by its object identifier, as templates of version 2 and later allow.
type Template struct {
	// OID is the msPKI-Cert-Template-OID of the template.
	OID asn1.ObjectIdentifier
	// Major and Minor are its revision and msPKI-Template-Minor-Revision. Both 0 leaves the version out.
	Major, Minor uint32
}

// Request is what a certification request asks for. All of it is optional; the zero Request asks for a certificate
// whose contents the CA takes from its directory.
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

	// KeyUsage asks for the key usage extension, critical; 0 leaves it out.
	KeyUsage x509.KeyUsage
	// ExtKeyUsages asks for extended key usages, at most 100: for example 1.3.6.1.5.5.7.3.2, client authentication.
	ExtKeyUsages []asn1.ObjectIdentifier
	// ApplicationPolicies asks for Microsoft's application policies, at most 100 (MS-WCCE section 2.2.2.7.7.3). Windows
	// sends the same identifiers here and as extended key usages. What is issued is the template's decision.
	ApplicationPolicies []asn1.ObjectIdentifier

	// OSVersion and ClientInfo say where the request was made, for the CA's records; nil leaves them out. The CA does not
	// check them.
	OSVersion  *OSVersion
	ClientInfo *ClientInfo

	// PSS signs with RSASSA-PSS instead of PKCS #1 v1.5: SHA-256, MGF1 with SHA-256, 32 bytes of salt (RFC 4055). It is
	// for RSA keys only. A template with the flag "alternate signature format"
	// (CT_FLAG_REQUIRE_ALTERNATE_SIGNATURE_ALGORITHM, 0x40 of msPKI-Private-Key-Flag; MS-WCCE section 3.1.2.4.2.2.2.8)
	// asks clients to do so; it is a request to them, and a CA takes either signature. For ECDSA keys the flag asks for a
	// form of X9.62 that hardly anything reads: leave PSS false, and the request is signed as RFC 5758 has it. Neither
	// says how the CA signs the certificate, which its own configuration decides.
	PSS bool
}

// CreateRequest returns a PKCS#10 certification request (RFC 2986), DER, signed by key: with SHA-256 for RSA and P-256,
// SHA-384 for P-384, SHA-512 for P-521. The key may be any [crypto.Signer], for example in a TPM, with a public key of
// one of the algorithms of this package; the signature is verified before the request is returned. For [Request.PSS]
// the signer is given *[rsa.PSSOptions] with the length of the salt; there are TPMs that make longer salts only, and with
// them it fails.
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
	attributes, err := r.attributes()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrName, err)
	}
	return signRequest(key, r.PSS, subject, attributes)
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

// isNil is true for no signer and for a nil pointer in the interface, on which Public would panic.
func isNil(key crypto.Signer) bool {
	if key == nil {
		return true
	}
	v := reflect.ValueOf(key)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
