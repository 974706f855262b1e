package cli_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
)

func TestCheckPrivate(t *testing.T) {
	path := write(t, "key")
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false} {
		require.NoError(t, os.Chmod(path, mode))
		if err := cli.CheckPrivate(path); ok || runtime.GOOS == "windows" {
			assert.NoError(t, err, mode)
		} else {
			assert.ErrorContains(t, err, "chmod go=", mode)
		}
	}
	assert.ErrorIs(t, cli.CheckPrivate(filepath.Join(t.TempDir(), "none")), os.ErrNotExist)
	assert.NoError(t, cli.CheckPrivate(os.DevNull), "its mode says nothing about what comes out of it")
}
