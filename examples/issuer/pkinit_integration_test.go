//go:build integration && linux

package issuer_test

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
)

const (
	clientAuth     = "1.3.6.1.5.5.7.3.2"
	smartcardLogon = "1.3.6.1.4.1.311.20.2.2" // in AD's templates for logging on
	pkinitClient   = "1.3.6.1.5.2.3.4"        // RFC 4556, appendix C
	pkinitKDC      = "1.3.6.1.5.2.3.5"
)

// startDomain is a company whose certificates log people on.
func startDomain(t *testing.T, profile adcstest.Profile) *company {
	t.Helper()
	opts := adcstest.Options{Name: "Test CA", Profile: profile, Templates: []adcstest.Template{
		{Name: "SmartcardLogon", ExtKeyUsage: []string{clientAuth, smartcardLogon}},
		{Name: "PKINIT", ExtKeyUsage: []string{clientAuth, pkinitClient}},
		{Name: "WiFi", ExtKeyUsage: []string{clientAuth}},
		{Name: "AnHour", ExtKeyUsage: []string{clientAuth, smartcardLogon}, Validity: time.Hour},
		{Name: "KDC", ExtKeyUsage: []string{pkinitKDC}},
	}}
	return startCompanyLike(t, opts, nil)
}

// person orders a certificate that logs alice on.
func (c *company) person(t *testing.T, change func(*wsproto.Order)) wsproto.Outcome {
	t.Helper()
	return c.alice(t, func(o *wsproto.Order) {
		o.Template, o.UPN = "SmartcardLogon", []string{"alice@" + kdcRealm}
		if change != nil {
			change(o)
		}
	})
}

// kinitWith logs on with what was delivered, and nothing else.
func (c *company) kinitWith(k *kdc, cache string, o wsproto.Outcome) ticket {
	k.t.Helper()
	return k.kinit(cache, o.PKCS12, c.device("").Password)
}

func newECKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// TestPKINIT takes certificates over the whole path and has kinit use the .p12 as it was delivered, to get a ticket
// from MIT's KDC and with it another one for a service.
func TestPKINIT(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, ca := range map[string]struct {
		profile adcstest.Profile
		kdcKey  crypto.Signer
	}{
		"p256 CA and KDC":    {adcstest.Profile{}, newECKey(t)},
		"rsa2048 CA and KDC": {adcstest.Profile{RSA: true}, rsaKey},
	} {
		c := startDomain(t, ca.profile)
		k := c.newKDC(t, ca.kdcKey, nil)
		keytab := k.path("service.keytab")
		k.admin("addprinc", "-randkey", "host/server.example.com")
		k.admin("ktadd", "-k", keytab, "host/server.example.com")
		k.start()
		for _, key := range []string{"rsa2048", "p256"} {
			for _, profile := range []string{"compat", "modern", "linux-openssl-3.0", "windows", "macos"} {
				t.Run(name+"/"+key+"/"+profile, func(t *testing.T) {
					o := c.person(t, func(o *wsproto.Order) { o.Key, o.Profile = key, profile })
					c.checkPerson(t, o)
					cache := key + profile
					why := c.kinitWith(k, cache, o).isGiven(t)
					assert.Contains(t, why, "found a matching UPN SAN in client cert")
					assert.Contains(t, why, "found acceptable EKU and digitalSignature KU")
					assert.Contains(t, k.must(cache, "kvno", "-k", keytab, "host/server.example.com"), "keytab entry valid")
					list := k.must(cache, "klist", "-C")
					assert.Contains(t, list, "Default principal: alice@EXAMPLE.COM")
					assert.Contains(t, list, "pa_type(krbtgt/EXAMPLE.COM@EXAMPLE.COM) = 16", "PA-PK-AS-REQ")
				})
			}
		}
	}
}

// checkPerson reads back the names by which a domain finds the account of a certificate.
func (c *company) checkPerson(t *testing.T, o wsproto.Outcome) {
	t.Helper()
	key, chain, err := pkcs12.Decode(o.PKCS12, c.device("").Password)
	require.NoError(t, err)
	sid, form, err := keygen.MappedSID(chain[0].Extensions)
	require.NoError(t, err)
	assert.Equal(t, aliceSID, sid.String())
	assert.Equal(t, keygen.SIDBoth, form)
	_, err = adcs.Verify(chain[0], adcs.Expect{
		PublicKey: key.Public(), Roots: c.roots(), Intermediates: c.ca.Chain(), UPNs: []string{"alice@" + kdcRealm},
		SID: aliceSID, SIDForm: adcs.SIDInBoth,
		EKUs: []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}, {1, 3, 6, 1, 4, 1, 311, 20, 2, 2}},
	})
	require.NoError(t, err)
}

