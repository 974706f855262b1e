package keygen_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

const (
	sampleSID = "S-1-5-21-1-2-3-1105"
	sidURI    = "tag:microsoft.com,2022-09-14:sid:" + sampleSID
)

// parseRequest makes a request and reads it as another program would.
func parseRequest(t testing.TB, key crypto.Signer, r *keygen.Request) *x509.CertificateRequest {
	t.Helper()
	der, err := keygen.CreateRequest(key, r)
	require.NoError(t, err)
	csr := parseDER(t, der)
	require.NoError(t, csr.CheckSignature())
	return csr
}

func parseDER(t testing.TB, der []byte) *x509.CertificateRequest {
	t.Helper()
	csr, err := x509.ParseCertificateRequest(der)
	require.NoError(t, err)
	return csr
}

// extension returns the DER of a whole extension of a request, nil if it is not there.
func extension(t testing.TB, csr *x509.CertificateRequest, oid string) []byte {
	t.Helper()
	for _, ext := range csr.Extensions {
		if ext.Id.String() == oid {
			der, err := asn1.Marshal(ext)
			require.NoError(t, err)
			return der
		}
	}
	return nil
}

// TestEmptyRequest has every byte of what is asked for by a request for nothing: version 0, no name, no attribute.
func TestEmptyRequest(t *testing.T) {
	csr := parseRequest(t, testKey(t, keygen.ECDSAP256), &keygen.Request{})
	info := csr.RawTBSCertificateRequest
	assert.Equal(t, append([]byte{0x02, 1, 0, 0x30, 0}, append(csr.RawSubjectPublicKeyInfo, 0xa0, 0)...), info[2:])
}

func TestRequestVectors(t *testing.T) {
	csr := parseRequest(t, testKey(t, keygen.ECDSAP256), &keygen.Request{
		DNSNames: []string{"www.corp.test"}, UPNs: []string{"alice@corp.test"},
		SID: sampleSID, SIDForm: keygen.SIDBoth, TemplateName: "User",
		Template: &keygen.Template{OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 8, 1}, Major: 100, Minor: 5},
	})
	sid := hex.EncodeToString([]byte(sampleSID))
	san := "3066a01f060a2b060104018237140203a0110c0f616c69636540636f72702e74657374" +
		"820d7777772e636f72702e74657374" + "8634" + hex.EncodeToString([]byte(sidURI))
	for oid, want := range map[string]string{
		"1.3.6.1.4.1.311.25.2": "303406092b060104018237190204273025a023060a2b060104018237190201a0150413" + sid,
		"1.3.6.1.4.1.311.20.2": "301706092b0601040182371402040a1e080055007300650072",
		"1.3.6.1.4.1.311.21.7": "302106092b060104018237150704143012060a2b060104018237150801020164020105",
		"2.5.29.17":            "306f0603551d110468" + san,
	} {
		assert.Equal(t, want, hex.EncodeToString(extension(t, csr, oid)), oid)
	}
	require.Len(t, csr.Extensions, 4)
	for _, ext := range csr.Extensions {
		assert.False(t, ext.Critical)
	}
	pkcs9, err := hex.DecodeString("06092a864886f70d01090e")
	require.NoError(t, err)
	assert.Equal(t, 1, bytes.Count(csr.RawTBSCertificateRequest, pkcs9), "one attribute, in the PKCS#9 form")
}

func TestRequestZero(t *testing.T) {
	for _, r := range []*keygen.Request{nil, {}} {
		csr := parseRequest(t, testKey(t, keygen.ECDSAP256), r)
		assert.Equal(t, []byte{0x30, 0}, csr.RawSubject)
		assert.Empty(t, csr.Extensions)
	}
}

func TestRequestSIDForms(t *testing.T) {
	for form, want := range map[keygen.SIDForm][2]bool{
		"": {true, false}, keygen.SIDExtension: {true, false}, keygen.SIDURI: {false, true}, keygen.SIDBoth: {true, true},
	} {
		csr := parseRequest(t, testKey(t, keygen.ECDSAP256), &keygen.Request{SID: sampleSID, SIDForm: form})
		assert.Equal(t, want[0], extension(t, csr, "1.3.6.1.4.1.311.25.2") != nil, form)
		hasURI := len(csr.URIs) == 1 && csr.URIs[0].String() == sidURI
		assert.Equal(t, want[1], hasURI, form)
	}
	csr := parseRequest(t, testKey(t, keygen.ECDSAP256), &keygen.Request{SIDForm: keygen.SIDBoth})
	assert.Empty(t, csr.Extensions, "no SID, no form")
}

