package krb5

import (
	"context"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/nametype"
)

// ClientConfig says whose tickets a client gets, and from where.
type ClientConfig struct {
	// User is a name, or name@realm. Domain is the NetBIOS or DNS name of the domain; it may be empty. With a CCache,
	// User may be empty too: the principal is that of the cache.
	User, Domain string
	// Secret is what the user has; nil with a CCache.
	Secret Secret
	// CCache is the path of a credential cache.
	CCache string
	// Host is the host of the services. Its domain is the realm of a user about whom nothing else tells it.
	Host string
	// Conf is the krb5.conf, as [LoadConfig] takes it.
	Conf string
	// KDC is host or host:port of the KDC of the user's realm. Empty means those of Conf, or else those of the DNS.
	KDC string
	// Dial opens the connections to KDCs.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// LookUp returns the addresses of the KDCs of a realm that Conf does not know; see [LookUpKDCs].
	LookUp func(ctx context.Context, realm string) ([]string, error)
	// Now is the clock.
	Now func() time.Time
}

// Client gets tickets for services and keeps them until they end, when it gets new ones: with its secret, or from its
// credential cache, which it reads again. It is safe for concurrent use; one call at a time talks to a KDC, and those
// that have waited for one that was refused fail with it, lest the account be locked.
type Client struct {
	cfg     ClientConfig
	network *network
	busy    chan struct{} // holds a token while a call talks to a KDC

	mu       sync.Mutex
	last     time.Time // that an authenticator was made with
	conf     *Config   // nil before it was read
	tgt      *Ticket
	services map[string]*Ticket
	tries    int   // of the secret
	refused  error // what came of the last one, if the KDC refused it
}

// NewClient does no I/O.
func NewClient(cfg ClientConfig) *Client {
	return &Client{
		cfg: cfg, network: &network{dial: cfg.Dial, lookup: cfg.LookUp}, busy: make(chan struct{}, 1),
		services: map[string]*Ticket{},
	}
}

// Ticket returns a ticket for a service principal name. Its errors are *[Error], those of ctx, and those of package rpc
// about peers that do not keep to the protocol.
func (c *Client) Ticket(ctx context.Context, spn string) (*Ticket, error) {
	t, tries := c.known(spn)
	if t != nil {
		return t, nil
	}
	select {
	case c.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, ended(ctx, ctx.Err())
	}
	defer func() { <-c.busy }()
	if t, _ := c.known(spn); t != nil {
		return t, nil
	}
	if err := c.refusedSince(tries); err != nil {
		return nil, err
	}
	t, err := c.obtain(ctx, spn)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.services[spn] = t
	return t, nil
}

// Initiate begins a security context with the service of a ticket, in DCE style for RPC.
func (c *Client) Initiate(t *Ticket, dce bool) *Initiator { return NewInitiator(t, dce, c.stamp) }

// stamp is the time for an authenticator. No two have the same: servers take the second one for a replay (RFC 4120
// section 3.2.3), and clocks exist that stand still for milliseconds.
func (c *Client) stamp() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now().Truncate(time.Microsecond)
	if behind := c.last.Sub(now); behind >= 0 && behind < time.Second { // more is a clock that was set back
		now = c.last.Add(time.Microsecond)
	}
	c.last = now
	return now
}

// Forget drops the ticket for a service, which has refused it: the key of the service may have changed.
func (c *Client) Forget(spn string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.services, spn)
}

func (c *Client) known(spn string) (t *Ticket, tries int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.services[spn]; t != nil && t.usable(c.cfg.Now()) {
		return t, c.tries
	}
	return nil, c.tries
}

// refusedSince is the refusal of the secret, if somebody tried it since a number of tries and the KDC refused it.
func (c *Client) refusedSince(tries int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tries == tries {
		return nil
	}
	return c.refused
}

