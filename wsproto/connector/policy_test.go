package connector_test

import (
	"crypto/ecdh"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

const domainSID = "S-1-5-21-1004336348-1177238915-682003330"

func somePolicy() *connector.Policy {
	return &connector.Policy{
		CAs: []wsproto.CAAssignment{caName()}, Templates: []string{"Machine", "User"}, Keys: []string{"p256", "rsa2048"},
		Subjects: []string{"CN=*.corp.test,O=Corp", "CN=svc-*,OU=Services,O=Corp", "", `CN=a\*b`},
		DNS:      []string{"corp.test", ".below.test", "=only.test"}, DNSWildcards: true,
		UPN: []string{"corp.test", "svc-*@=svc.test"}, Email: []string{"=corp.test"},
		URI: []string{"spiffe://corp.test/device/", "urn:corp:device:"}, IP: []string{"10.1.0.0/16", "2001:db8::/32"},
		SIDDomains: []string{domainSID}, SIDs: []string{domainSID + "-500", "S-1-5-21-1-2-3-1105"},
		OrdersPerHour: 1000, Passwords: true,
	}
}

// TestPolicy changes one thing in an order that is allowed. The rule is that which must refuse, empty for none.
func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(o *wsproto.Order)
		rule   string
	}{
		{"as it is", func(*wsproto.Order) {}, ""},
		{"case of host and CA", func(o *wsproto.Order) { o.CA.Host, o.CA.Name = "CA.CORP.TEST", "corp issuing ca" }, ""},
		{"another host", func(o *wsproto.Order) { o.CA.Host = "ca.evil.test" }, "cas"},
		{"another CA", func(o *wsproto.Order) { o.CA.Name = "Root CA" }, "cas"},
		{"no CA", func(o *wsproto.Order) { o.CA = wsproto.CAAssignment{} }, "cas"},
		{"another template", func(o *wsproto.Order) { o.Template = "SubCA" }, "templates"},
		{"template with attributes", func(o *wsproto.Order) { o.Template = "Machine\nSAN:upn=x" }, "templates"},
		{"another key", func(o *wsproto.Order) { o.Key = "rsa1024" }, "keys"},

		{"subject", func(o *wsproto.Order) { o.Subject = "CN=x.corp.test,O=Corp" }, ""},
		{"subject with blanks and case", func(o *wsproto.Order) { o.Subject = "cn=X.Corp.Test, o=CORP" }, ""},
		{"subject by OID", func(o *wsproto.Order) { o.Subject = "2.5.4.3=x.corp.test,2.5.4.10=Corp" }, ""},
		{"subject in another order", func(o *wsproto.Order) { o.Subject = "O=Corp,CN=x.corp.test" }, "subjects"},
		{"subject with more", func(o *wsproto.Order) { o.Subject = "CN=x.corp.test,OU=Admins,O=Corp" }, "subjects"},
		{"subject with less", func(o *wsproto.Order) { o.Subject = "CN=x.corp.test" }, "subjects"},
		{"subject not at a label", func(o *wsproto.Order) { o.Subject = "CN=evilcorp.test,O=Corp" }, "subjects"},
		{"escaped comma is no separator", func(o *wsproto.Order) { o.Subject = `CN=x\,O=y.corp.test,O=Corp` }, ""},
		{"separator in hexadecimal", func(o *wsproto.Order) { o.Subject = `CN=admin\2cO=Corp` }, "subjects"},
		{"multi-valued", func(o *wsproto.Order) { o.Subject = "CN=x.corp.test+CN=admin,O=Corp" }, "subjects"},
		{"hexadecimal value", func(o *wsproto.Order) { o.Subject = "CN=#0c0161,O=Corp" }, "subjects"},
		{"quoted value", func(o *wsproto.Order) { o.Subject = `CN="x.corp.test",O=Corp` }, "subjects"},
		{"semicolon", func(o *wsproto.Order) { o.Subject = "CN=x.corp.test;O=Corp" }, "subjects"},
		{"NUL", func(o *wsproto.Order) { o.Subject = `CN=admin\00.corp.test,O=Corp` }, "subjects"},
		{"line break", func(o *wsproto.Order) { o.Subject = "CN=a\n.corp.test,O=Corp" }, "subjects"},
		{"bad escape", func(o *wsproto.Order) { o.Subject = `CN=\g.corp.test,O=Corp` }, "subjects"},
		{"half a character", func(o *wsproto.Order) { o.Subject = `CN=\c3.corp.test,O=Corp` }, "subjects"},
		{"blank at the end", func(o *wsproto.Order) { o.Subject = "CN=x.corp.test ,O=Corp" }, "subjects"},
		{"comma at the end", func(o *wsproto.Order) { o.Subject = "CN=x.corp.test,O=Corp," }, "subjects"},
		{"Kelvin sign is no k", func(o *wsproto.Order) { o.Subject = "CN=svc-x,OU=Services,O=Corp\u212a" }, "subjects"},
		{"wildcard may be empty", func(o *wsproto.Order) { o.Subject = "CN=svc-,OU=Services,O=Corp" }, ""},
		{"asterisk in an order is an asterisk", func(o *wsproto.Order) { o.Subject = "CN=a*b" }, ""},
		{"escaped asterisk in a pattern is no wildcard", func(o *wsproto.Order) { o.Subject = "CN=axb" }, "subjects"},
		{"asterisk in hexadecimal", func(o *wsproto.Order) { o.Subject = `CN=a\2ab` }, ""},
		{"the mark of a wildcard is a character", func(o *wsproto.Order) { o.Subject = "CN=svc-\ue000,OU=Services,O=Corp" }, ""},
		{"unknown type", func(o *wsproto.Order) { o.Subject = "XY=x.corp.test,O=Corp" }, "subjects"},
		{"empty value", func(o *wsproto.Order) { o.Subject = "CN=,O=Corp" }, "subjects"},
		{"no subject", func(o *wsproto.Order) { o.Subject = "" }, ""},
		{"from the directory", func(o *wsproto.Order) { o.SubjectSource, o.Subject, o.DNS = "directory", "", nil }, "directorySubject"},

		{"the name itself", func(o *wsproto.Order) { o.DNS = []string{"corp.test"} }, ""},
		{"a name below", func(o *wsproto.Order) { o.DNS = []string{"a.b.corp.test", "A.CORP.test"} }, ""},
		{"one of two does not fit", func(o *wsproto.Order) { o.DNS = []string{"a.corp.test", "a.evil.test"} }, "dns"},
		{"not at a label", func(o *wsproto.Order) { o.DNS = []string{"evilcorp.test"} }, "dns"},
		{"suffix as a prefix", func(o *wsproto.Order) { o.DNS = []string{"corp.test.evil.test"} }, "dns"},
		{"only below", func(o *wsproto.Order) { o.DNS = []string{"a.below.test"} }, ""},
		{"only below, not itself", func(o *wsproto.Order) { o.DNS = []string{"below.test"} }, "dns"},
		{"only itself", func(o *wsproto.Order) { o.DNS = []string{"only.test"} }, ""},
		{"only itself, not below", func(o *wsproto.Order) { o.DNS = []string{"a.only.test"} }, "dns"},
		{"the parent", func(o *wsproto.Order) { o.DNS = []string{"test"} }, "dns"},
		{"dot at the end", func(o *wsproto.Order) { o.DNS = []string{"a.corp.test."} }, "dns"},
		{"empty label", func(o *wsproto.Order) { o.DNS = []string{"a..corp.test"} }, "dns"},
		{"empty name", func(o *wsproto.Order) { o.DNS = []string{""} }, "dns"},
		{"blank", func(o *wsproto.Order) { o.DNS = []string{"a b.corp.test"} }, "dns"},
		{"comma", func(o *wsproto.Order) { o.DNS = []string{"evil.test,a.corp.test"} }, "dns"},
		{"NUL in a name", func(o *wsproto.Order) { o.DNS = []string{"evil.test\x00.corp.test"} }, "dns"},
		{"not ASCII", func(o *wsproto.Order) { o.DNS = []string{"bücher.corp.test"} }, "dns"},
		{"A-label", func(o *wsproto.Order) { o.DNS = []string{"xn--bcher-kva.corp.test"} }, ""},
		{"long label", func(o *wsproto.Order) { o.DNS = []string{strings.Repeat("a", 64) + ".corp.test"} }, "dns"},
		{"long name", func(o *wsproto.Order) { o.DNS = []string{strings.Repeat("a.", 125) + "corp.test"} }, "dns"},
		{"hyphen at the end of a label", func(o *wsproto.Order) { o.DNS = []string{"a-.corp.test"} }, "dns"},
		{"wildcard", func(o *wsproto.Order) { o.DNS = []string{"*.corp.test", "*.a.corp.test", "*.below.test"} }, ""},
		{"wildcard above", func(o *wsproto.Order) { o.DNS = []string{"*.test"} }, "dns"},
		{"wildcard for only itself", func(o *wsproto.Order) { o.DNS = []string{"*.only.test"} }, "dns"},
		{"wildcard inside", func(o *wsproto.Order) { o.DNS = []string{"a.*.corp.test"} }, "dns"},
		{"part of a label", func(o *wsproto.Order) { o.DNS = []string{"a*.corp.test"} }, "dns"},
		{"two wildcards", func(o *wsproto.Order) { o.DNS = []string{"*.*.corp.test"} }, "dns"},
		{"only a wildcard", func(o *wsproto.Order) { o.DNS = []string{"*"} }, "dns"},
		{"an address as a name", func(o *wsproto.Order) { o.DNS = []string{"10.1.0.1"} }, "dns"},

		{"UPN", func(o *wsproto.Order) { o.UPN = []string{"alice@corp.test", "Bob@Sub.Corp.Test"} }, ""},
		{"UPN elsewhere", func(o *wsproto.Order) { o.UPN = []string{"alice@evil.test"} }, "upn"},
		{"UPN with two at signs", func(o *wsproto.Order) { o.UPN = []string{"alice@evil.test@corp.test"} }, "upn"},
		{"UPN without a name", func(o *wsproto.Order) { o.UPN = []string{"@corp.test"} }, "upn"},
		{"UPN without a suffix", func(o *wsproto.Order) { o.UPN = []string{"alice"} }, "upn"},
		{"UPN that fits the part before", func(o *wsproto.Order) { o.UPN = []string{"SVC-backup@svc.test"} }, ""},
		{"UPN that does not", func(o *wsproto.Order) { o.UPN = []string{"administrator@svc.test"} }, "upn"},
		{"UPN with a control character", func(o *wsproto.Order) { o.UPN = []string{"a\x00b@corp.test"} }, "upn"},
		{"UPN with an asterisk", func(o *wsproto.Order) { o.UPN = []string{"*@corp.test"} }, "upn"},
		{"e-mail", func(o *wsproto.Order) { o.Email = []string{"alice@corp.test"} }, ""},
		{"e-mail below", func(o *wsproto.Order) { o.Email = []string{"alice@a.corp.test"} }, "email"},
		{"e-mail quoted", func(o *wsproto.Order) { o.Email = []string{`"alice@corp.test"@evil.test`} }, "email"},

		{"URI", func(o *wsproto.Order) {
			o.URI = []string{"spiffe://corp.test/device/7", "SPIFFE://CORP.test/device/a/b"}
		}, ""},
		{"URI, the prefix itself", func(o *wsproto.Order) { o.URI = []string{"spiffe://corp.test/device/"} }, ""},
		{"URI not at a segment", func(o *wsproto.Order) { o.URI = []string{"spiffe://corp.test/devices"} }, "uri"},
		{"URI of another host", func(o *wsproto.Order) { o.URI = []string{"spiffe://corp.test.evil.test/device/7"} }, "uri"},
		{"URI of another scheme", func(o *wsproto.Order) { o.URI = []string{"https://corp.test/device/7"} }, "uri"},
		{"URI with a user", func(o *wsproto.Order) { o.URI = []string{"spiffe://corp.test@evil.test/device/7"} }, "uri"},
		{"URI with dots", func(o *wsproto.Order) { o.URI = []string{"spiffe://corp.test/device/../admin"} }, "uri"},
		{"URI with encoded dots", func(o *wsproto.Order) { o.URI = []string{"spiffe://corp.test/device/%2e%2e/admin"} }, "uri"},
		{"URI with a fragment", func(o *wsproto.Order) { o.URI = []string{"spiffe://corp.test/device/7#x"} }, "uri"},
		{"URI with an empty fragment", func(o *wsproto.Order) { o.URI = []string{"spiffe://corp.test/device/7#"} }, "uri"},
		{"URI with a port", func(o *wsproto.Order) { o.URI = []string{"spiffe://corp.test:99/device/7"} }, "uri"},
		{"relative URI", func(o *wsproto.Order) { o.URI = []string{"device/7"} }, "uri"},
		{"opaque URI", func(o *wsproto.Order) { o.URI = []string{"urn:corp:device:7"} }, ""},
		{"another opaque URI", func(o *wsproto.Order) { o.URI = []string{"urn:corp:user:7"} }, "uri"},
		{"a SID in a URI", func(o *wsproto.Order) { o.URI = []string{"tag:microsoft.com,2022-09-14:sid:" + domainSID + "-500"} }, "uri"},

		{"IPv4", func(o *wsproto.Order) { o.IP = []string{"10.1.2.3"} }, ""},
		{"IPv4 elsewhere", func(o *wsproto.Order) { o.IP = []string{"10.2.0.1"} }, "ip"},
		{"IPv6", func(o *wsproto.Order) { o.IP = []string{"2001:db8::1"} }, ""},
		{"IPv4 in IPv6", func(o *wsproto.Order) { o.IP = []string{"::ffff:10.1.2.3"} }, "ip"},
		{"IPv6 with a zone", func(o *wsproto.Order) { o.IP = []string{"2001:db8::1%eth0"} }, "ip"},
		{"IPv4 in octal", func(o *wsproto.Order) { o.IP = []string{"010.1.2.3"} }, "ip"},
		{"a prefix", func(o *wsproto.Order) { o.IP = []string{"10.1.0.0/16"} }, "ip"},

		{"SID", func(o *wsproto.Order) { o.SID = domainSID + "-1105" }, ""},
		{"SID with a RID below 1000", func(o *wsproto.Order) { o.SID = domainSID + "-502" }, "sids"},
		{"SID with RID 999", func(o *wsproto.Order) { o.SID = domainSID + "-999" }, "sids"},
		{"SID with RID 1000", func(o *wsproto.Order) { o.SID = domainSID + "-1000" }, ""},
		{"SID that is listed", func(o *wsproto.Order) { o.SID = domainSID + "-500" }, ""},
		{"SID of another domain, listed", func(o *wsproto.Order) { o.SID = "S-1-5-21-1-2-3-1105" }, ""},
		{"SID of another domain", func(o *wsproto.Order) { o.SID = "S-1-5-21-1-2-3-1106" }, "sidDomains"},
		{"SID of a longer domain", func(o *wsproto.Order) { o.SID = domainSID + "-7-1105" }, "sids"},
		{"SID with a leading zero", func(o *wsproto.Order) { o.SID = domainSID + "-01105" }, "sids"},
		{"SID too large", func(o *wsproto.Order) { o.SID = domainSID + "-4294967296" }, "sids"},
		{"SID of a group", func(o *wsproto.Order) { o.SID = "S-1-5-32-544" }, "sids"},
		{"SID with a sign", func(o *wsproto.Order) { o.SID = domainSID + "-+1105" }, "sids"},
		{"a domain as a SID", func(o *wsproto.Order) { o.SID = domainSID }, "sids"},

		{"recipient", func(o *wsproto.Order) { o.Password, o.Recipient = "", &wsproto.Recipient{ID: "r", Key: []byte("key")} }, "recipients"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, err := somePolicy().Compile()
			require.NoError(t, err)
			o := anOrder()
			o.Subject = "CN=x.corp.test,O=Corp"
			c.change(&o)
			err = rules.Allow(t.Context(), connector.Order{Order: o})
			if c.rule == "" {
				require.NoError(t, err)
				return
			}
			var p *connector.PolicyError
			require.ErrorAs(t, err, &p)
			assert.Equal(t, c.rule, p.Rule, p.Detail)
			assert.NotContains(t, err.Error(), "correct horse")
			assert.Contains(t, wsproto.Reasons(), p.Reason())
			assert.Less(t, len(err.Error()), 600)
		})
	}
}

