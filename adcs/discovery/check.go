package discovery

import (
	"context"
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

// facts answers a question. A CA that is not called as asked is the one on the host, if there is but one.
func (s *Snapshot) facts(q adcs.DirectoryQuery) *adcs.DirectoryFacts {
	f := &adcs.DirectoryFacts{Account: s.Account.Name}
	var here []*CA
	for _, ca := range s.CAs {
		if strings.EqualFold(ca.Host, q.Host) {
			here, f.CAs = append(here, ca), append(f.CAs, ca.DisplayName)
		}
	}
	ca := s.CA(q.CA)
	if ca == nil && len(here) == 1 {
		ca = here[0]
	}
	token := s.Account.Token
	if ca != nil {
		f.Templates, f.Certificates = ca.Templates, ca.Certificates
		f.MayEnrollAtCA = ca.Access.Allows(RightEnroll, token...)
	}
	if t := s.Template(q.Template); t != nil {
		f.TemplateExists, f.MayEnroll = true, t.Access.Allows(RightEnroll, token...)
	}
	return f
}