// obtain gets a ticket from a KDC or from the cache.
func (c *Client) obtain(ctx context.Context, spn string) (*Ticket, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	if c.cfg.CCache != "" {
		cached, err := c.readCache(cfg, spn)
		if err != nil {
			return nil, err
		}
		if _, granting := cached.Service.referral(); !granting {
			return cached, nil
		}
		return c.grant(ctx, cfg, cached, spn)
	}
	tgt, fresh := c.granting(), false
	if tgt == nil {
		if tgt, err = c.logOn(ctx, cfg); err != nil {
			return nil, err
		}
		fresh = true
	}
	t, err := c.grant(ctx, cfg, tgt, spn)
	if ReasonOf(err) == ReasonExpired && !fresh {
		// The KDC does not take a ticket of its own that should be good: its key, or its clock, was changed.
		if tgt, err = c.logOn(ctx, cfg); err == nil {
			t, err = c.grant(ctx, cfg, tgt, spn)
		}
	}
	return t, err
}

func (c *Client) grant(ctx context.Context, cfg *Config, tgt *Ticket, spn string) (*Ticket, error) {
	cfg, err := c.at(cfg, tgt.Client.Realm)
	if err != nil {
		return nil, err
	}
	host := spn
	if _, after, ok := strings.Cut(spn, "/"); ok {
		host, _, _ = strings.Cut(after, "/")
	}
	host, _, _ = strings.Cut(host, ":")
	return (&granting{network: c.network, cfg: cfg, now: c.stamp}).run(ctx, tgt, spn, cfg.realmOf(host))
}

// config reads the configuration once.
func (c *Client) config() (*Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conf == nil {
		conf, err := LoadConfig(c.cfg.Conf)
		if err != nil {
			return nil, &Error{Reason: ReasonConfig, Err: err}
		}
		c.conf = conf
	}
	return c.conf, nil
}

// granting is the ticket-granting ticket, if it is still good.
func (c *Client) granting() *Ticket {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tgt != nil && c.tgt.usable(c.cfg.Now()) {
		return c.tgt
	}
	return nil
}

// logOn tries the secret.
func (c *Client) logOn(ctx context.Context, cfg *Config) (*Ticket, error) {
	user, err := c.principal(cfg)
	if err != nil {
		return nil, err
	}
	if cfg, err = c.at(cfg, user.Realm); err != nil {
		return nil, err
	}
	l := &logon{network: c.network, cfg: cfg, secret: c.cfg.Secret, now: c.cfg.Now}
	t, err := l.run(ctx, user)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	c.tgt, c.refused = t, nil
	if ReasonOf(err).Refused() {
		c.refused = err
	}
	return t, err
}

// at is the configuration with the KDC that was given for the user's realm.
func (c *Client) at(cfg *Config, realm string) (*Config, error) {
	if c.cfg.KDC == "" {
		return cfg, nil
	}
	addr, ok := kdcAddress(c.cfg.KDC)
	if !ok {
		return nil, fail(ReasonNoKDC, "%q is no address of a KDC", c.cfg.KDC)
	}
	return cfg.override(realm, addr), nil
}

// readCache reads the credential cache: the ticket for the service, if it is there, or else the ticket-granting one.
func (c *Client) readCache(cfg *Config, spn string) (*Ticket, error) {
	b, err := readFile(c.cfg.CCache)
	if err != nil {
		return nil, &Error{Reason: ReasonNoCredential, Detail: "reading the credential cache", Err: err}
	}
	cache, err := ParseCCache(b)
	if err != nil {
		return nil, &Error{Reason: ReasonNoCredential, Detail: "reading the credential cache " + c.cfg.CCache, Err: err}
	}
	if err := c.owns(cfg, cache); err != nil {
		return nil, err
	}
	wanted := service(spn, "").name()
	for _, match := range []func(*Ticket) bool{
		func(t *Ticket) bool { return t.Service.name().Equal(wanted) },
		func(t *Ticket) bool {
			realm, ok := t.Service.referral()
			return ok && realm == cache.Principal.Realm && t.Service.Realm == realm
		},
	} {
		t := cache.find(match)
		switch {
		case t == nil:
		case t.usable(c.cfg.Now()):
			return t, nil
		case c.cfg.Now().Before(t.Start):
			err = fail(ReasonClock, "the ticket for %s in %s is good from %s on", t.Service, c.cfg.CCache,
				t.Start.Format(time.RFC3339))
		default:
			err = fail(ReasonExpired, "the ticket for %s in %s has ended at %s", t.Service, c.cfg.CCache,
				t.End.Format(time.RFC3339))
		}
	}
	if err == nil {
		err = fail(ReasonNoCredential, "%s has no ticket of %s for %s, nor one that grants tickets", c.cfg.CCache,
			cache.Principal, spn)
	}
	return nil, err
}

