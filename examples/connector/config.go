package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// config is the configuration file. Paths are relative to its folder. Unknown keys are refused.
type config struct {
	State        string           `json:"state"` // folder of the identity; made with mode 0700
	Capacity     int              `json:"capacity"`
	GraceSeconds int              `json:"graceSeconds"`
	Gateway      gatewayConfig    `json:"gateway"`
	CAs          []caConfig       `json:"cas"`
	Policy       connector.Policy `json:"policy"` // what is not named there is refused
}

type gatewayConfig struct {
	URL    string `json:"url"` // wss://host/path
	Tenant string `json:"tenant"`
	// TenantKey is the fingerprint of the tenant's key. It is needed when there is no enrollment code.
	TenantKey          string   `json:"tenantKey"`
	EnrollmentCodeFile string   `json:"enrollmentCodeFile"` // may be missing once the connector is registered
	Roots              string   `json:"roots"`              // PEM; trusted besides those of the system
	Pins               []string `json:"pins"`               // SHA-256 of public keys, one of which must be in the TLS chain
}

type caConfig struct {
	Host           string `json:"host"`
	Name           string `json:"name"`
	User           string `json:"user"` // DOMAIN\name or name@realm
	PasswordFile   string `json:"passwordFile"`
	Roots          string `json:"roots"` // PEM; what its certificates must chain to
	Auth           string `json:"auth"`  // negotiate or ntlm
	AllowNTLM      bool   `json:"allowNTLM"`
	EndpointMapper string `json:"endpointMapper"` // host:port, if not port 135 of the host
}

func loadConfig(path string) (*config, error) {
	c := new(config)
	if err := cli.LoadJSON(path, c); err != nil {
		return nil, err
	}
	if c.State == "" || c.Gateway.URL == "" || c.Gateway.Tenant == "" || len(c.CAs) == 0 {
		return nil, fmt.Errorf("%s: state, gateway.url, gateway.tenant and cas are all required", path)
	}
	folder := filepath.Dir(path)
	for _, p := range []*string{&c.State, &c.Gateway.EnrollmentCodeFile, &c.Gateway.Roots} {
		*p = absolute(folder, *p)
	}
	for i := range c.CAs {
		c.CAs[i].PasswordFile = absolute(folder, c.CAs[i].PasswordFile)
		c.CAs[i].Roots = absolute(folder, c.CAs[i].Roots)
	}
	return c, nil
}

func absolute(folder, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// newIssuer reads the credentials and roots of every CA.
func (c *config) newIssuer() (*issuer.Issuer, error) {
	var cas []issuer.CA
	for _, ca := range c.CAs {
		password, err := cli.Password(ca.PasswordFile, "")
		if err != nil {
			return nil, fmt.Errorf("cas: %s: password: %w", ca.Name, err)
		}
		roots, err := cli.Certificates(ca.Roots)
		if err != nil {
			return nil, fmt.Errorf("cas: %s: roots: %w", ca.Name, err)
		}
		pool := x509.NewCertPool()
		for _, r := range roots {
			pool.AddCert(r)
		}
		cas = append(cas, issuer.CA{
			Host: ca.Host, Name: ca.Name, Credential: adcs.Password(ca.User, password), Roots: pool,
			Options: &adcs.Options{
				Auth: adcs.Auth(ca.Auth), AllowNTLM: ca.AllowNTLM, EndpointMapper: ca.EndpointMapper, Connections: c.Capacity,
			},
		})
	}
	return issuer.New(cas...)
}

// trust fills in whom the connector trusts: the pin of an earlier registration, else what the configuration says.
func (c *config) trust(to *connector.Config, registered *connector.Registration) error {
	pin := c.Gateway.TenantKey
	if registered != nil {
		if pin != "" && !strings.EqualFold(pin, registered.TenantKey) {
			return errors.New("gateway.tenantKey is not the key that this connector is registered under")
		}
		pin = registered.TenantKey
	}
	var err error
	if pin != "" {
		if to.TenantKey, err = wsproto.ParseFingerprint(pin); err != nil {
			return fmt.Errorf("gateway.tenantKey: %w", err)
		}
	}
	if c.Gateway.EnrollmentCodeFile == "" || registered != nil && registered.Connector != "" {
		return nil
	}
	text, err := cli.Password(c.Gateway.EnrollmentCodeFile, "")
	if errors.Is(err, os.ErrNotExist) && pin != "" {
		return nil // the registration is approved by a person instead
	}
	if err != nil {
		return fmt.Errorf("gateway.enrollmentCodeFile: %w", err)
	}
	to.Enrollment, err = wsproto.ParseEnrollmentCode(text)
	return err
}

// options are those of the connector, but for its callbacks.
func (c *config) options() (*connector.Options, error) {
	o := &connector.Options{Capacity: c.Capacity, Siblings: c.Policy.Siblings}
	if c.Gateway.Roots != "" {
		roots, err := cli.Certificates(c.Gateway.Roots)
		if err != nil {
			return nil, fmt.Errorf("gateway.roots: %w", err)
		}
		o.Roots = roots
	}
	for _, text := range c.Gateway.Pins {
		pin, err := wsproto.ParseFingerprint(text)
		if err != nil {
			return nil, fmt.Errorf("gateway.pins: %w", err)
		}
		o.Pins = append(o.Pins, pin)
	}
	return o, nil
}
