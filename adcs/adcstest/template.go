package adcstest

import (
	"crypto/x509"
	"time"
)

// Template is a certificate template. The zero value of every field but Name is the mild choice: a version 1 template
// with the subject from the request, for everybody, issued at once.
type Template struct {
	// Name is the common name of the template, the one that requests use. Required.
	Name string
	// OID is the object identifier of a version 2 or later template in dotted form; "" makes a version 1 template.
	OID string
	// Major and Minor are the version of the template.
	Major, Minor int
	// Hold holds every request for the manager: see [Server.Approve] and [Server.Deny].
	Hold bool
	// Deny, if not 0, is the HRESULT with which every request is denied.
	Deny uint32
	// DenyMessage is the text that goes with Deny; "" for that of the HRESULT.
	DenyMessage string
	// MinimumKeySize is the smallest key in bits. It does not apply to elliptic curves.
	MinimumKeySize int
	// KeyAlgorithms are the public keys that are taken, of "RSA", "ECDSA_P256", "ECDSA_P384", "ECDSA_P521"; nil for all.
	KeyAlgorithms []string
	// Enroll are the accounts (DOMAIN\name), groups and SIDs that may enroll; nil for everybody.
	Enroll []string
	// SubjectFromDirectory builds subject and names from the server's directory and ignores those of the request.
	SubjectFromDirectory bool
	// RequireDNS, RequireUPN and RequireEmail put the account's attribute into the certificate and refuse an account
	// that has none. They apply with SubjectFromDirectory.
	RequireDNS, RequireUPN, RequireEmail bool
	// NoSecurityExtension leaves out the extension with the account's SID.
	NoSecurityExtension bool
	// ExtKeyUsage are the extended key usages as dotted OIDs; nil for client authentication.
	ExtKeyUsage []string
	// KeyUsage is the key usage; 0 for digital signature, with key encipherment for RSA keys.
	KeyUsage x509.KeyUsage
	// Validity is how long certificates are valid; 0 for one year, less if the CA's certificate ends earlier.
	Validity time.Duration
}
