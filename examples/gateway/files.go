package main

import (
	"bytes"
	"os"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
)

// vacant refuses to write over a file of another order: the .p12 is the only one that has its key.
func vacant(path string) error {
	if _, err := os.Lstat(path); err != nil {
		return nil
	}
	return cli.Usagef("%s is there already: choose another NAME, or remove it", path)
}

// newPassword writes a new password to a file that was not there.
func newPassword(path string) (string, error) {
	if err := vacant(path); err != nil {
		return "", err
	}
	password, err := pkcs12.NewPassword()
	if err != nil {
		return "", err
	}
	return password, cli.WritePrivate(path, []byte(password+"\n"))
}

// keep writes a file, unless one with another content is there.
func keep(path string, data []byte) error {
	if old, err := cli.ReadFile(path, int64(len(data))); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := vacant(path); err != nil {
		return err
	}
	return cli.WritePrivate(path, data)
}
