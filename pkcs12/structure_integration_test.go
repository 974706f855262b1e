//go:build integration

package pkcs12

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func runOpenSSL(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "openssl %s: %s", strings.Join(args, " "), out)
	return string(out)
}

// TestStructureOpenSSL has files with the structure that OpenSSL's own have, element for element.
func TestStructureOpenSSL(t *testing.T) {
	m := newMaker(t, compat)
	chain := append(m.c.chain, newMaker(t, compat).c.chain[0])
	dir := t.TempDir()
	var all bytes.Buffer
	der, err := x509.MarshalPKCS8PrivateKey(m.c.key)
	require.NoError(t, err)
	require.NoError(t, pem.Encode(&all, &pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	for _, cert := range chain {
		require.NoError(t, pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "all.pem"), all.Bytes(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte(secret), 0o600))
	for set, args := range map[algorithms][]string{
		compat: {"-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"},
		modern: {"-certpbe", "AES-256-CBC", "-keypbe", "AES-256-CBC", "-macalg", "sha256"},
	} {
		for _, name := range []string{"", "a name"} {
			export := append([]string{"pkcs12", "-export", "-in", "all.pem", "-passout", "file:password", "-out", "f.p12"}, args...)
			if name != "" {
				export = append(export, "-name", name)
			}
			runOpenSSL(t, dir, export...)
			theirs, err := os.ReadFile(filepath.Join(dir, "f.p12"))
			require.NoError(t, err)
			ours, err := Options{Profile: Profile{set: set}, FriendlyName: name}.Encode(m.c.key, chain, secret)
			require.NoError(t, err)
			assert.Empty(t, differences(structure(t, theirs, secret), structure(t, ours, secret)), "%v %q", set, name)
		}
	}
}

// TestASN1Parse lets OpenSSL print the file, and what its octet strings hold.
func TestASN1Parse(t *testing.T) {
	m := newMaker(t, compat)
	for set := range pbmac1 + 1 {
		file, err := Options{Profile: Profile{set: set}, FriendlyName: "x"}.Encode(m.c.key, m.c.chain, secret)
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "f.p12"), file, 0o600))
		out := runOpenSSL(t, dir, "asn1parse", "-inform", "DER", "-in", "f.p12")
		assert.Contains(t, out, ":pkcs7-data")
		assert.Equal(t, set == pbmac1, strings.Contains(out, ":PBMAC1"))
		content := regexp.MustCompile(`(?m)^ *(\d+):d=3 .*OCTET STRING`).FindStringSubmatch(out)
		require.Len(t, content, 2, out)
		out = runOpenSSL(t, dir, "asn1parse", "-inform", "DER", "-in", "f.p12", "-strparse", content[1])
		assert.Contains(t, out, ":pkcs7-encryptedData")
		inner := regexp.MustCompile(`(?m)^ *(\d+):d=3 .*OCTET STRING`).FindStringSubmatch(out)
		require.Len(t, inner, 2, out)
		out = runOpenSSL(t, dir, "asn1parse", "-inform", "DER", "-in", "f.p12", "-strparse", content[1], "-strparse", inner[1])
		for _, want := range []string{":pkcs8ShroudedKeyBag", ":friendlyName", ":localKeyID", "BMPSTRING"} {
			assert.Contains(t, out, want, fmt.Sprint(set))
		}
	}
}
