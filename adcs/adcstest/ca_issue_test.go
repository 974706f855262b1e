package adcstest_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/internal/x500"
)

func TestIssuedFromRequest(t *testing.T) {
	ca := newAuthority(t)
	key := newKey(t)
	san, err := adcsasn1.SAN{
		DNS: []string{"www.corp.test"}, UPN: []string{"alice@corp.test"}, IP: []netip.Addr{netip.MustParseAddr("192.0.2.1")},
	}.Extension()
	require.NoError(t, err)
	sid, err := adcsasn1.SIDExtension("S-1-5-21-1-2-3-2000")
	require.NoError(t, err)
	c := submission(t, "webserver") // names are compared without regard to case
	c.Authority = "CORP ISSUING ca"
	c.Raw = newRequest(t, key, san, sid, templateName(t, "WebServer"))

	before := time.Now()
	out := ca.Call(c)
	require.Zero(t, out.Return)
	require.Equal(t, issued, out.Disposition, text(t, out.Message))
	assert.Equal(t, "Issued", text(t, out.Message))
	cert := parse(t, out.EncodedCert)

	assert.True(t, key.PublicKey.Equal(cert.PublicKey))
	assert.Equal(t, "CN=device", cert.Subject.String())
	assert.Equal(t, "CN=Corp Issuing CA,DC=corp,DC=test", x500.String(cert.RawIssuer))
	assert.Equal(t, san.Value, extension(cert, san.Id))
	assert.Equal(t, sid.Value, extension(cert, sid.Id))
	assert.Equal(t, templateName(t, "WebServer").Value, extension(cert, adcsasn1.OIDTemplateName()))
	assert.Nil(t, extension(cert, adcsasn1.OIDTemplate()), "version 1")
	assert.Nil(t, extension(cert, adcsasn1.OIDApplicationPolicies()), "version 1")
	assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, cert.ExtKeyUsage)
	assert.Equal(t, x509.KeyUsageDigitalSignature, cert.KeyUsage)
	assert.Equal(t, ca.Certificate().SubjectKeyId, cert.AuthorityKeyId)
	point, err := key.PublicKey.Bytes()
	require.NoError(t, err)
	sum := sha1.Sum(point)
	assert.Equal(t, sum[:], cert.SubjectKeyId)
	assert.Len(t, cert.SerialNumber.Bytes(), 19)
	assert.WithinDuration(t, before.Add(-10*time.Minute), cert.NotBefore, time.Minute)
	assert.WithinDuration(t, before.Add(365*24*time.Hour), cert.NotAfter, time.Minute)
	verifyChain(t, ca, cert)

	rows := ca.Requests()
	require.Len(t, rows, 1)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	assert.Equal(t, sha256.Sum256(spki), rows[0].PublicKeyHash)
	assert.Equal(t, hex.EncodeToString(cert.SerialNumber.Bytes()), rows[0].Serial)
	assert.Equal(t, out.EncodedCert, rows[0].Certificate)
	assert.Equal(t, "CN=device", rows[0].Subject)
	assert.Equal(t, "WebServer", rows[0].Template)
	assert.WithinDuration(t, before, rows[0].Submitted, time.Minute)
}

// verifyChain verifies with the CA's own certificates alone.
func verifyChain(t *testing.T, ca *adcstest.Authority, cert *x509.Certificate) {
	t.Helper()
	chain := ca.Chain()
	roots, middle := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[len(chain)-1])
	for _, c := range chain[:len(chain)-1] {
		middle.AddCert(c)
	}
	got, err := cert.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: middle, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	require.NoError(t, err)
	require.Len(t, got[0], len(chain)+1)
}

