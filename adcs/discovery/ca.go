package discovery

import (
	"crypto/x509"
	"slices"
	"strings"
)

// CA is an enterprise CA.
type CA struct {
	// Name is what a client of package adcs is given: cn, which for ordinary names is the common name of the CA, and for
	// others its sanitized short form (MS-WCCE 3.1.1.4.1.1).
	Name string
	// DisplayName is the common name as it is (MS-WCCE 2.2.2.11.2.2); Name, if the directory has none.
	DisplayName string
	Host        string // DNS name
	Subject     string // distinguished name
	// Certificates are the CA's own, the current one (the one that was issued last) first; those of former keys too, if
	// they are published.
	Certificates []*x509.Certificate
	Templates    []string // names of the templates that it issues for
	// Access says who may enroll at the CA, as clients are told; the CA itself has a list of its own.
	Access Access
	// Trusted is true if the current certificate is in NTAuth: domain controllers take certificates of this CA for logons.
	Trusted bool
	// Problems says what could not be read. The fields concerned are zero.
	Problems []string
}

// caAttributes are what is read of an enrollment service.
func caAttributes() []string {
	return []string{
		"cn", "displayName", "dNSHostName", "cACertificateDN", "cACertificate", "certificateTemplates",
		"nTSecurityDescriptor",
	}
}

// newCA reads an enrollment service (MS-WCCE 2.2.2.11.2).
func newCA(o object) *CA {
	var p problems
	ca := &CA{
		Name:         o.text("cn", &p),
		DisplayName:  o.text("displayName", &p),
		Host:         o.text("dNSHostName", &p),
		Subject:      o.text("cACertificateDN", &p),
		Certificates: o.certificates("cACertificate", &p),
		Templates:    o.texts("certificateTemplates", &p),
		Access:       o.access(&p),
	}
	// The values of an attribute have no order in a directory.
	slices.SortStableFunc(ca.Certificates, func(a, b *x509.Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
	if ca.DisplayName == "" {
		ca.DisplayName = ca.Name
	}
	ca.Problems = p
	return ca
}

// Is reports whether the CA has a name, in either form and any case.
func (ca *CA) Is(name string) bool {
	return strings.EqualFold(ca.Name, name) || strings.EqualFold(ca.DisplayName, name)
}

// Publishes reports whether the CA issues for a template.
func (ca *CA) Publishes(template string) bool {
	return slices.ContainsFunc(ca.Templates, func(t string) bool { return strings.EqualFold(t, template) })
}

// complete adds the certificates of former keys, and looks the current one up in NTAuth.
func (ca *CA) complete(aia, ntAuth []*x509.Certificate) {
	for _, c := range aia {
		if !slices.ContainsFunc(ca.Certificates, c.Equal) {
			ca.Certificates = append(ca.Certificates, c)
		}
	}
	ca.Trusted = len(ca.Certificates) > 0 && slices.ContainsFunc(ntAuth, ca.Certificates[0].Equal)
}
