package connector_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/connector"
)

// TestIdentityKind: what to open an identity with is known without opening it.
func TestIdentityKind(t *testing.T) {
	kind := func(dir string) string {
		t.Helper()
		kind, err := connector.IdentityKind(dir)
		require.NoError(t, err)
		return kind
	}
	dir := filepath.Join(t.TempDir(), "identity")
	assert.Empty(t, kind(dir))
	assert.NoDirExists(t, dir, "nothing is made")
	require.NoError(t, os.Mkdir(dir, 0o700))
	assert.Empty(t, kind(dir))

	id := openIn(t, dir, nil)
	assert.Equal(t, connector.KindSoftware, kind(dir))
	registered(t, id)
	require.NoError(t, id.Rotate(tenantName, newChip("a")))
	assert.Equal(t, "chip", kind(dir), "of the keys in use, and not of the former ones")

	for _, store := range []connector.KeyStore{nil, newChip("a")} { // interrupted before the state was written
		dir := filepath.Join(t.TempDir(), "identity")
		want := openIn(t, dir, store).Kind()
		assert.Equal(t, want, kind(dir))
		require.NoError(t, os.Remove(filepath.Join(dir, "state.json")))
		if store != nil {
			want = "" // its files do not say whose they are
		}
		assert.Equal(t, want, kind(dir))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "state.json"), []byte("{}"), 0o600))
	_, err := connector.IdentityKind(dir)
	require.ErrorContains(t, err, "damaged")
	if runtime.GOOS == "windows" {
		return // modes mean nothing there
	}
	require.NoError(t, os.Chmod(dir, 0o755))
	_, err = connector.IdentityKind(dir)
	require.ErrorContains(t, err, "chmod go=")
}