func TestTemplateByOID(t *testing.T) {
	held := []int{1, 3, 6, 1, 4, 1, 311, 21, 8, 1, 2, 3, 4}
	for name, c := range map[string]adcstest.AuthorityCall{
		"extension": {Raw: newRequest(t, newKey(t), templateOID(t, 100, 5, held...))},
		"older":     {Raw: newRequest(t, newKey(t), templateOID(t, 100, 4, held...))},
		"both":      {Raw: newRequest(t, newKey(t), templateOID(t, 100, 5, held...), templateName(t, "Held"))},
		"attribute": {Raw: newRequest(t, newKey(t)), Attributes: attributes("certificate-TEMPLATE: " + heldOID + "\nrubbish")},
		"pair":      {Raw: requestWithPair(t, 0)},
		"pairs":     {Raw: requestWithPair(t, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			ca := newAuthority(t)
			c.Account, c.Authority = alice(), caName
			out := ca.Call(c)
			require.Equal(t, pending, out.Disposition, text(t, out.Message))
			require.NoError(t, ca.Approve(1))
			cert := parse(t, ca.Call(retrieve(alice(), 1)).EncodedCert)
			assert.Equal(t, templateOID(t, 100, 5, held...).Value, extension(cert, adcsasn1.OIDTemplate()))
			// SEQUENCE { SEQUENCE { OID client authentication } }
			assert.Equal(t, "300c300a06082b06010505070302",
				hex.EncodeToString(extension(cert, adcsasn1.OIDApplicationPolicies())))
			assert.Nil(t, extension(cert, adcsasn1.OIDTemplateName()))
		})
	}
}

// TestNestedPairs refuses what is nested deeper than the specification and every client do.
func TestNestedPairs(t *testing.T) {
	for _, depth := range []int{2, 20_000} {
		out := newAuthority(t).Call(adcstest.AuthorityCall{
			Account: alice(), Authority: caName, Raw: requestWithPair(t, depth), Attributes: attributes("CertificateTemplate:Device"),
		})
		assert.EqualValues(t, 0x8009310B, out.Disposition, "depth %d: %s", depth, text(t, out.Message))
	}
}

// requestWithPair makes a request whose attributes hold the template as an enrollment name-value pair, inside of so many
// sequences.
func requestWithPair(t *testing.T, depth int) []byte {
	t.Helper()
	bmp := func(s string) asn1.RawValue {
		var b []byte
		for _, r := range s {
			b = append(b, byte(r>>8), byte(r))
		}
		return asn1.RawValue{Tag: asn1.TagBMPString, Bytes: b}
	}
	pair := []asn1.RawValue{bmp("CertificateTemplate"), bmp("Held")}
	value, err := asn1.Marshal(pair)
	require.NoError(t, err)
	for range depth {
		value, err = asn1.Marshal([]asn1.RawValue{{FullBytes: value}})
		require.NoError(t, err)
	}
	return handmade(t, newKey(t), handmadeAttribute{[]int{1, 3, 6, 1, 4, 1, 311, 13, 2, 1}, []asn1.RawValue{{FullBytes: value}}})
}

type handmadeAttribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

// handmade makes a request with attributes that the standard library cannot write. The key signs with P-256, whatever
// its public key says.
func handmade(t *testing.T, key crypto.Signer, attributes ...handmadeAttribute) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	info, err := asn1.Marshal(struct {
		Version    int
		Subject    pkix.RDNSequence
		PublicKey  asn1.RawValue
		Attributes []handmadeAttribute `asn1:"tag:0,set"`
	}{0, pkix.Name{CommonName: "device"}.ToRDNSequence(), asn1.RawValue{FullBytes: spki}, attributes})
	require.NoError(t, err)
	sum := sha256.Sum256(info)
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	require.NoError(t, err)
	der, err := asn1.Marshal(struct {
		Info      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{
		asn1.RawValue{FullBytes: info},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
	require.NoError(t, err)
	return der
}

// extensionRequest is an attribute with requested extensions: that of PKCS#9, or Microsoft's older one.
func extensionRequest(t *testing.T, microsoft bool, extensions ...pkix.Extension) handmadeAttribute {
	t.Helper()
	value, err := asn1.Marshal(extensions)
	require.NoError(t, err)
	oid := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14}
	if microsoft {
		oid = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 14}
	}
	return handmadeAttribute{oid, []asn1.RawValue{{FullBytes: value}}}
}

// hugeKey says that its public key has 20,000 bits.
type hugeKey struct{ crypto.Signer }

func (hugeKey) Public() crypto.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 20_000, 1), E: 65537}
}

