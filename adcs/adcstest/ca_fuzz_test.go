package adcstest_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// FuzzAttributes holds the parser to what a CA promises: no name with a blank or a minus sign, no empty token, and the
// same result when the result is parsed again.
func FuzzAttributes(f *testing.F) {
	for _, s := range []string{"", "CertificateTemplate:WebServer", " a - b : c d \r\nrubbish\n:x\ny:", "a:b:c\n\n--:1"} {
		f.Add(adcstest.WireString(s))
	}
	f.Add([]byte{0})
	f.Add([]byte{0, 0xD8, 0, 0})
	f.Fuzz(func(t *testing.T, blob []byte) {
		attrs, ok := adcstest.ParseAttributes(blob)
		if !ok {
			require.Empty(t, attrs)
			return
		}
		var lines []string
		for _, a := range attrs {
			require.NotEmpty(t, a.Name)
			require.NotEmpty(t, a.Value)
			require.NotContains(t, a.Name, "-")
			require.NotContains(t, a.Name, " ")
			require.NotContains(t, a.Value, "\n")
			lines = append(lines, a.Name+":"+a.Value)
		}
		again, ok := adcstest.ParseAttributes(adcstest.WireString(strings.Join(lines, "\n")))
		require.True(t, ok)
		require.Equal(t, attrs, again)
	})
}

// FuzzSubmit sends anything as a request. Whatever comes back as issued is a certificate of this CA for a key that
// signed the request.
func FuzzSubmit(f *testing.F) {
	for _, der := range [][]byte{
		newRequest(f, newKey(f), templateName(f, "WebServer")),
		newRequest(f, newKey(f), templateOID(f, 100, 5, 1, 3, 6, 1, 4, 1, 311, 21, 8, 1, 2, 3, 4)),
		{0x30, 0x80, 0, 0}, {0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF}, {},
	} {
		f.Add(uint32(0x100), der, adcstest.WireString("CertificateTemplate:WebServer"))
		f.Add(uint32(0x40000), der, adcstest.WireString(""))
		f.Add(uint32(0x80000), der, []byte(nil))
	}
	signed := requestOfStranger(f)
	f.Add(uint32(0x300), signed, adcstest.WireString("CertificateTemplate:User"))
	ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{
		Name: caName, Host: "ca.corp.test", Templates: templates(), Directory: directory(),
	})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, flags uint32, der, attributes []byte) {
		out := ca.Call(adcstest.AuthorityCall{
			Account: alice(), Authority: caName, Flags: flags, Raw: der, Attributes: attributes,
		})
		require.NotEmpty(t, text(t, out.Message))
		if out.Disposition != issued || out.Return != 0 {
			require.Empty(t, out.EncodedCert)
			require.NotZero(t, out.Disposition)
			return
		}
		csr, err := x509.ParseCertificateRequest(der)
		require.NoError(t, err)
		require.NoError(t, csr.CheckSignature())
		cert := parse(t, out.EncodedCert)
		require.Equal(t, csr.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo)
		require.NoError(t, cert.CheckSignatureFrom(ca.Certificate()))
		require.NotEmpty(t, ca.Requests()[out.RequestID-1].Serial)
	})
}

// TestRequestsOfWindows takes the requests that Windows made and Microsoft printed.
func TestRequestsOfWindows(t *testing.T) {
	dir := os.Getenv("ADCSKIT_VECTORS")
	if dir == "" {
		t.Skip("ADCSKIT_VECTORS does not name the folder with the messages from the Microsoft specifications")
	}
	for name, tc := range map[string]struct {
		template adcstest.Template
		want     uint32
		message  string
	}{
		"WSTEP-1064.der": {adcstest.Template{Name: "User", Directory: &adcstest.DirectorySubject{UPN: true}}, issued, "Issued"},
		"OTPCE-540.der": {
			adcstest.Template{Name: "OTP", OID: "1.2.3"}, 0x80094800, "Active Directory Certificate Services policy: 1.3.6.1.4.1.311.21.8.",
		},
		"OTPCE-571.der":  {adcstest.Template{Name: "User"}, 0x80091004, "Error Parsing Request"},
		"WSTEP-1417.der": {adcstest.Template{Name: "User"}, 0x80091002, "Error Verifying Request Signature"}, // by SHA-1
	} {
		t.Run(name, func(t *testing.T) {
			der, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{
				Name: caName, Host: "ca.corp.test", Directory: directory(), Templates: []adcstest.Template{tc.template},
			})
			require.NoError(t, err)
			out := ca.Call(adcstest.AuthorityCall{Account: alice(), Authority: caName, Raw: der})
			assert.Equal(t, tc.want, out.Disposition, "%#x %s", out.Disposition, text(t, out.Message))
			assert.Contains(t, text(t, out.Message), tc.message)
		})
	}
}

// TestHugeRequest must not cost more than reading it.
func TestHugeRequest(t *testing.T) {
	ca := newAuthority(t)
	key := newKey(t)
	padding := templateName(t, "WebServer")
	padding.Id = []int{1, 2, 3, 4}
	padding.Value = make([]byte, 200<<10)
	c := submission(t, "WebServer")
	c.Raw = newRequest(t, key, padding)
	out := ca.Call(c)
	require.Equal(t, issued, out.Disposition)
	assert.Less(t, len(out.EncodedCert), 2000, "extensions that the CA does not know are left out")
}
