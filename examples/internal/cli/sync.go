package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// syncFolder puts the names in the folder of path on the disk, where the system can do that: a file whose bytes are there
// may otherwise lose its name when the power fails, and what was removed after it was written stays away.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // NTFS keeps the names in a journal, and a folder cannot be synced
	}
	d, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrPermission) {
		return nil // one may write into the folder, and not read it
	}
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // a file system that knows no such thing
	}
	return errors.Join(err, d.Close())
}
