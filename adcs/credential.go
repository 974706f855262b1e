package adcs

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
	"github.com/adcskit/adcskit/internal/sspi"
)

// Credential is who a client logs on as. It is a value: it is never stored anywhere but in the clients that it is given
// to. It does not show its secret when it is printed or logged. The ones that there are: [Password], [NTHash],
// [Keytab], [KeytabBytes], [CCache] and, on Windows, [CurrentAccount].
type Credential struct {
	user   string // name, or name@realm
	domain string
	ccache string // path of a credential cache

	// The secrets are functions, since the methods of Credential are not called for one in an unexported field of a struct
	// that is printed, for instance of a [Client]: fmt then shows the fields as they are, but of a function only the
	// address. At most one is not nil.
	password func() string
	hash     func() []byte
	keytab   func() krb5.Secret
	bad      error // why it is none

	system func() sspi.API // for the account that this process runs as
}

// Password is a user with a password. User is DOMAIN\name, name@realm or name; with a name alone, the server decides
// which domain is meant, or for Kerberos the default realm of krb5.conf.
func Password(user, password string) Credential {
	c := account(user)
	c.password = func() string { return password }
	return c
}

// NTHash is a user with the NT hash of a password, 32 hexadecimal digits, as a keytab for RC4 has it: for Kerberos,
// which then uses RC4 with the KDC, and for NTLM. User is as for [Password].
func NTHash(user, hash string) Credential {
	c := account(user)
	b, err := hex.DecodeString(strings.TrimSpace(hash))
	if err != nil || len(b) != 16 {
		c.bad = fmt.Errorf("%w: an NT hash has 32 hexadecimal digits", ErrInvalidRequest)
		return c
	}
	c.hash = func() []byte { return slices.Clone(b) }
	return c
}

// Keytab is a principal, name@REALM, with its keys in a keytab (version 2). It is for Kerberos only. The file is read
// for every logon, about twice a day, so that it may be replaced when the keys change.
func Keytab(principal, path string) Credential {
	c := account(principal)
	c.keytab = func() krb5.Secret { return krb5.KeytabFile(path) }
	if path == "" {
		c.bad = fmt.Errorf("%w: keytab without a path", ErrInvalidRequest)
	}
	return c
}

// KeytabBytes is [Keytab] with the contents of the file.
func KeytabBytes(principal string, keytab []byte) Credential {
	c := account(principal)
	b := slices.Clone(keytab)
	c.keytab = func() krb5.Secret { return krb5.KeytabBytes(b) }
	if _, err := krb5.ParseKeytab(b); err != nil {
		c.bad = fmt.Errorf("%w: %w", ErrInvalidRequest, err)
	}
	return c
}

// CCache is a principal, name@REALM, with its tickets in a credential cache of type FILE, as kinit makes it and
// KRB5CCNAME names it; "FILE:" in front of the path is understood. An empty principal is whoever the cache is of. It is
// for Kerberos only. The file is read again whenever a ticket has ended: somebody else has to renew what is in it.
func CCache(principal, path string) Credential {
	c := account(principal)
	c.ccache = strings.TrimPrefix(path, "FILE:")
	kind, _, other := strings.Cut(c.ccache, ":")
	switch {
	case c.ccache == "":
		c.bad = fmt.Errorf("%w: credential cache without a path", ErrInvalidRequest)
	case other && slices.Contains([]string{"DIR", "KEYRING", "KCM", "MEMORY", "API", "MSLSA"}, kind):
		c.bad = fmt.Errorf("%w: credential cache of type %s: only files (FILE) can be read", ErrInvalidRequest, kind)
	}
	return c
}

// account is a user without a secret.
func account(user string) Credential {
	if domain, name, ok := strings.Cut(user, `\`); ok {
		return Credential{user: name, domain: domain}
	}
	return Credential{user: user}
}

// maxName bounds names of users, domains, hosts and CAs, in bytes.
const maxName = 256

// check refuses what no server could accept. An empty password is refused too: it would be an anonymous logon for some.
func (c Credential) check() error {
	if c.bad != nil {
		return c.bad
	}
	without := c.hash == nil && c.keytab == nil && (c.password == nil || c.password() == "")
	if c.ccache == "" && c.system == nil && (c.user == "" || without) {
		return fmt.Errorf("%w: credential without user or password", ErrInvalidRequest)
	}
	for _, s := range []string{c.user, c.domain} {
		if len(s) > maxName || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return fmt.Errorf("%w: name of the user", ErrInvalidRequest)
		}
	}
	if c.password != nil && (len(c.password()) > 4*maxName || !utf8.ValidString(c.password())) {
		return fmt.Errorf("%w: password is not UTF-8 or too long", ErrInvalidRequest)
	}
	return nil
}

// User is the user as DOMAIN\name, name@realm or name; empty for whoever a [CCache] is of, which is not read before it
// is used.
func (c Credential) User() string {
	if c.domain == "" {
		return c.user
	}
	return c.domain + `\` + c.user
}

// who is the user for people to read.
func (c Credential) who() string {
	switch user := c.User(); {
	case user != "":
		return user
	case c.ccache != "":
		return "the account of " + c.ccache
	}
	return "the account of this process"
}

// String names the user, or the credential cache, and hides the secret.
func (c Credential) String() string {
	if c.ccache != "" {
		return "adcs.Credential(" + c.User() + " FILE:" + c.ccache + ")"
	}
	return "adcs.Credential(" + c.User() + ")"
}

// GoString is String.
func (c Credential) GoString() string { return c.String() }

// Format prints String whatever the verb is.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue is String.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// forNTLM reports whether NTLM can do something with the credential.
func (c Credential) forNTLM() bool { return c.password != nil || c.hash != nil || c.system != nil }

// ntlm is the credential as NTLM takes it, for a service principal name.
func (c Credential) ntlm(spn string) assoc.Password {
	p := assoc.Password{User: c.user, Domain: c.domain, Target: spn}
	if c.hash != nil {
		p.Hash = c.hash()
	} else {
		p.Password = c.password()
	}
	return p
}

// secret is the credential as Kerberos takes it; nil for a credential cache.
func (c Credential) secret() krb5.Secret {
	switch {
	case c.password != nil:
		return krb5.Password(c.password())
	case c.hash != nil:
		return krb5.Hash(c.hash())
	case c.keytab != nil:
		return c.keytab()
	}
	return nil
}