// TestPKINITRefusals has the KDC refuse certificates, each for a reason of its own, and give a ticket after each for
// one that differs in nothing else. All of them were delivered over the whole path.
func TestPKINITRefusals(t *testing.T) {
	t.Parallel()
	c, namesake := startDomain(t, adcstest.Profile{}), startDomain(t, adcstest.Profile{})
	k := c.newKDC(t, newECKey(t), []*company{namesake})
	k.start()
	good := c.person(t, nil)
	for name, r := range map[string]struct {
		delivered      wsproto.Outcome
		password       string
		client, server string
	}{
		"another CA of the same name": {
			delivered: namesake.person(t, nil),
			client:    "Can't verify certificate",
			server:    "Failed to verify received certificate (depth 1): unable to get local issuer certificate",
		},
		"certificate for Wi-Fi": {
			delivered: c.person(t, func(o *wsproto.Order) { o.Template = "WiFi" }),
			client:    "Inconsistent key purpose", server: "found no acceptable EKU in client cert",
		},
		"no name": {
			delivered: c.person(t, func(o *wsproto.Order) { o.UPN = nil }),
			client:    "Client name mismatch", server: "found no SAN in client cert",
		},
		"somebody else": {
			delivered: c.person(t, func(o *wsproto.Order) { o.UPN = []string{"bob@" + kdcRealm} }),
			client:    "Client name mismatch", server: "found no acceptable SAN in client cert",
		},
		"lower case": { // the KDC compares realms by the letter, other than a domain: see TestPKINITByRule
			delivered: c.person(t, func(o *wsproto.Order) { o.UPN = []string{"alice@example.com"} }),
			client:    "Client name mismatch", server: "found no acceptable SAN in client cert",
		},
		"wrong password": { // the KDC never sees the certificate
			delivered: good, password: "not the password",
			client: "PKCS12_parse with password failed", server: "Additional pre-authentication required",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := k.kinit("refused", r.delivered.PKCS12, cmp.Or(r.password, c.device("").Password))
			l.isRefused(t, r.client, r.server)
			c.kinitWith(k, "given", good).isGiven(t)
		})
	}
}

// TestPKINITRevoked revokes a certificate that has logged alice on.
func TestPKINITRevoked(t *testing.T) {
	t.Parallel()
	c := startDomain(t, adcstest.Profile{})
	k := c.newKDC(t, newECKey(t), nil)
	k.start()
	lost, kept := c.person(t, nil), c.person(t, nil)
	c.kinitWith(k, "lost", lost).isGiven(t)
	c.revoke(t, lost)
	writeSecret(t, k.path("crl.pem"), c.crls(t))
	k.start()
	c.kinitWith(k, "lost", lost).isRefused(t, "Revoked certificate", "certificate revoked")
	c.kinitWith(k, "kept", kept).isGiven(t)
}

// TestPKINITExpired has a KDC for which it is two hours later. For kinit it is not: it would not show the certificate.
func TestPKINITExpired(t *testing.T) {
	t.Parallel()
	c := startDomain(t, adcstest.Profile{})
	k := c.newKDC(t, newECKey(t), nil)
	k.start()
	short, long := c.person(t, func(o *wsproto.Order) { o.Template = "AnHour" }), c.person(t, nil)
	c.kinitWith(k, "short", short).isGiven(t)
	k.setAhead(2 * time.Hour)
	k.start()
	c.kinitWith(k, "short", short).isRefused(t, "Invalid certificate", "certificate has expired")
	c.kinitWith(k, "long", long).isGiven(t)
}

// TestPKINITDefaultUsage leaves the KDC the extended key usage that MIT's wants unless it is told otherwise, which is
// not that of AD's templates.
func TestPKINITDefaultUsage(t *testing.T) {
	t.Parallel()
	c := startDomain(t, adcstest.Profile{})
	k := c.newKDC(t, newECKey(t), nil, "pkinit_eku_checking = kpClientAuth")
	k.start()
	c.kinitWith(k, "ad", c.person(t, nil)).isRefused(t, "Inconsistent key purpose", "found no acceptable EKU")
	mit := c.person(t, func(o *wsproto.Order) { o.Template = "PKINIT" })
	c.kinitWith(k, "mit", mit).isGiven(t)
}

// TestPKINITByRule has a KDC that finds the account by a rule of the principal: user principal names in domains are
// mostly in lower case, and realms are not.
func TestPKINITByRule(t *testing.T) {
	t.Parallel()
	c := startDomain(t, adcstest.Profile{})
	k := c.newKDC(t, newECKey(t), nil, "pkinit_allow_upn = false")
	k.admin("setstr", "alice", "pkinit_cert_match", `&&<SAN>^alice@example\.com$<EKU>msScLogin`)
	k.start()
	named := func(upn string) ticket {
		return c.kinitWith(k, upn, c.person(t, func(o *wsproto.Order) { o.UPN = []string{upn} }))
	}
	named("alice@example.com").isGiven(t)
	named("malice@example.com").isRefused(t, "Certificate mismatch", "Certificate mismatch")
}
