//go:build integration && linux

package issuer_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/pkcs12/sealed"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// laptopOf is a laptop with what was delivered to it.
func (c *company) laptopOf(o wsproto.Outcome) laptop {
	return laptop{p12: o.PKCS12, password: c.device("").Password, root: c.root()}
}

// TestEAPTLS takes certificates over the whole path and has a laptop use the .p12 as it was delivered, to get into a
// network: wpa_supplicant with the configuration of the documents, and FreeRADIUS.
func TestEAPTLS(t *testing.T) {
	t.Parallel()
	for ca, profile := range map[string]adcstest.Profile{"p256 CA": {}, "rsa2048 CA": {RSA: true, Intermediates: 1}} {
		c := startCompanyLike(t, adcstest.Options{Name: "Test CA", Profile: profile}, nil)
		for _, tls := range []string{"1.2", "1.3"} {
			t.Run(ca+"/TLS "+tls, func(t *testing.T) { c.testEAPTLS(t, tls) })
		}
	}
}

func (c *company) testEAPTLS(t *testing.T, tls string) {
	trust := slices.Concat(c.root(), c.crls(t))
	r := c.startRADIUS(t, radiusConfig{tls: tls, trust: trust})
	withIssuing := c.startRADIUS(t, radiusConfig{tls: tls, trust: slices.Concat(trust, c.issuing())})
	for key, profiles := range map[string][]string{
		"rsa2048": {"compat", "modern", "linux-openssl-3.0", "windows", "android-13", "macos"},
		"p256":    {"compat", "modern", "linux-openssl-3.0", "windows", "android-13", "macos"},
		"p384":    {"compat", "modern"},
	} {
		for _, profile := range profiles {
			t.Run(key+"/"+profile, func(t *testing.T) {
				o := c.alice(t, func(o *wsproto.Order) { o.Key, o.Profile = key, profile })
				l := c.laptopOf(o)
				l.tls13 = tls == "1.3"
				if profile == "macos" { // the certificate comes without its CA, which the server has to have
					r.connect(t, l.conf(t)).isRefused(t, "error 20 : unable to get local issuer certificate")
					withIssuing.connect(t, l.conf(t)).isAccepted(t, o, tls)
					return
				}
				r.connect(t, l.conf(t)).isAccepted(t, o, tls)
			})
		}
	}
}

// TestEAPTLSSealed has a laptop use what was sealed for whoever sets it up.
func TestEAPTLSSealed(t *testing.T) {
	t.Parallel()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	recipient := &wsproto.Recipient{ID: "service desk"}
	recipient.Key, err = wsproto.MarshalRecipientKey(key.PublicKey())
	require.NoError(t, err)
	c := startCompany(t, "Test CA", func(p *connector.Policy) {
		p.Recipients = []connector.PinnedRecipient{{ID: recipient.ID, Key: recipient.Key}}
	})
	o := c.alice(t, func(o *wsproto.Order) { o.Key, o.Password, o.Recipient = "rsa4096", "", recipient })
	require.Empty(t, o.PKCS12, "no .p12 leaves the connector unsealed")
	b, err := sealed.Open(o.Sealed, key, sealed.Expect{
		Signers: [][32]byte{c.signer}, Tenant: pathTenant, Recipient: recipient.ID, Thumbprint: [32]byte(o.Thumbprint),
	})
	require.NoError(t, err)

	r := c.startRADIUS(t, radiusConfig{tls: "1.2", trust: slices.Concat(c.root(), c.crls(t))})
	l := laptop{p12: b.PKCS12, password: b.Password, root: c.root()}
	r.connect(t, l.conf(t)).isAccepted(t, o, "1.2")
}

// TestEAPTLSPasswords has a laptop open files whose passwords are more than letters and digits, written into the
// configuration as they are.
func TestEAPTLSPasswords(t *testing.T) {
	t.Parallel()
	c := startCompany(t, "Test CA", nil)
	r := c.startRADIUS(t, radiusConfig{tls: "1.2", trust: slices.Concat(c.root(), c.crls(t))})
	for _, password := range []string{`"in" quotes"`, `C:\new # not a comment`, "it's $HOME {}"} {
		o := c.alice(t, func(o *wsproto.Order) { o.Password = password })
		l := c.laptopOf(o)
		l.password = password
		r.connect(t, l.conf(t)).isAccepted(t, o, "1.2")
		l.password = password + "!"
		r.connect(t, l.conf(t)).refuses(t, "PKCS12 routines::mac verify failure")
	}
}

