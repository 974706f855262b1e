package krb5

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
)

// Config is what krb5.conf says, as far as a client needs it.
type Config struct {
	DefaultRealm string
	kdcs         map[string][]string // host:port by realm
	domains      map[string]string   // realm by host, or by domain with a dot in front
	etypes       []int32
	noDNS        bool // the DNS is not to be asked for KDCs
}

// NewConfig is the configuration without a krb5.conf.
func NewConfig() *Config {
	return &Config{kdcs: map[string][]string{}, domains: map[string]string{}, etypes: encryptionTypes()}
}

// defaultConf is where krb5.conf is.
const defaultConf = "/etc/krb5.conf"

// LoadConfig reads a krb5.conf: the text itself, if it has more than one line or a section, or else the file at a path,
// or the files of a list of paths, as the environment variable KRB5_CONFIG has it, of which one at least must be there.
// When conf is empty, it takes /etc/krb5.conf; if there is none, the configuration says nothing.
func LoadConfig(conf string) (*Config, error) {
	if strings.ContainsAny(conf, "\n[") {
		return ParseConfig(conf)
	}
	paths := filepath.SplitList(conf)
	if len(paths) == 0 {
		paths = []string{defaultConf}
	}
	var text strings.Builder
	var missing error
	for _, path := range paths {
		b, err := readFile(path)
		switch {
		case os.IsNotExist(err):
			missing = err
			continue
		case err != nil:
			return nil, fmt.Errorf("krb5.conf: %w", err)
		}
		text.Write(b)
		text.WriteByte('\n')
	}
	if text.Len() == 0 && conf != "" && missing != nil {
		return nil, fmt.Errorf("krb5.conf: %w", missing)
	}
	c, err := ParseConfig(text.String())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(paths, ", "), err)
	}
	return c, nil
}

// ParseConfig reads the text of a krb5.conf. What it does not know, it passes over.
func ParseConfig(text string) (*Config, error) {
	root, err := parseProfile(text)
	if err != nil {
		return nil, fmt.Errorf("krb5.conf: %w", err)
	}
	c := NewConfig()
	defaults := root.sub("libdefaults")
	c.DefaultRealm = defaults.value("default_realm")
	switch strings.ToLower(defaults.value("dns_lookup_kdc")) {
	case "false", "no", "n", "f", "off", "0", "nil":
		c.noDNS = true
	}
	if err := c.restrict(defaults); err != nil {
		return nil, err
	}
	for realm, s := range root.sub("realms").subs {
		c.kdcs[realm] = nil
		for _, kdc := range append(slices.Clone(s.values["kdc"]), s.values["master_kdc"]...) {
			if addr, ok := kdcAddress(kdc); ok && !slices.Contains(c.kdcs[realm], addr) {
				c.kdcs[realm] = append(c.kdcs[realm], addr)
			}
		}
	}
	for domain, realm := range root.sub("domain_realm").values {
		c.domains[strings.ToLower(domain)] = realm[0]
	}
	return c, nil
}

// kdcPort is that of RFC 4120 section 7.2.
const kdcPort = "88"

// kdcAddress is host:port of a KDC. Ways that adcskit does not speak, UDP and HTTPS, are left out.
func kdcAddress(s string) (string, bool) {
	s = strings.TrimRight(strings.TrimSpace(s), "*")
	if way, rest, ok := strings.Cut(s, "/"); ok {
		if way != "tcp" {
			return "", false
		}
		s = rest
	}
	if s == "" {
		return "", false
	}
	if _, _, err := net.SplitHostPort(s); err == nil {
		return s, true
	}
	return net.JoinHostPort(strings.Trim(s, "[]"), kdcPort), true
}

// restrict leaves out the encryption types that are not permitted.
func (c *Config) restrict(defaults *section) error {
	for _, key := range []string{"permitted_enctypes", "default_tkt_enctypes", "default_tgs_enctypes"} {
		names := strings.FieldsFunc(defaults.value(key), func(r rune) bool { return r == ' ' || r == ',' || r == '\t' })
		relative := func(n string) bool { return n == "DEFAULT" || n[0] == '-' || n[0] == '+' }
		if len(names) == 0 || slices.ContainsFunc(names, relative) {
			continue
		}
		var permitted []int32
		for _, n := range names {
			permitted = append(permitted, encryptionTypesNamed(strings.ToLower(n))...)
		}
		c.etypes = slices.DeleteFunc(slices.Clone(c.etypes), func(t int32) bool { return !slices.Contains(permitted, t) })
	}
	if len(c.etypes) == 0 {
		return fail(ReasonEncryption, "krb5.conf permits neither AES nor RC4")
	}
	return nil
}

func encryptionTypesNamed(name string) []int32 {
	switch name {
	case "aes":
		return []int32{etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96}
	case "aes256-cts-hmac-sha1-96", "aes256-cts", "aes256-sha1":
		return []int32{etypeID.AES256_CTS_HMAC_SHA1_96}
	case "aes128-cts-hmac-sha1-96", "aes128-cts", "aes128-sha1":
		return []int32{etypeID.AES128_CTS_HMAC_SHA1_96}
	case "rc4", "rc4-hmac", "arcfour-hmac", "arcfour-hmac-md5":
		return []int32{etypeID.RC4_HMAC}
	}
	return nil
}

// knows reports whether the configuration names a realm.
func (c *Config) knows(realm string) bool {
	_, ok := c.kdcs[realm]
	return ok || realm == c.DefaultRealm && realm != ""
}

// realmOf is the realm of a host; empty if the configuration does not say.
func (c *Config) realmOf(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if r := c.domains[host]; r != "" {
		return r
	}
	for _, domain, ok := strings.Cut(host, "."); ok; _, domain, ok = strings.Cut(domain, ".") {
		if r := c.domains["."+domain]; r != "" {
			return r
		}
	}
	return ""
}
