package adcstest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// AuthLevel is an authentication level of RPC (MS-RPCE section 2.2.1.1.8).
type AuthLevel uint8

// The levels that [Options.MinAuthLevel] takes. The other ones of the protocol are processed as it says: call and
// packet as integrity, none as a call without an identity, which this server never serves.
const (
	LevelConnect   AuthLevel = 2 // the caller has logged on; messages are not protected
	LevelIntegrity AuthLevel = 5 // every fragment is signed
	LevelPrivacy   AuthLevel = 6 // every fragment is signed and its body encrypted
)

// User is an account that can log on to the server.
type User struct {
	// Name is the account name without its domain. Required.
	Name string
	// Domain is the NetBIOS name of the account's domain; "" for [Options.Domain].
	Domain string
	// Password is the password. Required.
	Password string
	// Disabled refuses every logon of this account.
	Disabled bool
}

// Account returns the user as DOMAIN\name.
func (u User) Account() string { return u.Domain + `\` + u.Name }

// String returns the account without its password.
func (u User) String() string { return u.Account() }

// GoString returns the account without its password.
func (u User) GoString() string { return fmt.Sprintf("adcstest.User{%q}", u.Account()) }

// Format prints String whatever the verb is.
func (u User) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(u.String())) }

// LogValue is String.
func (u User) LogValue() slog.Value { return slog.StringValue(u.String()) }

// Options configures a [Server]. The zero value of every field is a working choice, and so is a nil *Options.
type Options struct {
	// Name is the common name of the CA; "" for "Test CA".
	Name string
	// Host is the DNS name of the CA's host; "" for "ca.corp.test". Nothing resolves it: see [Server.DialContext].
	Host string
	// Domain is the NetBIOS name of the domain; "" for the first label of the host's domain in upper case, say "CORP".
	Domain string
	// Users can log on. Nil makes one user with a random password: see [Server.User].
	Users []User
	// Templates are the certificate templates of the CA; nil for [DefaultTemplates].
	Templates []Template
	// Directory holds the accounts' attributes for templates that build the subject themselves.
	Directory []Entry
	// Managers are the accounts, groups or SIDs that manage the CA: they may read every request, not only their own, and
	// over DCOM decide on requests, revoke certificates and publish CRLs.
	Managers []string
	// Officers are the accounts, groups or SIDs that may do the same but publish no CRLs.
	Officers []string
	// Readers are the accounts, groups or SIDs that may read every request and the CA's database.
	Readers []string
	// Enrollers are the accounts, groups or SIDs that may enroll at this CA at all; nil for everybody who logs on. Others
	// get no properties of the CA over DCOM either, unless they may read.
	Enrollers []string
	// Profile says what the CA's keys and certificates look like.
	Profile Profile
	// MinAuthLevel is the lowest level at which CertServerRequest is served; 0 for LevelPrivacy, the default of
	// Windows since Server 2012 (IF_ENFORCEENCRYPTICERTREQUEST). Calls below it get fault 5.
	MinAuthLevel AuthLevel
	// Wire are the knobs of the RPC listener.
	Wire Wire
	// Fault, if not nil, is asked at the start of every call how it shall go wrong; nil means not at all. It runs on
	// the goroutine of the connection and has to be safe for concurrent use. Faults that
	// [Server.InjectFault] has queued come first.
	Fault func(Call) *Fault
	// NTLM says whether users may log on with NTLM; 0 for NTLMAllowed.
	NTLM NTLMPolicy
	// Kerberos says how users log on with Kerberos. Its zero value lets those in that have a ticket of [Server.Ticket].
	Kerberos Kerberos
	// Now is the clock of the CA, of NTLM and of Kerberos; nil for time.Now.
	Now func() time.Time
}

// Wire are the knobs of the RPC listener.
type Wire struct {
	// Address is the IP address to listen at; "" for 127.0.0.1.
	Address string
	// EndpointMapperPort is the port of the endpoint mapper; 0 for a free one. Clients that are not told otherwise
	// expect 135, which most systems reserve for root.
	EndpointMapperPort int
	// Port is the port of the CA's interface; 0 for a free one, which clients learn from the endpoint mapper.
	Port int
	// ObjectPort is the port of the CA's DCOM objects; 0 for a free one, which clients learn when they activate one.
	ObjectPort int
	// NoNDR64 leaves NDR (20) as the only transfer syntax, as it always is for DCOM.
	NoNDR64 bool
	// NoHeaderSigning declines header signing. NTLM signs headers all the same, as everywhere.
	NoHeaderSigning bool
	// NoFeatureNegotiation makes the server treat bind-time feature negotiation as an unknown transfer syntax, as one
	// that does not know it.
	NoFeatureNegotiation bool
	// MaxFragment is the largest fragment in bytes, both ways; 0 for 5840, at least 1432, at most 65535.
	MaxFragment int
	// IdleTimeout is how long a connection may be silent before it is closed, when nothing is under way on it; 0 for
	// ten minutes. Within a PDU, a fragmented request or a logon it is at most 30 seconds.
	IdleTimeout time.Duration
	// MaxConnections bounds the connections that are open at once; 0 for 256. Further ones are closed at once.
	MaxConnections int
}

const (
	defaultFragment    = 5840 // what Windows uses over TCP
	minFragment        = 1432 // MustRecvFragSize, C706 section 12.6.3
	maxFragment        = 65535
	defaultIdle        = 10 * time.Minute
	busyTimeout        = 30 * time.Second
	defaultConnections = 256
)

// Server is an AD CS certification authority that listens on loopback ports. Make one with [NewServer]. Its methods
// are safe for concurrent use.
type Server struct {
	opts      Options // with defaults, never written after NewServer
	accounts  *accounts
	kerberos  *kerberos
	authority *authority
	faults    *faultQueue
	mapper    *listener
	ca        *listener
	exporter  *listener // of DCOM's objects
	objects   *objectTable
	schema    *schema // of the CA's database
	group     *connGroup
	groups    groupTable

	interfaceOff atomic.Bool
	dcomOff      atomic.Bool
}

// NewServer starts an endpoint mapper and a CA. The caller has to Close the server. Errors are those of the
// configuration and of listening.
func NewServer(opts *Options) (*Server, error) {
	s, err := newServer(opts)
	if err != nil {
		return nil, fmt.Errorf("adcstest: %w", err)
	}
	return s, nil
}

func newServer(opts *Options) (*Server, error) {
	s, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	if s.ca, err = s.listen(s.opts.Wire.Port, s.caInterface()); err != nil {
		return nil, err
	}
	if s.exporter, err = s.listen(s.opts.Wire.ObjectPort, s.objectInterfaces()...); err != nil {
		s.Close()
		return nil, err
	}
	if s.mapper, err = s.listen(s.opts.Wire.EndpointMapperPort, s.mapperInterfaces()...); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// prepare makes a server that does not listen yet.
func prepare(opts *Options) (*Server, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{opts: o, faults: &faultQueue{next: o.Fault}}
	if s.accounts, err = newAccounts(o); err != nil {
		return nil, err
	}
	if s.kerberos, err = newKerberos(o, s.accounts); err != nil {
		return nil, err
	}
	s.authority, err = newAuthority(authorityConfig{
		name: o.Name, host: o.Host, templates: o.Templates, directory: o.Directory, managers: o.Managers,
		officers: o.Officers, readers: o.Readers, enrollers: o.Enrollers, profile: o.Profile, now: o.Now,
		accounts: s.accounts.names(),
	})
	if err != nil {
		return nil, err
	}
	s.objects, s.schema = newObjectTable(time.Now), newSchema()
	s.group = newConnGroup(o.Wire.MaxConnections)
	return s, nil
}

// withDefaults checks the options and returns a copy with every default filled in.
func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	d.Users = slices.Clone(d.Users)
	setDefault(&d.Name, "Test CA")
	setDefault(&d.Host, "ca.corp.test")
	_, dnsDomain, _ := strings.Cut(d.Host, ".")
	label, _, _ := strings.Cut(dnsDomain, ".")
	setDefault(&d.Domain, strings.ToUpper(label))
	setDefault(&d.Domain, "WORKGROUP")
	setDefault(&d.MinAuthLevel, LevelPrivacy)
	setDefault(&d.Wire.Address, "127.0.0.1")
	setDefault(&d.Wire.MaxFragment, defaultFragment)
	setDefault(&d.Wire.IdleTimeout, defaultIdle)
	setDefault(&d.Wire.MaxConnections, defaultConnections)
	if d.Now == nil {
		d.Now = time.Now
	}
	switch {
	case d.MinAuthLevel < LevelConnect || d.MinAuthLevel > LevelPrivacy:
		return d, fmt.Errorf("authentication level %d is none of connect (2), integrity (5), privacy (6)", d.MinAuthLevel)
	case d.Wire.MaxFragment < minFragment || d.Wire.MaxFragment > maxFragment:
		return d, fmt.Errorf("fragment size %d is not within %d and %d", d.Wire.MaxFragment, minFragment, maxFragment)
	case d.NTLM > NTLMAbsent:
		return d, fmt.Errorf("NTLM policy %d", d.NTLM)
	case net.ParseIP(d.Wire.Address) == nil:
		return d, fmt.Errorf("listen address %q is not an IP address", d.Wire.Address)
	case d.Wire.IdleTimeout < 0 || d.Wire.MaxConnections < 0:
		return d, errors.New("negative limit")
	}
	return d, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// String names the CA and where it listens.
func (s *Server) String() string { return fmt.Sprintf("adcstest.Server(%s at %s)", s.Name(), s.Addr()) }

// Format prints String whatever the verb is: the server holds the passwords of its users.
func (s *Server) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// Close closes all listeners and every connection, and waits until all goroutines of the server have ended. Calls
// that are under way end without an answer. It is idempotent.
func (s *Server) Close() {
	for _, l := range []*listener{s.ca, s.exporter, s.mapper} {
		if l != nil {
			_ = l.ln.Close() // the accept loop ends; there is nothing else to report
		}
	}
	s.group.close()
}

// Name is the common name of the CA, the name that requests address.
func (s *Server) Name() string { return s.opts.Name }

// Host is the DNS name of the CA's host.
func (s *Server) Host() string { return s.opts.Host }

// User returns the first user, with the password.
func (s *Server) User() User { return s.accounts.users[0] }

// EndpointMapper returns the address of the endpoint mapper, IP:port.
func (s *Server) EndpointMapper() string { return s.mapper.ln.Addr().String() }

// Addr returns the address of the CA's interface, IP:port. Clients learn it from the endpoint mapper.
func (s *Server) Addr() string { return s.ca.ln.Addr().String() }

// ObjectAddr returns the address of the CA's DCOM objects, IP:port. Clients learn it when they activate one.
func (s *Server) ObjectAddr() string { return s.exporter.ln.Addr().String() }

// DialContext connects to the server whatever the host in addr: port 135 and the mapper's own port lead to the endpoint
// mapper, the CA's port to the CA, and the objects' port to its objects. Any other port is refused. It is meant for a
// client's DialContext option, so that the client can use the CA's real host name.
func (s *Server) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("adcstest: dial %q: %w", addr, err)
	}
	var d net.Dialer
	switch port {
	case "135", portOf(s.mapper):
		return d.DialContext(ctx, "tcp", loopback(s.mapper))
	case portOf(s.ca):
		return d.DialContext(ctx, "tcp", loopback(s.ca))
	case portOf(s.exporter):
		return d.DialContext(ctx, "tcp", loopback(s.exporter))
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("adcstest: nothing listens on port %q", port)}
}

func portOf(l *listener) string {
	return strconv.Itoa(l.ln.Addr().(*net.TCPAddr).Port)
}

// loopback is where l can be reached from this machine.
func loopback(l *listener) string {
	a := l.ln.Addr().(*net.TCPAddr)
	if a.IP.IsUnspecified() {
		if a.IP.To4() == nil {
			return net.JoinHostPort("::1", strconv.Itoa(a.Port))
		}
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
	}
	return a.String()
}

// Certificate returns the certificate of the CA that issues.
func (s *Server) Certificate() *x509.Certificate { return s.authority.certificate() }

// Chain returns the CA's certificates: the issuing CA first, the root last.
func (s *Server) Chain() []*x509.Certificate { return s.authority.chain() }

// CACertificates returns every certificate that the issuing CA has had, oldest first: there are several after
// [Server.RenewCA].
func (s *Server) CACertificates() []*x509.Certificate { return s.authority.certificates() }

// RenewCA gives the CA a new certificate of the same name, for a new key or for the one that it has. What was issued
// before stays as it is, and is revoked by the key that issued it.
func (s *Server) RenewCA(newKey bool) error { return s.authority.renew(newKey) }

// Revoke revokes a certificate by its serial number, as [RequestInfo.Serial] has it, as the manager's RevokeCertificate
// does (MS-CSRA section 3.1.4.1.8). Reason is that of RFC 5280, section 5.3.1, or 0xffffffff to release a certificate
// that is on hold. The certificate is in CRLs that are published when effective has passed.
func (s *Server) Revoke(serial string, reason uint32, effective time.Time) error {
	hr := s.authority.revoke(s.opts.Domain+`\Administrator`, serial, reason, effective)
	switch {
	case hr == hrInvalidData && reason == reasonReleased:
		return fmt.Errorf("adcstest: certificate %q is not on hold: %s", serial, describe(hr))
	case hr != 0:
		return fmt.Errorf("adcstest: revoking %q with reason %d: %s", serial, reason, describe(hr))
	}
	return nil
}

// PublishCRLs makes a new base CRL and a new delta CRL of every key of the CA. The CA does so itself when they are due,
// a week or a day after the last ones.
func (s *Server) PublishCRLs() error { return s.authority.publish(crlOrder{base: true}) }

// CRLs returns the newest base CRL of every key that the CA has had, oldest key first, and those of the CAs above it.
func (s *Server) CRLs() ([]*x509.RevocationList, error) { return s.authority.crlList(false) }

// DeltaCRLs returns the newest delta CRL of every key that the CA has had, oldest key first.
func (s *Server) DeltaCRLs() ([]*x509.RevocationList, error) { return s.authority.crlList(true) }

// Requests returns a copy of the CA's request table, oldest first.
func (s *Server) Requests() []RequestInfo { return s.authority.requests() }

// Approve issues a request that is held for the manager. It fails if there is no such request or it is not held.
func (s *Server) Approve(id uint32) error { return s.authority.approve(id) }

// Deny refuses a request that is held for the manager. It fails if there is no such request or it is not held.
func (s *Server) Deny(id uint32) error { return s.authority.deny(id) }
