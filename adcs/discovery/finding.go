package discovery

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Code names a finding; it does not change.
type Code string

// The findings.
const (
	// FindingSubject: others than the connector may get a certificate that logs on as whoever they like (ESC1).
	FindingSubject Code = "enrollee-supplies-subject"
	// FindingPurposes: the same, on a CA without the update for CVE-2024-49019: a template of schema version 1 lets the
	// request name the purposes (ESC15).
	FindingPurposes Code = "request-names-purposes"
	// FindingAgent: others than the connector may get an enrollment agent's certificate, and with it request certificates
	// on behalf of anybody (ESC3).
	FindingAgent Code = "enrollment-agent"
	// FindingNoSID: certificates say whose they are by names alone (ESC9).
	FindingNoSID Code = "no-security-extension"
	// FindingDirectorySubject: every certificate gets the name of who requests it, which is the connector.
	FindingDirectorySubject Code = "subject-from-directory"
	// FindingWritable: others than administrators may change the template, and so make it as dangerous as they like
	// (ESC4).
	FindingWritable Code = "writable"
	// FindingNoEnroll: the connector may not enroll.
	FindingNoEnroll Code = "may-not-enroll"
	// FindingUnreadable: something of the object could not be read.
	FindingUnreadable Code = "unreadable"
	// FindingUntrusted: domain controllers take no certificate of this CA for a logon.
	FindingUntrusted Code = "not-in-ntauth"
	// FindingExpired: the CA's certificate is not valid now, or there is none.
	FindingExpired Code = "ca-certificate-invalid"
)

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	Danger Severity = "danger" // the domain can be taken over by it
	Defect Severity = "defect" // the connector cannot do its work with it
	Notice Severity = "notice"
)

// Finding is a shape of a template or a CA that somebody should look at.
type Finding struct {
	Code     Code
	Severity Severity
	Template string   // name; "" for a finding about a CA
	CAs      []string // that publish the template, or that it is about
	Who      []string // who has the right that makes it dangerous
	Text     string   // what is the matter, a sentence
	Remedy   string   // what to do, a sentence
}

// Findings are those of all CAs, and of the templates that a CA publishes: others issue nothing. Of templates that the
// account may not enroll for, what would only keep a connector from its work is left out: they are for somebody else.
func (s *Snapshot) Findings() []Finding { return s.findings(time.Now()) }

func (s *Snapshot) findings(now time.Time) []Finding {
	var all []Finding
	for _, ca := range s.CAs {
		all = append(all, ca.findings(now)...)
	}
	for _, t := range s.Templates {
		if len(t.CAs) == 0 {
			continue
		}
		for _, f := range s.Inspect(t) {
			if f.Code != FindingNoEnroll && (f.Code != FindingDirectorySubject || s.MayEnroll(t)) {
				all = append(all, f)
			}
		}
	}
	return all
}

// Inspect are the findings of one template that a connector is meant to use, published or not.
func (s *Snapshot) Inspect(t *Template) []Finding {
	var all []Finding
	add := func(f Finding) {
		f.Template, f.CAs = t.Name, t.CAs
		all = append(all, f)
	}
	others := s.others(t, RightEnroll)
	for _, find := range []func(*Template, []string) (Finding, bool){
		findSubject, findPurposes, findAgent, findNoSID, findDirectorySubject, findUnreadable,
	} {
		if f, ok := find(t, others); ok {
			add(f)
		}
	}
	if f, ok := findWritable(s.others(t, RightWrite)); ok {
		add(f)
	}
	if f, ok := s.findNoEnroll(t); ok {
		add(f)
	}
	return all
}

// others names those who have a right on a template besides the account and those who rule the forest anyway.
func (s *Snapshot) others(t *Template, right Right) []string {
	var names []string
	for _, g := range t.Access.Grants() {
		if g.Right != right || g.SID == s.Account.SID || g.SID.administrative() {
			continue
		}
		p, known := s.Principals[g.SID]
		if !known {
			p = Principal{SID: g.SID, Name: g.SID.wellKnown()}
		}
		if p.Empty || p.Only != "" && strings.EqualFold(p.Only, s.Account.DN) {
			continue // nobody, or the account by itself
		}
		if !slices.Contains(names, p.String()) {
			names = append(names, p.String())
		}
	}
	return names
}

func findSubject(t *Template, others []string) (Finding, bool) {
	if !t.EnrolleeSuppliesSubject() || !t.Authenticates() || t.Approved() || len(others) == 0 {
		return Finding{}, false
	}
	purpose := "certificates of it log on to the domain"
	if t.AnyPurpose() {
		purpose = "certificates of it are for any purpose, logging on to the domain included"
	}
	return Finding{
		Code: FindingSubject, Severity: Danger, Who: others,
		Text: fmt.Sprintf("%s may enroll and name any subject, and %s: each of them can log on as anybody, "+
			"administrators included", list(others), purpose),
		Remedy: "Take the right to enroll from everybody but the connector's account; or let a CA certificate manager " +
			"approve requests, remove the purpose Client Authentication, or build the subject from the directory.",
	}, true
}

