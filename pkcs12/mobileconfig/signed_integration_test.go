//go:build integration

package mobileconfig_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documented returns the commands of the package comment, as a shell takes them.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	var commands []string
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n//", "")) {
		if command, is := strings.CutPrefix(line, "//\topenssl "); is {
			commands = append(commands, "openssl "+command)
		}
	}
	return commands
}

// The commands of the package comment sign a profile with a certificate of an issuing CA, and read it back.
func TestSigned(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, content []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o600))
	}
	rootKey, issuingKey, signerKey := newKey(t), newKey(t), newKey(t)
	root := newCA(t, rootKey, "root")
	issuing := sign(t, newCA(t, issuingKey, "issuing"), issuingKey, root, rootKey)
	signer := sign(t, newCert(t, signerKey, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	}), signerKey, issuing, issuingKey)
	for name, cert := range map[string]*x509.Certificate{"root": root, "issuing": issuing, "signer": signer} {
		write(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	der, err := x509.MarshalPKCS8PrivateKey(signerKey)
	require.NoError(t, err)
	write("signer.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	profile := encode(t, full(t))
	write("NAME.mobileconfig", profile)

	run := func(command string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Dir = folder
		return cmd.CombinedOutput()
	}
	commands := documented(t)
	require.Len(t, commands, 2)
	for _, command := range commands {
		out, err := run(command)
		require.NoError(t, err, "%s", out)
	}
	read, err := os.ReadFile(filepath.Join(folder, "READ.mobileconfig"))
	require.NoError(t, err)
	assert.Equal(t, profile, read)

	signed, err := os.ReadFile(filepath.Join(folder, "SIGNED.mobileconfig"))
	require.NoError(t, err)
	require.Contains(t, string(signed), "Example Root CA", "not in base64: the profile itself")
	write("SIGNED.mobileconfig", bytes.Replace(signed, []byte("Example Root CA"), []byte("Evil... Root CA"), 1))
	out, err := run(commands[1])
	assert.Error(t, err, "%s", out)
}

// sign returns the certificate as another CA issues it.
func sign(
	t *testing.T, cert *x509.Certificate, key *ecdsa.PrivateKey, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey,
) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, issuer, key.Public(), issuerKey)
	require.NoError(t, err)
	issued, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return issued
}
