package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12/sealed"
	"github.com/adcskit/adcskit/wsproto"
)

// signer reads the name of a connector: its fingerprint, its public key in base64, or the PEM file of that.
func signer(text string) ([sha256.Size]byte, error) {
	if id, err := wsproto.ParseFingerprint(text); err == nil {
		return id, nil
	}
	spki, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		if spki, err = publicKeyFile(text); err != nil {
			return [sha256.Size]byte{}, err
		}
	}
	if _, err := wsproto.ParsePublicKey(spki); err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("no fingerprint (64 hexadecimal digits), and as a key: %w", err)
	}
	return sealed.Fingerprint(spki)
}

func publicKeyFile(file string) ([]byte, error) {
	text, err := cli.ReadFile(file, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("neither a fingerprint, nor a key in base64, nor a file: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("%s holds no PUBLIC KEY in PEM", file)
	}
	return block.Bytes, nil
}
