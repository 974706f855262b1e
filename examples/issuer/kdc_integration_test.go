//go:build integration && linux

package issuer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const kdcRealm = "EXAMPLE.COM"

// kdc is MIT's krb5kdc with a certificate of the company, in the foreground, on an address of its own, with a database
// and a configuration of its own. Alice has no keys there: she cannot log on but with a certificate.
type kdc struct {
	*foreign
	t      *testing.T
	folder string
	clock  []string // environment of a clock that is wrong
}

// kdcConf and krb5Conf are what a KDC needs besides the kdc.conf of the documents, and clients besides its krb5.conf.
const (
	kdcConf = `[kdcdefaults]
	kdc_listen = ""
	kdc_tcp_listen = <address>
[realms]
	EXAMPLE.COM = {
		database_name = <folder>/principal
		key_stash_file = <folder>/stash
		<lines>
	}
[logging]
	kdc = STDERR
	admin_server = STDERR
`
	krb5Conf = `[libdefaults]
	default_realm = EXAMPLE.COM
	dns_lookup_realm = false
	dns_lookup_kdc = false
	rdns = false
	udp_preference_limit = 1
	clockskew = 300
`
)

// newKDC prepares a KDC, to be started. Lines are settings of its realm, which go before those of the documents: MIT
// uses the first. Its clients trust the CAs of other companies too: they verify their own certificates before they show
// them.
func (c *company) newKDC(t *testing.T, key crypto.Signer, others []*company, lines ...string) *kdc {
	t.Helper()
	for _, name := range []string{"krb5kdc", "kdb5_util", "kadmin.local", "kinit", "klist", "kvno"} {
		needForeign(t, "krb5-kdc, krb5-admin-server or krb5-user", name)
	}
	k := &kdc{t: t, folder: t.TempDir()}
	address := freeLoopback(t)
	ours := strings.NewReplacer("<address>", address, "<folder>", k.folder, "<lines>", strings.Join(lines, "\n\t\t"))
	writeSecret(t, k.path("kdc.conf"), []byte(ours.Replace(kdcConf)+k.document("kdc.conf", map[string]string{
		"/etc/krb5kdc/": k.folder + "/",
	})))
	writeSecret(t, k.path("krb5.conf"), []byte(krb5Conf))
	writeSecret(t, k.path("client.conf"), []byte(krb5Conf+k.document("krb5.conf", map[string]string{
		"kdc.example.com": address, "/etc/ssl/example/": k.folder + "/client-",
	})))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	roots, pool := c.root(), c.issuing()
	for name, content := range map[string][]byte{
		"kdc.key": pemBlock("PRIVATE KEY", der), "kdc.pem": c.kdcCertificate(t, key), "root.pem": roots, "issuing.pem": pool,
		"crl.pem": c.crls(t),
	} {
		writeSecret(t, k.path(name), content)
	}
	for _, other := range others {
		roots, pool = slices.Concat(roots, other.root()), slices.Concat(pool, other.issuing())
	}
	writeSecret(t, k.path("client-root.pem"), roots)
	writeSecret(t, k.path("client-issuing.pem"), pool)
	k.must("", "kdb5_util", "create", "-s", "-r", kdcRealm, "-P", "of the database")
	k.admin("addprinc", "-nokey", "+requires_preauth", "alice")
	return k
}

// document is a file of the documents with what differs here.
func (k *kdc) document(name string, changes map[string]string) string {
	k.t.Helper()
	text, err := os.ReadFile(filepath.Join("../logon", name))
	require.NoError(k.t, err)
	conf := string(text)
	for from, to := range changes {
		require.Contains(k.t, conf, from)
		conf = strings.ReplaceAll(conf, from, to)
	}
	return conf
}

// freeLoopback is an address and port of the loopback network that nobody uses, nor will before the KDC does: all
// others are on 127.0.0.1.
func freeLoopback(t *testing.T) string {
	t.Helper()
	host := net.IPv4(127, byte(1+rand.IntN(254)), byte(rand.IntN(256)), byte(1+rand.IntN(254)))
	l, err := net.Listen("tcp", net.JoinHostPort(host.String(), "0"))
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}

