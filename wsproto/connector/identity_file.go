package connector

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// readPrivate reads a small file that nobody else may read.
func readPrivate(path string) ([]byte, error) {
	if err := checkPrivate(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("connector: identity: %w", err)
	}
	defer f.Close() // it was only read
	raw, err := io.ReadAll(io.LimitReader(f, maxIdentityFile+1))
	if err != nil {
		return nil, fmt.Errorf("connector: identity: %w", err)
	}
	if len(raw) > maxIdentityFile {
		return nil, fmt.Errorf("connector: identity: %s is larger than %d bytes", path, maxIdentityFile)
	}
	return raw, nil
}

// writePrivate writes a file that is complete or not there at all, also after a loss of power.
func writePrivate(path string, raw []byte, put func(tmp, path string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("connector: identity: %w", err)
	}
	defer os.Remove(f.Name()) // gone already after a rename
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = put(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("connector: identity: %w", err)
	}
	return nil
}

// createFile fails with fs.ErrExist if the file exists: a link, unlike a rename, replaces nothing.
func createFile(tmp, path string) error { return os.Link(tmp, path) }

func replaceFile(tmp, path string) error { return os.Rename(tmp, path) }
