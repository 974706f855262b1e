package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/pkcs12/sealed"
	"github.com/adcskit/adcskit/wsproto"
)

func unsealed(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(args, &out)
	return out.String(), err
}

func succeeds(t *testing.T, args ...string) string {
	t.Helper()
	out, err := unsealed(t, args...)
	require.NoError(t, err, args)
	return out
}

// lab is a folder with a recipient's key and a bundle for it.
type lab struct {
	dir       string
	connector *ecdsa.PrivateKey
	id        string // of the connector
	recipient wsproto.Recipient
	leaf      []byte
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func newLab(t *testing.T, curve string) *lab {
	t.Helper()
	l := &lab{dir: t.TempDir(), connector: newKey(t)}
	id, err := wsproto.FingerprintKey(l.connector.Public())
	require.NoError(t, err)
	l.id = id.String()
	out := succeeds(t, "-curve", curve, "key", l.path("r.key"), "laptop-17")
	require.NoError(t, wsproto.Unmarshal([]byte(out), &l.recipient))
	assert.Equal(t, out, succeeds(t, "public", l.path("r.key"), "laptop-17"))
	l.seal(t, "r.sealed.json", nil)
	return l
}

// seal writes what a connector would deliver.
func (l *lab) seal(t *testing.T, name string, change func(b *sealed.Bundle)) {
	t.Helper()
	device := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x4711), Subject: pkix.Name{CommonName: "laptop-17\x1b[2J"}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, device.Public(), device)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	l.leaf = der
	b := sealed.Bundle{Header: sealed.Header{Tenant: "acme", Job: "job-1", Recipient: "laptop-17", Thumbprint: sha256.Sum256(der)}}
	b.Password, err = pkcs12.NewPassword()
	require.NoError(t, err)
	b.PKCS12, err = pkcs12.Encode(pkcs12.Compat(), device, []*x509.Certificate{cert}, b.Password)
	require.NoError(t, err)
	if change != nil {
		change(&b)
	}
	to, err := wsproto.ParseRecipientKey(l.recipient.Key)
	require.NoError(t, err)
	text, err := sealed.Seal(l.connector, to, b)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(l.path(name), text, 0o644))
}

func TestOpen(t *testing.T) {
	for _, curve := range []string{"P-256", "x25519"} {
		l := newLab(t, curve)
		out := succeeds(t, "-signer", l.id, "-tenant", "acme", "-job", "job-1", "-recipient", "laptop-17",
			"open", l.path("r.key"), l.path("r.sealed.json"), l.path("laptop-17"))
		assert.Contains(t, out, "serial 4711")
		assert.NotContains(t, out, "\x1b", "a name of a certificate is quoted")
		password, err := cli.Password(l.path("laptop-17.password"), "")
		require.NoError(t, err)
		file, err := os.ReadFile(l.path("laptop-17.p12"))
		require.NoError(t, err)
		_, certs, err := pkcs12.Decode(file, password)
		require.NoError(t, err)
		assert.Equal(t, l.leaf, certs[0].Raw)
		assert.NotContains(t, out, password)
		for _, name := range []string{"r.key", "laptop-17.p12", "laptop-17.password"} {
			info, err := os.Stat(l.path(name))
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
		}

		shown := succeeds(t, "show", l.path("r.sealed.json"))
		for _, want := range []string{`"acme"`, `"job-1"`, `"laptop-17"`, l.id, fmt.Sprintf("%x", sha256.Sum256(l.leaf))} {
			assert.Contains(t, shown, want)
		}
	}
}

