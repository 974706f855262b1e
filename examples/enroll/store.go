package main

import (
	"crypto"
	"errors"
	"fmt"
	"os"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
)

// store writes the .p12, its password, and the configuration profile if there is one: all of them or none. The key in
// clear is removed last, and only if enroll wrote it itself: when the .p12 is on the disk and has been opened with what is
// on the disk.
func (e *enrollment) store(file, configuration []byte) error {
	r := e.report
	var written []string
	write := func(path string, data []byte) error {
		err := e.put(path, data)
		if err == nil {
			written = append(written, path)
			return nil
		}
		for _, other := range written { // of no use without this one, and in the way of the next attempt
			err = errors.Join(err, os.Remove(other))
		}
		return err
	}
	if err := write(e.out, file); err != nil {
		return err
	}
	if e.madeP12Pass {
		if err := write(e.beside(".password"), []byte(e.p12Password+"\n")); err != nil {
			return err
		}
		r.P12PasswordFile = e.beside(".password")
	}
	if configuration != nil {
		if err := write(e.configuration(), configuration); err != nil {
			r.P12PasswordFile = ""
			return err
		}
		r.Configuration = e.configuration()
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