// TestEmptyPolicyRefuses: what no rule names is refused, whatever the order leaves out.
func TestEmptyPolicyRefuses(t *testing.T) {
	full := func() (*connector.Policy, wsproto.Order) {
		o := anOrder()
		o.Subject, o.DNS, o.UPN, o.Email = "CN=x.corp.test,O=Corp", []string{"corp.test"}, []string{"a@corp.test"}, []string{"a@corp.test"}
		o.URI, o.IP, o.SID = []string{"urn:corp:device:1"}, []string{"10.1.0.1"}, domainSID+"-1105"
		return somePolicy(), o
	}
	allow := func(p *connector.Policy, o wsproto.Order) error {
		rules, err := p.Compile()
		require.NoError(t, err)
		return rules.Allow(t.Context(), connector.Order{Order: o})
	}
	p, o := full()
	require.NoError(t, allow(p, o))
	for rule, empty := range map[string]func(p *connector.Policy){
		"cas":           func(p *connector.Policy) { p.CAs = nil },
		"templates":     func(p *connector.Policy) { p.Templates = nil },
		"keys":          func(p *connector.Policy) { p.Keys = nil },
		"subjects":      func(p *connector.Policy) { p.Subjects = nil },
		"dns":           func(p *connector.Policy) { p.DNS = nil },
		"upn":           func(p *connector.Policy) { p.UPN = nil },
		"email":         func(p *connector.Policy) { p.Email = nil },
		"uri":           func(p *connector.Policy) { p.URI = nil },
		"ip":            func(p *connector.Policy) { p.IP = nil },
		"sidDomains":    func(p *connector.Policy) { p.SIDDomains = nil },
		"passwords":     func(p *connector.Policy) { p.Passwords = false },
		"ordersPerHour": func(p *connector.Policy) { p.OrdersPerHour = 0 },
	} {
		p, o := full()
		empty(p)
		var refusal *connector.PolicyError
		require.ErrorAs(t, allow(p, o), &refusal, rule)
		assert.Equal(t, rule, refusal.Rule)
	}
	_, o = full()
	assert.Error(t, allow(new(connector.Policy), o))
	o.DNS = []string{"*.corp.test"}
	p, _ = full()
	p.DNSWildcards = false
	var refusal *connector.PolicyError
	require.ErrorAs(t, allow(p, o), &refusal)
	assert.Equal(t, "dnsWildcards", refusal.Rule)
}

