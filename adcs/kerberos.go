package adcs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// KerberosError says why Kerberos failed. It is in the chain of the error, to be found by [errors.Is]; the error's text
// has the details.
type KerberosError string

// The ways in which Kerberos fails (RFC 4120 section 7.5.9).
const (
	// ErrClockSkew: this host's clock and that of the KDC or of the CA's host differ by more than five minutes.
	ErrClockSkew = KerberosError(krb5.ReasonClock)
	// ErrUnknownPrincipal: the KDC does not know the user.
	ErrUnknownPrincipal = KerberosError(krb5.ReasonPrincipal)
	// ErrWrongPassword: the KDC refused the password or key. [ErrLogon] is matched too.
	ErrWrongPassword = KerberosError(krb5.ReasonPassword)
	// ErrAccountUnusable: the account is disabled, locked out or expired, its password is, or a policy forbids the logon.
	// [ErrLogon] is matched too.
	ErrAccountUnusable = KerberosError(krb5.ReasonAccount)
	// ErrUnknownService: no account has the service principal name of the CA's host, or more than one has it.
	ErrUnknownService = KerberosError(krb5.ReasonService)
	// ErrTicketExpired: the tickets of a credential cache have ended.
	ErrTicketExpired = KerberosError(krb5.ReasonExpired)
	// ErrNoKDC: no KDC of the realm answers.
	ErrNoKDC = KerberosError(krb5.ReasonNoKDC)
	// ErrNoTicket: the credential cache or keytab cannot be read, or has nothing for this user and service.
	ErrNoTicket = KerberosError(krb5.ReasonNoCredential)
	// ErrUnknownRealm: the user's realm cannot be told, or neither krb5.conf nor the DNS knows a KDC of it.
	ErrUnknownRealm = KerberosError(krb5.ReasonRealm)
	// ErrTicketRefused: the CA's host does not accept the ticket, mostly since the service principal name belongs to
	// another account than the one that it runs as (KRB_AP_ERR_MODIFIED).
	ErrTicketRefused = KerberosError(krb5.ReasonServiceTicket)
	// ErrEncryptionType: there is no encryption type that both sides permit and have keys of.
	ErrEncryptionType = KerberosError(krb5.ReasonEncryption)
	// ErrKRB5Conf: the krb5.conf cannot be read, or is none.
	ErrKRB5Conf = KerberosError(krb5.ReasonConfig)
)

// Error is the reason.
func (e KerberosError) Error() string { return "Kerberos: " + string(e) }

// kerberosFailure adds the reason, by which it can be recognized, to an error of package krb5. What the KDC refused is
// a failed logon: definite, and not to be repeated.
type kerberosFailure struct {
	reason krb5.Reason
	err    error
}

func (e *kerberosFailure) Error() string { return e.err.Error() }
func (e *kerberosFailure) Unwrap() error { return e.err }
func (e *kerberosFailure) Is(target error) bool {
	return target == KerberosError(e.reason) || target == ErrLogon && e.reason.Refused()
}

// noTickets reports whether Kerberos failed for a reason that has nothing to do with what the ticket is for: no other
// service would do better.
func noTickets(err error) bool {
	e, ok := errors.AsType[*kerberosFailure](err)
	if !ok {
		return false
	}
	switch KerberosError(e.reason) {
	case ErrClockSkew, ErrUnknownPrincipal, ErrNoKDC, ErrUnknownRealm, ErrTicketExpired, ErrKRB5Conf:
		return true
	}
	return false
}

// newKerberos is the client's source of tickets.
func newKerberos(host string, cred Credential, o *Options) *krb5.Client {
	return krb5.NewClient(krb5.ClientConfig{
		User: cred.user, Domain: cred.domain, Secret: cred.secret(), CCache: cred.ccache, Host: host,
		Conf: o.KRB5Conf, KDC: o.KDC, Dial: o.DialContext, LookUp: o.lookUpKDCs, Now: o.now,
	})
}

// resolver asks the DNS; with a DialContext of the caller's it does so through that, by TCP, since names may mean
// something else where that leads.
func resolver(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *net.Resolver {
	if dial == nil {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
		return dial(ctx, "tcp", addr)
	}}
}

// kerberos is a new security context with a service on the CA's host, by its service principal name.
func (c *Client) kerberos(ctx context.Context, spn string, dceStyle bool) (assoc.Mechanism, error) {
	if err := c.fallback.skip(); err != nil {
		return nil, err
	}
	ticket, err := c.tickets.Ticket(ctx, spn)
	if err != nil {
		return nil, err
	}
	return assoc.Kerberos(c.tickets.Initiate(ticket, dceStyle)), nil
}

// fallbackPause is how long Kerberos is not tried again after NTLM had to take its place: where no KDC can be reached,
// it may take long to find that out.
const fallbackPause = time.Minute

// fallback remembers that NTLM had to take the place of Kerberos.
type fallback struct {
	mu    sync.Mutex
	err   error
	until time.Time
}

func (f *fallback) skip() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().Before(f.until) {
		return f.err
	}
	return nil
}

func (f *fallback) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !time.Now().Before(f.until) {
		f.err, f.until = err, time.Now().Add(fallbackPause)
	}
}

// mechanisms are what SPNEGO may choose from: Kerberos, and NTLM where it is allowed. NTLM alone is left when Kerberos
// is impossible, but for a password that the KDC has just refused: the domain would count that twice.
func (c *Client) mechanisms(ctx context.Context, spn string, dceStyle bool) (first assoc.Mechanism, more []assoc.Mechanism,
	err error) {
	ntlm := c.opts.AllowNTLM && c.cred.forNTLM()
	first, err = c.kerberos(ctx, spn, dceStyle)
	switch {
	case err == nil && ntlm:
		return first, []assoc.Mechanism{assoc.NTLM(c.cred.ntlm(spn))}, nil
	case err == nil || !ntlm || krb5.ReasonOf(err).Refused() || ctx.Err() != nil:
		return first, nil, err
	}
	c.fallback.note(err)
	return assoc.NTLM(c.cred.ntlm(spn)), nil, nil
}

// withoutKerberos adds to a failure of NTLM why it had to take the place of Kerberos.
func (c *Client) withoutKerberos(err error) error {
	if why := c.fallback.skip(); why != nil && err != nil && !errors.Is(err, why) {
		return fmt.Errorf("%w (NTLM was used since Kerberos failed: %v)", err, why)
	}
	return err
}
