package adcs

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// Credential is who a client logs on as. It is a value: it is never stored anywhere but in the clients that it is given
// to. It does not show its secret when it is printed or logged.
type Credential struct {
	user   string // name, or name@realm
	domain string

	// password is a function, since the methods of Credential are not called for one in an unexported field of a struct
	// that is printed, for instance of a [Client]: fmt then shows the fields as they are, but of a function only the
	// address.
	password func() string
}

// Password is a user with a password. User is DOMAIN\name, name@realm or name; with a name alone, the server decides
// which domain is meant.
func Password(user, password string) Credential {
	if domain, name, ok := strings.Cut(user, `\`); ok {
		return Credential{user: name, domain: domain, password: func() string { return password }}
	}
	return Credential{user: user, password: func() string { return password }}
}

// maxName bounds names of users, domains, hosts and CAs, in bytes.
const maxName = 256

// check refuses what no server could accept. An empty password is refused too: it would be an anonymous logon for some.
func (c Credential) check() error {
	if c.user == "" || c.password == nil || c.password() == "" {
		return fmt.Errorf("%w: credential without user or password", ErrInvalidRequest)
	}
	for _, s := range []string{c.user, c.domain} {
		if len(s) > maxName || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return fmt.Errorf("%w: name of the user", ErrInvalidRequest)
		}
	}
	if len(c.password()) > 4*maxName || !utf8.ValidString(c.password()) {
		return fmt.Errorf("%w: password is not UTF-8 or too long", ErrInvalidRequest)
	}
	return nil
}

// User is the user as DOMAIN\name, name@realm or name.
func (c Credential) User() string {
	if c.domain == "" {
		return c.user
	}
	return c.domain + `\` + c.user
}

// String names the user and hides the password.
func (c Credential) String() string { return "adcs.Credential(" + c.User() + ")" }

// GoString is String.
func (c Credential) GoString() string { return c.String() }

// Format prints String whatever the verb is.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue is String.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// ntlm is the credential as NTLM takes it, for a service on a host.
func (c Credential) ntlm(service, host string) assoc.Password {
	return assoc.Password{User: c.user, Domain: c.domain, Password: c.password(), Target: service + "/" + host}
}
