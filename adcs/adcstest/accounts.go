package adcstest

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// accounts is who can log on, and what the server is called in NTLM.
type accounts struct {
	users     []User
	sids      map[string]string // by account in lower case
	netbios   string            // NetBIOS name of the domain
	dnsDomain string
	host      string
	computer  string // NetBIOS name of the host
}

func newAccounts(o Options) (*accounts, error) {
	label, dnsDomain, _ := strings.Cut(o.Host, ".")
	a := &accounts{
		users: o.Users, sids: map[string]string{}, netbios: o.Domain, dnsDomain: dnsDomain, host: o.Host,
		computer: strings.ToUpper(label[:min(len(label), 15)]),
	}
	if o.Users == nil {
		a.users = []User{{Name: "enroller", Password: rand.Text()}}
	}
	seen := map[string]bool{}
	for i := range a.users {
		u := &a.users[i]
		setDefault(&u.Domain, o.Domain)
		key := strings.ToLower(u.Account())
		switch {
		case u.Name == "" || strings.ContainsAny(u.Name, `\@`):
			return nil, fmt.Errorf("user %d: name %q is empty or has a domain in it", i, u.Name)
		case u.Password == "":
			return nil, fmt.Errorf("user %s: no password", u.Account())
		case seen[key]:
			return nil, fmt.Errorf("user %s: named twice", u.Account())
		}
		seen[key] = true
	}
	if len(a.users) == 0 {
		return nil, fmt.Errorf("users: an empty list lets nobody log on; leave it nil for a default user")
	}
	for _, e := range o.Directory {
		a.sids[strings.ToLower(e.Account)] = e.SID
	}
	return a, nil
}

// find looks up the account that a peer named: name alone, DOMAIN\name, or name@dns.domain. Without a domain the
// server's own counts.
func (a *accounts) find(name, domain string) (User, bool) {
	if domain == "" || domain == "." {
		if d, n, ok := strings.Cut(name, `\`); ok {
			name, domain = n, d
		} else if n, d, ok := strings.Cut(name, "@"); ok {
			name, domain = n, d
		}
	}
	for _, u := range a.users {
		if strings.EqualFold(u.Name, name) && a.sameDomain(u.Domain, domain) {
			return u, true
		}
	}
	return User{}, false
}

// sameDomain says whether a peer that said "said" means the domain with the NetBIOS name "domain". The DNS name of
// the server's domain and the names of its host mean the server's own domain.
func (a *accounts) sameDomain(domain, said string) bool {
	if strings.EqualFold(domain, said) {
		return true
	}
	if !strings.EqualFold(domain, a.netbios) {
		return false
	}
	for _, alias := range []string{"", ".", a.dnsDomain, a.computer, a.host} {
		if strings.EqualFold(said, alias) {
			return true
		}
	}
	return false
}

// caller is what the CA sees of a user who logged on, whatever the level.
func (a *accounts) caller(u User) caller {
	return caller{user: u.Name, domain: u.Domain, sid: a.sids[strings.ToLower(u.Account())]}
}

// names are those of all users, DOMAIN\name.
func (a *accounts) names() []string {
	names := make([]string, len(a.users))
	for i, u := range a.users {
		names[i] = u.Account()
	}
	return names
}