// owns checks that a cache is the user's.
func (c *Client) owns(cfg *Config, cache *CCache) error {
	if c.cfg.User == "" {
		return nil
	}
	user, err := c.principal(cfg)
	if err != nil {
		return err
	}
	if user.Type != nametype.KRB_NT_ENTERPRISE && !user.equal(cache.Principal) {
		return fail(ReasonNoCredential, "%s is the cache of %s, not of %s", c.cfg.CCache, cache.Principal, user)
	}
	return nil
}

// principal is who the user is in Kerberos.
func (c *Client) principal(cfg *Config) (Principal, error) {
	p := Principal{Type: nametype.KRB_NT_PRINCIPAL}
	name, suffix, ok := cut(c.cfg.User)
	if !ok {
		p.Parts, p.Realm = strings.Split(name, "/"), c.realm(cfg)
		if p.Realm == "" {
			return p, fail(ReasonRealm, "that of the user %q: write name@REALM, or give a krb5.conf with default_realm",
				c.cfg.User)
		}
		return p, nil
	}
	p.Parts = strings.Split(name, "/")
	switch upper := strings.ToUpper(suffix); {
	case cfg.knows(suffix):
		p.Realm = suffix
	case cfg.knows(upper) || cfg.DefaultRealm == "" || c.isHosts(cfg, upper):
		p.Realm = upper // realms of Active Directory are in upper case
	default:
		// The suffix is one that the domain has added for user principal names, or a realm of its forest; its KDC knows.
		p = Principal{Realm: cfg.DefaultRealm, Type: nametype.KRB_NT_ENTERPRISE, Parts: []string{c.cfg.User}}
	}
	return p, nil
}

// isHosts reports whether a realm is that of the host, as far as its name tells, and the default realm another company's:
// distributions install a krb5.conf with one that nobody has chosen, ATHENA.MIT.EDU for example.
func (c *Client) isHosts(cfg *Config, realm string) bool {
	_, domain, _ := strings.Cut(strings.ToUpper(strings.TrimSuffix(c.cfg.Host, ".")), ".")
	return domain == realm && cfg.realmOf(c.cfg.Host) == "" && !within(cfg.DefaultRealm, domain) &&
		!within(domain, cfg.DefaultRealm)
}

// within reports whether a domain is another one or below it.
func within(domain, above string) bool {
	return strings.HasSuffix("."+strings.ToUpper(domain), "."+strings.ToUpper(above))
}

// cut splits name@suffix at the last @.
func cut(user string) (name, suffix string, ok bool) {
	i := strings.LastIndexByte(user, '@')
	if i <= 0 || i == len(user)-1 {
		return user, "", false
	}
	return user[:i], user[i+1:], true
}

// realm is the realm of a user who has not said it: the one whose name begins with the NetBIOS name of the domain,
// among those that are known here, or else the default realm, or else the domain of the host.
func (c *Client) realm(cfg *Config) string {
	domain := strings.ToUpper(c.cfg.Domain)
	if strings.Contains(domain, ".") {
		return domain
	}
	_, hostDomain, _ := strings.Cut(strings.ToUpper(c.cfg.Host), ".")
	if net.ParseIP(c.cfg.Host) != nil {
		hostDomain = ""
	}
	candidates := []string{cfg.DefaultRealm, cfg.realmOf(c.cfg.Host), hostDomain}
	candidates = append(candidates, slices.Sorted(maps.Keys(cfg.kdcs))...)
	for _, realm := range candidates {
		if first, _, _ := strings.Cut(realm, "."); domain != "" && strings.EqualFold(first, domain) {
			return realm
		}
	}
	for _, realm := range candidates[:3] {
		if realm != "" {
			return realm
		}
	}
	return ""
}
