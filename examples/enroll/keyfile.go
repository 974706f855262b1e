package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/keygen"
)

const (
	keyFileNote = "enroll wrote this file: the key of a request that has no certificate yet, and the request. " +
		"enroll -retrieve\nremoves it when the key is in a .p12, unless somebody has changed it.\n"
	pemKey        = "PRIVATE KEY" // PKCS#8
	pemRequest    = "CERTIFICATE REQUEST"
	maxKeyFile    = 1 << 20
	keyFileFormat = "a PRIVATE KEY and, after it, the CERTIFICATE REQUEST, both in PEM"
)

// makeRequest makes key and request and puts them on the disk.
func (e *enrollment) makeRequest() (err error) {
	if e.key, err = keygen.Generate(e.algorithm); err != nil {
		return err
	}
	if e.csr, err = keygen.CreateRequest(e.key, &e.request); err != nil {
		return &usageError{err}
	}
	if err := e.sign(e.asked); err != nil {
		return err
	}
	err = saveKey(e.keyFile, e.key, e.csr)
	e.ourKeyFile = err == nil
	if errors.Is(err, fs.ErrExist) {
		return &usageError{fmt.Errorf("%s is there already: it holds the key of an earlier request; "+
			"-retrieve that one, or choose another -key-file", e.keyFile)}
	}
	return err
}

// saveKey writes key and request to a new file, for the owner's eyes only.
func saveKey(path string, key crypto.Signer, csr []byte) error {
	b, err := encodeKey(key, csr)
	if err != nil {
		return err
	}
	defer clear(b)
	return cli.CreatePrivate(path, b)
}

// encodeKey returns what saveKey writes: PEM, with a note before it that readers of PEM pass over.
func encodeKey(key crypto.Signer, csr []byte) ([]byte, error) {
	der, err := keygen.MarshalPrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	b := bytes.NewBufferString(keyFileNote)
	for _, block := range []pem.Block{{Type: pemKey, Bytes: der}, {Type: pemRequest, Bytes: csr}} {
		if err := pem.Encode(b, &block); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// loadKey reads what saveKey wrote, and tells whether that is what the file holds: only then is it ours to remove. A
// file with a key alone is taken too; the certificate can then be checked against the key only.
func (e *enrollment) loadKey() error {
	b, err := cli.ReadFile(e.keyFile, maxKeyFile)
	if err != nil {
		return err
	}
	defer clear(b)
	if e.key, e.csr, err = parseKey(e.keyFile, b); err != nil || e.csr == nil {
		return err
	}
	csr, err := x509.ParseCertificateRequest(e.csr)
	if err != nil {
		return fmt.Errorf("the request in %s: %w", e.keyFile, err)
	}
	if !sameKey(csr.PublicKey, e.key) {
		return fmt.Errorf("%s holds a request for another key than the one in it", e.keyFile)
	}
	written, err := encodeKey(e.key, e.csr)
	defer clear(written)
	e.ourKeyFile = bytes.Equal(b, written)
	return err
}

func parseKey(path string, b []byte) (crypto.Signer, []byte, error) {
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