func TestPolicyDirectory(t *testing.T) {
	p := somePolicy()
	p.DirectorySubject = true
	rules, err := p.Compile()
	require.NoError(t, err)
	o := anOrder()
	o.SubjectSource, o.Subject, o.DNS = "directory", "", nil
	require.NoError(t, rules.Allow(t.Context(), connector.Order{Order: o}))
	o.SID = domainSID + "-1105"
	require.Error(t, rules.Allow(t.Context(), connector.Order{Order: o}), "it names what it leaves to the directory")
}

// TestPolicyMistakes: a rule that cannot be meant is an error when it is read, not when it is needed.
func TestPolicyMistakes(t *testing.T) {
	for want, spoil := range map[string]func(p *connector.Policy){
		"cas":           func(p *connector.Policy) { p.CAs = []wsproto.CAAssignment{{Host: "h"}} },
		"templates":     func(p *connector.Policy) { p.Templates = []string{""} },
		"keys":          func(p *connector.Policy) { p.Keys = []string{"*"} },
		"subjects":      func(p *connector.Policy) { p.Subjects = []string{"CN"} },
		"U+E000":        func(p *connector.Policy) { p.Subjects = []string{"CN=a\ue000"} },
		"hexadecimal":   func(p *connector.Policy) { p.Subjects = []string{"CN=#0c0161"} },
		"dns":           func(p *connector.Policy) { p.DNS = []string{"*.corp.test"} },
		"upn":           func(p *connector.Policy) { p.UPN = []string{"@corp.test"} },
		"email":         func(p *connector.Policy) { p.Email = []string{"a@b@c"} },
		"uri":           func(p *connector.Policy) { p.URI = []string{"urn:corp"} },
		"ip":            func(p *connector.Policy) { p.IP = []string{"10.1.2.3/16"} },
		"sidDomains":    func(p *connector.Policy) { p.SIDDomains = []string{domainSID + "-1105"} },
		"sids":          func(p *connector.Policy) { p.SIDs = []string{domainSID} },
		"ordersPerHour": func(p *connector.Policy) { p.OrdersPerHour = 1_000_001 },
		"recipients":    func(p *connector.Policy) { p.Recipients = []connector.PinnedRecipient{{ID: "x"}} },
		"an id has 1": func(p *connector.Policy) {
			p.Recipients = []connector.PinnedRecipient{{Key: recipientKey(t, ecdh.X25519())}}
		},
		`"x": wsproto`: func(p *connector.Policy) { p.Recipients = []connector.PinnedRecipient{{ID: "x", Key: []byte("key")}} },
		"orderingKeys": func(p *connector.Policy) { p.OrderingKeys = [][]byte{nil} },
		"key 2": func(p *connector.Policy) {
			p.OrderingKeys = [][]byte{recipientKey(t, ecdh.P256()), recipientKey(t, ecdh.X25519())}
		},
		"sibling": func(p *connector.Policy) { p.Siblings = []connector.Sibling{{Name: "b"}} },
	} {
		p := somePolicy()
		spoil(p)
		_, err := p.Compile()
		assert.ErrorContains(t, err, want)
	}
}

