package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/internal/cli"
)

// options joins flags and configuration file.
func options(f flags) (*adcstest.Options, error) {
	domain, name, ok := strings.Cut(f.user, `\`)
	if !ok {
		return nil, cli.Usagef(`-user %q is not DOMAIN\name`, f.user)
	}
	secret, err := password(f.passwordFile)
	if err != nil {
		return nil, err
	}
	o := &adcstest.Options{
		Name: f.name, Host: f.host, Domain: domain, Users: []adcstest.User{{Name: name, Domain: domain, Password: secret}},
		Wire: adcstest.Wire{Address: f.listen, EndpointMapperPort: f.epmPort, Port: f.port, ObjectPort: f.objectPort},
	}
	if f.config != "" {
		var c config
		if err := cli.LoadJSON(f.config, &c); err != nil {
			return nil, err
		}
		if err := c.apply(o, filepath.Dir(f.config)); err != nil {
			return nil, fmt.Errorf("%s: %w", f.config, err)
		}
	}
	if f.keytab != "" {
		if o.Kerberos.Keytab, err = cli.ReadFile(f.keytab, maxKeytab); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (c config) apply(o *adcstest.Options, dir string) error {
	for _, u := range c.Users {
		if u.PasswordFile == "" {
			return fmt.Errorf("user %q: passwordFile is missing", u.Name)
		}
		secret, err := cli.Password(inFolder(dir, u.PasswordFile), "")
		if err != nil {
			return fmt.Errorf("user %q: %w", u.Name, err)
		}
		o.Users = append(o.Users, adcstest.User{Name: u.Name, Domain: u.Domain, Password: secret, Disabled: u.Disabled})
	}
	for _, t := range c.Templates {
		made, err := t.options()
		if err != nil {
			return fmt.Errorf("template %q: %w", t.Name, err)
		}
		o.Templates = append(o.Templates, made)
	}
	for _, e := range c.Directory {
		o.Directory = append(o.Directory, adcstest.Entry(e))
	}
	levels := map[string]adcstest.AuthLevel{
		"": 0, "connect": adcstest.LevelConnect, "integrity": adcstest.LevelIntegrity, "privacy": adcstest.LevelPrivacy,
	}
	level, ok := levels[c.MinAuthLevel]
	if !ok {
		return fmt.Errorf("minAuthLevel %q is none of connect, integrity, privacy", c.MinAuthLevel)
	}
	var err error
	if o.NTLM, err = ntlmPolicy(c.NTLM); err != nil {
		return err
	}
	if o.Kerberos, err = c.Kerberos.options(dir); err != nil {
		return fmt.Errorf("kerberos: %w", err)
	}
	o.MinAuthLevel, o.Enrollers = level, c.Enrollers
	o.Managers, o.Officers, o.Readers = c.Managers, c.Officers, c.Readers
	o.Profile = adcstest.Profile{
		RSA: c.RSA, SelfSigned: c.SelfSigned, Intermediates: c.Intermediates, CDP: c.CDP, AIA: c.AIA,
		OCSP: c.OCSP, NoFullResponse: c.NoFullResponse,
	}
	return nil
}