func TestRequestSignatures(t *testing.T) {
	for alg, want := range map[keygen.Algorithm]x509.SignatureAlgorithm{
		keygen.RSA2048: x509.SHA256WithRSA, keygen.RSA3072: x509.SHA256WithRSA, keygen.RSA4096: x509.SHA256WithRSA,
		keygen.ECDSAP256: x509.ECDSAWithSHA256, keygen.ECDSAP384: x509.ECDSAWithSHA384, keygen.ECDSAP521: x509.ECDSAWithSHA512,
	} {
		t.Run(string(alg), func(t *testing.T) {
			key := testKey(t, alg)
			for _, signer := range []crypto.Signer{key, opaque{key}} {
				csr := parseRequest(t, signer, &keygen.Request{Subject: "CN=a"})
				assert.Equal(t, want, csr.SignatureAlgorithm)
				assert.Equal(t, key.Public(), csr.PublicKey)
			}
		})
	}
}

// wrong signs with another key than the one it shows; broken fails.
type wrong struct{ shown, used crypto.Signer }

func (w wrong) Public() crypto.PublicKey { return w.shown.Public() }

func (w wrong) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return w.used.Sign(random, digest, opts)
}

var errBroken = errors.New("the token was removed")

type broken struct{ crypto.Signer }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errBroken }

func TestRequestRefusesSigners(t *testing.T) {
	a, b := testKey(t, keygen.ECDSAP256), testKey(t, keygen.ECDSAP256)
	_, err := keygen.CreateRequest(wrong{a, b}, nil)
	assert.ErrorContains(t, err, "invalid", "a request with a wrong signature is never returned")
	_, err = keygen.CreateRequest(broken{a}, nil)
	assert.ErrorIs(t, err, errBroken)
	_, err = keygen.CreateRequest(nil, nil)
	assert.ErrorIs(t, err, keygen.ErrAlgorithm)
	_, err = keygen.CreateRequest((*opaque)(nil), nil)
	assert.ErrorIs(t, err, keygen.ErrAlgorithm)
}

func TestRequestNames(t *testing.T) {
	csr := parseRequest(t, testKey(t, keygen.ECDSAP256), &keygen.Request{
		DNSNames:       []string{"host", "*.corp.test", "xn--bcher-kva.test", "a_b.corp.test"},
		EmailAddresses: []string{"a.b+c@corp.test"},
		URIs:           []string{"https://corp.test/a?b=c#d", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "spiffe://corp.test/x"},
		IPAddresses: []netip.Addr{
			netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.2"),
		},
	})
	assert.Equal(t, []string{"host", "*.corp.test", "xn--bcher-kva.test", "a_b.corp.test"}, csr.DNSNames)
	assert.Equal(t, []string{"a.b+c@corp.test"}, csr.EmailAddresses)
	require.Len(t, csr.URIs, 3)
	assert.Equal(t, "https://corp.test/a?b=c#d", csr.URIs[0].String())
	require.Len(t, csr.IPAddresses, 3)
	assert.Len(t, csr.IPAddresses[2], 4, "an IPv4 address has four bytes")
}

