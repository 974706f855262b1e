package main

import (
	"crypto/x509"
	"fmt"
	"path/filepath"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// config is the configuration file. Paths are relative to its folder. Unknown keys are refused.
type config struct {
	State        string           `json:"state"`        // folder of the identity; made with mode 0700
	TPM          string           `json:"tpm"`          // auto (which "" is), none, or what tpm.Open takes; -tpm goes before
	TPMAuth      tpmAuthConfig    `json:"tpmAuth"`      // if the TPM wants to be told
	Capacity     int              `json:"capacity"`     // jobs at once; 0 means 8
	GraceSeconds int              `json:"graceSeconds"` // how long jobs may go on after SIGTERM; 0 means 30
	HeldSeconds  int              `json:"heldSeconds"`  // how soon a held request is asked for again; 0 means 60
	KeyPool      keyPoolConfig    `json:"keyPool"`      // keys made ahead; none if it is left out
	Gateway      gatewayConfig    `json:"gateway"`
	CAs          []caConfig       `json:"cas"`
	Policy       connector.Policy `json:"policy"` // what is not named there is refused

	file string // that it was read from
}

// tpmAuthConfig names files that hold authorization values on one line, as they were given to the TPM.
type tpmAuthConfig struct {
	KeyFile         string `json:"keyFile"`         // of the keys of this connector
	OwnerFile       string `json:"ownerFile"`       // of the owner's hierarchy, for the storage key
	EndorsementFile string `json:"endorsementFile"` // of the endorsement hierarchy, for the evidence
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
	Keytab         string `json:"keytab"`         // Kerberos, in the place of a password
	CCache         string `json:"ccache"`         // Kerberos, in the place of a password
	CurrentAccount bool   `json:"currentAccount"` // Windows: the account of the connector, in the place of user and password
	KRB5Conf       string `json:"krb5Conf"`
	KDC            string `json:"kdc"` // host or host:port
	SPN            string `json:"spn"`
	Roots          string `json:"roots"` // PEM; what its certificates must chain to
	Auth           string `json:"auth"`  // negotiate, kerberos or ntlm
	AllowNTLM      bool   `json:"allowNTLM"`
	EndpointMapper string `json:"endpointMapper"` // host:port, if not port 135 of the host
	Transport      string `json:"transport"`      // auto, tcp, np or dcom
	Find           *bool  `json:"find"`           // look up lost answers in its database; true if left out
}

// defaultCapacity is that of the connector, written down because each CA gets as many connections.
const defaultCapacity = 8

func loadConfig(path string) (*config, error) {
	c := new(config)
	if err := cli.LoadJSON(path, c); err != nil {
		return nil, err
	}
	c.file = path
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.Capacity == 0 {
		c.Capacity = defaultCapacity
	}
	folder := filepath.Dir(path)
	c.TPM = tpmPath(folder, c.TPM)
	for _, p := range []*string{
		&c.State, &c.Gateway.EnrollmentCodeFile, &c.Gateway.Roots,
		&c.TPMAuth.KeyFile, &c.TPMAuth.OwnerFile, &c.TPMAuth.EndorsementFile,
	} {
		*p = absolute(folder, *p)
	}
	for i := range c.CAs {
		ca := &c.CAs[i]
		for _, p := range []*string{&ca.PasswordFile, &ca.Keytab, &ca.CCache, &ca.KRB5Conf, &ca.Roots} {
			*p = absolute(folder, *p)
		}
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
	for i, ca := range c.CAs {
		credential, err := ca.credential()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ca.key(i), err)
		}
		roots, err := cli.Certificates(ca.Roots)
		if err != nil {
			return nil, fmt.Errorf("%s: roots: %w", ca.key(i), err)
		}
		pool := x509.NewCertPool()
		for _, r := range roots {
			pool.AddCert(r)
		}
		one := issuer.CA{
			Host: ca.Host, Name: ca.Name, Credential: credential, Roots: pool,
			NoFind: ca.Find != nil && !*ca.Find, Options: ca.options(c.Capacity),
		}
		if err := try(one); err != nil {
			return nil, fmt.Errorf("%s: %w", ca.key(i), err)
		}
		cas = append(cas, one)
	}
	return issuer.New(cas...)
}

// try says what is wrong with one CA: issuer.New is for all of them.
func try(ca issuer.CA) error {
	i, err := issuer.New(ca)
	if err != nil {
		return err
	}
	return i.Close()
}
