package connector

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

const maxIdentityFile = 64 << 10

// folder is the directory of an identity. Whatever is written there is complete or not there at all, also after a loss of
// power; tests stop at each step.
type folder struct {
	dir  string
	step func(what string) error // before each change, which fails with its error; nil does nothing
}

// openFolder makes the directory if there is none, and refuses one that others may use.
func openFolder(dir string, step func(string) error) (folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return folder{}, fmt.Errorf("connector: identity: %w", err)
	}
	dir, err := filepath.EvalSymlinks(dir) // systemd makes StateDirectory a link
	if err != nil {
		return folder{}, fmt.Errorf("connector: identity: %w", err)
	}
	return folder{dir: dir, step: step}, checkPrivate(dir)
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f folder) at(what string) error {
	if f.step == nil {
		return nil
	}
	return f.step(what)
}

// read reads a small file that nobody else may read. The caller wipes it.
func (f folder) read(name string) ([]byte, error) {
	path := f.path(name)
	if err := checkPrivate(path); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("connector: identity: %w", err)
	}
	defer file.Close()                     // it was only read
	raw := make([]byte, maxIdentityFile+1) // one that grew would leave parts of a key behind
	n, err := io.ReadFull(file, raw)
	switch {
	case err == nil:
		clear(raw)
		return nil, fmt.Errorf("connector: identity: %s is larger than %d bytes", path, maxIdentityFile)
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		clear(raw)
		return nil, fmt.Errorf("connector: identity: %w", err)
	}
	return raw[:n], nil
}

// create fails with fs.ErrExist if the file exists: a link, unlike a rename, replaces nothing.
func (f folder) create(name string, raw []byte) error { return f.write(name, raw, os.Link) }

func (f folder) replace(name string, raw []byte) error { return f.write(name, raw, os.Rename) }

func (f folder) write(name string, raw []byte, put func(tmp, path string) error) (err error) {
	if err := f.at("write " + name); err != nil {
		return fmt.Errorf("connector: identity: %w", err)
	}
	tmp, err := os.CreateTemp(f.dir, "."+name+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("connector: identity: %w", err)
	}
	defer os.Remove(tmp.Name()) // gone already after a rename
	_, err = tmp.Write(raw)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = f.at("put " + name)
	}
	if err == nil {
		err = put(tmp.Name(), f.path(name))
	}
	if err == nil {
		err = f.at("sync " + name)
	}
	if err == nil {
		err = syncDir(f.dir)
	}
	if err != nil {
		return fmt.Errorf("connector: identity: %w", err)
	}
	return nil
}

// remove deletes a file that may be gone already.
func (f folder) remove(name string) error {
	if err := f.at("remove " + name); err != nil {
		return fmt.Errorf("connector: identity: %w", err)
	}
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("connector: identity: %w", err)
	}
	return nil
}

// halfWritten matches the files that write puts in place, as an interrupted one leaves them behind.
var halfWritten = regexp.MustCompile(`^\.(identity|decryption|state)[-.0-9a-z]*\.(pem|json)\.[0-9]+$`)

// sweep deletes half-written files, which may hold keys. Only the holder of the lock may.
func (f folder) sweep() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("connector: identity: %w", err)
	}
	for _, e := range entries {
		if halfWritten.MatchString(e.Name()) {
			err = errors.Join(err, f.remove(e.Name()))
		}
	}
	return err
}
