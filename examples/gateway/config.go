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
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/wsproto"
)

// config is the configuration file. Paths are relative to it.
type config struct {
	Listen      string            `json:"listen"`      // address, such as ":8443"
	URL         string            `json:"url"`         // that connectors are configured with, up to the tenant's name
	Certificate string            `json:"certificate"` // PEM, leaf first
	Key         string            `json:"key"`         // PEM, PKCS#8
	Admin       string            `json:"admin"`       // socket of the administration
	Tenants     map[string]string `json:"tenants"`     // name to file of the key that signs challenges
	Timing      timing            `json:"timing"`      // what is left out is as in gateway.Timing
}

// loadConfig reads the configuration; unknown keys are refused.
func loadConfig(path string) (*config, error) {
	c := new(config)
	if err := cli.LoadJSON(path, c); err != nil {
		return nil, err
	}
	if c.Listen == "" || c.URL == "" || c.Certificate == "" || c.Key == "" || c.Admin == "" || len(c.Tenants) == 0 {
		return nil, fmt.Errorf("%s: listen, url, certificate, key, admin and tenants are all required", path)
	}
	folder := filepath.Dir(path)
	for _, p := range []*string{&c.Certificate, &c.Key, &c.Admin} {
		*p = absolute(folder, *p)
	}
	for name, p := range c.Tenants {
		c.Tenants[name] = absolute(folder, p)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// check refuses what could not work later: the URL and the names of tenants are part of what connectors sign.
func (c *config) check() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return errors.New("url: this is no URL; it is wss://HOST or wss://HOST:PORT")
	case u.Scheme != "wss", u.Host == "", u.Hostname() == "", strings.HasSuffix(u.Host, ":"):
		return fmt.Errorf("url: %q is not wss://HOST or wss://HOST:PORT", u.Redacted())
	case u.Path != "", u.RawQuery != "", u.ForceQuery, u.User != nil, strings.Contains(c.URL, "#"):
		return fmt.Errorf("url: %q has more than wss://HOST:PORT; connectors add /connect/TENANT", u.Redacted())
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("url: %q is no port", port)
		}
	}
	for name := range c.Tenants {
		if !tenantName.MatchString(name) {
			return fmt.Errorf("tenants: %q: use 1 to 64 letters, digits, '-', '_' and '.', a letter or digit first", name)
		}
	}
	return nil
}

var tenantName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func absolute(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

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