// TestEAPTLSRefusals has FreeRADIUS refuse certificates, each for a reason of its own. All of them were delivered over
// the whole path, and but for that reason they are as the one that is accepted.
func TestEAPTLSRefusals(t *testing.T) {
	t.Parallel()
	c := startCompany(t, "Test CA", nil)
	brief := c.alice(t, func(o *wsproto.Order) { o.Template = templateBrief })
	good, bad := c.alice(t, nil), c.alice(t, nil)
	before := c.startRADIUS(t, radiusConfig{tls: "1.3", trust: slices.Concat(c.root(), c.crls(t))})
	before.connect(t, c.laptopOf(bad).conf(t)).isAccepted(t, bad, "1.2")
	c.revoke(t, bad)
	before.connect(t, c.laptopOf(bad).conf(t)).isAccepted(t, bad, "1.2") // a server knows what it was told

	namesake, stranger := startCompany(t, "Test CA", nil), startCompany(t, "Other CA", nil)
	r := c.startRADIUS(t, radiusConfig{tls: "1.3", trust: slices.Concat(c.root(), c.crls(t))})
	for _, tls := range []string{"1.2", "1.3"} {
		connect := func(t *testing.T, o wsproto.Outcome, identity string) logon {
			t.Helper()
			l := c.laptopOf(o)
			l.identity, l.tls13 = identity, tls == "1.3"
			return r.connect(t, l.conf(t))
		}
		whole := func(o *wsproto.Order) { o.Profile = "android" }
		for _, refused := range []struct {
			name     string
			outcome  wsproto.Outcome
			identity string
			why      []string
		}{
			{"revoked", bad, "", []string{"error 23 : certificate revoked"}},
			{"wrong CA", stranger.alice(t, nil), "", []string{
				"error 20 : unable to get local issuer certificate", `TLS-Cert-Subject := "/DC=test/DC=corp/CN=Other CA"`}},
			{"wrong root", stranger.alice(t, whole), "", []string{"error 19 : self-signed certificate in certificate chain"}},
			{"wrong CA of the same name", namesake.alice(t, nil), "", []string{"error 20 : unable to get local issuer certificate"}},
			{"wrong root of the same name", namesake.alice(t, whole), "", []string{
				"error 19 : self-signed certificate in certificate chain"}},
			{"wrong EKU", c.alice(t, func(o *wsproto.Order) { o.Template = templateServer }), "", []string{
				"error 26 : unsuitable certificate purpose"}},
			{"identity of somebody else", good, "bob@example.com", []string{"Subject-Alt-Name-Upn)  -> FALSE"}},
			{"expired", brief, "", []string{"error 10 : certificate has expired"}},
		} {
			t.Run("TLS "+tls+"/"+refused.name, func(t *testing.T) {
				if refused.name == "expired" {
					<-time.After(time.Until(*brief.NotAfter))
				}
				l := connect(t, refused.outcome, refused.identity)
				l.isRefused(t, append(refused.why, "recv TLS "+tls+" Handshake, Certificate")...)
			})
		}
		connect(t, good, "").isAccepted(t, good, tls)
	}
}

// TestLaptopRefusesServers has the configuration of the documents refuse servers that are not the company's: one with
// another name in its certificate, and one of another CA.
func TestLaptopRefusesServers(t *testing.T) {
	t.Parallel()
	c, stranger := startCompany(t, "Test CA", nil), startCompany(t, "Other CA", nil)
	trust := slices.Concat(c.root(), c.crls(t))
	l := c.laptopOf(c.alice(t, nil)).conf(t)
	c.startRADIUS(t, radiusConfig{tls: "1.2", trust: trust, name: "www.example.com"}).connect(t, l).
		refuses(t, "Domain suffix mismatch")
	stranger.startRADIUS(t, radiusConfig{tls: "1.2", trust: trust}).connect(t, l).
		refuses(t, "unable to get local issuer certificate")
}
