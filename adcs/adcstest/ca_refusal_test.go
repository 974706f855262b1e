package adcstest_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// TestRefusedRequests has a row for every way in which a request is refused with a row of its own in the table of the
// CA: the code is the disposition, the method itself succeeds.
func TestRefusedRequests(t *testing.T) {
	held := []int{1, 3, 6, 1, 4, 1, 311, 21, 8, 1, 2, 3, 4}
	weak, err := os.ReadFile("testdata/rsa512.csr")
	require.NoError(t, err)
	type call = adcstest.AuthorityCall
	for name, tc := range map[string]struct {
		template string
		edit     func(t *testing.T, c *call)
		code     uint32
		message  string
		state    uint32 // 0 for denied
	}{
		"template unknown":   {"Nonesuch", nil, 0x80094800, "Denied by Policy Module  0x80094800, The request was for", 0},
		"no template":        {"", func(_ *testing.T, c *call) { c.Attributes = nil }, 0x80094801, "no certificate template", 0},
		"line without value": {"", nil, 0x80094801, "", 0},
		"names disagree": {"WebServer", func(t *testing.T, c *call) {
			c.Raw = newRequest(t, newKey(t), templateName(t, "Held"))
		}, 0x80094802, "conflicting", 0},
		"name and OID disagree": {"WebServer", func(t *testing.T, c *call) {
			c.Raw = newRequest(t, newKey(t), templateOID(t, 100, 5, held...))
		}, 0x80094802, "", 0},
		"OID unknown": {"Held", func(t *testing.T, c *call) {
			c.Raw = newRequest(t, newKey(t), templateOID(t, 100, 5, 1, 2, 3))
		}, 0x80094800, "policy: 1.2.3.", 0},
		"major version too new": {"Held", func(t *testing.T, c *call) {
			c.Raw = newRequest(t, newKey(t), templateOID(t, 101, 0, held...))
		}, 0x80094807, "newer", 0},
		"minor version too new": {"Held", func(t *testing.T, c *call) {
			c.Raw = newRequest(t, newKey(t), templateOID(t, 100, 6, held...))
		}, 0x80094807, "", 0},
		"may not enroll":             {"Closed", nil, 0x80094012, "Denied by Policy Module  The permissions", 0},
		"template denies":            {"Denied", nil, 0x80094012, "of certificate. 0x80094012 (-2146877422 CERTSRV_E_TEMPLATE_DENIED)", 0},
		"denied with text":           {"PlainlyDenied", nil, 2, "Denied by Policy Module  not on a Sunday", 0},
		"key too small":              {"Strong", nil, 0x80094811, "minimum size", 0},
		"key algorithm":              {"OnlyRSA", nil, 0x80094811, "", 0},
		"not signed by an authority": {"Signed", nil, 0x80094809, "", 0},
		"no UPN":                     {"User", as("bare"), 0x8009480D, "User Principal Name", 0},
		"no e-mail":                  {"Mail", as("bare"), 0x80094001, "", 0},
		"no DNS name":                {"Machine", as("PC2$"), 0x8009480F, "DNS name is unavailable", 0},
		"no SID":                     {"User", as("nosid"), 0x80094821, "", 0},
		"neither subject nor names":  {"Nothing", nil, 0x80094001, "Error Constructing", 1},
		"empty subject":              {"WebServer", subject(t, pkix.Name{}), 0x80094001, "invalid or too long", 0},
		"common name of 65 characters": {"WebServer", subject(t, pkix.Name{CommonName: strings.Repeat("x", 65)}),
			0x80094001, "", 0},
		"not DER":       {"WebServer", raw([]byte("hello")), 0x8009310B, "Error Parsing Request  ASN1 bad tag", 1},
		"cut":           {"WebServer", cut(40), 0x80093102, "unexpected end of data", 1},
		"other ASN.1":   {"WebServer", raw([]byte{0x30, 3, 2, 1, 0}), 0x8009310B, "", 1},
		"trailing byte": {"WebServer", func(_ *testing.T, c *call) { c.Raw = append(c.Raw, 0) }, 0x8009310B, "", 1},
		"signature": {"WebServer", func(_ *testing.T, c *call) {
			c.Raw[len(c.Raw)-1] ^= 1
		}, 0x80090006, "Error Verifying Request Signature", 1},
		"RSA-512": {"WebServer", raw(weak), 0x80094016, "", 1},
		"Ed25519": {"WebServer", func(t *testing.T, c *call) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			require.NoError(t, err)
			c.Raw = newRequest(t, key)
		}, 0x80091002, "", 1},
		"P-224": {"WebServer", func(t *testing.T, c *call) {
			key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
			require.NoError(t, err)
			c.Raw = newRequest(t, key)
		}, 0x80091002, "", 1},
		"CMS":            {"WebServer", raw(contentInfo(t)), 0x80091004, "", 1},
		"said to be CMS": {"WebServer", flags(0x300), 0x80091004, "Invalid cryptographic message type", 1},
		"said to be CMC": {"WebServer", flags(0x400), 0x80091004, "", 1},
		"KEYGEN":         {"WebServer", flags(0x200), 0x80091004, "", 1},
		"challenge":      {"WebServer", flags(0x500), 0x80091004, "", 1},
		"on behalf":      {"WebServer", flags(0x200100), 0x80070057, "(WIN32: 87 ERROR_INVALID_PARAMETER)", 1},
		"malformed template extension": {"WebServer", func(t *testing.T, c *call) {
			c.Raw = newRequest(t, newKey(t), pkix.Extension{Id: []int{1, 3, 6, 1, 4, 1, 311, 20, 2}, Value: []byte{5, 0}})
		}, 0x8009310B, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			ca := newAuthority(t)
			c := submission(t, tc.template)
			if tc.edit != nil {
				tc.edit(t, &c)
			}
			out := ca.Call(c)
			assert.Zero(t, out.Return)
			assert.Equal(t, tc.code, out.Disposition, "%#x: %s", out.Disposition, text(t, out.Message))
			assert.Equal(t, uint32(1), out.RequestID)
			assert.Nil(t, out.Cert)
			assert.Nil(t, out.EncodedCert)
			assert.Contains(t, text(t, out.Message), tc.message)

			rows := ca.Requests()
			require.Len(t, rows, 1)
			state := tc.state
			if state == 0 {
				state = denied
			}
			assert.Equal(t, state, rows[0].Disposition)
			assert.Equal(t, tc.code, rows[0].Status)
			assert.Empty(t, rows[0].Serial)
			assert.Equal(t, c.Raw, rows[0].Raw)
			assert.Equal(t, `CORP\`+c.Account[1], rows[0].Requester)

			again := ca.Call(adcstest.AuthorityCall{Account: c.Account, Authority: caName, RequestID: 1})
			if state == denied {
				assert.Equal(t, denied, again.Disposition)
				assert.Equal(t, uint32(0x80094014), again.Return)
			} else {
				assert.Equal(t, tc.code, again.Disposition)
				assert.Zero(t, again.Return)
			}
		})
	}
}

func as(user string) func(*testing.T, *adcstest.AuthorityCall) {
	return func(_ *testing.T, c *adcstest.AuthorityCall) { c.Account[1] = user }
}

func raw(der []byte) func(*testing.T, *adcstest.AuthorityCall) {
	return func(_ *testing.T, c *adcstest.AuthorityCall) { c.Raw = der }
}

func cut(n int) func(*testing.T, *adcstest.AuthorityCall) {
	return func(_ *testing.T, c *adcstest.AuthorityCall) { c.Raw = c.Raw[:n] }
}

func flags(f uint32) func(*testing.T, *adcstest.AuthorityCall) {
	return func(_ *testing.T, c *adcstest.AuthorityCall) { c.Flags = f }
}

func subject(t *testing.T, name pkix.Name) func(*testing.T, *adcstest.AuthorityCall) {
	t.Helper()
	return func(t *testing.T, c *adcstest.AuthorityCall) {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: name}, newKey(t))
		require.NoError(t, err)
		c.Raw = der
	}
}

func contentInfo(t *testing.T) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}{[]int{1, 2, 840, 113549, 1, 7, 2}, asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: []byte{5, 0}}})
	require.NoError(t, err)
	return der
}

// TestRefusedCalls are errors of the method: no row is made.
func TestRefusedCalls(t *testing.T) {
	type call = adcstest.AuthorityCall
	for name, tc := range map[string]struct {
		edit func(c *call)
		code uint32
	}{
		"no CA name":                 {func(c *call) { c.Authority = "" }, 0x80070057},
		"another CA":                 {func(c *call) { c.Authority = "Corp Root CA" }, 0x80070057},
		"host and CA":                {func(c *call) { c.Authority = `ca.corp.test\` + caName }, 0x80070057},
		"attributes of odd length":   {func(c *call) { c.Attributes = c.Attributes[:len(c.Attributes)-1] }, 0x80070057},
		"attributes without NUL":     {func(c *call) { c.Attributes = c.Attributes[:len(c.Attributes)-2] }, 0x80070057},
		"attributes with NUL inside": {func(c *call) { c.Attributes = append(c.Attributes, 'x', 0, 0, 0) }, 0x80070057},
		"request with a request id":  {func(c *call) { c.RequestID = 1 }, 0x80070057},
		"neither request nor id":     {func(c *call) { c.Raw, c.Attributes = nil, nil }, 0x80070057},
		"id that is not there":       {func(c *call) { c.Raw, c.Attributes, c.RequestID = nil, nil, 1 }, 0x80094004},
		"id that cannot be":          {func(c *call) { c.Raw, c.Attributes, c.RequestID = nil, nil, 1<<32-1 }, 0x80094004},
		"serial that is not there":   {func(c *call) { c.Raw, c.Attributes, c.RequestID = nil, attributes("1234"), 1 }, 0x80094004},
		"serial that cannot be":      {func(c *call) { c.Raw, c.Attributes, c.RequestID = nil, attributes(strings.Repeat("1", 99)), 1 }, 0x80094004},
		"caller who may not enroll":  {func(c *call) { c.Account[1] = "mallory" }, 0x80094011},
		"retrieval by the same":      {func(c *call) { c.Account[1], c.Raw, c.Attributes, c.RequestID = "mallory", nil, nil, 1 }, 0x80094011},
	} {
		t.Run(name, func(t *testing.T) {
			ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{
				Name: caName, Host: "ca.corp.test", Directory: directory(), Enrollers: []string{"Staff"},
			})
			require.NoError(t, err)
			c := submission(t, "WebServer")
			tc.edit(&c)
			out := ca.Call(c)
			assert.Equal(t, tc.code, out.Return, "%#x", out.Return)
			assert.Equal(t, tc.code, out.Disposition, "a client that looks at the disposition alone must not see success")
			assert.Zero(t, out.RequestID)
			assert.Empty(t, ca.Requests())
		})
	}
}
