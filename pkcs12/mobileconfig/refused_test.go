package mobileconfig_test

import (
	"crypto/ecdsa"
	"crypto/fips140"
	"crypto/x509"
	"encoding/asn1"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/pkcs12/mobileconfig"
)

// fields set one text of a profile each.
func fields() map[string]func(p *mobileconfig.Profile, text string) {
	return map[string]func(*mobileconfig.Profile, string){
		"DisplayName":   func(p *mobileconfig.Profile, s string) { p.DisplayName = s },
		"Organization":  func(p *mobileconfig.Profile, s string) { p.Organization = s },
		"Description":   func(p *mobileconfig.Profile, s string) { p.Description = s },
		"SSID":          func(p *mobileconfig.Profile, s string) { p.WiFi[0].SSID = s },
		"ServerNames":   func(p *mobileconfig.Profile, s string) { p.WiFi[0].EAP.ServerNames[0] = s },
		"UserName":      func(p *mobileconfig.Profile, s string) { p.WiFi[0].EAP.UserName = s },
		"OuterIdentity": func(p *mobileconfig.Profile, s string) { p.Ethernet[0].EAP.OuterIdentity = s },
	}
}

// names set the common name of a certificate each, which becomes the name of its payload if it can be shown.
func names(t testing.TB) map[string]func(p *mobileconfig.Profile, text string) {
	certKey := newKey(t)
	return map[string]func(*mobileconfig.Profile, string){
		"name of the identity": func(p *mobileconfig.Profile, s string) {
			cert := newCert(t, certKey, func(c *x509.Certificate) { c.Subject.CommonName = s })
			p.Identity.PKCS12 = newFile(t, certKey, cert)
		},
		"name of a CA": func(p *mobileconfig.Profile, s string) { p.CAs[0] = newCA(t, certKey, s) },
		"name of an anchor": func(p *mobileconfig.Profile, s string) {
			p.Ethernet[1].EAP.Anchors = []*x509.Certificate{newCA(t, certKey, s)}
		},
	}
}

func newCA(t testing.TB, key *ecdsa.PrivateKey, name string) *x509.Certificate {
	t.Helper()
	return newCert(t, key, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid = name, true, true
	})
}

// finePasswords are what package pkcs12 takes, and XML has to be careful with.
func finePasswords() []string {
	return []string{
		`</string><key>`, `"'&<>;%`, `a]]>b<!--`, `&amp;#0;&#x41;`, "two  spaces", `\n${x}%20`, "<![CDATA[x]]>",
	}
}

// withPassword writes the password into the profile.
func withPassword(t testing.TB, p *mobileconfig.Profile, text string) {
	t.Helper()
	certKey := newKey(t)
	file, err := pkcs12.Encode(pkcs12.Compat(), certKey, []*x509.Certificate{newCert(t, certKey, nil)}, text)
	require.NoError(t, err)
	p.Identity = mobileconfig.Identity{PKCS12: file, Password: text, IncludePassword: true}
}

// fineTexts are carried exactly, in every field: markup, spaces at the ends, right-to-left letters and marks.
func fineTexts() []string {
	return []string{
		`</string><key>`, `"'&<>;%`, `]]>`, `&amp;#0;`, ` spaces `, `<!--`, "a\u200fb\u200eא", "ü😀", "\ufffd", "\u00a0",
		"${x}", `\n`, "é", "e\u0301",
	}
}

// badTexts are refused in every field.
func badTexts() []string {
	return []string{
		"a\x00", "\x01", "\r", "a\r\nb", "\t", "\x7f", "\u0085", "a\xff", "\xed\xa0\x80", "\ufffe", "\U0010ffff", "\ufdd0",
		"\u2028", "\u2029", "a\u202eb", "\u2066", strings.Repeat("x", 10<<10),
	}
}

func TestTexts(t *testing.T) {
	for name, set := range fields() {
		for _, text := range fineTexts() {
			p := full(t)
			set(&p, text)
			top, payloads := decode(t, encode(t, p))
			assert.True(t, holds(top, text) || holds(payloads, text), "%s %q", name, text)
		}
		for _, text := range badTexts() {
			p := full(t)
			set(&p, text)
			_, err := mobileconfig.Encode(p)
			require.ErrorIs(t, err, mobileconfig.ErrField, "%s %q", name, text)
			assert.ErrorContains(t, err, name)
			assert.Less(t, len(err.Error()), 200)
		}
		p := full(t)
		set(&p, "two\nlines")
		_, err := mobileconfig.Encode(p)
		assert.Equal(t, name == "Description", err == nil, name)
	}
}

