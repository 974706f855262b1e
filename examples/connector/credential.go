package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/examples/internal/cli"
)

// validate says what contradicts itself.
func (ca *caConfig) validate(i int) error {
	secrets := 0
	for _, s := range []string{ca.PasswordFile, ca.Keytab, ca.CCache} {
		if s != "" {
			secrets++
		}
	}
	if ca.CurrentAccount && (secrets > 0 || ca.User != "") {
		return fmt.Errorf("%s: currentAccount has no user, passwordFile, keytab or ccache beside it", ca.key(i))
	}
	if secrets > 1 {
		return fmt.Errorf("%s: passwordFile, keytab and ccache: give one of them", ca.key(i))
	}
	if adcs.Auth(ca.Auth) == adcs.AuthNTLM && ca.Keytab+ca.CCache != "" {
		return fmt.Errorf("%s: auth ntlm needs a passwordFile; keytab and ccache are for Kerberos", ca.key(i))
	}
	return nil
}

// credential is the account with the one secret that is configured. Files of Kerberos are read again by every logon;
// that they can be read is found out now.
func (ca *caConfig) credential() (adcs.Credential, error) {
	readable := func(key, path string) error {
		if _, err := cli.ReadFile(path, maxKerberosFile); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	}
	if ca.KRB5Conf != "" {
		if err := readable("krb5Conf", ca.KRB5Conf); err != nil {
			return adcs.Credential{}, err
		}
	}
	switch {
	case ca.CurrentAccount:
		return adcs.CurrentAccount(), nil
	case ca.Keytab != "":
		return adcs.Keytab(ca.User, ca.Keytab), readable("keytab", ca.Keytab)
	case ca.CCache != "":
		return adcs.CCache(ca.User, ca.CCache), readable("ccache", ca.CCache)
	}
	password, err := cli.Password(ca.PasswordFile, "")
	if err != nil {
		return adcs.Credential{}, fmt.Errorf("passwordFile: %w", err)
	}
	return adcs.Password(ca.User, password), nil
}

// maxKerberosFile bounds keytabs, credential caches and krb5.conf, in bytes.
const maxKerberosFile = 1 << 20

// options are those of the client, which makes as many connections at once as there are jobs.
func (ca *caConfig) options(capacity int) *adcs.Options {
	return &adcs.Options{
		Auth: adcs.Auth(ca.Auth), AllowNTLM: ca.AllowNTLM, Transport: adcs.Transport(ca.Transport),
		EndpointMapper: ca.EndpointMapper, Connections: capacity,
		KRB5Conf: cmp.Or(ca.KRB5Conf, os.Getenv("KRB5_CONFIG")), KDC: ca.KDC, SPN: ca.SPN,
	}
}
