package cli_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
)

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestPassword(t *testing.T) {
	for content, want := range map[string]string{"secret\n": "secret", "secret": "secret", " a b \r\n": " a b ", "a\r\n": "a"} {
		got, err := cli.Password(write(t, content), "")
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, content := range []string{"", "\n", "a\nb\n", "a\n\n", "a\x00", strings.Repeat("x", 5000)} {
		_, err := cli.Password(write(t, content), "")
		require.Error(t, err, "%q", content)
		assert.NotContains(t, err.Error(), "xxx")
	}
	_, err := cli.Password("/nonexistent", "ADCSKIT_TEST_PASSWORD")
	require.ErrorIs(t, err, os.ErrNotExist)

	t.Setenv("ADCSKIT_TEST_PASSWORD", "from the environment")
	got, err := cli.Password("", "ADCSKIT_TEST_PASSWORD")
	require.NoError(t, err)
	assert.Equal(t, "from the environment", got)
	t.Setenv("ADCSKIT_TEST_PASSWORD", "")
	_, err = cli.Password("", "ADCSKIT_TEST_PASSWORD")
	require.ErrorIs(t, err, cli.ErrNoPassword)
}

func TestWritePrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
	require.NoError(t, cli.WritePrivate(path, []byte("new")))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "a readable file is replaced, not reused")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "new", string(b))

	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "folder", "x"), nil, 0o600))
	require.Error(t, cli.WritePrivate(filepath.Join(dir, "folder"), nil))
	require.Error(t, cli.WritePrivate(filepath.Join(dir, "none", "x"), nil))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "nothing is left behind")
}

// TestPrivateFilesAndWhatIsThere leaves alone what is no regular file, and tells so before anything is at stake.
func TestPrivateFilesAndWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("target"), []byte("target"), 0o644))
	require.NoError(t, os.Symlink(at("target"), at("link")))
	require.NoError(t, os.Mkdir(at("folder"), 0o700))
	for _, name := range []string{"link", "folder", "none/x", "target/x", os.DevNull} {
		path := at(name)
		if name == os.DevNull {
			path = name
		}
		assert.Error(t, cli.CanWrite(path), name)
		assert.ErrorContains(t, cli.WritePrivate(path, []byte("x")), path)
	}
	require.NoError(t, cli.CanWrite(at("target")))
	require.NoError(t, cli.CanWrite(at("new")))
	require.NoError(t, cli.CreatePrivate(at("new"), []byte("first")))
	require.ErrorIs(t, cli.CreatePrivate(at("new"), []byte("second")), os.ErrExist)
	for name, want := range map[string]string{"target": "target", "link": "target", "new": "first"} {
		b, err := os.ReadFile(at(name))
		require.NoError(t, err)
		assert.Equal(t, want, string(b))
	}
	info, err := os.Stat(at("new"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 4, "nothing is left behind")
}

func TestLoadJSON(t *testing.T) {
	var v struct {
		Known string `json:"known"`
		Key   []byte `json:"key"`
	}
	require.ErrorContains(t, cli.LoadJSON(write(t, `{"key": "laptop-17.key"}`), &v), "public key")
	require.NoError(t, cli.LoadJSON(write(t, ` {"known": "x"} `), &v))
	assert.Equal(t, "x", v.Known)
	for _, content := range []string{"", "{", `{"unknown": 1}`, `{} {}`, `{} x`, `{"known": 1}`, strings.Repeat(" ", 2<<20)} {
		assert.Error(t, cli.LoadJSON(write(t, content), &v), "%.20q", content)
	}
}

func TestLoadJSONNamesTheLine(t *testing.T) {
	for content, want := range map[string]string{
		"{\n\n \"known\": \"x\",,\n}":    "file:3: invalid character",
		"{\n \"known\": 1\n}":            "file:2: json: cannot unmarshal number",
		"{\n\n\n \"unknown\" : 1\n}":     `file:4: json: unknown field "unknown"`,
		"{\n \"known\": \"unknown\"\n\n": "file: unexpected EOF",
	} {
		var v struct {
			Known string `json:"known"`
		}
		assert.ErrorContains(t, cli.LoadJSON(write(t, content), &v), want)
	}
}

func TestCertificates(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	_, key25519, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	const malformed = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	for _, content := range []string{"", "text", key, malformed} {
		_, err := cli.Certificates(write(t, content))
		assert.Error(t, err, content)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)},
		&x509.Certificate{}, key25519.Public(), key25519)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	for form, content := range map[string][]byte{
		"PEM": append([]byte("a comment\n"), cli.EncodeCertificates(cert)...), "DER": der, // as certmgr exports it
	} {
		got, err := cli.Certificates(write(t, string(content)))
		require.NoError(t, err, form)
		require.Len(t, got, 1)
		assert.True(t, got[0].Equal(cert))
	}
	_, err = cli.Certificates(filepath.Join(t.TempDir(), "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