// The names of certificates come from elsewhere: they are carried exactly, or replaced.
func TestNamesOfCertificates(t *testing.T) {
	for name, set := range names(t) {
		for _, text := range fineTexts() {
			p := full(t)
			set(&p, text)
			_, payloads := decode(t, encode(t, p))
			assert.True(t, holds(payloads, text), "%s %q", name, text)
		}
		for _, text := range append(badTexts(), "", "a\nb") {
			p := full(t)
			if !utf8.ValidString(text) {
				continue // no certificate has such a name
			}
			set(&p, text)
			_, payloads := decode(t, encode(t, p))
			assert.False(t, holds(payloads, text), "%s %q", name, text)
			replaced := 0
			for _, payload := range payloads {
				if strings.HasPrefix(payload["PayloadDisplayName"].(string), "Certificate ") {
					replaced++
				}
			}
			assert.Equal(t, 1, replaced, "%s %q", name, text)
		}
	}
}

func TestPasswords(t *testing.T) {
	for _, text := range finePasswords() {
		p := full(t)
		withPassword(t, &p, text)
		_, payloads := decode(t, encode(t, p))
		assert.Equal(t, text, payloads[p.Identifier+".identity"]["Password"])
		p.Identity.IncludePassword = false
		out := encode(t, p)
		_, payloads = decode(t, out)
		assert.NotContains(t, payloads[p.Identifier+".identity"], "Password")
		assert.False(t, holds(payloads, text))
	}
}

// holds reports whether a text is among the values of a property list.
func holds(value any, text string) bool {
	switch v := value.(type) {
	case string:
		return v == text
	case []any:
		for _, item := range v {
			if holds(item, text) {
				return true
			}
		}
	case map[string]any:
		for _, item := range v {
			if holds(item, text) {
				return true
			}
		}
	case map[string]map[string]any:
		for _, item := range v {
			if holds(item, text) {
				return true
			}
		}
	}
	return false
}

