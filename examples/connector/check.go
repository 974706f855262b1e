package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/wsproto"
)

// validate says what is missing, and what cannot be right, before any other file is read.
func (c *config) validate() error {
	var errs []error
	need := func(key, value string) {
		if value == "" {
			errs = append(errs, fmt.Errorf("%s is missing", key))
		}
	}
	need("state", c.State)
	need("gateway.url", c.Gateway.URL)
	need("gateway.tenant", c.Gateway.Tenant)
	if u, err := url.Parse(c.Gateway.URL); c.Gateway.URL != "" && (err != nil || u.Scheme != "wss" || u.Hostname() == "") {
		errs = append(errs, errors.New("gateway.url is not wss://HOST:PORT/PATH"))
	}
	if len(c.CAs) == 0 {
		errs = append(errs, errors.New("cas is missing: name a CA at least"))
	}
	for i := range c.CAs {
		ca := &c.CAs[i]
		required := [][2]string{{"host", ca.Host}, {"name", ca.Name}, {"roots", ca.Roots}}
		if !ca.CurrentAccount {
			required = append(required, [2]string{"user", ca.User},
				[2]string{"passwordFile, or keytab or ccache,", ca.PasswordFile + ca.Keytab + ca.CCache})
		}
		for _, m := range required {
			need(ca.key(i)+": "+m[0], m[1])
		}
		errs = append(errs, ca.validate(i))
	}
	for _, name := range c.Policy.Keys {
		if _, err := keygen.ParseAlgorithm(strings.ToLower(name)); err != nil {
			errs = append(errs, fmt.Errorf("policy.keys: %w", err))
		}
	}
	return errors.Join(errs...)
}

// key names a CA in an error.
func (ca *caConfig) key(i int) string { return fmt.Sprintf("cas[%d] (%s)", i, ca.Name) }

// warnings are what may be meant, and most likely is not.
func (c *config) warnings() []string {
	var out []string
	warn := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	p := &c.Policy
	for _, l := range []struct {
		key   string
		empty bool
	}{
		{"cas", len(p.CAs) == 0}, {"templates", len(p.Templates) == 0}, {"keys", len(p.Keys) == 0},
		{"subjects", len(p.Subjects) == 0 && !p.DirectorySubject},
	} {
		if l.empty {
			warn("policy.%s is empty: every order is refused", l.key)
		}
	}
	if p.OrdersPerHour == 0 {
		warn("policy.ordersPerHour is 0 or missing: every order is refused")
	}
	out = append(append(out, deliveryWarnings(p)...), c.keyPoolWarnings()...)
	for _, ca := range p.CAs {
		if !contains(c.served(), ca) {
			warn("policy.cas: %s on %s is not in cas: its orders are refused", ca.Name, ca.Host)
		}
	}
	for i, ca := range c.served() {
		if len(p.CAs) > 0 && !contains(p.CAs, ca) {
			warn("%s is not in policy.cas: its orders are refused", c.CAs[i].key(i))
		}
	}
	if u, err := url.Parse(c.Gateway.URL); err == nil && path.Base(u.Path) != c.Gateway.Tenant {
		warn("gateway.url does not end in the tenant's name, %q, as that of examples/gateway does", c.Gateway.Tenant)
	}
	return out
}

func (c *config) served() []wsproto.CAAssignment {
	out := make([]wsproto.CAAssignment, len(c.CAs))
	for i, ca := range c.CAs {
		out[i] = wsproto.CAAssignment{Host: ca.Host, Name: ca.Name}
	}
	return out
}

// contains compares as policy does.
func contains(list []wsproto.CAAssignment, ca wsproto.CAAssignment) bool {
	for _, c := range list {
		if strings.EqualFold(c.Host, ca.Host) && strings.EqualFold(c.Name, ca.Name) {
			return true
		}
	}
	return false
}

// check prints what the configuration comes to.
func check(c *config, k *keys, out io.Writer) {
	warnings := c.warnings()
	for _, w := range warnings {
		fmt.Fprintln(out, "warning:", w)
	}
	registration := "not registered yet"
	if r := k.identity.Registration(); r != nil && r.Connector != "" {
		registration = "registered as " + r.Connector
	}
	fmt.Fprintf(out, "configuration ok: tenant %s at %s, %s; %d jobs at once\n",
		c.Gateway.Tenant, c.Gateway.URL, registration, c.Capacity)
	fmt.Fprintf(out, "  keys: %s\n", k.where())
	for i, ca := range c.CAs {
		at := ca.EndpointMapper
		if at == "" {
			at = ca.Host + ":135"
		}
		fmt.Fprintf(out, "  %s on %s as %s, endpoint mapper %s\n", ca.key(i), ca.Host, ca.User, at)
	}
	p := &c.Policy
	fmt.Fprintf(out, "  policy: %d CAs, %d templates, keys %s, %d orders an hour\n",
		len(p.CAs), len(p.Templates), strings.Join(p.Keys, " "), p.OrdersPerHour)
	fmt.Fprintf(out, "  key pool: %s\n", c.KeyPool.shown())
	fmt.Fprintf(out, "  delivery: %s\n", delivery(p))
	if len(warnings) > 0 {
		fmt.Fprintf(out, "  %d warnings, see above\n", len(warnings))
	}
}
