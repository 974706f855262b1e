package main_test

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/pkcs12"
)

// pemFiles takes a .p12 apart, as certificate and key in one PEM file and in two.
func pemFiles(t *testing.T, dir, p12, passwordFile string) (both, cert, key string) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(dir, p12))
	require.NoError(t, err)
	password, err := cli.Password(filepath.Join(dir, passwordFile), "")
	require.NoError(t, err)
	private, chain, err := pkcs12.Decode(file, password)
	require.NoError(t, err)
	der, err := keygen.MarshalPrivateKey(private)
	require.NoError(t, err)
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	certPEM := cli.EncodeCertificates(chain...)
	files := t.TempDir()
	for name, content := range map[string][]byte{"both.pem": append(certPEM, keyPEM...), "cert.pem": certPEM, "key.pem": keyPEM} {
		require.NoError(t, os.WriteFile(filepath.Join(files, name), content, 0o600))
	}
	return filepath.Join(files, "both.pem"), filepath.Join(files, "cert.pem"), filepath.Join(files, "key.pem")
}

func TestRenew(t *testing.T) {
	ca, _ := startCA(t)
	dir := t.TempDir()
	status, first := ca.enroll(t, dir, "-template", "Device", "-subject", "CN=device,O=Corp", "-dns", "device.corp.test",
		"-roots", ca.ready["roots"], "-out", "old.p12")
	require.Zero(t, status, first.Error)
	both, cert, key := pemFiles(t, dir, "old.p12", "old.password")
	for name, args := range map[string][]string{
		"p12":       {"-renew", "old.p12", "-signer-password-file", "old.password"},
		"PEM":       {"-renew", both},
		"two PEMs":  {"-renew", cert, "-renew-key", key},
		"new names": {"-renew", both, "-template", "Device", "-subject", "CN=device,O=Corp", "-dns", "other.corp.test"},
	} {
		t.Run(name, func(t *testing.T) {
			out := strings.ReplaceAll(name, " ", "-") + ".p12"
			status, r := ca.enroll(t, dir, append(args, "-roots", ca.ready["roots"], "-out", out)...)
			require.Zero(t, status, r.Error)
			assert.Equal(t, "CN=device,O=Corp", r.Subject)
			assert.NotEqual(t, first.Serial, r.Serial)
			password, err := cli.Password(filepath.Join(dir, r.P12PasswordFile), "")
			require.NoError(t, err)
			checkP12(t, filepath.Join(dir, out), password, r.Serial)
		})
	}
	t.Run("refused", func(t *testing.T) {
		status, r := ca.enroll(t, dir, "-renew", both, "-template", "Strong", "-subject", "CN=x", "-key", "rsa2048", "-out", "x.p12")
		assert.Equal(t, 4, status)
		assert.Equal(t, "0x80094802", r.HResult, "another template")
	})
	for name, args := range map[string][]string{
		"both kinds":      {"-renew", cert, "-renew-key", filepath.Join(filepath.Dir(key), "both.pem"), "-on-behalf-of", `CORP\bob`},
		"the same file":   {"-renew", "x.p12", "-out", "x.p12"},
		"a key alone":     {"-renew-key", key, "-template", "Device"},
		"an agent alone":  {"-agent-cert", both, "-template", "Device"},
		"nobody's agent":  {"-on-behalf-of", `CORP\bob`, "-template", "User"},
		"an agent's key":  {"-agent-key", key, "-template", "User"},
		"with -retrieve":  {"-renew", both, "-retrieve", "1", "-key-file", "k"},
		"names, no templ": {"-renew", both, "-subject", "CN=x"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "the same file" {
				args = append(args, "-force")
			} else {
				args = append(args, "-out", "y.p12")
			}
			status, r := ca.enroll(t, dir, args...)
			assert.Equal(t, 2, status, r.Error)
			assert.NoFileExists(t, filepath.Join(dir, "y.key"))
		})
	}
}

func TestOnBehalfOf(t *testing.T) {
	ca, _ := startCA(t)
	dir := t.TempDir()
	status, r := ca.enroll(t, dir, "-template", "Agent", "-subject", "CN=agent", "-out", "agent.p12")
	require.Zero(t, status, r.Error)
	base := []string{"-agent-cert", "agent.p12", "-signer-password-file", "agent.password", "-template", "User"}
	status, r = ca.enroll(t, dir, append(base, "-on-behalf-of", `CORP\bob`, "-roots", ca.ready["roots"], "-out", "bob.p12")...)
	require.Zero(t, status, r.Error)
	assert.Equal(t, "CN=bob", r.Subject)
	status, r = ca.enroll(t, dir, append(base, "-on-behalf-of", `CORP\nobody`, "-out", "nobody.p12")...)
	assert.Equal(t, 4, status, r.Error)
	assert.Equal(t, "0x80070534", r.HResult)
	status, r = ca.enroll(t, dir, append(base, "-on-behalf-of", "nobody", "-out", "nobody.p12")...)
	assert.Equal(t, 2, status, r.Error)
	status, r = ca.enroll(t, dir, "-agent-cert", "bob.p12", "-signer-password-file", "bob.password", "-template", "User",
		"-on-behalf-of", `CORP\bob`, "-out", "x.p12")
	assert.Equal(t, 2, status, "no agent: %s", r.Error)
	status, r = ca.enroll(t, dir, "-agent-cert", "agent.p12", "-signer-password-file", "bob.password", "-template", "User",
		"-on-behalf-of", `CORP\bob`, "-out", "x.p12")
	assert.Equal(t, 1, status, "another password: %s", r.Error)
}

func TestCurrentAccount(t *testing.T) {
	status, out, _ := enroll(t, t.TempDir(), "-host", "ca.corp.test", "-ca", "CA", "-template", "User", "-current-account", "-json")
	assert.Equal(t, 2, status, "there is none here: %s", out)
	assert.Contains(t, out, "on Windows only")
}
