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
		return "", fmt.Errorf("%s must hold a password on one line and nothing else", file)
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

// WritePrivate writes a file that only its owner can read. It is there whole or not at all: the bytes are on the disk
// before the file gets its name. A file of that name is replaced.
func WritePrivate(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what failed before is worth more
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