func TestFieldsRefused(t *testing.T) {
	type profile = mobileconfig.Profile
	for name, change := range map[string]func(*profile){
		"Identifier: it is not":       func(p *profile) { p.Identifier = "" },
		"Identifier: it is not of":    func(p *profile) { p.Identifier = "com..x" },
		"Identifier: it is not of t":  func(p *profile) { p.Identifier = "com.exämple" },
		"Identifier: it is not of th": func(p *profile) { p.Identifier = "com.a b" },
		"Identifier: it has":          func(p *profile) { p.Identifier = strings.Repeat("x", mobileconfig.MaxIdentifier+1) },
		"DisplayName":                 func(p *profile) { p.DisplayName = "" },
		"Scope":                       func(p *profile) { p.Scope = "system" },
		"RemovalDate: it is not":      func(p *profile) { p.RemovalDate = time.Unix(0, 0) },
		"RemovalDate: it is not a":    func(p *profile) { p.RemovalDate = time.Date(2026, 1, 1, 0, 0, 0, 999, time.UTC) },
		"RemovalDate: it is after":    func(p *profile) { p.RemovalDate = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"SSID: it is empty":           func(p *profile) { p.WiFi[0].SSID = "" },
		"SSID: it has 33":             func(p *profile) { p.WiFi[0].SSID = strings.Repeat("ü", 16) + "x" },
		"Security":                    func(p *profile) { p.WiFi[0].Security = "WEP" },
		"number 3: the profile":       func(p *profile) { p.WiFi = append(p.WiFi, p.WiFi[0]) },
		"WiFi: there are 33":          func(p *profile) { p.WiFi = make([]mobileconfig.WiFi, 33) },
		"Interface":                   func(p *profile) { p.Ethernet[0].Interface = "en0" },
		"Ethernet, number 2: the":     func(p *profile) { p.Ethernet[1].Interface = mobileconfig.InterfaceAny },
		"Anchors":                     func(p *profile) { p.Ethernet[0].EAP.Anchors = nil },
		"ServerNames: there":          func(p *profile) { p.WiFi[1].EAP.ServerNames = nil },
		"ServerNames: there must":     func(p *profile) { p.WiFi[1].EAP.ServerNames = make([]string, 33) },
		"ServerNames: it is empty":    func(p *profile) { p.WiFi[1].EAP.ServerNames = []string{"a", ""} },
	} {
		p := full(t)
		change(&p)
		_, err := mobileconfig.Encode(p)
		assert.ErrorIs(t, err, mobileconfig.ErrField, name)
		assert.ErrorContains(t, err, name)
	}
}

// What Apple's SecDNSMatch matches: a whole first label, with two more behind it at least, and no empty label.
func TestServerNames(t *testing.T) {
	for name, fine := range map[string]bool{
		"radius": true, "radius.example.com": true, "*.example.com": true, "*.radius.example.com": true, "ü.example": true,
		"*": false, "*.com": false, "*.": false, "*.*": false, "*.*.com": false, "wpa.*.example.com": false, "a*": false,
		"r*.example.com": false, "*r.example.com": false, "**.example.com": false, "radius.*": false, ".": false,
		"example.com.": false, ".example.com": false, "*..com": false,
	} {
		p := full(t)
		p.WiFi[0].EAP.ServerNames = []string{"radius.example.com", name}
		_, err := mobileconfig.Encode(p)
		if fine {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorIs(t, err, mobileconfig.ErrField, name)
			assert.ErrorContains(t, err, "WiFi, number 1: ServerNames", name)
		}
	}
}

func TestIdentityRefused(t *testing.T) {
	p := minimal(t)
	p.Identity.Password = "another"
	_, err := mobileconfig.Encode(p)
	assert.ErrorIs(t, err, mobileconfig.ErrIdentity)
	assert.ErrorIs(t, err, pkcs12.ErrIncorrectPassword)

	p.Identity = mobileconfig.Identity{}
	_, err = mobileconfig.Encode(p)
	assert.ErrorIs(t, err, mobileconfig.ErrIdentity)

	key := newKey(t)
	leaf := newCert(t, key, nil)
	p.Identity = mobileconfig.Identity{PKCS12: newFile(t, key, leaf, readCert(t, "issuing.cer")), Password: password}
	_, err = mobileconfig.Encode(p)
	assert.ErrorIs(t, err, mobileconfig.ErrIdentity)
	assert.ErrorContains(t, err, "2 certificates")
}

// Compat and Modern are what the systems of Apple read, and PBMAC1 is not.
func TestAlgorithms(t *testing.T) {
	key := newKey(t)
	for _, test := range []struct {
		profile pkcs12.Profile
		refused string
	}{
		{pkcs12.Compat(), ""},
		{pkcs12.Modern(), ""},
		{pkcs12.PBMAC1(), "no system of Apple reads PBMAC1"},
	} {
		p := minimal(t)
		file, err := pkcs12.Encode(test.profile, key, []*x509.Certificate{newCert(t, key, nil)}, password)
		require.NoError(t, err)
		p.Identity.PKCS12 = file
		_, err = mobileconfig.Encode(p)
		if test.refused == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, mobileconfig.ErrIdentity)
			assert.ErrorContains(t, err, test.refused)
		}
	}
}

// A certificate for other purposes is of no use for a network, and is somebody's business otherwise.
func TestClientAuthentication(t *testing.T) {
	type (
		extended = []x509.ExtKeyUsage
		cert     = x509.Certificate
	)
	for _, test := range []struct {
		cert cert
		fine bool
	}{
		{cert{}, true},
		{cert{ExtKeyUsage: extended{x509.ExtKeyUsageServerAuth}}, false},
		{cert{ExtKeyUsage: extended{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, true},
		{cert{ExtKeyUsage: extended{x509.ExtKeyUsageAny}}, true},
		{cert{UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 2, 3}}}, false},
		{cert{KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}, true},
		{cert{KeyUsage: x509.KeyUsageKeyAgreement}, true},
		{cert{KeyUsage: x509.KeyUsageKeyEncipherment}, false},
		{cert{KeyUsage: x509.KeyUsageKeyEncipherment, ExtKeyUsage: extended{x509.ExtKeyUsageClientAuth}}, false},
	} {
		p, key := minimal(t), newKey(t)
		p.Identity.PKCS12 = newFile(t, key, newCert(t, key, func(c *cert) {
			c.KeyUsage = test.cert.KeyUsage
			c.ExtKeyUsage, c.UnknownExtKeyUsage = test.cert.ExtKeyUsage, test.cert.UnknownExtKeyUsage
		}))
		encode(t, p)
		p.WiFi = []mobileconfig.WiFi{{SSID: "x", EAP: eap(t)}}
		_, err := mobileconfig.Encode(p)
		if test.fine {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, mobileconfig.ErrIdentity, "%+v", test)
		}
	}
}

