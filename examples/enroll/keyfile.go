package main

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"fmt"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/keygen"
)

const (
	pemKey        = "PRIVATE KEY" // PKCS#8
	pemRequest    = "CERTIFICATE REQUEST"
	maxKeyFile    = 1 << 20
	keyFileFormat = "a PRIVATE KEY and, after it, the CERTIFICATE REQUEST, both in PEM"
)

// saveKey writes key and request, for the owner's eyes only.
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
	return cli.WritePrivate(path, b.Bytes())
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
