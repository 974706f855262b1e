package discovery

import (
	"crypto/x509"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The purposes of certificates that matter here, as extended key usage or application policy.
const (
	PurposeClientAuth      = "1.3.6.1.5.5.7.3.2"
	PurposePKINIT          = "1.3.6.1.5.2.3.4"
	PurposeSmartcardLogon  = "1.3.6.1.4.1.311.20.2.2"
	PurposeAny             = "2.5.29.37.0"
	PurposeEnrollmentAgent = "1.3.6.1.4.1.311.20.2.1"
)

// Template is a certificate template (MS-CRTD). What an object of the directory does not say is the zero value.
type Template struct {
	Name        string // cn: what a request names
	DisplayName string // what Windows shows
	OID         string
	Schema      int // version of the template's form, 1 to 4
	Major       int // version of the template
	Minor       int

	Flags           GeneralFlags
	NameFlags       NameFlags
	EnrollmentFlags EnrollmentFlags
	KeyFlags        KeyFlags

	MinKeySize    int      // bits
	KeyAlgorithm  string   // such as RSA or ECDSA_P256; "" leaves it to the client, and means RSA for Windows
	HashAlgorithm string   // for the request's signature; "" leaves it to the client
	Providers     []string // of keys, in the order of preference: "1,Microsoft Platform Crypto Provider"
	KeyUsage      x509.KeyUsage

	EKUs                []string // OIDs
	ApplicationPolicies []string // OIDs; Microsoft's form of the same, from schema version 2 on
	IssuancePolicies    []string // OIDs

	Signatures           int      // that a request must have besides its own
	SignatureApplication []string // application policies that the signers must have
	SignatureIssuance    []string // issuance policies that the signers must have
	Supersedes           []string // templates
	Validity, Renewal    time.Duration
	Access               Access
	CAs                  []string // names of the CAs that publish it
	// Problems says what could not be read. The fields concerned are zero.
	Problems []string
}

// templateAttributes are what is read of a template.
func templateAttributes() []string {
	return []string{
		"cn", "displayName", "msPKI-Cert-Template-OID", "msPKI-Template-Schema-Version", "revision",
		"msPKI-Template-Minor-Revision", "flags", "msPKI-Certificate-Name-Flag", "msPKI-Enrollment-Flag",
		"msPKI-Private-Key-Flag", "msPKI-Minimal-Key-Size", "pKIDefaultCSPs", "pKIKeyUsage", "pKIExtendedKeyUsage",
		"msPKI-Certificate-Application-Policy", "msPKI-Certificate-Policy", "msPKI-RA-Signature",
		"msPKI-RA-Application-Policies", "msPKI-RA-Policies", "msPKI-Supersede-Templates", "pKIExpirationPeriod",
		"pKIOverlapPeriod", "nTSecurityDescriptor",
	}
}

// newTemplate reads a template.
func newTemplate(o object) *Template {
	var p problems
	t := &Template{
		Name:                o.text("cn", &p),
		DisplayName:         o.text("displayName", &p),
		OID:                 o.text("msPKI-Cert-Template-OID", &p),
		Schema:              int(o.number("msPKI-Template-Schema-Version", 1, 4, &p)),
		Major:               int(o.number("revision", 0, math.MaxInt32, &p)),
		Minor:               int(o.number("msPKI-Template-Minor-Revision", 0, math.MaxInt32, &p)),
		Flags:               GeneralFlags(o.flags("flags", &p)),
		NameFlags:           NameFlags(o.flags("msPKI-Certificate-Name-Flag", &p)),
		EnrollmentFlags:     EnrollmentFlags(o.flags("msPKI-Enrollment-Flag", &p)),
		KeyFlags:            KeyFlags(o.flags("msPKI-Private-Key-Flag", &p)),
		MinKeySize:          int(o.number("msPKI-Minimal-Key-Size", 0, 1<<20, &p)),
		Providers:           o.texts("pKIDefaultCSPs", &p),
		EKUs:                o.texts("pKIExtendedKeyUsage", &p),
		ApplicationPolicies: o.texts("msPKI-Certificate-Application-Policy", &p),
		IssuancePolicies:    o.texts("msPKI-Certificate-Policy", &p),
		Signatures:          int(o.number("msPKI-RA-Signature", 0, 1<<16, &p)),
		SignatureIssuance:   o.texts("msPKI-RA-Policies", &p),
		Supersedes:          o.texts("msPKI-Supersede-Templates", &p),
		Validity:            o.period("pKIExpirationPeriod", &p),
		Renewal:             o.period("pKIOverlapPeriod", &p),
		Access:              o.access(&p),
	}
	if t.Schema == 0 {
		t.Schema = 1 // Windows 2000 wrote no version
	}
	if u := o.values("pKIKeyUsage"); len(u) > 0 {
		t.KeyUsage = keyUsage(u[0])
	}
	t.readRAPolicies(o, &p)
	t.Problems = p
	return t
}

// readRAPolicies reads msPKI-RA-Application-Policies, whose form depends on the version (MS-CRTD 2.23).
func (t *Template) readRAPolicies(o object, p *problems) {
	const name = "msPKI-RA-Application-Policies"
	values := o.texts(name, p)
	if t.Schema < 3 || t.Schema == 4 && t.KeyFlags.Has(KeyLegacyProvider) || len(values) == 0 {
		t.SignatureApplication = values
		return
	}
	properties, err := decodeTriplets(values[0])
	p.add(name, err)
	if oids := properties[name]; oids != "" {
		t.SignatureApplication = strings.Split(oids, ",")
	}
	t.KeyAlgorithm, t.HashAlgorithm = properties["msPKI-Asymmetric-Algorithm"], properties["msPKI-Hash-Algorithm"]
}

// decodeTriplets reads name`type`value` again and again (MS-CRTD 2.23.2). Of properties that come twice the first
// counts.
func decodeTriplets(s string) (map[string]string, error) {
	parts := strings.Split(strings.TrimSuffix(s, "`"), "`")
	properties := map[string]string{}
	for ; len(parts) >= 3; parts = parts[3:] {
		name, kind, value := strings.TrimSpace(parts[0]), parts[1], parts[2]
		if _, twice := properties[name]; twice {
			continue
		}
		switch kind {
		case "PZPWSTR":
		case "DWORD":
			if _, err := strconv.ParseUint(value, 10, 32); err != nil {
				return properties, fmt.Errorf("%w: property %s", ErrMalformed, name)
			}
		default:
			return properties, fmt.Errorf("%w: type of property %s", ErrMalformed, name)
		}
		properties[name] = value
	}
	if len(parts) > 1 || len(parts) == 1 && parts[0] != "" {
		return properties, fmt.Errorf("%w: properties end early", ErrMalformed)
	}
	return properties, nil
}

// Purposes are what certificates of the template are for: extended key usage and application policies together. None
// means any.
func (t *Template) Purposes() []string {
	var all []string
	for _, oid := range slices.Concat(t.EKUs, t.ApplicationPolicies) {
		if !slices.Contains(all, oid) {
			all = append(all, oid)
		}
	}
	return all
}

// AnyPurpose reports whether certificates of the template are for anything, because it says so or names no purpose.
func (t *Template) AnyPurpose() bool {
	p := t.Purposes()
	return len(p) == 0 || slices.Contains(p, PurposeAny)
}

// Authenticates reports whether a certificate of the template logs its subject on to Active Directory.
func (t *Template) Authenticates() bool {
	return t.AnyPurpose() || slices.ContainsFunc(t.Purposes(), func(oid string) bool {
		return oid == PurposeClientAuth || oid == PurposePKINIT || oid == PurposeSmartcardLogon
	})
}

// EnrolleeSuppliesSubject reports whether subject, alternative names or both come from the request.
func (t *Template) EnrolleeSuppliesSubject() bool {
	return t.NameFlags&(NameEnrolleeSupplies|NameEnrolleeSuppliesAlt) != 0
}

// Approved reports whether a person has to agree to each request: a manager, or who signs it.
func (t *Template) Approved() bool { return t.EnrollmentFlags.Has(EnrollPendAll) || t.Signatures > 0 }
