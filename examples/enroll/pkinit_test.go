//go:build integration

package main_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/adtest"
)

// logonCA is a CA in the domain whose certificates log people on, and a folder for them.
type logonCA struct {
	*adcstest.Server
	domain *adtest.Domain
	dir    string
}

// startLogonCA starts the CA on a computer of the domain.
func startLogonCA(t *testing.T, d *adtest.Domain, keytab string) *logonCA {
	t.Helper()
	keys, err := os.ReadFile(keytab)
	require.NoError(t, err)
	ca, err := adcstest.NewServer(&adcstest.Options{
		Host: "ca.corp.test", Domain: adtest.NetBIOS, Kerberos: adcstest.Kerberos{Keytab: keys, Realm: adtest.Realm},
		Profile: adcstest.Profile{RSA: true}, // see adtest.EnablePKINIT
		Templates: []adcstest.Template{
			{Name: "SmartcardLogon", ExtKeyUsage: []string{"1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.311.20.2.2"}},
			{Name: "KDC", ExtKeyUsage: []string{"1.3.6.1.5.2.3.5"}},
		},
	})
	require.NoError(t, err)
	t.Cleanup(ca.Close)
	c := &logonCA{ca, d, t.TempDir()}
	c.write(t, "root.pem", pemOf(ca.Chain()[1]))
	return c
}

func (c *logonCA) path(name string) string { return filepath.Join(c.dir, name) }

func (c *logonCA) write(t *testing.T, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(c.path(name), content, 0o600))
}

func pemOf(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// pkinit is what the domain's KDC needs, with a certificate of this CA.
func (c *logonCA) pkinit(t *testing.T) adtest.PKINIT {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "dc.corp.test"}, ExtraExtensions: []pkix.Extension{adtest.KDCNames(adtest.Realm)},
	}, key)
	require.NoError(t, err)
	client, err := adcs.New(c.Host(), c.Name(), adcs.Password(c.User().Account(), c.User().Password),
		&adcs.Options{AllowNTLM: true, DialContext: c.DialContext})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	result, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "KDC"})
	require.NoError(t, err)
	return adtest.PKINIT{Key: key, Certificate: result.Certificate, Chain: c.Chain()}
}

// enrolled is a .p12 and its password, as enroll has written them.
type enrolled struct{ file, password string }

// enroll runs enroll for alice, who logs on at the CA as credential says, and orders a certificate for these names.
func (c *logonCA) enroll(t *testing.T, name string, credential []string, names ...string) enrolled {
	t.Helper()
	status, out, stderr := enroll(t, c.dir, slices.Concat([]string{
		"-host", c.Host(), "-epm", c.EndpointMapper(), "-ca", c.Name(), "-transport", "tcp", "-auth", "kerberos",
		"-krb5-conf", c.domain.KRB5Config(), "-subject", "CN=alice", "-key", "rsa2048", "-roots", "root.pem",
		"-template", "SmartcardLogon", "-platform", "linux-openssl-3.0", "-out", name + ".p12", "-json",
	}, credential, names)...)
	require.Zero(t, status, "%s%s", out, stderr)
	var r result
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	password, err := os.ReadFile(c.path(filepath.Base(r.P12PasswordFile)))
	require.NoError(t, err)
	return enrolled{c.path(name + ".p12"), strings.TrimSpace(string(password))}
}

// kinit has alice log on with a certificate at the domain's KDC. It returns where her ticket is, what was said to her,
// and what the KDC has written meanwhile.
func (c *logonCA) kinit(t *testing.T, e enrolled) (cache, client, server string, err error) {
	t.Helper()
	cache = filepath.Join(t.TempDir(), "ccache")
	before := len(c.domain.Log(t))
	cmd := exec.CommandContext(t.Context(), "kinit", "-c", "FILE:"+cache, "-X", "X509_user_identity=PKCS12:"+e.file,
		"alice@"+adtest.Realm)
	cmd.Env = append(c.domain.Environ(t), "KRB5_CONFIG="+c.path("pkinit.conf")+":"+c.domain.KRB5Config())
	cmd.Stdin = strings.NewReader(e.password + "\n")
	out, err := cmd.CombinedOutput()
	return cache, string(out), c.domain.Log(t)[before:], err
}

// TestPKINIT has alice enroll with her password, log on at the domain's KDC with the .p12 as enroll has written it, and
// enroll again with the ticket that she gets.
func TestPKINIT(t *testing.T) {
	d := adtest.Start(t)
	computer := d.AddComputer(t, "CA", "host/ca.corp.test")
	keytab := d.Keytab(t, computer.Name, "host/ca.corp.test")
	alice, bob := d.AddUser(t, "alice", "Pass-word1"), d.AddUser(t, "bob", "Pass-word2")
	c, namesake := startLogonCA(t, d, keytab), startLogonCA(t, d, keytab)
	for _, ca := range []*logonCA{c, namesake} {
		ca.write(t, "secret", []byte(alice.Password))
	}
	// Kinit verifies its own certificate before it shows it, with CAs that it does not take from the .p12.
	c.write(t, "anchors.pem", slices.Concat(pemOf(c.Chain()[1]), pemOf(namesake.Chain()[1])))
	c.write(t, "pool.pem", slices.Concat(pemOf(c.Chain()[0]), pemOf(namesake.Chain()[0])))
	c.write(t, "pkinit.conf", []byte("[libdefaults]\n\tpkinit_anchors = FILE:"+c.path("anchors.pem")+
		"\n\tpkinit_pool = FILE:"+c.path("pool.pem")+"\n"))
	d.EnablePKINIT(t, c.pkinit(t))

	password := []string{"-user", alice.Principal(), "-password-file", "secret"}
	own := []string{"-upn", "alice@corp.test", "-sid", alice.SID, "-sid-form", "both"}
	cache, client, server, err := c.kinit(t, c.enroll(t, "first", password, own...))
	require.NoError(t, err, "%s\n%s", client, server)
	assert.Contains(t, server, "PKINIT pre-authentication succeeded -- alice@CORP.TEST using CN=alice")
	// A domain compares names without regard to case.
	_, client, server, err = c.kinit(t, c.enroll(t, "second", []string{"-ccache", cache}, "-upn", "Alice@CORP.Test"))
	require.NoError(t, err, "%s\n%s", client, server)

	const nobody = "PKINIT certificate not allowed to impersonate principal"
	for name, r := range map[string]struct {
		file   enrolled
		reason string
	}{
		"another CA of the same name": {namesake.enroll(t, "namesake", password, own...), "PKINIT: Issuer couldn't be found"},
		"no name":                     {c.enroll(t, "nobody", password, "-dns", "device.corp.test"), nobody},
		"somebody else":               {c.enroll(t, "bob", password, "-upn", "bob@corp.test", "-sid", bob.SID), nobody},
	} {
		t.Run(name, func(t *testing.T) {
			_, client, server, err := c.kinit(t, r.file)
			require.Error(t, err, "%s\n%s", client, server)
			assert.True(t, strings.Contains(server, r.reason), "the KDC does not say %q, but: %s", r.reason, server)
		})
	}
}
