package discovery

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Snapshot is what AD CS has published in a forest, at the time of [Client.Read].
type Snapshot struct {
	CAs       []*CA       // by name
	Templates []*Template // by name
	// NTAuth are the certificates of CAs that domain controllers accept logons with certificates from.
	NTAuth []*x509.Certificate
	// Roots are the root certificates that the members of the forest trust.
	Roots []*x509.Certificate
	// Issuers are certificates of CAs of the forest and of those above them, for building chains. They are not trusted.
	Issuers []*x509.Certificate
	// Account is whose rights are judged.
	Account Account
	// Principals are the SIDs that have rights on something here.
	Principals map[SID]Principal
	// Problems says what could not be read besides CAs and templates.
	Problems []string
}

// The containers below the configuration naming context (MS-WCCE 2.2.2.11).
const (
	servicesRDN   = "CN=Public Key Services,CN=Services,"
	enrollmentRDN = "CN=Enrollment Services," + servicesRDN
	templatesRDN  = "CN=Certificate Templates," + servicesRDN
)

// Read reads all that AD CS publishes. Errors are those of the connection and of TLS, [adcs.ErrLogon], Kerberos' own of
// package adcs, *ldap.Error of package github.com/go-ldap/ldap/v3, [ErrMalformed] and [ErrTooLarge].
func (c *Client) Read(ctx context.Context) (*Snapshot, error) {
	var s *Snapshot
	err := c.session(ctx, func(d *directory) (err error) {
		s, err = d.read(c.opts.Account)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (d *directory) read(account string) (*Snapshot, error) {
	root, err := d.base("", "configurationNamingContext", "defaultNamingContext")
	if err != nil {
		return nil, err
	}
	var p problems
	config, domain := root.text("configurationNamingContext", &p), root.text("defaultNamingContext", &p)
	if config == "" || domain == "" {
		return nil, fmt.Errorf("%w: the server is not of Active Directory", ErrMalformed)
	}
	s := &Snapshot{}
	if s.Account, err = d.account(root, account); err != nil {
		return nil, err
	}
	if err := errors.Join(d.readTemplates(s, config), d.readAuthorities(s, config)); err != nil {
		return nil, err
	}
	s.Principals, err = d.principals(domain, s.sids())
	return s, err
}

func (d *directory) readTemplates(s *Snapshot, config string) error {
	objects, err := d.search(templatesRDN+config, ldap.ScopeSingleLevel, "(objectClass=pKICertificateTemplate)",
		templateAttributes())
	for _, o := range objects {
		s.Templates = append(s.Templates, newTemplate(o))
	}
	slices.SortFunc(s.Templates, func(a, b *Template) int { return cmp.Compare(a.Name, b.Name) })
	return err
}

// readAuthorities reads the CAs, and what is known of CAs in general.
func (d *directory) readAuthorities(s *Snapshot, config string) error {
	objects, err := d.search(enrollmentRDN+config, ldap.ScopeSingleLevel, "(objectClass=pKIEnrollmentService)",
		caAttributes())
	if err != nil {
		return err
	}
	for _, o := range objects {
		s.CAs = append(s.CAs, newCA(o))
	}
	slices.SortFunc(s.CAs, func(a, b *CA) int { return cmp.Compare(a.Name, b.Name) })
	authorities, err := d.search(servicesRDN+config, ldap.ScopeWholeSubtree, "(objectClass=certificationAuthority)",
		[]string{"cn", "cACertificate"})
	if err != nil {
		return err
	}
	aia := map[string][]*x509.Certificate{}
	var p problems
	for _, o := range authorities {
		certs := o.certificates("cACertificate", &p)
		first, rest, _ := strings.Cut(strings.ToLower(o.dn), ",")
		switch {
		case first == "cn=ntauthcertificates":
			s.NTAuth = certs
		case strings.HasPrefix(rest, "cn=certification authorities,"):
			s.Roots = append(s.Roots, certs...)
		case strings.HasPrefix(rest, "cn=aia,"):
			aia[strings.ToLower(o.text("cn", &p))] = certs
			s.Issuers = append(s.Issuers, certs...)
		}
	}
	s.Problems = p
	s.connect(aia)
	return nil
}

// connect lets CAs and templates know of each other.
func (s *Snapshot) connect(aia map[string][]*x509.Certificate) {
	for _, ca := range s.CAs {
		ca.complete(aia[strings.ToLower(ca.Name)], s.NTAuth)
	}
	for _, t := range s.Templates {
		for _, ca := range s.CAs {
			if ca.Publishes(t.Name) {
				t.CAs = append(t.CAs, ca.Name)
			}
		}
	}
}

// sids are all that have a right on something.
func (s *Snapshot) sids() []SID {
	all := map[SID]bool{}
	for _, t := range s.Templates {
		for _, g := range t.Access.Grants() {
			all[g.SID] = true
		}
	}
	for _, ca := range s.CAs {
		for _, g := range ca.Access.Grants() {
			all[g.SID] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// CA is the CA of a name, in either form; nil if there is none.
func (s *Snapshot) CA(name string) *CA {
	i := slices.IndexFunc(s.CAs, func(ca *CA) bool { return ca.Is(name) })
	if i < 0 {
		return nil
	}
	return s.CAs[i]
}

// Template is the template of a name, in any case; nil if there is none. An OID and the displayed name are no names: a
// request that names a template by them is refused.
func (s *Snapshot) Template(name string) *Template {
	i := slices.IndexFunc(s.Templates, func(t *Template) bool { return strings.EqualFold(t.Name, name) })
	if i < 0 {
		return nil
	}
	return s.Templates[i]
}

// MayEnroll reports whether the account may enroll for a template.
func (s *Snapshot) MayEnroll(t *Template) bool {
	return t.Access.Allows(RightEnroll, s.Account.Token...)
}
