package main

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/keygen"
)

const (
	pemKey        = "PRIVATE KEY" // PKCS#8
	pemRequest    = "CERTIFICATE REQUEST"
	maxKeyFile    = 1 << 20
	keyFileFormat = "a PRIVATE KEY and, after it, the CERTIFICATE REQUEST, both in PEM"
)

// distinct refuses two flags with one file, where that would overwrite or remove what the other one is for.
func (f *flags) distinct() error {
	files := [][2]string{
		{"-out", f.out}, {"-key-file", f.keyFile}, {"-password-file", f.passwordFile}, {"-roots", f.rootsFile},
		{"-p12-password-file", f.p12PasswordFile},
	}
	if f.p12PasswordFile == "" {
		files[4] = [2]string{"the file for the password of the .p12", f.beside(".password")}
	}
	seen := map[string]string{}
	for _, file := range files {
		if file[1] == "" {
			continue
		}
		path, err := filepath.Abs(file[1])
		if err != nil {
			return err
		}
		if other, ok := seen[path]; ok {
			return fmt.Errorf("%s and %s are the same file, %s", other, file[0], path)
		}
		seen[path] = file[0]
	}
	return nil
}

// beside is a file name like that of the .p12.
func (f *flags) beside(extension string) string { return strings.TrimSuffix(f.out, ".p12") + extension }

// canWrite finds out whether the results will have a place to go.
func (f *flags) canWrite() error {
	for _, path := range []string{f.out, f.beside(".password")} {
		if err := cli.CanWrite(path); err != nil {
			return err
		}
	}
	return nil
}

// makeRequest makes key and request and puts them on the disk.
func (e *enrollment) makeRequest() (err error) {
	if e.key, err = keygen.Generate(e.algorithm); err != nil {
		return err
	}
	if e.csr, err = keygen.CreateRequest(e.key, &e.request); err != nil {
		return &usageError{err}
	}
	err = saveKey(e.keyFile, e.key, e.csr)
	if errors.Is(err, fs.ErrExist) {
		return &usageError{fmt.Errorf("%s is there already: it holds the key of an earlier request; "+
			"-retrieve that one, or choose another -key-file", e.keyFile)}
	}
	return err
}

// saveKey writes key and request to a new file, for the owner's eyes only.
func saveKey(path string, key crypto.Signer, csr []byte) error {
	der, err := keygen.MarshalPrivateKey(key)
	if err != nil {
		return err
	}
	defer clear(der)
	var b bytes.Buffer
	for _, block := range []pem.Block{{Type: pemKey, Bytes: der}, {Type: pemRequest, Bytes: csr}} {
		if err := pem.Encode(&b, &block); err != nil {
			return err
		}
	}
	defer clear(b.Bytes())
	return cli.CreatePrivate(path, b.Bytes())
}

// loadKey reads what saveKey wrote. A file with a key alone is taken too; the certificate can then be checked against
// the key only.
func loadKey(path string) (crypto.Signer, []byte, error) {
	b, err := cli.ReadFile(path, maxKeyFile)
	if err != nil {
		return nil, nil, err
	}
	defer clear(b)
	block, rest := pem.Decode(b)
	if block == nil || block.Type != pemKey {
		return nil, nil, fmt.Errorf("%s does not hold %s", path, keyFileFormat)
	}
	defer clear(block.Bytes)
	key, err := keygen.ParsePrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	request, _ := pem.Decode(rest)
	switch {
	case request == nil:
		return key, nil, nil
	case request.Type != pemRequest:
		return nil, nil, fmt.Errorf("%s does not hold %s", path, keyFileFormat)
	}
	return key, request.Bytes, nil
}
