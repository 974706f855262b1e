//go:build integration

package main_test

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/internal/adtest"
)

// pipe is a foreign CA behind the named pipe of a file server that is Samba's smbd: nothing between enroll and the
// certificate is ours.
func pipe(t *testing.T, options ...string) (*foreignDomain, *foreign) {
	t.Helper()
	d := &foreignDomain{Domain: adtest.Start(t)}
	d.host = d.Host
	d.user = d.AddUser(t, "pipe-user", "Foreign-1")
	d.keys, d.serverKeys = d.Keytab(t, d.user.Name), d.Keytab(t, "host/"+d.host)
	f := d.start(t, options...)
	d.ServePipe(t, "cert", func() (net.Conn, error) { return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", f.CA)) })
	return d, f
}

// TestForeignPipe enrolls over the named pipe with every credential and every way to log on.
func TestForeignPipe(t *testing.T) {
	d, f := pipe(t)
	password := []string{"-user", d.user.Principal(), "-password-file", f.secret}
	for credential, args := range map[string][]string{
		"password, kerberos":      append(password, "-auth", "kerberos"),
		"password, negotiate":     append(password, "-auth", "negotiate"),
		"password, ntlm":          {"-user", d.user.Logon(), "-password-file", f.secret, "-auth", "ntlm"},
		"password, ntlm fallback": append(password, "-auth", "negotiate", "-allow-ntlm", "-kdc", "127.0.0.3"),
		"keytab, kerberos":        {"-user", d.user.Principal(), "-keytab", d.keys, "-auth", "kerberos"},
		"keytab, negotiate":       {"-user", d.user.Principal(), "-keytab", d.keys},
		"ccache, kerberos":        {"-ccache", d.Kinit(t, d.user), "-auth", "kerberos"},
		"ccache, negotiate":       {"-ccache", d.Kinit(t, d.user)},
		// The endpoint mapper of this host is Samba's, which knows no CA: the ladder finds the pipe.
		"the ladder": append(password, "-transport", "auto"),
	} {
		t.Run(credential, func(t *testing.T) {
			status, r := d.enroll(t, f, append([]string{"-transport", "np", "-epm", ""}, args...)...)
			require.Zero(t, status, r.Error)
			f.check(t, r)
		})
	}
}

// TestForeignPipeVariants enrolls at servers that make different use of what is left to them.
func TestForeignPipeVariants(t *testing.T) {
	for name, options := range map[string][]string{
		"no header signing": {"--no-header-signing", "--hint", "fragment"},
		"small fragments":   {"--fragment", "1432", "--answer", "16", "--align", "4", "--hint", "whole"},
		"one call":          {"--once", "--empty", "pointer"},
	} {
		t.Run(name, func(t *testing.T) {
			d, f := pipe(t, options...)
			for _, auth := range []string{"kerberos", "ntlm"} {
				status, r := d.enroll(t, f, "-transport", "np", "-epm", "", "-user", d.user.Principal(), "-password-file", f.secret,
					"-auth", auth)
				require.Zero(t, status, "%s: %s", auth, r.Error)
				f.check(t, r)
			}
		})
	}
}

// TestCheckDomain checks the way to a CA in a domain, with the directory, and makes faults that need one.
func TestCheckDomain(t *testing.T) {
	d, f := pipe(t)
	wrong := filepath.Join(f.dir, "wrong")
	require.NoError(t, os.WriteFile(wrong, []byte("wrong\n"), 0o600))
	d.SambaTool(t, "domain", "passwordsettings", "set", "--account-lockout-threshold=20")
	password := []string{"-user", d.user.Principal(), "-password-file", f.secret}
	for name, tc := range map[string]struct {
		args   []string
		status int
		step   string
		text   string // of detail or remedy
	}{
		"np":             {append(password, "-transport", "np"), 0, "", ""},
		"auto":           {append(password, "-transport", "auto"), 0, "", ""},
		"tcp":            {append(password, "-transport", "tcp"), 1, "interface", "np (port 445)"},
		"no host":        {append(password, "-transport", "np", "-host", "none.corp.test"), 1, "host", "DNS"},
		"wrong password": {[]string{"-user", d.user.Logon(), "-password-file", wrong, "-transport", "auto", "-allow-ntlm"}, 7, "logon", "password"},
		"wrong password, NTLM": {
			[]string{"-user", d.user.Logon(), "-password-file", wrong, "-auth", "ntlm", "-directory", d.Host}, 7, "logon", "password",
		},
		"wrong password, NTLM and realm": {
			[]string{"-user", d.user.Principal(), "-password-file", wrong, "-auth", "ntlm", "-directory", d.Host}, 7, "logon", "password",
		},
		"no such user": {
			[]string{"-user", "nobody@" + adtest.Realm, "-password-file", wrong, "-transport", "np"}, 7, "logon", "name@REALM",
		},
		"no KDC": {append(password, "-transport", "np", "-kdc", "127.0.0.3"), 1, "logon", "88"},
	} {
		t.Run(name, func(t *testing.T) {
			before := d.Attribute(t, d.user.DN, "badPwdCount")
			status, out, stderr := enroll(t, f.dir, append([]string{
				"-check", "-json", "-host", d.host, "-ca", "Foreign CA", "-krb5-conf", d.KRB5Config(), "-roots", f.Roots,
			}, tc.args...)...)
			var r checked
			require.NoError(t, json.Unmarshal([]byte(out), &r), "%s%s", out, stderr)
			assert.Equal(t, tc.status, status, out)
			assert.Equal(t, tc.step, r.Failed, out)
			for _, s := range r.Steps {
				if s.Status == "failed" && s.Name == r.Failed {
					assert.Contains(t, s.Detail+s.Remedy, tc.text)
				}
			}
			if strings.HasPrefix(name, "wrong password") {
				count, err := strconv.Atoi(before)
				require.NoError(t, err)
				now, err := strconv.Atoi(d.Attribute(t, d.user.DN, "badPwdCount"))
				require.NoError(t, err)
				assert.LessOrEqual(t, now, count+1, "it is tried once")
			}
		})
	}
}

// TestCheckDirectory checks what only the directory tells: templates, rights and the CA's certificate.
func TestCheckDirectory(t *testing.T) {
	d, f := pipe(t)
	issuing, err := cli.Certificates(filepath.Join(filepath.Dir(f.Roots), "issuing.pem"))
	require.NoError(t, err)
	d.AddTemplate(t, adtest.Template{Name: "Ours", SchemaVersion: 2, SDDL: adtest.EnrollSDDL(d.user.SID)})
	d.AddTemplate(t, adtest.Template{Name: "Theirs", SchemaVersion: 2, SDDL: adtest.EnrollSDDL(d.Administrator().SID)})
	d.AddTemplate(t, adtest.Template{Name: "Hidden", SchemaVersion: 2, SDDL: adtest.EnrollSDDL(d.user.SID)})
	expired, expiredFile := expiredCA(t)
	type faults map[string]struct{ template, ca, roots, step, text string }
	for name, published := range map[string]struct {
		sddl        string
		certificate *x509.Certificate
		faults      faults
	}{
		"as it is": {faults: faults{
			"all is well":     {template: "Ours"},
			"no right":        {template: "Theirs", step: "enroll", text: "Enroll"},
			"not published":   {template: "Hidden", step: "template", text: `"Theirs"`},
			"no such":         {template: "Nonesuch", step: "template", text: "display name"},
			"name":            {template: "Ours", ca: "Forein CA", step: "ca name", text: `"Foreign CA"`},
			"another's roots": {template: "Ours", roots: expiredFile, step: "chain", text: "roots"},
		}},
		"for others": {sddl: adtest.EnrollSDDL(d.Administrator().SID), faults: faults{
			"no right at the CA": {template: "Ours", step: "enroll", text: "CA"},
		}},
		"expired": {certificate: expired, faults: faults{
			"expired CA": {template: "Ours", roots: expiredFile, step: "chain", text: "Renew"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d.PublishCA(t, adtest.CA{
				Name: "Foreign CA", Host: d.host, Certificates: []*x509.Certificate{cmp.Or(published.certificate, issuing[0])},
				Templates: []string{"Ours", "Theirs"}, SDDL: published.sddl,
			})
			for name, tc := range published.faults {
				status, out, stderr := enroll(t, f.dir, "-check", "-json", "-host", d.host, "-ca", cmp.Or(tc.ca, "Foreign CA"),
					"-krb5-conf", d.KRB5Config(), "-roots", cmp.Or(tc.roots, f.Roots), "-user", d.user.Principal(),
					"-password-file", f.secret, "-transport", "np", "-template", tc.template, "-directory", d.Host)
				var r checked
				require.NoError(t, json.Unmarshal([]byte(out), &r), "%s%s", out, stderr)
				assert.Equal(t, tc.step, r.Failed, "%s: %s", name, out)
				assert.Equal(t, tc.step != "", status == 1, "%s: %s", name, out)
				for _, s := range r.Steps {
					if s.Name == tc.step {
						assert.Contains(t, s.Remedy, tc.text, name)
					}
					assert.True(t, s.Status != "skipped" || tc.step == "template", "%s: %s: %s", name, s.Name, s.Detail)
				}
			}
		})
	}
}

// expiredCA is the certificate of a CA that has ended, and the file that trusts it.
func expiredCA(t *testing.T) (*x509.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Old CA"}, NotBefore: time.Now().Add(-48 * time.Hour),
		NotAfter: time.Now().Add(-24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "old.der")
	require.NoError(t, os.WriteFile(file, der, 0o600))
	return certificate, file
}