func TestRequestsMadeByHand(t *testing.T) {
	name, again := templateName(t, "WebServer"), templateName(t, "Held")
	many := make([]pkix.Extension, 101)
	for i := range many {
		many[i] = pkix.Extension{Id: []int{1, 2, 3, i}, Value: []byte{5, 0}}
	}
	key := newKey(t)
	for label, tc := range map[string]struct {
		der  []byte
		want uint32
	}{
		"PKCS#9 attribute":      {handmade(t, key, extensionRequest(t, false, name)), issued},
		"Microsoft's attribute": {handmade(t, key, extensionRequest(t, true, name)), issued},
		"twice in one":          {handmade(t, key, extensionRequest(t, true, name, again)), 0x8009310B},
		"once in each":          {handmade(t, key, extensionRequest(t, true, name), extensionRequest(t, false, again)), 0x8009310B},
		"100 extensions":        {handmade(t, key, extensionRequest(t, true, append(many[:99:99], name)...)), issued},
		"101 extensions":        {handmade(t, key, extensionRequest(t, true, append(many[:100:100], name)...)), 0x8009310B},
		"20,000 bits":           {handmade(t, hugeKey{key}, extensionRequest(t, false, name)), 0x80094016},
	} {
		ca := newAuthority(t)
		out := ca.Call(adcstest.AuthorityCall{Account: alice(), Authority: caName, Raw: tc.der})
		assert.Equal(t, tc.want, out.Disposition, "%s: %#x %s", label, out.Disposition, text(t, out.Message))
	}
}