func (k *kdc) path(name string) string { return filepath.Join(k.folder, name) }

// start starts the KDC, or starts it anew: it reads certificates and CRLs only then. It says why it does what it does.
func (k *kdc) start() {
	k.t.Helper()
	if k.foreign != nil {
		k.stop()
	}
	args := slices.Concat(k.environ("krb5.conf"), k.clock, []string{foreignProgram("krb5kdc"), "-n", "-r", kdcRealm})
	var err error
	k.foreign, err = startForeign(k.t, "commencing operation", "env", args...)
	require.NoError(k.t, err)
}

// environ are the variables with a configuration of ours instead of the machine's.
func (k *kdc) environ(conf string) []string {
	return []string{
		"LC_ALL=C", "KRB5_CONFIG=" + k.path(conf), "KRB5_KDC_PROFILE=" + k.path("kdc.conf"), "KRB5_TRACE=/dev/stderr",
	}
}

// setAhead lets the KDC's clock run ahead when it is started next, and both sides tolerate that.
func (k *kdc) setAhead(d time.Duration) {
	k.t.Helper()
	found, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	require.NoError(k.t, err)
	require.Len(k.t, found, 1, "this test needs a clock of its own for a process (Debian package libfaketime)")
	k.clock = []string{"LD_PRELOAD=" + found[0], fmt.Sprintf("FAKETIME=+%d", int(d.Seconds()))}
	for _, name := range []string{"krb5.conf", "client.conf"} {
		conf, err := os.ReadFile(k.path(name))
		require.NoError(k.t, err)
		tolerant := fmt.Appendf(nil, "clockskew = %d", int(2*d.Seconds()))
		writeSecret(k.t, k.path(name), bytes.Replace(conf, []byte("clockskew = 300"), tolerant, 1))
	}
}

// run runs one of MIT's programs with a ticket cache, and returns what it says. What it may ask for is in input.
func (k *kdc) run(cache, input, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, foreignProgram(name), args...)
	cmd.Env = slices.Concat(os.Environ(), k.environ("client.conf"), []string{"KRB5CCNAME=FILE:" + k.path(cache)})
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is run for what does not fail.
func (k *kdc) must(cache, name string, args ...string) string {
	k.t.Helper()
	out, err := k.run(cache, "", name, args...)
	require.NoError(k.t, err, "%s: %s", name, out)
	return out
}

// admin changes the database.
func (k *kdc) admin(command ...string) {
	k.t.Helper()
	k.must("", "kadmin.local", append([]string{"-r", kdcRealm}, command...)...)
}

// ticket is what became of an attempt to log on.
type ticket struct {
	kdc    *kdc
	begin  int // in what the KDC says
	err    error
	client string // what kinit says
}

// kinit has alice log on with a .p12, whose password is typed. Her tickets are in the cache.
func (k *kdc) kinit(cache string, p12 []byte, password string) ticket {
	k.t.Helper()
	writeSecret(k.t, k.path("client-alice.p12"), p12)
	got := ticket{kdc: k, begin: k.now()}
	got.client, got.err = k.run(cache, password+"\n", "kinit", "alice")
	return got
}

// isGiven checks that alice is in, and returns what the KDC says about it.
func (l ticket) isGiven(t *testing.T) string {
	t.Helper()
	require.NoError(t, l.err, "%s", l.client)
	server, err := l.kdc.await(l.begin, "ISSUE: authtime")
	require.NoError(t, err)
	return server
}

// isRefused checks that she is not, and that both sides say why.
func (l ticket) isRefused(t *testing.T, client, server string) {
	t.Helper()
	require.Error(t, l.err, "%s", l.client)
	require.True(t, strings.Contains(l.client, client), "kinit does not say %q, but: %s", client, l.client)
	_, err := l.kdc.await(l.begin, server)
	require.NoError(t, err)
}
