package adcstest

import (
	"crypto/x509"
	"time"
)

// Template is a certificate template. The zero value of every field but Name is the mild choice: a version 1 template
// for everybody, with the subject from the request, issued at once.
type Template struct {
	// Name is the common name of the template, the one that requests use. Required.
	Name string
	// OID is the object identifier of a version 2 or later template in dotted form; "" makes a version 1 template.
	OID string
	// Major and Minor are the version of the template. A request for a newer one is refused.
	Major, Minor uint32
	// Hold holds every request for the manager: see [Server.Approve] and [Server.Deny].
	Hold bool
	// Deny, if not 0, is the disposition of every request: an HRESULT, as policy modules answer, or 2.
	Deny uint32
	// DenyMessage is the text that goes with Deny; "" for that of the HRESULT.
	DenyMessage string
	// MinimumKeySize is the smallest key that is taken, in bits, whatever its algorithm: as on a real CA, a template
	// that wants 2048 refuses every elliptic curve. 0 takes what the CA takes: RSA from 1024 bits, P-256, P-384, P-521.
	MinimumKeySize int
	// KeyAlgorithms are the public keys that are taken: "RSA", "ECDSA_P256", "ECDSA_P384", "ECDSA_P521" (the names of
	// MS-CRTD section 2.23). Nil for all. Others are refused like a key that is too small.
	KeyAlgorithms []string
	// Signatures is the number of registration authorities that must have signed the request (msPKI-RA-Signature). A
	// plain PKCS#10 request has none, an enrollment agent's is one, and that of a renewal by the old key is none.
	Signatures int
	// SignatureUsages are the extended key usages, as dotted OIDs, of which each must be in one of the certificates of
	// those who signed (msPKI-RA-Application-Policies). They are looked at only if Signatures is not 0.
	SignatureUsages []string
	// OnBehalfOf are the accounts (DOMAIN\name), groups and SIDs for whom enrollment agents may enroll; nil for everybody.
	// Others are refused as by a CA that restricts its agents (CERTSRV_E_RESTRICTEDOFFICER).
	OnBehalfOf []string
	// Enroll are the accounts (DOMAIN\name), groups and SIDs that may enroll; nil for everybody.
	Enroll []string
	// Directory, if not nil, builds subject, names and SID extension from the server's directory and ignores those of
	// the request. If nil, those of the request are used, and one without a subject is refused.
	Directory *DirectorySubject
	// NoSecurityExtension leaves out the extension with the account's SID.
	NoSecurityExtension bool
	// ExtKeyUsage are the extended key usages as dotted OIDs; nil for client authentication.
	ExtKeyUsage []string
	// KeyUsage is the key usage; 0 for digital signature and, with an RSA key, key encipherment.
	KeyUsage x509.KeyUsage
	// Validity is how long certificates are valid; 0 for one year. They never outlive the CA's own certificate.
	Validity time.Duration
}

// DirectorySubject says how a template builds subject and alternative names from the requester's [Entry]. An account
// without the attribute that is asked for is refused.
type DirectorySubject struct {
	// Machine is for computers: the common name is the DNS name.
	Machine bool
	// DN makes the subject the whole distinguished name in place of the common name.
	DN bool
	// NoSubject leaves the subject empty; there must be an alternative name then.
	NoSubject bool
	// DNS, UPN and Email put the account's names of that kind among the alternative names.
	DNS, UPN, Email bool
}

// DefaultTemplates returns the templates of a server that is told of no others: version 1 templates that every AD CS
// has (User, Machine, WebServer), and version 2 templates as connectors use them, with the subject in the request:
// Device, DeviceHeld (a manager decides) and DeviceDenied.
func DefaultTemplates() []Template {
	const (
		arc        = "1.3.6.1.4.1.311.21.8.1410651.9834107.4212121.13371337.102030.87." // made up, in AD CS's form
		clientAuth = "1.3.6.1.5.5.7.3.2"
		serverAuth = "1.3.6.1.5.5.7.3.1"
		email      = "1.3.6.1.5.5.7.3.4"
		encryptFS  = "1.3.6.1.4.1.311.10.3.4"
	)
	return []Template{
		{Name: "User", Directory: &DirectorySubject{UPN: true}, ExtKeyUsage: []string{encryptFS, email, clientAuth}},
		{Name: "Machine", Directory: &DirectorySubject{Machine: true, DNS: true}, ExtKeyUsage: []string{clientAuth, serverAuth}},
		{Name: "WebServer", ExtKeyUsage: []string{serverAuth}, Validity: 2 * 365 * 24 * time.Hour},
		{Name: "Device", OID: arc + "1", Major: 100, Minor: 4},
		{Name: "DeviceHeld", OID: arc + "2", Major: 100, Minor: 2, Hold: true},
		{Name: "DeviceDenied", OID: arc + "3", Major: 100, Minor: 2, Deny: hrTemplateDenied},
	}
}