func TestIssuedFromDirectory(t *testing.T) {
	machine := func(c *adcstest.AuthorityCall) { c.Account[1] = "PC1$" }
	for name, tc := range map[string]struct {
		template string
		edit     func(*adcstest.AuthorityCall)
		subject  string
		names    adcsasn1.SAN
		sid      string
	}{
		"user":       {"User", nil, "CN=Alice", adcsasn1.SAN{UPN: []string{"alice@corp.test"}}, aliceSID},
		"whole name": {"Mail", nil, `CN=Alice,OU=R\, D,DC=corp,DC=test`, adcsasn1.SAN{Email: []string{"alice@corp.test"}}, aliceSID},
		"names only": {"NamesOnly", nil, "", adcsasn1.SAN{UPN: []string{"alice@corp.test"}}, aliceSID},
		"machine": {"Machine", machine, "CN=pc1.corp.test", adcsasn1.SAN{DNS: []string{"pc1.corp.test"}},
			"S-1-5-21-1-2-3-1108"},
		"account without an entry": {"User", func(c *adcstest.AuthorityCall) { c.Account[1] = "guest" },
			"CN=guest", adcsasn1.SAN{UPN: []string{"guest@corp.test"}}, ""},
		"machine without an entry": {"Machine", func(c *adcstest.AuthorityCall) { c.Account[1] = "PC9$" },
			"CN=pc9.corp.test", adcsasn1.SAN{DNS: []string{"pc9.corp.test"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ca := newAuthority(t)
			c := submission(t, tc.template)
			// What the request says of names and SID must count for nothing.
			wrong, err := adcsasn1.SAN{DNS: []string{"admin.corp.test"}}.Extension()
			require.NoError(t, err)
			foreign, err := adcsasn1.SIDExtension("S-1-5-21-1-2-3-500")
			require.NoError(t, err)
			c.Raw = newRequest(t, newKey(t), wrong, foreign)
			if tc.edit != nil {
				tc.edit(&c)
			}
			out := ca.Call(c)
			require.Equal(t, issued, out.Disposition, text(t, out.Message))
			cert := parse(t, out.EncodedCert)
			assert.Equal(t, tc.subject, x500.String(cert.RawSubject))
			names, err := adcsasn1.SANFromExtension(extension(cert, adcsasn1.OIDSubjectAltName()))
			require.NoError(t, err)
			assert.Equal(t, tc.names, names)
			critical := slices.ContainsFunc(cert.Extensions, func(e pkix.Extension) bool {
				return e.Critical && e.Id.Equal(adcsasn1.OIDSubjectAltName())
			})
			assert.Equal(t, tc.subject == "", critical, "RFC 5280: names are critical where there is no subject")
			sid, err := adcsasn1.SIDFromExtension(extension(cert, adcsasn1.OIDSIDExtension()))
			require.NoError(t, err)
			if tc.sid != "" {
				assert.Equal(t, tc.sid, sid)
			}
			assert.NotEqual(t, "S-1-5-21-1-2-3-500", sid)
		})
	}
}

func TestSIDExtension(t *testing.T) {
	ca := newAuthority(t)
	sid, err := adcsasn1.SIDExtension(aliceSID)
	require.NoError(t, err)
	ask := func(template string, extensions ...pkix.Extension) *x509.Certificate {
		c := submission(t, template)
		c.Raw = newRequest(t, newKey(t), extensions...)
		out := ca.Call(c)
		require.Equal(t, issued, out.Disposition)
		return parse(t, out.EncodedCert)
	}
	assert.NotNil(t, extension(ask("WebServer", sid), sid.Id))
	assert.Nil(t, extension(ask("WebServer"), sid.Id), "only if the request has one")
	assert.Nil(t, extension(ask("NoSID", sid), sid.Id), "CT_FLAG_NO_SECURITY_EXTENSION")
}

func TestEnrollRights(t *testing.T) {
	ca := newAuthority(t)
	for account, want := range map[string]uint32{"bob": issued, "admin": issued, "BOB": issued, "alice": 0x80094012} {
		c := submission(t, "Closed")
		c.Account[1] = account
		assert.Equal(t, want, ca.Call(c).Disposition, account)
	}
	for account, want := range map[string]uint32{"PC1$": issued, "PC77$": issued, "alice": 0x80094012} {
		c := submission(t, "Computers")
		c.Account[1] = account
		assert.Equal(t, want, ca.Call(c).Disposition, account)
	}
}

func retrieve(who [2]string, id uint32) adcstest.AuthorityCall {
	return adcstest.AuthorityCall{Account: who, Authority: caName, RequestID: id}
}

func TestRetrieve(t *testing.T) {
	ca := newAuthority(t)
	mallory, admin := [2]string{"CORP", "mallory"}, [2]string{"CORP", "admin"}
	out := ca.Call(submission(t, "Held"))
	require.Equal(t, pending, out.Disposition)
	require.Equal(t, "Taken Under Submission", text(t, out.Message))
	require.Zero(t, out.Return)
	id := out.RequestID

	assert.Equal(t, pending, ca.Call(retrieve(alice(), id)).Disposition)
	refused := ca.Call(retrieve(mallory, id))
	assert.Equal(t, uint32(0x80094014), refused.Return)
	assert.Nil(t, refused.EncodedCert)
	assert.Equal(t, pending, ca.Call(retrieve(admin, id)).Disposition, "a manager may read every request")

	require.NoError(t, ca.Approve(id))
	require.Error(t, ca.Approve(id), "it is issued already")
	require.Error(t, ca.Deny(id), "it is issued already")
	got := ca.Call(retrieve(alice(), id))
	require.Equal(t, issued, got.Disposition)
	assert.Equal(t, id, got.RequestID)
	assert.NotEmpty(t, got.Cert)
	verifyChain(t, ca, parse(t, got.EncodedCert))
	again := ca.Call(retrieve(alice(), id))
	assert.Equal(t, got, again, "it is issued once")

	bySerial := retrieve(alice(), 77)
	bySerial.Attributes = attributes(ca.Requests()[0].Serial)
	assert.Equal(t, got.EncodedCert, ca.Call(bySerial).EncodedCert, "attributes are a serial number")
	bySerial.Attributes = attributes(strings.Repeat("0", 64) + ca.Requests()[0].Serial)
	assert.Equal(t, uint32(0x80094004), ca.Call(bySerial).Return, "of at most 64 digits")

	out = ca.Call(submission(t, "Held"))
	require.NoError(t, ca.Deny(out.RequestID))
	require.Error(t, ca.Approve(out.RequestID))
	got = ca.Call(retrieve(alice(), out.RequestID))
	assert.Equal(t, denied, got.Disposition)
	assert.Equal(t, uint32(0x80094014), got.Return)
	assert.Nil(t, got.EncodedCert)
	assert.Contains(t, text(t, got.Message), "CERTSRV_E_ADMIN_DENIED_REQUEST")

	require.Error(t, ca.Approve(0))
	require.Error(t, ca.Deny(99))
}

// TestConcurrentCalls is for the race detector, and counts ids.
func TestConcurrentCalls(t *testing.T) {
	ca := newAuthority(t)
	const n = 16
	ids := make([]uint32, n)
	var wg sync.WaitGroup
	for i := range n {
		c := submission(t, []string{"WebServer", "Held"}[i%2])
		wg.Go(func() {
			out := ca.Call(c)
			ids[i] = out.RequestID
			if i%2 == 1 {
				assert.NoError(t, ca.Approve(out.RequestID))
			}
			ca.Call(retrieve(alice(), out.RequestID))
			ca.Requests()
		})
	}
	wg.Wait()
	seen := map[uint32]bool{}
	serials := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	for i, r := range ca.Requests() {
		assert.Equal(t, uint32(i+1), r.ID)
		assert.Equal(t, issued, r.Disposition)
		serials[r.Serial] = true
	}
	assert.Len(t, seen, n)
	assert.Len(t, serials, n)
}

func TestTampering(t *testing.T) {
	ca := newAuthority(t)
	key := newKey(t)
	ask := func(edit func(c *adcstest.AuthorityCall)) (adcstest.AuthorityAnswer, *x509.Certificate) {
		c := submission(t, "WebServer")
		c.Raw = newRequest(t, key)
		edit(&c)
		out := ca.Call(c)
		require.Equal(t, issued, out.Disposition)
		return out, parse(t, out.EncodedCert)
	}
	_, cert := ask(func(c *adcstest.AuthorityCall) { c.OtherKey = true })
	assert.False(t, key.PublicKey.Equal(cert.PublicKey))
	verifyChain(t, ca, cert)

	_, cert = ask(func(c *adcstest.AuthorityCall) { c.Subject = "someone else" })
	assert.Equal(t, "CN=someone else", cert.Subject.String())

	_, cert = ask(func(c *adcstest.AuthorityCall) { c.Expired = true })
	assert.True(t, cert.NotAfter.Before(time.Now()))
	assert.True(t, cert.NotBefore.Before(cert.NotAfter))

	_, cert = ask(func(c *adcstest.AuthorityCall) { c.OtherIssuer = true })
	assert.Equal(t, ca.Certificate().RawSubject, cert.RawIssuer)
	require.Error(t, cert.CheckSignatureFrom(ca.Certificate()))

	out, _ := ask(func(c *adcstest.AuthorityCall) { c.RequestIDOffset = 1000 })
	assert.Equal(t, uint32(1005), out.RequestID)
	assert.Equal(t, uint32(5), ca.Requests()[4].ID)

	out, cert = ask(func(c *adcstest.AuthorityCall) { c.OtherLeaf = true })
	assert.NotContains(t, string(out.Cert), string(cert.Raw))
	verifyChain(t, ca, cert)

	out, cert = ask(func(c *adcstest.AuthorityCall) { c.NoChain = true })
	assert.Contains(t, string(out.Cert), string(cert.Raw))
	assert.NotContains(t, string(out.Cert), string(ca.Certificate().Raw))

	// A held request keeps what was asked for when it was submitted.
	c := submission(t, "Held")
	c.OtherKey = true
	held := ca.Call(c)
	require.NoError(t, ca.Approve(held.RequestID))
	assert.False(t, newRequestKey(t, c.Raw).Equal(parse(t, ca.Call(retrieve(alice(), held.RequestID)).EncodedCert).PublicKey))
}

func newRequestKey(t *testing.T, der []byte) interface{ Equal(x any) bool } {
	t.Helper()
	csr, err := x509.ParseCertificateRequest(der)
	require.NoError(t, err)
	return equalKey{csr.RawSubjectPublicKeyInfo}
}

type equalKey struct{ spki []byte }

func (k equalKey) Equal(x any) bool {
	spki, err := x509.MarshalPKIXPublicKey(x)
	return err == nil && string(spki) == string(k.spki)
}

func TestValidityEndsWithTheCA(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{
		Name: caName, Templates: []adcstest.Template{{Name: "Long", Validity: 50 * 365 * 24 * time.Hour}},
		Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	cert := parse(t, ca.Call(submission(t, "Long")).EncodedCert)
	assert.Equal(t, ca.Certificate().NotAfter, cert.NotAfter)
	assert.Equal(t, now.Add(-10*time.Minute), cert.NotBefore)
	assert.Equal(t, "CN="+caName, cert.Issuer.String(), "no domain, no components")
}

func TestURLsInCertificates(t *testing.T) {
	p := adcstest.Profile{CDP: []string{"http://pki.corp.test/ca.crl"}, AIA: []string{"http://pki.corp.test/ca.crt"}}
	ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{Name: caName, Host: "ca.corp.test", Profile: p})
	require.NoError(t, err)
	for _, cert := range []*x509.Certificate{parse(t, ca.Call(submission(t, "Device")).EncodedCert), ca.Certificate()} {
		assert.Equal(t, p.CDP, cert.CRLDistributionPoints)
		assert.Equal(t, p.AIA, cert.IssuingCertificateURL)
	}
	root := ca.Chain()[1]
	assert.Empty(t, root.CRLDistributionPoints)
	assert.Positive(t, root.NotAfter.Compare(ca.Certificate().NotAfter))
	assert.Positive(t, new(big.Int).Abs(root.SerialNumber).Sign())
}
