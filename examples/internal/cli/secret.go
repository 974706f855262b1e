package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxSecret bounds a password file in bytes.
const maxSecret = 4 << 10

// ErrNoPassword says that a password is neither in a file nor in the environment.
var ErrNoPassword = errors.New("no password")

// Password returns the content of a file without its line end or, if file is "", the value of an environment variable.
// Passwords are never flags: everybody on the machine can see those. It returns ErrNoPassword if there is neither.
func Password(file, env string) (string, error) {
	if file == "" {
		if p, ok := os.LookupEnv(env); ok && p != "" {
			return p, nil
		}
		return "", ErrNoPassword
	}
	b, err := ReadFile(file, maxSecret)
	if err != nil {
		return "", err
	}
	defer clear(b)
	line := bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(line) == 0 || bytes.ContainsAny(line, "\r\n\x00") {
		return "", fmt.Errorf("%s must hold one line, the secret, and nothing else", file)
	}
	return string(line), nil
}

// ReadFile reads a file of at most limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return b, nil
}

// CreatePrivate writes a new file that only its owner can read; file and name are on the disk when it returns. If there
// is one of that name, the error matches fs.ErrExist and the file stays as it is.
func CreatePrivate(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = fill(f, data); err == nil {
		err = syncFolder(path)
	}
	if err != nil {
		_ = os.Remove(path) // what failed before is worth more
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// WritePrivate writes a file that only its owner can read. It is there whole or not at all: the bytes are on the disk
// before the file gets its name, and the name is when WritePrivate returns. A regular file of that name is replaced,
// anything else is refused.
func WritePrivate(path string, data []byte) error {
	f, err := temporary(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err = fill(f, data); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what failed before is worth more
	} else {
		err = syncFolder(path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// CanWrite returns the error that WritePrivate would most likely return for path, and changes nothing: for work that
// must not be done in vain.
func CanWrite(path string) error {
	f, err := temporary(path)
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// temporary makes a file beside path, with mode 0600. What is at path must be a regular file, or nothing: a rename
// would take away a device, or the link that somebody made.
func temporary(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, errors.New("it is there already and is not a regular file")
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	return os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
}

// fill writes, syncs and closes a file.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
