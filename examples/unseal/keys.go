package main

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/wsproto"
)

// maxKeyFile bounds a key file in bytes.
const maxKeyFile = 16 << 10

// newRecipient makes a recipient's key and prints its public part.
func newRecipient(file, id, curve string, out io.Writer) error {
	if id == "" || len(id) > 255 {
		return cli.Usagef("the recipient's ID has 1 to 255 bytes")
	}
	var on ecdh.Curve
	switch strings.ToUpper(curve) {
	case "P-256", "P256":
		on = ecdh.P256()
	case "X25519":
		on = ecdh.X25519()
	default:
		return cli.Usagef("-curve %q is neither P-256 nor X25519", curve)
	}
	key, err := on.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if err := writeKey(file, key); err != nil {
		return err
	}
	return printRecipient(key, id, out)
}

// newOrderingKey makes an ordering key and prints its public part.
func newOrderingKey(file string, out io.Writer) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	spki, err := wsproto.MarshalPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writeKey(file, key); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%q\n", base64.StdEncoding.EncodeToString(spki))
	return err
}

// writeKey writes a private key to a file that was not there.
func writeKey(file string, key any) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	defer clear(der)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer clear(text)
	err = cli.CreatePrivate(file, text)
	if errors.Is(err, fs.ErrExist) {
		return cli.Usagef("%s is there already: nothing could open what was sealed for its key any more", file)
	}
	return err
}

// readKey reads a private key, PKCS#8 in PEM, from a file that nobody else can read.
func readKey(file string) (any, error) {
	text, err := cli.ReadFile(file, maxKeyFile)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s holds no PRIVATE KEY in PEM (PKCS#8)", file)
	}
	defer clear(block.Bytes)
	if err := cli.CheckPrivate(file); err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: the private key cannot be read", file) // no part of it
	}
	return key, nil
}

// recipientKey reads a recipient's key. PKCS#8 does not tell a P-256 key that agrees from one that signs.
func recipientKey(file string) (*ecdh.PrivateKey, error) {
	key, err := readKey(file)
	if err != nil {
		return nil, err
	}
	if signing, ok := key.(*ecdsa.PrivateKey); ok {
		key, err = signing.ECDH()
	}
	agreeing, ok := key.(*ecdh.PrivateKey)
	if err != nil || !ok || agreeing.Curve() != ecdh.P256() && agreeing.Curve() != ecdh.X25519() {
		return nil, fmt.Errorf("%s holds a key that is neither on P-256 nor of X25519", file)
	}
	return agreeing, nil
}

// showRecipient prints the public part of a key that was made before.
func showRecipient(file, id string, out io.Writer) error {
	key, err := recipientKey(file)
	if err != nil {
		return err
	}
	return printRecipient(key, id, out)
}

func printRecipient(key *ecdh.PrivateKey, id string, out io.Writer) error {
	spki, err := wsproto.MarshalRecipientKey(key.PublicKey())
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(wsproto.Recipient{ID: id, Key: spki})
}
