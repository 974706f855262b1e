package adcstest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/x500"
)

func TestAttributes(t *testing.T) {
	type list = []adcstest.Attribute
	for name, tc := range map[string]struct {
		text string
		want list
	}{
		"one":              {"CertificateTemplate:WebServer", list{{"CertificateTemplate", "WebServer"}}},
		"two":              {"a:b\nc:d", list{{"a", "b"}, {"c", "d"}}},
		"line ends":        {"a:b\r\nc:d\r\n", list{{"a", "b"}, {"c", "d"}}},
		"blanks":           {"  Certificate - Temp late : Web Server ", list{{"CertificateTemplate", "Web Server"}}},
		"colon in value":   {"san:dns=a:b", list{{"san", "dns=a:b"}}},
		"no colon":         {"rubbish\na:b", list{{"a", "b"}}},
		"no name":          {":b\na:b", list{{"a", "b"}}},
		"only minus signs": {"--:b", nil},
		"no value":         {"a:\nb: \nc:d", list{{"c", "d"}}},
		"empty":            {"", nil},
		"beyond the BMP":   {"a:😀", list{{"a", "😀"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := adcstest.ParseAttributes(adcstest.WireString(tc.text))
			assert.True(t, ok)
			assert.Equal(t, tc.want, got)
		})
	}
	got, ok := adcstest.ParseAttributes(nil)
	assert.True(t, ok, "no attributes at all")
	assert.Empty(t, got)
	_, ok = adcstest.ParseAttributes(make([]byte, 2<<20))
	assert.False(t, ok)
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 50)
	for name, want := range map[string][3]string{
		"Corp CA":    {"Corp CA", "Corp CA", "Corp CA"},
		"R&D (Köln)": {"R&D (Köln)", "R!0026D !0028K!00f6ln!0029", "R!0026D !0028K!00f6ln!0029"},
		"a\\b\x01":   {"a\\b\x01", "a!005cb!0001", "a!005cb!0001"},
		long + "b":   {long + "b", long + "b", long + "b"},
		long + "bThe quick brown fox jumps": {
			long + "bThe quick brown fox jumps", long + "bThe quick brown fox jumps", long + "b-57312",
		},
		long + "bc":    {long + "bc", long + "bc", long + "b-00099"},
		long + "bcd":   {long + "bcd", long + "bcd", long + "b-00298"},           // 2*99 + 100
		long + "&":     {long + "&", long + "!0026", long + "-01258"},            // the cut sequence is hashed whole
		long[4:] + "&": {long[4:] + "&", long[4:] + "!0026", long[4:] + "!0026"}, // 51 characters, nothing is cut
	} {
		assert.Equal(t, want[:], adcstest.NamesOf(name), name)
	}
	ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{Name: long + "&c"})
	require.NoError(t, err)
	for _, n := range adcstest.NamesOf(long + "&c") {
		c := submission(t, "Device")
		c.Authority = strings.ToUpper(n)
		assert.Equal(t, issued, ca.Call(c).Disposition, n)
	}
}

func TestDirectoryNames(t *testing.T) {
	for in, want := range map[string]string{
		"CN=Alice,OU=People,DC=corp,DC=test": "CN=Alice,OU=People,DC=corp,DC=test",
		`CN=R\, D\2B,O=x\ , C=DE`:            `CN=R\, D\+,O=x\ ,C=DE`,
		"CN=a+UID=b,T=c":                     "CN=a+UID=b,T=c",
		"E=a@b.test":                         "E=a@b.test",
	} {
		der, err := adcstest.EncodeDN(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, x500.String(der))
	}
	for _, in := range []string{"Alice", "CN=", "XX=1", `CN=a\`, "CN=a,", "CN=#0500", "CN=a\xff", strings.Repeat("x", 5000)} {
		_, err := adcstest.EncodeDN(in)
		assert.Error(t, err, in)
	}
}

func TestConfiguration(t *testing.T) {
	type config = adcstest.AuthorityConfig
	valid := config{Name: caName, Host: "ca.corp.test"}
	for name, edit := range map[string]func(c *config){
		"no name":              func(c *config) { c.Name = "" },
		"host":                 func(c *config) { c.Host = "a b" },
		"CDP":                  func(c *config) { c.Profile.CDP = []string{"http://a b/"} },
		"AIA":                  func(c *config) { c.Profile.AIA = []string{"a"} },
		"long name":            func(c *config) { c.Name = strings.Repeat("x", 251) },
		"many tiers":           func(c *config) { c.Profile.Intermediates = 101 },
		"self-signed and more": func(c *config) { c.Profile = adcstest.Profile{SelfSigned: true, Intermediates: 1} },
		"template twice":       func(c *config) { c.Templates = []adcstest.Template{{Name: "A"}, {Name: "a"}} },
		"OID twice": func(c *config) {
			c.Templates = []adcstest.Template{{Name: "A", OID: "1.2.3"}, {Name: "B", OID: "1.2.3"}}
		},
		"template without name": func(c *config) { c.Templates = []adcstest.Template{{}} },
		"OID":                   func(c *config) { c.Templates = []adcstest.Template{{Name: "A", OID: "1.x"}} },
		"usage":                 func(c *config) { c.Templates = []adcstest.Template{{Name: "A", ExtKeyUsage: []string{"x"}}} },
		"key algorithm":         func(c *config) { c.Templates = []adcstest.Template{{Name: "A", KeyAlgorithms: []string{"P256"}}} },
		"denial":                func(c *config) { c.Templates = []adcstest.Template{{Name: "A", Deny: 3}} },
		"negative":              func(c *config) { c.Templates = []adcstest.Template{{Name: "A", Validity: -1}} },
		"account":               func(c *config) { c.Directory = []adcstest.Entry{{Account: "alice"}} },
		"account twice":         func(c *config) { c.Directory = []adcstest.Entry{{Account: `A\b`}, {Account: `a\B`}} },
		"SID":                   func(c *config) { c.Directory = []adcstest.Entry{{Account: `A\b`, SID: "S-1"}} },
		"DN":                    func(c *config) { c.Directory = []adcstest.Entry{{Account: `A\b`, DN: "b"}} },
		"DNS name":              func(c *config) { c.Directory = []adcstest.Entry{{Account: `A\b`, DNSName: "a b"}} },
	} {
		c := valid
		edit(&c)
		_, err := adcstest.NewAuthority(c)
		assert.Error(t, err, name)
	}
	valid.Profile.CDP = []string{ // the one that every enterprise CA has
		"ldap:///CN=CA,CN=ca,CN=CDP,CN=Public%20Key%20Services,DC=corp,DC=test?certificateRevocationList?base?objectClass=cRLDistributionPoint",
	}
	_, err := adcstest.NewAuthority(valid)
	assert.NoError(t, err)
}
