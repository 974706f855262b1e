package discovery

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	svc   = domain + "1104"
	users = domain + "513"
)

// allow lets accounts enroll, and administrators do everything.
func allow(right Right, sids ...SID) Access {
	a := Access{Owner: domain + "519", aces: []ace{{mask: maskGenericAll, sid: domain + "512"}}}
	for _, sid := range sids {
		e := ace{mask: maskControlAccess, object: right.guid(), sid: sid}
		if right == RightWrite {
			e = ace{mask: maskWriteDACL, sid: sid}
		}
		a.aces = append(a.aces, e)
	}
	return a
}

// device is a template that nothing is wrong with.
func device() *Template {
	return &Template{
		Name: "Device", Schema: 2, NameFlags: NameEnrolleeSupplies, EKUs: []string{PurposeClientAuth},
		Access: allow(RightEnroll, svc), CAs: []string{"CA"},
	}
}

func snapshot() *Snapshot {
	return &Snapshot{
		Account: Account{Name: "svc", DN: "CN=svc", SID: svc, Token: []SID{svc, users}},
		Principals: map[SID]Principal{
			domain + "1200": {SID: domain + "1200", Name: "PKI team", Only: "cn=SVC"},
			domain + "1201": {SID: domain + "1201", Name: "Nobody", Empty: true},
			domain + "1202": {SID: domain + "1202", Name: "Helpdesk", Only: "CN=bob"},
		},
	}
}

// TestFindings has a template for each warning, and for each reason why there is none.
func TestFindings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Template)
		want   []Code
	}{
		"as it should be": {func(*Template) {}, nil},
		"domain users":    {func(t *Template) { t.Access = allow(RightEnroll, svc, users) }, []Code{FindingSubject}},
		"everybody": {func(t *Template) {
			t.Access = allow(RightEnroll, SIDAuthenticatedUsers)
		}, []Code{FindingSubject}},
		"no list":         {func(t *Template) { t.Access = Access{open: true} }, []Code{FindingSubject, FindingWritable}},
		"group of others": {func(t *Template) { t.Access = allow(RightEnroll, svc, domain+"1202") }, []Code{FindingSubject}},
		"group of another domain": {
			func(t *Template) { t.Access = allow(RightEnroll, svc, "S-1-5-21-9-9-9-1300") }, []Code{FindingSubject},
		},
		"group of the account": {func(t *Template) { t.Access = allow(RightEnroll, svc, domain+"1200") }, nil},
		"group of nobody":      {func(t *Template) { t.Access = allow(RightEnroll, svc, domain+"1201") }, nil},
		"administrators too":   {func(t *Template) { t.Access = allow(RightEnroll, svc, domain+"519", "S-1-5-32-544") }, nil},
		"autoenroll only":      {func(t *Template) { t.Access = allow(RightAutoEnroll, users) }, []Code{FindingNoEnroll}},
		"alternative names": {func(t *Template) {
			t.NameFlags, t.Access = NameEnrolleeSuppliesAlt, allow(RightEnroll, users)
		}, []Code{FindingSubject, FindingDirectorySubject}},
		"a manager approves": {func(t *Template) {
			t.EnrollmentFlags, t.Access = EnrollPendAll, allow(RightEnroll, users)
		}, nil},
		"signatures":  {func(t *Template) { t.Signatures, t.Access = 1, allow(RightEnroll, users) }, nil},
		"no purpose":  {func(t *Template) { t.EKUs, t.Access = nil, allow(RightEnroll, users) }, []Code{FindingSubject}},
		"any purpose": {openFor(PurposeAny), []Code{FindingSubject}},
		"smart card":  {openFor(PurposeSmartcardLogon), []Code{FindingSubject}},
		"PKINIT":      {openFor(PurposePKINIT), []Code{FindingSubject}},
		"server":      {openFor("1.3.6.1.5.5.7.3.1"), nil},
		"agent":       {openFor(PurposeEnrollmentAgent), []Code{FindingAgent}},
		"policies alone": {func(t *Template) {
			t.EKUs, t.ApplicationPolicies = []string{"1.3.6.1.5.5.7.3.1"}, []string{PurposeClientAuth}
			t.Access = allow(RightEnroll, users)
		}, []Code{FindingSubject}},
		"server, version 1": {func(t *Template) {
			openFor("1.3.6.1.5.5.7.3.1")(t)
			t.Schema = 1
		}, []Code{FindingPurposes}},
		"server, version 1, for the connector": {func(t *Template) {
			t.EKUs, t.Schema = []string{"1.3.6.1.5.5.7.3.1"}, 1
		}, nil},
		"no SID":         {func(t *Template) { t.EnrollmentFlags = EnrollNoSecurityExtension }, []Code{FindingNoSID}},
		"from directory": {func(t *Template) { t.NameFlags = SubjectDNSAsCN }, []Code{FindingDirectorySubject}},
		"nothing set":    {func(t *Template) { t.NameFlags = 0 }, []Code{FindingDirectorySubject}},
		"users may write": {func(t *Template) {
			t.Access.aces = append(t.Access.aces, allow(RightWrite, users).aces...)
		}, []Code{FindingWritable}},
		"the account owns it": {func(t *Template) { t.Access.Owner = svc }, nil},
		"somebody owns it":    {func(t *Template) { t.Access.Owner = domain + "1300" }, []Code{FindingWritable}},
		"not for the account": {func(t *Template) { t.Access = allow(RightEnroll) }, []Code{FindingNoEnroll}},
		"unreadable":          {func(t *Template) { t.Problems = []string{"flags"} }, []Code{FindingUnreadable}},
	} {
		tmpl := device()
		c.change(tmpl)
		var codes []Code
		s := snapshot()
		for _, f := range s.Inspect(tmpl) {
			codes = append(codes, f.Code)
			assert.Equal(t, "Device", f.Template, name)
			assert.NotEmpty(t, f.Text, name)
			assert.NotEmpty(t, f.Remedy, name)
			assert.Contains(t, []Severity{Danger, Defect, Notice}, f.Severity, name)
		}
		assert.Equal(t, c.want, codes, name)
		s.Templates = []*Template{tmpl}
		assert.Len(t, s.Findings(), len(slices.DeleteFunc(codes, func(c Code) bool { return c == FindingNoEnroll })), name)
		tmpl.CAs = nil
		assert.Empty(t, s.Findings(), "%s: not published", name)
	}
}

