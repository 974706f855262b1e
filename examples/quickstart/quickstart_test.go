package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRunDeliversWhatItPrints(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "out")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), options{count: 2, key: "p256", out: folder, parallel: 2}, &out), out.String())
	for _, name := range []string{"device-01", "device-02", "held"} {
		password, err := os.ReadFile(filepath.Join(folder, name+".password"))
		require.NoError(t, err)
		require.NotContains(t, out.String(), strings.TrimSpace(string(password)))
		for _, suffix := range []string{".p12", ".password"} {
			info, err := os.Stat(filepath.Join(folder, name+suffix))
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name+suffix)
		}
	}
	for _, name := range []string{"denied", "refused"} {
		require.NoFileExists(t, filepath.Join(folder, name+".p12"))
	}
	require.Regexp(t, `CN=denied .* denied `, out.String())
	require.Contains(t, out.String(), "CERTSRV_E_TEMPLATE_DENIED")
	require.Contains(t, out.String(), "policy-name")
}

func TestRunRefusesBadFlags(t *testing.T) {
	for _, o := range []options{
		{count: -1, parallel: 1}, {count: 10_001, parallel: 1}, {parallel: 0}, {parallel: 65}, {parallel: 1, key: "rsa512"},
	} {
		require.Error(t, run(t.Context(), o, os.Stdout), "%+v", o)
	}
}

func TestRunOverwritesOnlyItsOwnFiles(t *testing.T) {
	folder := t.TempDir()
	other := filepath.Join(folder, "other.p12")
	require.NoError(t, os.WriteFile(other, []byte("mine"), 0o644))
	old := filepath.Join(folder, "held.p12")
	require.NoError(t, os.WriteFile(old, []byte("old"), 0o644))
	require.NoError(t, run(t.Context(), options{out: folder, parallel: 1}, new(bytes.Buffer)))
	kept, err := os.ReadFile(other)
	require.NoError(t, err)
	require.Equal(t, "mine", string(kept))
	info, err := os.Stat(old)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
