package main

import (
	"time"

	"github.com/adcskit/adcskit/adcs/discovery"
)

func (l *listing) take(s *discovery.Snapshot) {
	l.Account = s.Account.String()
	for _, ca := range s.CAs {
		listed := listedCA{Name: ca.DisplayName, Host: ca.Host, Trusted: ca.Trusted, Templates: ca.Templates}
		if len(ca.Certificates) > 0 {
			listed.NotAfter = &ca.Certificates[0].NotAfter
		}
		l.CAs = append(l.CAs, listed)
	}
	for _, t := range s.Templates {
		l.Templates = append(l.Templates, listTemplate(s, t))
	}
	for _, f := range s.Findings() {
		l.Findings = append(l.Findings, finding{string(f.Code), string(f.Severity), f.Template, f.CAs, f.Text, f.Remedy})
	}
}

func listTemplate(s *discovery.Snapshot, t *discovery.Template) listedTemplate {
	listed := listedTemplate{
		Name: t.Name, DisplayName: t.DisplayName, OID: t.OID, CAs: t.CAs, Schema: t.Schema, MinKeySize: t.MinKeySize,
		Algorithm: t.KeyAlgorithm, Purposes: t.Purposes(), Subject: "directory", Approval: t.Approved(),
		Days: int(t.Validity / (24 * time.Hour)), MayEnroll: s.MayEnroll(t),
	}
	if t.EnrolleeSuppliesSubject() {
		listed.Subject = "request"
	}
	for _, g := range t.Access.Grants() {
		if g.Right == discovery.RightEnroll {
			listed.Enrollers = append(listed.Enrollers, s.Principals[g.SID].String())
		}
	}
	return listed
}