// TestQuota: the bound holds for every window of an hour.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := somePolicy()
		p.OrdersPerHour = 3
		rules, err := p.Compile()
		require.NoError(t, err)
		o := connector.Order{Order: anOrder()}
		o.Subject = ""
		allow := func() bool { return rules.Allow(t.Context(), o) == nil }
		for range 3 {
			require.True(t, allow())
			time.Sleep(25 * time.Minute)
		}
		require.True(t, allow(), "at 75 minutes the first one is over")
		require.False(t, allow())
		o.Retrieval = true
		require.True(t, allow(), "fetching an answer does not count")
		o.Retrieval = false
		time.Sleep(9 * time.Minute)
		require.False(t, allow())
		time.Sleep(time.Minute + time.Millisecond)
		require.True(t, allow())
		o.Template = "Other"
		require.False(t, allow())
		o.Template = "Machine"
		time.Sleep(25 * time.Minute)
		require.True(t, allow(), "what was refused did not count")
	})
}

func TestPolicyJSON(t *testing.T) {
	raw, err := json.Marshal(somePolicy())
	require.NoError(t, err)
	var p connector.Policy
	require.NoError(t, json.Unmarshal(raw, &p))
	assert.Equal(t, somePolicy().Subjects, p.Subjects)
	_, err = p.Compile()
	require.NoError(t, err)
}

