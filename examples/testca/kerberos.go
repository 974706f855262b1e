package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/internal/cli"
)

// kerberos is how users log on with Kerberos, in the configuration file.
type kerberos struct {
	Off        bool              `json:"off"`
	KeytabFile string            `json:"keytabFile"` // relative to the configuration file
	Realm      string            `json:"realm"`
	Domains    map[string]string `json:"domains"` // NetBIOS names of other realms
	ListedOnly bool              `json:"listedOnly"`
	ClockSkew  string            `json:"clockSkew"` // "10m"
}

// maxKeytab bounds a keytab, in bytes.
const maxKeytab = 1 << 20

// options makes those of adcstest.
func (k kerberos) options(dir string) (o adcstest.Kerberos, err error) {
	o = adcstest.Kerberos{Off: k.Off, Realm: k.Realm, Domains: k.Domains, ListedOnly: k.ListedOnly}
	if k.KeytabFile != "" {
		if o.Keytab, err = cli.ReadFile(inFolder(dir, k.KeytabFile), maxKeytab); err != nil {
			return o, err
		}
	}
	if k.ClockSkew != "" {
		if o.ClockSkew, err = time.ParseDuration(k.ClockSkew); err != nil {
			return o, fmt.Errorf("clockSkew %q is not a duration such as 10m", k.ClockSkew)
		}
	}
	return o, nil
}

// inFolder is the path of a file that a configuration file in dir names.
func inFolder(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// ntlmPolicy is one of adcstest by its name.
func ntlmPolicy(name string) (adcstest.NTLMPolicy, error) {
	policy, ok := map[string]adcstest.NTLMPolicy{
		"": adcstest.NTLMAllowed, "allowed": adcstest.NTLMAllowed, "blocked": adcstest.NTLMBlocked, "absent": adcstest.NTLMAbsent,
	}[name]
	if !ok {
		return 0, fmt.Errorf("ntlm %q is none of allowed, blocked, absent", name)
	}
	return policy, nil
}

// ticketEncryption is one of adcstest by its name.
func ticketEncryption(name string) (adcstest.Encryption, error) {
	e, ok := map[string]adcstest.Encryption{
		"aes256": adcstest.AES256, "aes128": adcstest.AES128, "rc4": adcstest.RC4,
	}[name]
	if !ok {
		return 0, cli.Usagef("-encryption %q is none of aes256, aes128, rc4", name)
	}
	return e, nil
}

// writeKerberos writes what clients of Kerberos need, as far as the flags name files for it.
func writeKerberos(ca *adcstest.Server, f flags) error {
	if f.krb5Conf != "" {
		if err := os.WriteFile(f.krb5Conf, []byte(ca.KRB5Config()), 0o644); err != nil {
			return err
		}
	}
	if f.ccache == "" {
		return nil
	}
	encryption, err := ticketEncryption(f.encryption)
	if err != nil {
		return err
	}
	r := adcstest.TicketRequest{User: f.user, Encryption: encryption}
	if f.spn != "" {
		r.SPNs = strings.Split(f.spn, ",")
	}
	ticket, err := ca.Ticket(r)
	if err != nil {
		return err
	}
	return cli.WritePrivate(f.ccache, ticket)
}
