package discovery

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/adcs"
)

var _ adcs.Directory = (*Client)(nil)

// LookUp reads the directory for [adcs.Client.Check]. Errors are those of [Client.Read].
func (c *Client) LookUp(ctx context.Context, q adcs.DirectoryQuery) (*adcs.DirectoryFacts, error) {
	s, err := c.Read(ctx)
	if err != nil {
		return nil, err
	}
	return s.facts(q), nil
}

// facts answers a question. Which CA is meant is told by its name, or else by its host.
func (s *Snapshot) facts(q adcs.DirectoryQuery) *adcs.DirectoryFacts {
	f := &adcs.DirectoryFacts{Account: s.Account.String()}
	var here []*CA
	for _, ca := range s.CAs {
		if strings.EqualFold(strings.TrimSuffix(ca.Host, "."), strings.TrimSuffix(q.Host, ".")) {
			here = append(here, ca)
			f.CAs = append(f.CAs, ca.names()...)
		}
	}
	if t := s.Template(q.Template); t != nil {
		f.TemplateExists, f.MayEnroll = true, s.MayEnroll(t)
	}
	ca := s.CA(q.CA)
	if i := slices.IndexFunc(here, func(ca *CA) bool { return ca.Is(q.CA) }); i >= 0 {
		ca = here[i]
	} else if ca == nil && len(here) == 1 {
		ca = here[0]
	}
	if ca != nil {
		f.Templates = slices.Clone(ca.Templates)
		f.MayEnrollAtCA = ca.Access.Allows(RightEnroll, s.Account.Token...)
		f.Certificates = s.chain(ca)
	}
	return f
}

// names are the names that a client may give the CA: the common name, and the one that is made of it if they differ.
func (ca *CA) names() []string {
	if ca.DisplayName == ca.Name {
		return []string{ca.Name}
	}
	return []string{ca.DisplayName, ca.Name}
}

// chain is the CA's certificates, and then others that may be above them.
func (s *Snapshot) chain(ca *CA) []*x509.Certificate {
	certs := slices.Clone(ca.Certificates)
	for _, c := range s.Issuers {
		if !slices.ContainsFunc(certs, c.Equal) {
			certs = append(certs, c)
		}
	}
	return certs
}