func findPurposes(t *Template, others []string) (Finding, bool) {
	if t.Schema != 1 || !t.EnrolleeSuppliesSubject() || t.Authenticates() || t.Approved() || len(others) == 0 {
		return Finding{}, false
	}
	return Finding{
		Code: FindingPurposes, Severity: Danger, Who: others,
		Text: fmt.Sprintf("%s may enroll and name any subject, and the template is of schema version 1: a CA without the "+
			"update for CVE-2024-49019 (November 2024) lets the request add purposes, so that each of them can log on as "+
			"anybody", list(others)),
		Remedy: "Install the update on the CA, or use a duplicate of the template, which has a newer schema version, and " +
			"take the right to enroll from everybody but the connector's account.",
	}, true
}

func findAgent(t *Template, others []string) (Finding, bool) {
	agent := slices.Contains(t.Purposes(), PurposeEnrollmentAgent) || t.AnyPurpose() && !t.EnrolleeSuppliesSubject()
	if !agent || t.Approved() || len(others) == 0 {
		return Finding{}, false
	}
	return Finding{
		Code: FindingAgent, Severity: Danger, Who: others,
		Text: fmt.Sprintf("%s may get a certificate that is good for an enrollment agent, who requests certificates on "+
			"behalf of others", list(others)),
		Remedy: "Let only agents enroll, remove the purpose, or restrict enrollment agents at the CA.",
	}, true
}

func findNoSID(t *Template, _ []string) (Finding, bool) {
	if !t.EnrollmentFlags.Has(EnrollNoSecurityExtension) {
		return Finding{}, false
	}
	f := Finding{
		Code: FindingNoSID, Severity: Notice,
		Text: "the CA adds no security identifier (SID) to certificates of the template, so that they say whose they " +
			"are by names alone: domain controllers that want strong mapping (KB5014754) refuse them",
		Remedy: "Remove the flag CT_FLAG_NO_SECURITY_EXTENSION (0x80000) from msPKI-Enrollment-Flag of the template.",
	}
	if t.Authenticates() {
		f.Severity = Danger
		f.Text += ", and others take them for whoever has the name at that time"
	}
	return f, true
}

func findDirectorySubject(t *Template, _ []string) (Finding, bool) {
	if t.NameFlags.Has(NameEnrolleeSupplies) {
		return Finding{}, false
	}
	return Finding{
		Code: FindingDirectorySubject, Severity: Defect,
		Text: "the CA takes the subject from the directory object of who sends the request: every device would get a " +
			"certificate in the connector's own name",
		Remedy: "Set \"Supply in the request\" on the template's tab Subject Name, for a template that only the " +
			"connector may enroll for; or let the connector enroll on behalf of the devices' accounts.",
	}, true
}

func findUnreadable(t *Template, _ []string) (Finding, bool) {
	if len(t.Problems) == 0 {
		return Finding{}, false
	}
	return Finding{
		Code: FindingUnreadable, Severity: Notice,
		Text:   "not everything of it could be read, so that findings may be missing: " + strings.Join(t.Problems, "; "),
		Remedy: "Let the account read the object, and look at the attributes named.",
	}, true
}

func findWritable(others []string) (Finding, bool) {
	if len(others) == 0 {
		return Finding{}, false
	}
	return Finding{
		Code: FindingWritable, Severity: Danger, Who: others,
		Text: fmt.Sprintf("%s may change the template, and so let themselves enroll for any subject and purpose",
			list(others)),
		Remedy: "Leave the rights to write, to change permissions and to take ownership to administrators.",
	}, true
}

func (s *Snapshot) findNoEnroll(t *Template) (Finding, bool) {
	if s.Account.SID == "" || s.MayEnroll(t) {
		return Finding{}, false
	}
	return Finding{
		Code: FindingNoEnroll, Severity: Notice,
		Text:   fmt.Sprintf("%s may not enroll for it", s.Account.Name),
		Remedy: "If the connector is to use it, give its account the rights Read and Enroll.",
	}, true
}

// findings are those of a CA.
func (ca *CA) findings(now time.Time) []Finding {
	var all []Finding
	add := func(f Finding) {
		f.CAs = []string{ca.Name}
		all = append(all, f)
	}
	if len(ca.Certificates) == 0 || now.Before(ca.Certificates[0].NotBefore) || now.After(ca.Certificates[0].NotAfter) {
		add(Finding{
			Code: FindingExpired, Severity: Defect, Text: "the CA publishes no certificate that is valid now",
			Remedy: "Renew the CA's certificate; or, if the CA is gone, remove it from the Enrollment Services container.",
		})
	}
	if len(ca.Certificates) > 0 && !ca.Trusted {
		add(Finding{
			Code: FindingUntrusted, Severity: Notice,
			Text: "the CA's certificate is not in NTAuth: domain controllers and NPS take none of its certificates for a " +
				"logon",
			Remedy: "Publish it with \"certutil -dspublish -f ca.cer NTAuthCA\".",
		})
	}
	if len(ca.Problems) > 0 {
		add(Finding{
			Code: FindingUnreadable, Severity: Notice,
			Text:   "not everything of it could be read: " + strings.Join(ca.Problems, "; "),
			Remedy: "Let the account read the object, and look at the attributes named.",
		})
	}
	return all
}

// list writes names as people do, a few of them.
func list(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	if len(names) > 1 {
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return strings.Join(names, "")
}
