package cli_test

import (
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

func TestLoadJSON(t *testing.T) {
	var v struct {
		Known string `json:"known"`
	}
	require.NoError(t, cli.LoadJSON(write(t, ` {"known": "x"} `), &v))
	assert.Equal(t, "x", v.Known)
	for _, content := range []string{"", "{", `{"unknown": 1}`, `{} {}`, `{} x`, `{"known": 1}`, strings.Repeat(" ", 2<<20)} {
		assert.Error(t, cli.LoadJSON(write(t, content), &v), "%.20q", content)
	}
}

func TestCertificates(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	const malformed = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	for _, content := range []string{"", "text", key, malformed} {
		_, err := cli.Certificates(write(t, content))
		assert.Error(t, err, content)
	}
	_, err := cli.Certificates(filepath.Join(t.TempDir(), "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