// TestSignersByOtherNames: what connector show prints, and what openssl writes.
func TestSignersByOtherNames(t *testing.T) {
	l := newLab(t, "P-256")
	spki, err := wsproto.MarshalPublicKey(l.connector.Public())
	require.NoError(t, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	require.NoError(t, os.WriteFile(l.path("connector.pem"), text, 0o644))
	other, err := wsproto.FingerprintKey(newKey(t).Public())
	require.NoError(t, err)
	for i, name := range []string{base64.StdEncoding.EncodeToString(spki), l.path("connector.pem"), strings.ToUpper(l.id)} {
		succeeds(t, "-signer", other.String(), "-signer", name, "open", l.path("r.key"), l.path("r.sealed.json"), l.path(fmt.Sprint(i)))
	}
}

func TestOpenRefuses(t *testing.T) {
	l := newLab(t, "P-256")
	other, err := wsproto.FingerprintKey(newKey(t).Public())
	require.NoError(t, err)
	succeeds(t, "key", l.path("other.key"), "laptop-18")
	good, err := os.ReadFile(l.path("r.sealed.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(l.path("changed.json"), bytes.Replace(good, []byte("job-1"), []byte("job-2"), 1), 0o644))
	require.NoError(t, os.WriteFile(l.path("large.json"), make([]byte, sealed.MaxBundle+1), 0o644))
	l.seal(t, "another.json", func(b *sealed.Bundle) { b.Header.Thumbprint[0] ^= 1 })
	l.seal(t, "password.json", func(b *sealed.Bundle) { b.Password += "x" })
	l.seal(t, "no.p12.json", func(b *sealed.Bundle) { b.PKCS12 = []byte("x") })
	for name, c := range map[string]struct {
		want string
		args []string
	}{
		"another connector":   {"not accepted", []string{"-signer", other.String(), "open", "r.key", "r.sealed.json", "x"}},
		"changed":             {"signature", []string{"-signer", l.id, "open", "r.key", "changed.json", "x"}},
		"another key":         {"another key", []string{"-signer", l.id, "open", "other.key", "r.sealed.json", "x"}},
		"another tenant":      {"another tenant", []string{"-signer", l.id, "-tenant", "umbrella", "open", "r.key", "r.sealed.json", "x"}},
		"another job":         {"job", []string{"-signer", l.id, "-job", "job-2", "open", "r.key", "r.sealed.json", "x"}},
		"another recipient":   {"recipient", []string{"-signer", l.id, "-recipient", "y", "open", "r.key", "r.sealed.json", "x"}},
		"another certificate": {"another certificate", []string{"-signer", l.id, "open", "r.key", "another.json", "x"}},
		"wrong password":      {"wrong password", []string{"-signer", l.id, "open", "r.key", "password.json", "x"}},
		"no .p12":             {"malformed", []string{"-signer", l.id, "open", "r.key", "no.p12.json", "x"}},
		"no bundle":           {"malformed", []string{"-signer", l.id, "open", "r.key", "r.key", "x"}},
		"too large":           {"larger", []string{"-signer", l.id, "open", "r.key", "large.json", "x"}},
		"no key":              {"PRIVATE KEY", []string{"-signer", l.id, "open", "r.sealed.json", "r.sealed.json", "x"}},
		"no file":             {"no such file", []string{"-signer", l.id, "open", "r.key", "none", "x"}},
		"no bundle to show":   {"malformed", []string{"show", "r.key"}},
		"a changed one":       {"signature", []string{"show", "changed.json"}},
	} {
		t.Chdir(l.dir)
		_, err := unsealed(t, c.args...)
		assert.ErrorContains(t, err, c.want, name)
		assert.Equal(t, 1, cli.ExitStatus(err), name)
		for _, left := range []string{"x.p12", "x.password"} {
			assert.NoFileExists(t, l.path(left), name)
		}
	}
}

// TestNothingIsOverwritten: keys and files are the only ones of their kind.
func TestNothingIsOverwritten(t *testing.T) {
	l := newLab(t, "X25519")
	before, err := os.ReadFile(l.path("r.key"))
	require.NoError(t, err)
	for _, command := range [][]string{{"key", l.path("r.key"), "x"}, {"orderkey", l.path("r.key")}} {
		_, err := unsealed(t, command...)
		assert.ErrorContains(t, err, "there already")
	}
	after, err := os.ReadFile(l.path("r.key"))
	require.NoError(t, err)
	assert.Equal(t, before, after)
	for _, extension := range []string{".p12", ".password"} {
		name := l.path("taken" + extension)
		require.NoError(t, os.WriteFile(name, []byte("mine"), 0o600))
		_, err := unsealed(t, "-signer", l.id, "open", l.path("r.key"), l.path("r.sealed.json"), l.path("taken"))
		assert.ErrorContains(t, err, "there already")
		left, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, "mine", string(left))
		require.NoError(t, os.Remove(name))
	}
	entries, err := os.ReadDir(l.dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "nothing is left behind")
}

func TestSign(t *testing.T) {
	l := newLab(t, "P-256")
	var public string
	require.NoError(t, json.Unmarshal([]byte(succeeds(t, "orderkey", l.path("o.key"))), &public))
	spki, err := base64.StdEncoding.DecodeString(public)
	require.NoError(t, err)
	ordering, err := wsproto.ParsePublicKey(spki)
	require.NoError(t, err)
	order := wsproto.Order{
		CA: wsproto.CAAssignment{Host: "ca", Name: "Corp <CA> & Sons"}, Template: "Device", Subject: "CN=laptop-17", Key: "p256", Recipient: &l.recipient,
	}
	write := func(o wsproto.Order) {
		text, err := wsproto.EncodeOrder(o)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(l.path("order.json"), text, 0o600))
	}
	write(order)
	signed, err := wsproto.DecodeOrder([]byte(succeeds(t, "sign", l.path("o.key"), "acme", l.path("order.json"))))
	require.NoError(t, err)
	require.NoError(t, wsproto.VerifyRecipient(ordering, "acme", signed))
	require.Error(t, wsproto.VerifyRecipient(ordering, "umbrella", signed))
	signed.Recipient.Signature = nil
	order.Recipient.Signature = nil
	assert.Equal(t, order, *signed)

	order.Password = "x"
	write(order)
	_, err = unsealed(t, "sign", l.path("o.key"), "acme", l.path("order.json"))
	assert.ErrorContains(t, err, "has a password")
	order.Password, order.Recipient = "", nil
	write(order)
	_, err = unsealed(t, "sign", l.path("o.key"), "acme", l.path("order.json"))
	assert.ErrorContains(t, err, "no recipient")
	require.NoError(t, os.WriteFile(l.path("order.json"), []byte(`{"ca":{"host":"h","name":"n"},"future":1}`), 0o600))
	_, err = unsealed(t, "sign", l.path("o.key"), "acme", l.path("order.json"))
	assert.ErrorContains(t, err, "future", "it would not be covered")
	succeeds(t, "-curve", "X25519", "key", l.path("x.key"), "x")
	order.Recipient = &l.recipient
	write(order)
	_, err = unsealed(t, "sign", l.path("x.key"), "acme", l.path("order.json"))
	assert.ErrorContains(t, err, "no P-256 key")
}

func TestKeyFiles(t *testing.T) {
	l := newLab(t, "P-256")
	p384, err := ecdh.P384().GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(p384)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(l.path("p384"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(l.path("bad"), []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600))
	for file, want := range map[string]string{"p384": "neither", "bad": "cannot be read", "r.sealed.json": "PRIVATE KEY", "none": "no such"} {
		_, err := unsealed(t, "public", l.path(file), "x")
		assert.ErrorContains(t, err, want, file)
	}
}

func TestKeyFileOfOthersIsRefused(t *testing.T) {
	l := newLab(t, "P-256")
	require.NoError(t, os.Chmod(l.path("r.key"), 0o644))
	_, err := unsealed(t, "public", l.path("r.key"), "x")
	if runtime.GOOS != "windows" {
		assert.ErrorContains(t, err, "chmod")
	}
}

func TestUsage(t *testing.T) {
	out, err := unsealed(t, "-h")
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, want := range []string{"key FILE", "public FILE", "show SEALED", "open FILE", "orderkey FILE", "sign FILE", "-signer", "-curve"} {
		assert.Contains(t, out, want)
	}
	for _, args := range [][]string{
		{}, {"key"}, {"open", "a", "b", "c"}, {"frobnicate"}, {"-signer", "x", "show", "y"}, {"-curve", "P-384", "key", "x", "y"},
		{"key", filepath.Join(t.TempDir(), "x"), ""}, {"show"}, {"-nothing"},
		{"sign", "key", "", "order"}, {"sign", "key", strings.Repeat("x", 256), "order"},
	} {
		_, err := unsealed(t, args...)
		assert.Equal(t, 2, cli.ExitStatus(err), "%v: %v", args, err)
	}
	for _, name := range []string{"", "4ecf1ded"} { // a fingerprint that is missing, and one cut short
		_, err := unsealed(t, "-signer", name, "open", "a", "b", "c")
		assert.ErrorContains(t, err, "no fingerprint", name)
		assert.Equal(t, 2, cli.ExitStatus(err), name)
	}
}
