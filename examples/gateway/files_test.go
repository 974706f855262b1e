package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
)

// TestKeep: fetch can be repeated, and never takes the place of what another order has brought.
func TestKeep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.p12")
	require.NoError(t, keep(path, []byte("one")))
	require.NoError(t, keep(path, []byte("one")))
	for _, other := range []string{"two", "o", "one more"} {
		require.Equal(t, 2, cli.ExitStatus(keep(path, []byte(other))), other)
	}
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "one", string(kept))
}
