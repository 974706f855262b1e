package main

import (
	"crypto"
	"errors"
	"fmt"
	"os"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
)

// store writes the .p12 and its password. The key in clear is removed last, and only if enroll wrote it itself: when the
// .p12 is on the disk and has been opened with what is on the disk.
func (e *enrollment) store(file []byte) error {
	r := e.report
	if err := e.put(e.out, file); err != nil {
		return err
	}
	if e.madeP12Pass {
		password := e.beside(".password")
		if err := e.put(password, []byte(e.p12Password+"\n")); err != nil {
			return errors.Join(err, os.Remove(e.out)) // nobody could open it
		}
		r.P12PasswordFile = password
	}
	if err := e.readBack(); err != nil {
		return fmt.Errorf("what was written to %s cannot be read again: %w", e.out, err)
	}
	r.P12 = e.out
	if !e.ourKeyFile {
		return nil
	}
	if err := os.Remove(e.keyFile); err != nil {
		return fmt.Errorf("the key is in the .p12, but its file cannot be removed: %w", err)
	}
	r.KeyFile, r.RemovedKeyFile = "", e.keyFile
	return nil
}

// put writes a file. What has come to its place since enroll looked stays there, unless -force replaces it.
func (e *enrollment) put(path string, data []byte) error {
	if _, err := os.Lstat(path); e.force || err == nil && !occupied(path) {
		return cli.WritePrivate(path, data)
	}
	return cli.CreatePrivate(path, data)
}

// readBack opens the .p12 as its reader will.
func (e *enrollment) readBack() (err error) {
	password := e.p12Password
	if e.madeP12Pass {
		if password, err = cli.Password(e.report.P12PasswordFile, ""); err != nil {
			return err
		}
	}
	file, err := cli.ReadFile(e.out, pkcs12.MaxFile)
	if err != nil {
		return err
	}
	key, _, err := pkcs12.Decode(file, password)
	if err == nil && !sameKey(key.Public(), e.key) {
		err = errors.New("it holds another key")
	}
	return err
}

func sameKey(public crypto.PublicKey, key crypto.Signer) bool {
	k, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(public)
}
