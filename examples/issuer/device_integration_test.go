//go:build integration && linux

package issuer_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// A company's CA, for devices that use their certificates with programs of other people. The names in orders are those
// of the documents.
const (
	templateBrief  = "Brief"  // for client authentication, over in briefly
	templateServer = "Server" // for server authentication alone

	domainSID = "S-1-5-21-1004336348-1177238915-682003330"
	aliceSID  = domainSID + "-1105"

	// briefly is long enough for the connector to get the certificate, on a machine that is busy with others.
	briefly = 10 * time.Second
)

// company is the whole path for a CA with a manager.
type company struct {
	*path
	manager *adcs.Manager
	signer  wsproto.Fingerprint // of the connector
}

// startCompany starts a CA of this name with gateway and connector. Change, which may be nil, changes what the
// connector may be asked to do.
func startCompany(t *testing.T, name string, change func(*connector.Policy), more ...adcstest.Template) *company {
	t.Helper()
	return startCompanyLike(t, adcstest.Options{Name: name, Templates: more}, change)
}

// startCompanyLike is startCompany for a CA with these options, users apart, and with these templates besides.
func startCompanyLike(t *testing.T, opts adcstest.Options, change func(*connector.Policy)) *company {
	t.Helper()
	templates := append(adcstest.DefaultTemplates(),
		adcstest.Template{Name: templateBrief, Validity: briefly},
		adcstest.Template{Name: templateServer, ExtKeyUsage: []string{"1.3.6.1.5.5.7.3.1"}})
	templates = append(templates, opts.Templates...)
	rules := &connector.Policy{
		Keys: []string{"rsa2048", "rsa4096", "p256", "p384"}, Subjects: []string{"CN=*"}, DNS: []string{"example.com"},
		UPN: []string{"example.com"}, SIDDomains: []string{domainSID}, OrdersPerHour: 1000, Passwords: true,
	}
	for _, template := range templates {
		rules.Templates = append(rules.Templates, template.Name)
	}
	if change != nil {
		change(rules)
	}
	admin := adcstest.User{Name: "admin", Password: "a password for the tests"}
	opts.Templates, opts.Managers = templates, []string{`CORP\admin`}
	opts.Users = []adcstest.User{{Name: "connector", Password: "another password"}, admin}
	ca, err := adcstest.NewServer(&opts)
	require.NoError(t, err)
	t.Cleanup(ca.Close)
	p := &path{ca: ca, served: wsproto.CAAssignment{Host: ca.Host(), Name: ca.Name()}}
	var signer wsproto.Fingerprint
	p.changeConnector = func(c *connector.Config, _ *x509.CertPool) {
		signer, err = wsproto.FingerprintKey(c.Identity.Public())
		require.NoError(t, err)
		rules.CAs = []wsproto.CAAssignment{p.served}
		compiled, err := rules.Compile()
		require.NoError(t, err)
		c.Policy = compiled.Allow
	}
	p.startConnector(t, p.startGateway(t), 2, ca.User().Password)
	client, err := adcs.New(ca.Host(), ca.Name(), adcs.Password(`CORP\admin`, admin.Password),
		&adcs.Options{AllowNTLM: true, DialContext: ca.DialContext})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return &company{p, client.Manager(), signer}
}

// order orders a certificate and waits until it is delivered.
func (c *company) order(t *testing.T, o wsproto.Order) wsproto.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	id, err := c.gateway.Order(ctx, pathTenant, o, nil)
	require.NoError(t, err)
	outcome, err := c.gateway.Wait(ctx, pathTenant, id)
	require.NoError(t, err)
	require.Equal(t, wsproto.Issued, outcome.Kind, "%s %s", outcome.Reason, outcome.Message)
	return outcome
}

// alice orders a certificate for a person, with a password and what domain controllers and NPS want to see in it, and
// returns what was delivered.
func (c *company) alice(t *testing.T, change func(*wsproto.Order)) wsproto.Outcome {
	t.Helper()
	o := c.device("p256")
	o.Subject, o.DNS, o.UPN = "CN=Alice", nil, []string{"alice@example.com"}
	o.SID, o.SIDForm = aliceSID, "both"
	if change != nil {
		change(&o)
	}
	return c.order(t, o)
}

// revoke revokes what was delivered, and has the CA publish that.
func (c *company) revoke(t *testing.T, o wsproto.Outcome) {
	t.Helper()
	require.NoError(t, c.manager.Revoke(t.Context(), o.Serial, &adcs.Revocation{Reason: adcs.ReasonKeyCompromise}))
	require.NoError(t, c.manager.PublishCRL(t.Context(), nil))
}

// root is the certificate of the company's root, PEM.
func (c *company) root() []byte { return pemOf(c.ca.Chain()[len(c.ca.Chain())-1]) }

// issuing is the certificate of the CA that issues, PEM.
func (c *company) issuing() []byte { return pemOf(c.ca.Certificate()) }

// crls are the revocation lists of all CAs, PEM.
func (c *company) crls(t *testing.T) []byte {
	t.Helper()
	lists, err := c.ca.CRLs()
	require.NoError(t, err)
	require.Len(t, lists, len(c.ca.Chain()))
	var all []byte
	for _, list := range lists {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list.Raw})...)
	}
	return all
}

// writeSecret writes a file for its owner alone.
func writeSecret(t *testing.T, file string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, content, 0o600))
}
