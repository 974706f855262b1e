//go:build integration

package adcstest_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/internal/adtest"
)

func TestMain(m *testing.M) { adtest.Main(m) }

// memberServer is a CA on a computer of the domain: the KDC's tickets are for its account. It knows none of the users.
func memberServer(t *testing.T, d *adtest.Domain, name string) *adcstest.Server {
	t.Helper()
	host := strings.ToLower(name) + "." + adtest.DNSDomain
	account := d.AddComputer(t, name, "host/"+host, "RPCSS/"+host)
	keys, err := os.ReadFile(d.Keytab(t, account.Name))
	require.NoError(t, err)
	return newServer(t, &adcstest.Options{
		Host: host, Kerberos: adcstest.Kerberos{Keytab: keys}, NTLM: adcstest.NTLMAbsent,
	})
}

// withType is the domain's configuration with one encryption type for tickets.
func withType(t *testing.T, d *adtest.Domain, etype string) string {
	t.Helper()
	conf, err := os.ReadFile(d.KRB5Config())
	require.NoError(t, err)
	lines := "[libdefaults]\ndefault_tgs_enctypes = " + etype + "\ndefault_tkt_enctypes = " + etype +
		"\npermitted_enctypes = " + etype + "\nallow_weak_crypto = true\n"
	path := filepath.Join(t.TempDir(), "krb5.conf")
	require.NoError(t, os.WriteFile(path, bytes.Replace(conf, []byte("[libdefaults]\n"), []byte(lines), 1), 0o600))
	return path
}

// serviceTicket is a credential cache with a ticket for a service. MIT's Kerberos gets it: this KDC wants a checksum
// that impacket leaves out.
func serviceTicket(t *testing.T, d *adtest.Domain, u adtest.Account, spn string) string {
	t.Helper()
	cache := d.Kinit(t, u)
	cmd := exec.Command("kvno", "-c", cache, spn)
	cmd.Env = d.Environ(t)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return cache
}

// TestDomainClients has clients of three makes log on by the domain's KDC: by password, keytab and credential cache.
func TestDomainClients(t *testing.T) {
	d := adtest.Start(t)
	s := memberServer(t, d, "CA")
	u := d.AddUser(t, "enrolling", "Enr0lling-user")
	cache, keys := d.Kinit(t, u), d.Keytab(t, u.Name)
	for name, c := range map[string]struct {
		script, account, options, password string
		env                                []string
	}{
		"samba password": {
			script: "samba_client.py", account: "CORP/enrolling", password: u.Password, options: "krb5 seal kerberos=ca.corp.test",
		},
		"samba cache, SPNEGO": {
			script: "samba_client.py", account: "CORP/enrolling", options: "spnego seal kerberos=ca.corp.test ccache=" + cache,
		},
		"impacket cache": {
			script: "impacket_client.py", account: "CORP.TEST/enrolling", options: "seal kerberos=ca.corp.test",
			env: []string{"KRB5CCNAME=" + serviceTicket(t, d, u, "host/ca.corp.test")},
		},
		"MIT cache": {
			script: "gssapi_client.py", account: "ca.corp.test", options: "krb5 seal", env: []string{"KRB5CCNAME=" + cache},
		},
		"MIT keytab, SPNEGO": {
			script: "gssapi_client.py", account: "ca.corp.test", options: "spnego seal",
			env: []string{"KRB5_CLIENT_KTNAME=" + keys, "KRB5CCNAME=" + filepath.Join(t.TempDir(), "new")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, csr := len(s.Requests()), newCSR(t, "domain")
			p := peer{password: c.password, env: append(d.Environ(t), c.env...)}
			a := p.run(t, s, c.script, c.account, csr, strings.Fields(c.options)...)
			require.Empty(t, a.Error)
			require.Len(t, a.Answers, 2)
			assert.EqualValues(t, 3, a.Answers[1].Disposition)
			rows := s.Requests()
			require.Len(t, rows, before+2)
			assert.Equal(t, u.Logon(), rows[before].Requester)
			leaf, err := hex.DecodeString(a.Answers[0].Leaf)
			require.NoError(t, err)
			cert, err := x509.ParseCertificate(leaf)
			require.NoError(t, err)
			i := slices.IndexFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(adcsasn1.OIDSIDExtension()) })
			require.GreaterOrEqual(t, i, 0)
			sid, err := adcsasn1.SIDFromExtension(cert.Extensions[i].Value)
			require.NoError(t, err)
			assert.Equal(t, u.SID, sid, "the KDC says in the ticket who the user is")
		})
	}
}

// TestDomainTypes has MIT's Kerberos log on with each encryption type that the KDC gives out for a computer.
func TestDomainTypes(t *testing.T) {
	d := adtest.Start(t)
	s := memberServer(t, d, "CATYPES")
	u := d.AddUser(t, "typing", "Typ1ng-user")
	for name, etype := range map[string]string{
		"aes256": "aes256-cts-hmac-sha1-96", "aes128": "aes128-cts-hmac-sha1-96", "rc4": "arcfour-hmac",
	} {
		t.Run(name, func(t *testing.T) {
			env := append(d.Environ(t), "KRB5_CONFIG="+withType(t, d, etype))
			cmd := exec.Command("kinit", u.Principal())
			cmd.Env, cmd.Stdin = env, strings.NewReader(u.Password+"\n")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			for _, options := range []string{"krb5 seal", "spnego seal"} {
				csr := newCSR(t, "types")
				a := peer{env: env}.run(t, s, "gssapi_client.py", s.Host(), csr, strings.Fields(options)...)
				require.Empty(t, a.Error)
				assert.EqualValues(t, 3, a.Answers[1].Disposition)
			}
			cmd = exec.Command("klist", "-e")
			cmd.Env = env
			out, err = cmd.CombinedOutput()
			require.NoError(t, err)
			_, service, _ := strings.Cut(string(out), "host/")
			assert.Contains(t, service, etype, "the ticket is of the type that the test is about")
		})
	}
}

// TestDomainRefused is a computer with another's name: the KDC's tickets are for an account whose keys the server does
// not have.
func TestDomainRefused(t *testing.T) {
	d := adtest.Start(t)
	u := d.AddUser(t, "refused", "Refus3d-user")
	other := memberServer(t, d, "CAOTHER")
	d.AddComputer(t, "CAREAL", "host/careal.corp.test")
	p := peer{env: append(d.Environ(t), "KRB5CCNAME="+serviceTicket(t, d, u, "host/careal.corp.test"))}
	csr := newCSR(t, "refused")
	a := p.run(t, other, "impacket_client.py", "CORP.TEST/refused", csr, "seal", "kerberos=careal.corp.test")
	assert.Contains(t, a.Error, "KRB_AP_ERR_MODIFIED")
	assert.NotEmpty(t, p.run(t, other, "gssapi_client.py", "careal.corp.test", csr, "krb5", "seal").Error)
	assert.NotEmpty(t, p.run(t, other, "gssapi_client.py", "nobody.corp.test", csr, "krb5", "seal").Error)
	assert.Empty(t, other.Requests())
}