func TestRequestRefusesNames(t *testing.T) {
	for label, r := range map[string]*keygen.Request{
		"DNS empty":            {DNSNames: []string{""}},
		"DNS NUL":              {DNSNames: []string{"a\x00.corp.test"}},
		"DNS newline":          {DNSNames: []string{"a.corp.test\n"}},
		"DNS space":            {DNSNames: []string{"a corp.test"}},
		"DNS comma":            {DNSNames: []string{"a.test,DNS:b.test"}},
		"DNS Unicode":          {DNSNames: []string{"bücher.test"}},
		"DNS dot at the end":   {DNSNames: []string{"a.corp.test."}},
		"DNS two dots":         {DNSNames: []string{"a..corp.test"}},
		"DNS hyphen":           {DNSNames: []string{"-a.corp.test"}},
		"DNS hyphen at end":    {DNSNames: []string{"a-.corp.test"}},
		"DNS address":          {DNSNames: []string{"192.0.2.1"}},
		"DNS port":             {DNSNames: []string{"a.corp.test:443"}},
		"DNS only star":        {DNSNames: []string{"*"}},
		"DNS star of TLD":      {DNSNames: []string{"*.test"}},
		"DNS star inside":      {DNSNames: []string{"a.*.corp.test"}},
		"DNS part of label":    {DNSNames: []string{"w*.corp.test"}},
		"DNS two stars":        {DNSNames: []string{"*.*.corp.test"}},
		"DNS long label":       {DNSNames: []string{strings.Repeat("a", 64) + ".test"}},
		"DNS long":             {DNSNames: []string{strings.Repeat("a.", 127) + "b"}},
		"too many":             {DNSNames: make([]string, 1001)},
		"e-mail without at":    {EmailAddresses: []string{"corp.test"}},
		"e-mail two at":        {EmailAddresses: []string{"a@b@corp.test"}},
		"e-mail display name":  {EmailAddresses: []string{"A <a@corp.test>"}},
		"e-mail quoted":        {EmailAddresses: []string{`"a b"@corp.test`}},
		"e-mail dots":          {EmailAddresses: []string{"a..b@corp.test"}},
		"e-mail Unicode":       {EmailAddresses: []string{"jürgen@corp.test"}},
		"e-mail literal":       {EmailAddresses: []string{"a@[192.0.2.1]"}},
		"e-mail newline":       {EmailAddresses: []string{"a@corp.test\r\nx"}},
		"e-mail star":          {EmailAddresses: []string{"a@*.corp.test"}},
		"URI relative":         {URIs: []string{"/a"}},
		"URI without scheme":   {URIs: []string{"corp.test/a"}},
		"URI only scheme":      {URIs: []string{"https:"}},
		"URI space":            {URIs: []string{"https://corp.test/a b"}},
		"URI newline":          {URIs: []string{"https://corp.test/\n"}},
		"URI Unicode":          {URIs: []string{"https://corp.test/ü"}},
		"URI escape":           {URIs: []string{"urn:a:%zz"}},
		"URI half an escape":   {URIs: []string{"urn:a:%4"}},
		"URI bad host":         {URIs: []string{"https://a..test/"}},
		"URI long":             {URIs: []string{"urn:" + strings.Repeat("a", 2048)}},
		"SID as URI":           {URIs: []string{sidURI}},
		"SID as other URI":     {URIs: []string{strings.ToUpper(sidURI)}},
		"IP missing":           {IPAddresses: []netip.Addr{{}}},
		"IP zone":              {IPAddresses: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}},
		"UPN without at":       {UPNs: []string{"alice"}},
		"UPN two at":           {UPNs: []string{"alice@x@corp.test"}},
		"UPN without suffix":   {UPNs: []string{"alice@"}},
		"UPN without user":     {UPNs: []string{"@corp.test"}},
		"UPN NUL":              {UPNs: []string{"alice\x00@corp.test"}},
		"UPN space":            {UPNs: []string{"al ice@corp.test"}},
		"UPN bidi":             {UPNs: []string{"al\u202eice@corp.test"}},
		"UPN not UTF-8":        {UPNs: []string{"\xff@corp.test"}},
		"UPN suffix":           {UPNs: []string{"alice@corp.test,x"}},
		"UPN empty label":      {UPNs: []string{"alice@corp..test"}},
		"UPN long":             {UPNs: []string{strings.Repeat("a", 1020) + "@corp.test"}},
		"SID":                  {SID: "S-1-5-21-1-2-3-01105"},
		"SID as URI form":      {SID: "S-1-5-21-x", SIDForm: keygen.SIDURI},
		"SID form":             {SID: sampleSID, SIDForm: "header"},
		"template NUL":         {TemplateName: "User\x00"},
		"template newline":     {TemplateName: "User\nrequestername:x"},
		"template outside BMP": {TemplateName: "😀"},
		"template long":        {TemplateName: strings.Repeat("a", 65)},
		"template not UTF-8":   {TemplateName: "\xff"},
		"template OID":         {Template: &keygen.Template{}},
		"template OID arcs":    {Template: &keygen.Template{OID: asn1.ObjectIdentifier{1, 2, -3}}},
		"template OID huge":    {Template: &keygen.Template{OID: asn1.ObjectIdentifier{1, 2, 1 << 40}}},
	} {
		t.Run(label, func(t *testing.T) {
			der, err := keygen.CreateRequest(testKey(t, keygen.ECDSAP256), r)
			require.ErrorIs(t, err, keygen.ErrName)
			assert.Nil(t, der)
			assert.False(t, bytes.ContainsFunc([]byte(err.Error()), func(r rune) bool { return r < ' ' }))
			assert.Less(t, len(err.Error()), 600)
		})
	}
}

// TestRequestLeavesInputAlone makes sure that what the caller gave is not written to.
func TestRequestLeavesInputAlone(t *testing.T) {
	uris := append(make([]string, 0, 4), "urn:a:b")
	rdns := pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "a"}}}
	parseRequest(t, testKey(t, keygen.ECDSAP256), &keygen.Request{URIs: uris, RDNs: rdns, SID: sampleSID, SIDForm: keygen.SIDURI})
	assert.Equal(t, "", uris[:2][1])
	assert.Equal(t, "a", rdns[0][0].Value)
}
