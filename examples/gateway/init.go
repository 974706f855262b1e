package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/wsproto"
)

// initialize makes what is missing and says what connectors have to pin.
func initialize(c *config, out io.Writer) error {
	for name, path := range c.Tenants {
		key, err := loadKey(path)
		if errors.Is(err, os.ErrNotExist) {
			key, err = newKey(path)
		}
		if err != nil {
			return err
		}
		fingerprint, err := wsproto.FingerprintKey(key.Public())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		fmt.Fprintf(out, "tenant %s: key fingerprint %s\n", name, fingerprint)
	}
	if _, err := os.Stat(c.Certificate); !errors.Is(err, os.ErrNotExist) {
		_, err = loadCertificate(c)
		return err
	}
	if err := selfSign(c); err != nil {
		return err
	}
	fmt.Fprintf(out, "self-signed certificate in %s; connectors trust it as a root\n", c.Certificate)
	return nil
}

func newKey(path string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, cli.WritePrivate(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func loadKey(path string) (crypto.Signer, error) {
	text, err := cli.ReadFile(path, 16<<10)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s holds no PRIVATE KEY in PEM (PKCS#8)", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s holds a key that cannot sign", path)
	}
	return signer, nil
}

// selfSign makes a certificate for the host of the URL, for those who have none.
func selfSign(c *config) error {
	key, err := loadKey(c.Key)
	if errors.Is(err, os.ErrNotExist) {
		key, err = newKey(c.Key)
	}
	if err != nil {
		return err
	}
	host, err := wsproto.Authority(c.URL)
	if err != nil {
		return err
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{host},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	return os.WriteFile(c.Certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}
