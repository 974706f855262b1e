//go:build integration

package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adtest"
)

// foreignDomain is a domain with a user, and a CA in it of which nothing is ours: Samba's KDC, and the server of
// testdata, whose Kerberos is MIT's.
type foreignDomain struct {
	*adtest.Domain
	user       adtest.Account
	keys       string // the user's keytab
	serverKeys string
	host       string
}

// member joins a computer and a user to the domain.
func member(t *testing.T, name string) *foreignDomain {
	t.Helper()
	d := &foreignDomain{Domain: adtest.Start(t), host: name + "." + adtest.DNSDomain}
	computer := d.AddComputer(t, name, "host/"+d.host)
	d.user = d.AddUser(t, name+"-user", "Foreign-1")
	d.keys, d.serverKeys = d.Keytab(t, d.user.Name), d.Keytab(t, computer.Name, "host/"+d.host)
	return d
}

// start runs the server on the computer.
func (d *foreignDomain) start(t *testing.T, options ...string) *foreign {
	t.Helper()
	return startForeign(t, append([]string{"--keytab", d.serverKeys, "--user", d.user.Name}, options...)...)
}

// enroll runs enroll in the domain's environment.
func (d *foreignDomain) enroll(t *testing.T, f *foreign, args ...string) (int, result) {
	t.Helper()
	args = append([]string{
		"-host", d.host, "-epm", fmt.Sprintf("127.0.0.1:%d", f.EPM), "-ca", "Foreign CA", "-transport", "tcp",
		"-krb5-conf", d.KRB5Config(), "-template", "Device", "-roots", f.Roots, "-json", "-force",
		"-subject", "CN=device,O=Corp", "-dns", "device.corp.test", "-out", "device.p12",
	}, args...)
	status, out, stderr := enroll(t, f.dir, args...)
	var r result
	require.NoError(t, json.Unmarshal([]byte(out), &r), "%s%s", out, stderr)
	return status, r
}

// TestForeignKerberos enrolls with a password, a keytab and a credential cache, with Kerberos by itself and in SPNEGO,
// at servers that make different use of what is left to them.
func TestForeignKerberos(t *testing.T) {
	d := member(t, "foreign")
	for name, options := range map[string][]string{
		"as it comes":       nil,
		"no header signing": {"--no-header-signing", "--hint", "fragment"},
		"small fragments":   {"--fragment", "1432", "--answer", "16", "--align", "4", "--hint", "whole"},
		"odd alignment":     {"--align", "1", "--answer", "21", "--fault", "signed"},
		"one call":          {"--once", "--towers", "twice", "--empty", "pointer"},
	} {
		t.Run(name, func(t *testing.T) {
			f := d.start(t, options...)
			for credential, args := range map[string][]string{
				"password": {"-user", d.user.Principal(), "-password-file", f.secret},
				"logon":    {"-user", d.user.Logon(), "-password-file", f.secret},
				"keytab":   {"-user", d.user.Principal(), "-keytab", d.keys},
				"ccache":   {"-ccache", d.Kinit(t, d.user)},
			} {
				for _, auth := range []string{"kerberos", "negotiate"} {
					status, r := d.enroll(t, f, append(args, "-auth", auth)...)
					require.Zero(t, status, "%s %s: %s", auth, credential, r.Error)
					f.check(t, r)
				}
			}
		})
	}
}

// TestForeignKerberosTypes has the client ask for tickets of the other encryption types.
func TestForeignKerberosTypes(t *testing.T) {
	d := member(t, "types")
	conf, err := os.ReadFile(d.KRB5Config())
	require.NoError(t, err)
	for etype, signature := range map[string]string{"aes128-cts-hmac-sha1-96": "76", "arcfour-hmac": "45"} {
		f := d.start(t, "--signature", signature)
		lines := "[libdefaults]\nallow_weak_crypto = true\ndefault_tgs_enctypes = " + etype + "\ndefault_tkt_enctypes = " + etype +
			"\npermitted_enctypes = " + etype + "\n"
		path := filepath.Join(t.TempDir(), "krb5.conf")
		require.NoError(t, os.WriteFile(path, bytes.Replace(conf, []byte("[libdefaults]\n"), []byte(lines), 1), 0o600))
		for _, auth := range []string{"kerberos", "negotiate"} {
			status, r := d.enroll(t, f, "-krb5-conf", path, "-user", d.user.Principal(), "-password-file", f.secret, "-auth", auth)
			require.Zero(t, status, "%s %s: %s", etype, auth, r.Error)
			f.check(t, r)
		}
	}
}

// TestForeignFallback is a server that takes no Kerberos: NTLM takes its place only if that is allowed.
func TestForeignFallback(t *testing.T) {
	d := member(t, "fallback")
	f := startForeign(t, "--user", d.user.Name)
	args := []string{"-user", d.user.Principal(), "-password-file", f.secret}
	status, r := d.enroll(t, f, append(args, "-auth", "negotiate")...)
	assert.NotZero(t, status)
	assert.NotEmpty(t, r.Error)
	status, r = d.enroll(t, f, append(args, "-auth", "kerberos")...)
	assert.NotZero(t, status)
	assert.Contains(t, r.Error, "authentication")
	status, r = d.enroll(t, f, append(args, "-auth", "negotiate", "-allow-ntlm")...)
	require.Zero(t, status, r.Error)
	f.check(t, r)
	status, r = d.enroll(t, f, append(args, "-auth", "ntlm")...)
	require.Zero(t, status, r.Error)
	f.check(t, r)
}

// TestForeignKerberosRefused is what keeps a logon from succeeding, and that enroll says what it is.
func TestForeignKerberosRefused(t *testing.T) {
	d := member(t, "refusing")
	const elsewhere = "host/elsewhere.corp.test"
	d.AddComputer(t, "elsewhere", elsewhere)
	other := d.AddUser(t, "someone-else", "Foreign-1")
	f := d.start(t)
	wrong := filepath.Join(f.dir, "wrong")
	require.NoError(t, os.WriteFile(wrong, []byte("wrong\n"), 0o600))
	user := []string{"-user", d.user.Principal()}
	for name, c := range map[string]struct {
		args []string
		text string
	}{
		"wrong password":        {append(user, "-password-file", wrong), "password"},
		"unknown user":          {[]string{"-user", "nobody@" + adtest.Realm, "-password-file", f.secret}, "unknown principal"},
		"no such service":       {append(user, "-password-file", f.secret, "-spn", "host/none.corp.test"), "service principal"},
		"keytab of another":     {append(user, "-keytab", d.Keytab(t, other.Name)), "keytab"},
		"no credential cache":   {[]string{"-ccache", filepath.Join(f.dir, "none")}, "none"},
		"key of another server": {append(user, "-password-file", f.secret, "-spn", elsewhere), "refused the ticket"},
	} {
		for _, auth := range []string{"kerberos", "negotiate"} {
			status, r := d.enroll(t, f, append(c.args, "-auth", auth)...)
			assert.NotZero(t, status, name)
			assert.Contains(t, r.Error, c.text, name)
		}
	}
	// A server that says why, in the words of MIT's Kerberos.
	f = d.start(t, "--refuse", "token")
	status, r := d.enroll(t, f, append(user, "-password-file", f.secret, "-spn", elsewhere, "-auth", "kerberos")...)
	assert.NotZero(t, status)
	assert.Contains(t, r.Error, "KRB_AP_ERR")
}
