package adcstest

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

const (
	defaultValidity = 365 * 24 * time.Hour
	oidClientAuth   = "1.3.6.1.5.5.7.3.2"
	keyRSA          = "RSA" // the other key algorithms are those of keyAlgorithm
)

func oidExtKeyUsage() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 37} }

// template is a [Template] made ready for use.
type template struct {
	Template
	oid    asn1.ObjectIdentifier // nil for version 1
	enroll principals
	// onBehalfOf are those for whom agents may enroll.
	onBehalfOf principals
	// extensions are those that are the same in every certificate: the template itself and what keys are for.
	extensions []pkix.Extension
}

// templateTable finds templates by name (lower case) and by OID (dotted). It is not written to once made.
type templateTable struct {
	byName, byOID map[string]*template
	list          []*template // in the order of the configuration
}

func newTemplateTable(list []Template) (*templateTable, error) {
	if list == nil {
		list = DefaultTemplates()
	}
	table := &templateTable{byName: map[string]*template{}, byOID: map[string]*template{}}
	for i, t := range list {
		ready, err := newTemplate(t)
		if err != nil {
			return nil, fmt.Errorf("template %d (%s): %v", i, t.Name, err)
		}
		name := strings.ToLower(t.Name)
		if table.byName[name] != nil || t.OID != "" && table.byOID[t.OID] != nil {
			return nil, fmt.Errorf("template %d: the name %s or the OID %q is there twice", i, t.Name, t.OID)
		}
		table.byName[name] = ready
		table.list = append(table.list, ready)
		if t.OID != "" {
			table.byOID[t.OID] = ready
		}
	}
	return table, nil
}

func newTemplate(t Template) (*template, error) {
	ready := &template{Template: t, enroll: newPrincipals(t.Enroll), onBehalfOf: newPrincipals(t.OnBehalfOf)}
	if ready.Validity == 0 {
		ready.Validity = defaultValidity
	}
	known := []string{keyRSA, "ECDSA_P256", "ECDSA_P384", "ECDSA_P521"}
	for _, alg := range t.KeyAlgorithms {
		if !slices.Contains(known, alg) {
			return nil, fmt.Errorf("key algorithm %q is none of %s", alg, strings.Join(known, ", "))
		}
	}
	if t.Validity < 0 || t.MinimumKeySize < 0 || t.Signatures < 0 {
		return nil, fmt.Errorf("negative validity, key size or number of signatures")
	}
	if (t.Deny&0x80000000 == 0) && t.Deny != 0 && t.Deny != dispDenied {
		return nil, fmt.Errorf("Deny %#x is neither an HRESULT nor %d", t.Deny, dispDenied)
	}
	identity, err := ready.identityExtension()
	if err != nil {
		return nil, err
	}
	usage, err := ready.usageExtensions()
	if err != nil {
		return nil, err
	}
	ready.extensions = append([]pkix.Extension{identity}, usage...)
	return ready, nil
}

// identityExtension is how a certificate names its template: by name for version 1, else by OID and version.
func (t *template) identityExtension() (pkix.Extension, error) {
	byName, err := adcsasn1.TemplateNameExtension(t.Name)
	if err != nil || t.OID == "" {
		return byName, err
	}
	if t.oid, err = parseOID(t.OID); err != nil {
		return pkix.Extension{}, err
	}
	return adcsasn1.Template{OID: t.oid, Major: t.Major, Minor: t.Minor}.Extension()
}

// usageExtensions are the extended key usage and, from version 2 on, the application policies, which say the same
// (MS-WCCE sections 3.2.2.6.2.1.4.4.3 and 3.2.2.6.2.1.4.5.5).
func (t *template) usageExtensions() ([]pkix.Extension, error) {
	names := t.ExtKeyUsage
	if names == nil {
		names = []string{oidClientAuth}
	}
	if len(names) == 0 {
		return nil, nil
	}
	oids := make([]asn1.ObjectIdentifier, len(names))
	for i, n := range names {
		var err error
		if oids[i], err = parseOID(n); err != nil {
			return nil, err
		}
	}
	value, err := asn1.Marshal(oids)
	if err != nil {
		return nil, err
	}
	exts := []pkix.Extension{{Id: oidExtKeyUsage(), Value: value}}
	if t.OID == "" {
		return exts, nil
	}
	// Encoded like certificate policies: SEQUENCE OF SEQUENCE { OID }.
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, oid := range oids {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
		}
	})
	value, err = b.Bytes()
	return append(exts, pkix.Extension{Id: adcsasn1.OIDApplicationPolicies(), Value: value}), err
}

func parseOID(dotted string) (asn1.ObjectIdentifier, error) {
	if _, err := x509.ParseOID(dotted); err != nil {
		return nil, fmt.Errorf("%q is not an object identifier", dotted)
	}
	var oid asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(dotted, ".") {
		n, err := strconv.Atoi(arc)
		if err != nil {
			return nil, fmt.Errorf("object identifier %q has an arc that is too large", dotted)
		}
		oid = append(oid, n)
	}
	return oid, nil
}

// resolve finds the one template that a request is for (MS-WCCE section 3.2.2.6.2.1.4.1): every identifier in it, by
// name or by OID, has to mean the same one.
func (table *templateTable) resolve(req *certRequest, attrs []attribute) (*template, *refusal) {
	names := append(findAttribute(attrs, "CertificateTemplate"), req.templateNames...)
	var found *template
	match := func(id string, t *template) *refusal {
		switch {
		case t == nil:
			r := policyError(hrUnsupportedType)
			r.detail = "The request was for a certificate template that is not supported by the " +
				"Active Directory Certificate Services policy: " + bounded(id) + "."
			return r
		case found != nil && found != t:
			return policyError(hrTemplateConflict)
		}
		found = t
		return nil
	}
	for _, name := range names {
		t := table.byName[strings.ToLower(name)]
		if t == nil {
			t = table.byOID[name] // clients may give the OID in the attribute
		}
		if r := match(name, t); r != nil {
			return nil, r
		}
	}
	for _, id := range req.templateIDs {
		dotted := id.OID.String()
		if r := match(dotted, table.byOID[dotted]); r != nil {
			return nil, r
		}
	}
	if found == nil {
		return nil, policyError(hrNoCertType)
	}
	return found, found.checkVersion(req.templateIDs)
}

// checkVersion refuses a request for a newer version than the CA has (MS-WCCE section 3.2.2.6.2.1.4.2).
func (t *template) checkVersion(ids []adcsasn1.Template) *refusal {
	for _, id := range ids {
		if id.Major > t.Major || id.Minor > t.Minor {
			return policyError(hrTemplateVersion)
		}
	}
	return nil
}

// bounded cuts text of a peer for a message.
func bounded(s string) string {
	const most = 128
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
