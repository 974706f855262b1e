package main

import (
	"cmp"
	"errors"
	"flag"
	"os"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/examples/internal/cli"
)

// accountFlags are those that say who asks, and how that is proved.
func (f *flags) accountFlags(s *flag.FlagSet) {
	s.StringVar(&f.user, "user", "", "`account`: DOMAIN\\name, name@realm or name; may be left out with a credential cache")
	s.StringVar(&f.passwordFile, "password-file", "", "`file` with the account's password; $ADCS_PASSWORD if empty")
	s.StringVar(&f.keytab, "keytab", "", "`file` with the account's keys, for Kerberos, in the place of a password")
	s.StringVar(&f.ccache, "ccache", "",
		"`file` with the account's tickets, for Kerberos; $KRB5CCNAME if empty, without password and keytab")
	s.StringVar(&f.krb5Conf, "krb5-conf", "", "krb5.conf to read; the `file` that $KRB5_CONFIG names, or /etc/krb5.conf, if empty")
	s.StringVar(&f.kdc, "kdc", "", "`host` or host:port of the KDC of the account's realm; from krb5.conf or DNS if empty")
	s.BoolVar(&f.currentAccount, "current-account", false,
		"log on as the account that enroll runs as, without -user; on Windows only, experimental")
	s.StringVar(&f.spn, "spn", "", "service principal `name` of the CA's host; host/ and -host if empty")
}

// who is the account for people to read: a credential cache is not read before it is used.
func (f *flags) who() string {
	switch {
	case f.user != "":
		return f.user
	case f.currentAccount:
		return "the account of this process"
	}
	return "the account of " + cmp.Or(f.ccache, os.Getenv("KRB5CCNAME"))
}

// options are those of the client.
func (f *flags) options() *adcs.Options {
	return &adcs.Options{
		Auth: adcs.Auth(f.auth), AllowNTLM: f.allowNTLM,
		KRB5Conf: cmp.Or(f.krb5Conf, os.Getenv("KRB5_CONFIG")), KDC: f.kdc, SPN: f.spn,
		Transport: adcs.Transport(f.transport), EndpointMapper: f.epm, Timeout: f.timeout, Connections: 1,
	}
}

// credential is the one that was given: a keytab, a credential cache or a password, or else what the environment has.
func (f *flags) credential() (adcs.Credential, error) {
	switch {
	case f.currentAccount:
		return adcs.CurrentAccount(), nil
	case f.keytab != "":
		return adcs.Keytab(f.user, f.keytab), nil
	case f.ccache != "":
		return adcs.CCache(f.user, f.ccache), nil
	}
	password, err := cli.Password(f.passwordFile, "ADCS_PASSWORD")
	if !errors.Is(err, cli.ErrNoPassword) {
		return adcs.Password(f.user, password), err
	}
	if cache := os.Getenv("KRB5CCNAME"); cache != "" && f.auth != string(adcs.AuthNTLM) {
		return adcs.CCache(f.user, cache), nil
	}
	return adcs.Credential{}, &usageError{errors.New("no password: give -password-file or ADCS_PASSWORD, or -keytab or -ccache")}
}