// FuzzPolicy holds what is allowed against a second, plainer reading of the rules.
func FuzzPolicy(f *testing.F) {
	for _, seed := range []string{"corp.test", "a.corp.test", "*.corp.test", "evilcorp.test", "a@corp.test", "urn:corp:device:1",
		"spiffe://corp.test/device/x", "10.1.2.3", domainSID + "-1105", "CN=x.corp.test,O=Corp", `CN=a\2cb.corp.test,O=Corp`} {
		f.Add(seed)
	}
	rules, err := somePolicy().Compile()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		base := func() connector.Order {
			o := connector.Order{Order: anOrder(), Retrieval: true}
			o.Subject = ""
			return o
		}
		lower := strings.ToLower(s)
		o := base()
		o.DNS = []string{s}
		if rules.Allow(t.Context(), o) == nil {
			ok := lower == "corp.test" || strings.HasSuffix(lower, ".corp.test") || strings.HasSuffix(lower, ".below.test") || lower == "only.test"
			assert.True(t, ok && !strings.ContainsAny(s, " ,\x00\n@"), "%q", s)
		}
		o = base()
		o.UPN = []string{s}
		if rules.Allow(t.Context(), o) == nil {
			assert.Equal(t, 1, strings.Count(s, "@"), "%q", s)
			_, suffix, _ := strings.Cut(lower, "@")
			assert.True(t, suffix == "corp.test" || strings.HasSuffix(suffix, ".corp.test") || suffix == "svc.test", "%q", s)
		}
		o = base()
		o.URI = []string{s}
		if rules.Allow(t.Context(), o) == nil {
			assert.True(t, strings.HasPrefix(lower, "spiffe://corp.test/device/") || strings.HasPrefix(s, "urn:corp:device:"), "%q", s)
		}
		o = base()
		o.SID = s
		if s != "" && rules.Allow(t.Context(), o) == nil {
			assert.True(t, strings.HasPrefix(s, "S-1-5-21-"), "%q", s)
		}
		o = base()
		o.IP = []string{s}
		if rules.Allow(t.Context(), o) == nil {
			assert.True(t, strings.HasPrefix(s, "10.1.") || strings.HasPrefix(lower, "2001:"), "%q", s)
		}
		o = base()
		o.Subject = s
		if s != "" && rules.Allow(t.Context(), o) == nil {
			assert.Contains(t, s, "=", "%q", s)
			assert.NotContains(t, s, "\x00")
		}
		p := &connector.Policy{Subjects: []string{s}, DNS: []string{s}, UPN: []string{s}, URI: []string{s}, IP: []string{s}, SIDs: []string{s}}
		_, _ = p.Compile()
	})
}
