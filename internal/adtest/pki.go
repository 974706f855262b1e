package adtest

import (
	"crypto/x509"
	"encoding/binary"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Where AD CS publishes.
const (
	pkiDN        = "CN=Public Key Services,CN=Services," + ConfigDN
	templatesDN  = "CN=Certificate Templates," + pkiDN
	enrollmentDN = "CN=Enrollment Services," + pkiDN
	ntAuthDN     = "CN=NTAuthCertificates," + pkiDN
)

// The rights on a template or CA that an extended right guards (MS-CRTD 2.5).
const (
	EnrollRight     = "0e10c968-78fb-11d2-90d4-00c04f79dc55"
	AutoEnrollRight = "a05b8cc2-17bc-4802-a710-e7c15ab866a2"
)

// CA is an enterprise CA as it publishes itself in the directory.
type CA struct {
	Name         string              // common name; as the name of an object in its sanitized short form
	Host         string              // DNS name
	Certificates []*x509.Certificate // its own; the current one first
	Roots        []*x509.Certificate // trusted by the forest
	Templates    []string            // names of the published templates
	SDDL         string              // security descriptor; "" lets all authenticated users enroll
}

// PublishCA writes what an enterprise CA's installation writes: the enrollment service, AIA, CDP, the roots, and
// NTAuth. It is removed when the test ends.
func (d *Domain) PublishCA(t testing.TB, ca CA) {
	t.Helper()
	name := rdn(ca.Name)
	if ca.SDDL == "" {
		ca.SDDL = "D:(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;EA)(A;;GA;;;SY)(A;;RPLCRC;;;AU)(OA;;CR;" + EnrollRight + ";;AU)"
	}
	certs := raw(ca.Certificates)
	d.add(t, name+","+enrollmentDN, entry{
		"objectClass": {"pKIEnrollmentService"}, "displayName": {ca.Name}, "flags": {"10"},
		"dNSHostName": {ca.Host}, "cACertificateDN": {ca.Certificates[0].Subject.String()},
		"cACertificate": certs[:1], "certificateTemplates": ca.Templates, "nTSecurityDescriptor": {ca.SDDL},
	})
	d.add(t, name+",CN=AIA,"+pkiDN, authorityEntry(certs))
	for _, root := range ca.Roots {
		d.add(t, rdn(root.Subject.CommonName)+",CN=Certification Authorities,"+pkiDN, authorityEntry(raw(ca.Roots)))
	}
	host, _, _ := strings.Cut(ca.Host, ".")
	d.add(t, rdn(host)+",CN=CDP,"+pkiDN, entry{"objectClass": {"container"}})
	d.add(t, name+","+rdn(host)+",CN=CDP,"+pkiDN, entry{
		"objectClass": {"cRLDistributionPoint"}, "certificateRevocationList": {"\x00"},
	})
	d.add(t, ntAuthDN, authorityEntry(certs))
}

func raw(certs []*x509.Certificate) []string {
	var values []string
	for _, c := range certs {
		values = append(values, string(c.Raw))
	}
	return values
}

// authorityEntry is an object of a class that must have CRLs; AD CS writes one zero byte for none.
func authorityEntry(certs []string) entry {
	return entry{
		"objectClass": {"certificationAuthority"}, "cACertificate": certs,
		"certificateRevocationList": {"\x00"}, "authorityRevocationList": {"\x00"},
	}
}

// Template is a certificate template (MS-CRTD 2). The zero value of a field leaves its attribute out or writes 0.
type Template struct {
	Name            string
	DisplayName     string // "": the name
	OID             string // "": one of its own
	SchemaVersion   int    // 1 to 4
	Flags           uint32 // general flags, 2.4
	NameFlags       uint32 // 2.28
	EnrollmentFlags uint32 // 2.26
	KeyFlags        uint32 // private key flags, 2.27
	MinKeySize      int
	EKUs            []string
	Policies        []string // application policies; nil: the EKUs, from schema version 2 on
	Signatures      int      // RA signatures
	RAPolicies      string   // msPKI-RA-Application-Policies, as it is written
	Validity        time.Duration
	Renewal         time.Duration
	SDDL            string // security descriptor; "": administrators enroll, authenticated users read

	Attributes map[string][]string // more of them, or others in the place of those above
}

// AddTemplate adds a template, which is removed when the test ends.
func (d *Domain) AddTemplate(t testing.TB, template Template) {
	t.Helper()
	d.add(t, rdn(template.Name)+","+templatesDN, template.entry())
}

func (t Template) entry() entry {
	if t.SDDL == "" {
		t.SDDL = AdminsEnroll
	}
	e := entry{
		"objectClass":                   {"pKICertificateTemplate"},
		"displayName":                   {or(t.DisplayName, t.Name)},
		"revision":                      {"100"},
		"flags":                         {signed(t.Flags)},
		"pKIDefaultKeySpec":             {"1"},
		"pKIKeyUsage":                   {"\xa0\x00"}, // digital signature and key encipherment
		"pKIMaxIssuingDepth":            {"0"},
		"pKICriticalExtensions":         {"2.5.29.15"},
		"pKIExpirationPeriod":           {period(t.Validity)},
		"pKIOverlapPeriod":              {period(t.Renewal)},
		"msPKI-Cert-Template-OID":       {or(t.OID, templateOID(t.Name))},
		"msPKI-Template-Schema-Version": {strconv.Itoa(t.SchemaVersion)},
		"msPKI-Template-Minor-Revision": {"1"},
		"msPKI-Certificate-Name-Flag":   {signed(t.NameFlags)},
		"msPKI-Enrollment-Flag":         {signed(t.EnrollmentFlags)},
		"msPKI-Private-Key-Flag":        {signed(t.KeyFlags)},
		"msPKI-Minimal-Key-Size":        {strconv.Itoa(t.MinKeySize)},
		"msPKI-RA-Signature":            {strconv.Itoa(t.Signatures)},
		"nTSecurityDescriptor":          {t.SDDL},
	}
	if len(t.EKUs) > 0 {
		e["pKIExtendedKeyUsage"] = t.EKUs
	}
	if t.Policies == nil && t.SchemaVersion > 1 {
		t.Policies = t.EKUs
	}
	if len(t.Policies) > 0 {
		e["msPKI-Certificate-Application-Policy"] = t.Policies
	}
	if t.RAPolicies != "" {
		e["msPKI-RA-Application-Policies"] = []string{t.RAPolicies}
	}
	maps.Copy(e, t.Attributes)
	return e
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// signed is an attribute of syntax Integer, which is signed, for flags that fill 32 bits.
func signed(flags uint32) string { return strconv.Itoa(int(int32(flags))) }

// period is a duration as templates have it: a negative FILETIME, 100 ns (MS-CRTD 2.20, 2.21).
func period(d time.Duration) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(-int64(d/100))))
}

// templateOID is an OID of the kind that AD CS makes for a forest's templates, made from the name.
func templateOID(name string) string {
	oid := "1.3.6.1.4.1.311.21.8.1234567.7654321.1.2"
	for _, b := range []byte(name) {
		oid += "." + strconv.Itoa(int(b))
	}
	return oid
}