// openFor lets domain users enroll for a purpose.
func openFor(oid string) func(*Template) {
	return func(t *Template) { t.EKUs, t.Access = []string{oid}, allow(RightEnroll, users) }
}

// TestFindingsForOthers leaves out what is no business of the connector, and nothing that is dangerous.
func TestFindingsForOthers(t *testing.T) {
	machine := &Template{
		Name: "Machine", Schema: 1, NameFlags: SubjectDNSAsCN, EKUs: []string{PurposeClientAuth}, CAs: []string{"CA"},
		EnrollmentFlags: EnrollNoSecurityExtension, Access: allow(RightEnroll, domain+"515"),
	}
	s := snapshot()
	s.Templates = []*Template{machine}
	require.Len(t, s.Inspect(machine), 3)
	f := s.Findings()
	require.Len(t, f, 1)
	assert.Equal(t, FindingNoSID, f[0].Code)
}

func TestFindingText(t *testing.T) {
	tmpl := device()
	tmpl.Access = allow(RightEnroll, users, domain+"1202", SIDAuthenticatedUsers)
	f := snapshot().Inspect(tmpl)
	require.Len(t, f, 1)
	assert.Equal(t, Danger, f[0].Severity)
	assert.Equal(t, []string{"Domain Users", "Helpdesk", "Authenticated Users"}, f[0].Who)
	assert.Contains(t, f[0].Text, "Domain Users, Helpdesk and Authenticated Users may enroll")
	assert.Equal(t, "a, b, c, d, e and 2 more", list([]string{"a", "b", "c", "d", "e", "f", "g"}))
}

func TestFindingsOfCA(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	valid := &x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), Raw: []byte{1}}
	for name, c := range map[string]struct {
		ca   CA
		want []Code
	}{
		"as it should be": {CA{Certificates: []*x509.Certificate{valid}, Trusted: true}, nil},
		"none":            {CA{}, []Code{FindingExpired}},
		"untrusted":       {CA{Certificates: []*x509.Certificate{valid}}, []Code{FindingUntrusted}},
		"expired": {CA{Trusted: true, Certificates: []*x509.Certificate{{NotAfter: now.Add(-time.Second)}}},
			[]Code{FindingExpired}},
		"not yet": {CA{Trusted: true, Certificates: []*x509.Certificate{{
			NotBefore: now.Add(time.Second), NotAfter: now.Add(time.Hour),
		}}}, []Code{FindingExpired}},
		"unreadable": {CA{Certificates: []*x509.Certificate{valid}, Trusted: true, Problems: []string{"cn"}},
			[]Code{FindingUnreadable}},
	} {
		c.ca.Name = "CA"
		s := &Snapshot{CAs: []*CA{&c.ca}}
		var codes []Code
		for _, f := range s.findings(now) {
			codes = append(codes, f.Code)
			assert.Equal(t, []string{"CA"}, f.CAs)
		}
		assert.Equal(t, c.want, codes, name)
	}
}

// TestConnect finds a CA's former certificates and its place in NTAuth.
func TestConnect(t *testing.T) {
	current, former := &x509.Certificate{Raw: []byte{1}}, &x509.Certificate{Raw: []byte{2}}
	ca := &CA{
		Name: "Corp CA", DisplayName: "Corp: CA", Certificates: []*x509.Certificate{current}, Templates: []string{"device"},
	}
	s := &Snapshot{CAs: []*CA{ca}, Templates: []*Template{device()}, NTAuth: []*x509.Certificate{current}}
	s.Templates[0].CAs = nil
	s.connect(map[string][]*x509.Certificate{"corp ca": {former, current}})
	assert.Equal(t, []*x509.Certificate{current, former}, ca.Certificates)
	assert.True(t, ca.Trusted)
	assert.Equal(t, []string{"Corp CA"}, s.Templates[0].CAs)
	assert.Same(t, ca, s.CA("CORP: ca"))
	assert.Same(t, ca, s.CA("corp ca"))
	assert.Nil(t, s.CA("other"))
}