// TestFIPS runs this test binary again under FIPS 140-3 enforcement.
func TestFIPS(t *testing.T) {
	if fips140.Enforced() {
		_, err := mobileconfig.Encode(full(t))
		require.ErrorIs(t, err, mobileconfig.ErrIdentity)
		require.ErrorIs(t, err, pkcs12.ErrFIPS)
		return
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestFIPS$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "--- PASS: TestFIPS")
}

func TestCAsRefused(t *testing.T) {
	ca := func(change func(*x509.Certificate)) *x509.Certificate {
		return newCert(t, newKey(t), func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
			change(c)
		})
	}
	for name, cert := range map[string]*x509.Certificate{
		"missing": nil, "empty": {}, "leaf": newCert(t, newKey(t), nil),
		"not a CA":     ca(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature }),
		"may not sign": ca(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }),
		"huge":         {Raw: make([]byte, 65<<10), IsCA: true, BasicConstraintsValid: true},
	} {
		p := minimal(t)
		p.CAs = []*x509.Certificate{readCert(t, "root.cer"), cert}
		_, err := mobileconfig.Encode(p)
		assert.ErrorIs(t, err, mobileconfig.ErrCA, name)
		assert.ErrorContains(t, err, "CAs, number 2")
		p.CAs, p.Ethernet = nil, []mobileconfig.Ethernet{{EAP: eap(t)}}
		p.Ethernet[0].EAP.Anchors = append(p.Ethernet[0].EAP.Anchors, cert)
		_, err = mobileconfig.Encode(p)
		assert.ErrorIs(t, err, mobileconfig.ErrCA, name)
	}

	p := minimal(t)
	for range mobileconfig.MaxCAs {
		p.CAs = append(p.CAs, ca(func(*x509.Certificate) {}))
	}
	p.CAs = append(p.CAs, p.CAs[0]) // again, which costs nothing
	encode(t, p)
	p.CAs = append(p.CAs, readCert(t, "root.cer"))
	_, err := mobileconfig.Encode(p)
	assert.ErrorIs(t, err, mobileconfig.ErrCA)
}

// Which CA certificates are roots, and what a certificate is called that has a name nobody may see.
func TestCANames(t *testing.T) {
	for _, test := range []struct {
		name, kind, shown string
		change            func(*x509.Certificate)
	}{
		{"CA", "com.apple.security.root", "CA", func(c *x509.Certificate) {}},
		{"CA", "com.apple.security.root", "CA", func(c *x509.Certificate) {
			c.SubjectKeyId, c.AuthorityKeyId = []byte{1}, []byte{1}
		}},
		{"a\u202eb", "com.apple.security.root", "Certificate ", func(c *x509.Certificate) {}},
		{strings.Repeat("x", 10<<10), "com.apple.security.root", "Certificate ", func(c *x509.Certificate) {}},
		{"", "com.apple.security.root", "Certificate ", func(c *x509.Certificate) {}},
	} {
		p, key := minimal(t), newKey(t)
		p.CAs = []*x509.Certificate{newCert(t, key, func(c *x509.Certificate) {
			c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid = test.name, true, true
			test.change(c)
		})}
		_, payloads := decode(t, encode(t, p))
		found := ofType(payloads, test.kind)
		require.Len(t, found, 1)
		assert.True(t, strings.HasPrefix(found[0]["PayloadDisplayName"].(string), test.shown))
	}
	// The old key of a renewed CA signed for the new one: not a root.
	crossed := *readCert(t, "root.cer")
	crossed.AuthorityKeyId = []byte("the old key")
	p := minimal(t)
	p.CAs = []*x509.Certificate{&crossed}
	_, payloads := decode(t, encode(t, p))
	assert.Len(t, ofType(payloads, "com.apple.security.pkcs1"), 1)
}
