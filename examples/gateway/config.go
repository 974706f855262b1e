package main

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
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

	Attestation map[string]attestation `json:"attestation"` // name of a tenant to what it wants; any keys if left out
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
	for name, a := range c.Attestation {
		for _, p := range []*string{&a.EKRoots, &a.EKIntermediates} {
			if *p != "" {
				*p = absolute(folder, *p)
			}
		}
		c.Attestation[name] = a
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
	for name, a := range c.Attestation {
		if _, ok := c.Tenants[name]; !ok {
			return fmt.Errorf("attestation: %q is not in tenants", name)
		}
		if err := a.check(); err != nil {
			return fmt.Errorf("attestation: %s: %w", name, err)
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
