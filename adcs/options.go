package adcs

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
)

// Auth says how a client logs on.
type Auth string

// The ways to log on.
const (
	// AuthNegotiate lets SPNEGO choose. It is the default. Kerberos is preferred; NTLM is among what it may choose only
	// with Options.AllowNTLM.
	AuthNegotiate Auth = "negotiate"
	// AuthKerberos is Kerberos by itself, always with mutual authentication.
	AuthKerberos Auth = "kerberos"
	// AuthNTLM is NTLM by itself. NTLM proves the server's identity to nobody: whoever can stand between client and CA
	// can pass the logon on to another server. Choosing it is the permission to use it.
	AuthNTLM Auth = "ntlm"
)

// Transport is how calls reach the CA.
type Transport string

// The transports.
const (
	TransportAuto      Transport = "auto" // what works: tcp, else np, else dcom
	TransportTCP       Transport = "tcp"  // ICertPassage over TCP, its port learnt from the endpoint mapper
	TransportNamedPipe Transport = "np"   // ICertPassage over SMB, port 445
	TransportDCOM      Transport = "dcom" // ICertRequestD2 or ICertRequestD, port 135 and one that it names
)

// Options are what a client can be told beyond the required. Nil and the zero value of each field mean the defaults.
type Options struct {
	// Auth says how to log on. Empty means AuthNegotiate.
	Auth Auth

	// AllowNTLM lets AuthNegotiate use NTLM where Kerberos is impossible: no KDC can be reached, say, or the CA's host
	// has no service principal name, or takes no Kerberos. It is never tried with a password that the KDC has refused.
	// Without it, AuthNegotiate is Kerberos or an error. With it, who sits in the path can always have NTLM in the place of
	// Kerberos, by keeping the KDCs' answers back or by making up a refusal, which nobody signs.
	AllowNTLM bool

	// KRB5Conf is the krb5.conf: a path, a list of paths as the environment variable KRB5_CONFIG has it (which is not
	// read here), or the text itself, if it has more than one line. Empty means /etc/krb5.conf, if it is there. Without
	// any, the realm is the one of name@REALM or the domain of the CA's host, and KDCs are found by DNS. A suffix that it
	// does not know is asked about at its default realm, but for the domain of the CA's host, where the default realm has
	// another name altogether, as in the file that a distribution installs. The first call reads it.
	KRB5Conf string

	// KDC is host or host:port of the KDC of the user's realm, for TCP. Empty means those of krb5.conf, or else the
	// records _kerberos._tcp of the realm in the DNS, which is asked through DialContext if there is one.
	KDC string

	// SPN is the service principal name of RPC on the CA's host, service/host. Empty means host/ and the CA's host.
	// SMB's is cifs/ and the host in it.
	SPN string

	// Transport says how to reach the CA. Empty means TransportAuto.
	Transport Transport

	// DialContext opens every connection that the client makes; the network is "tcp". It is called on the goroutine of the
	// call that needs the connection, or not at all. Nil means a zero net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// EndpointMapper is the address of the endpoint mapper, host:port. Empty means port 135 of the CA's host. The CA's own
	// port, which the mapper names, is dialled at the same host: give it where the CA's name does not resolve.
	EndpointMapper string

	// Timeout bounds each call from its beginning to its end, connecting and the CA's thinking included. A context that
	// ends earlier wins. Zero means two minutes.
	Timeout time.Duration

	// Connections bounds the connections that the client has at once; each carries one call at a time, so it bounds the
	// calls under way as well, and more have to wait. Zero means 4.
	Connections int

	// MaxFragment is the size of the fragments that are sent and asked for, in bytes, 1432 to 65528. Zero means 5840.
	MaxFragment int

	transfer   rpc.Syntax                                                // for tests: zero means NDR 2.0
	now        func() time.Time                                          // for tests: the clock of Kerberos
	lookUpKDCs func(ctx context.Context, realm string) ([]string, error) // for tests: the DNS
}

const (
	defaultTimeout     = 2 * time.Minute
	defaultConnections = 4
	maxConnections     = 1024
	epmPort            = "135"
)

// withDefaults copies o, so that the caller's is never written to and nil works, and checks it.
func (o *Options) withDefaults(host string) (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Auth == "" {
		d.Auth = AuthNegotiate
	}
	if d.Transport == "" {
		d.Transport = TransportAuto
	}
	if d.lookUpKDCs == nil {
		dns := resolver(d.DialContext)
		d.lookUpKDCs = func(ctx context.Context, realm string) ([]string, error) { return krb5.LookUpKDCs(ctx, dns, realm) }
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.DialContext == nil {
		d.DialContext = new(net.Dialer).DialContext
	}
	if d.EndpointMapper == "" {
		d.EndpointMapper = net.JoinHostPort(host, epmPort)
	}
	if d.Timeout == 0 {
		d.Timeout = defaultTimeout
	}
	if d.Connections == 0 {
		d.Connections = defaultConnections
	}
	return d, d.check()
}

// check refuses options that are wrong.
func (o *Options) check() error {
	if _, _, err := net.SplitHostPort(o.EndpointMapper); err != nil {
		return fmt.Errorf("%w: endpoint mapper %q is not host:port", ErrInvalidRequest, bounded(o.EndpointMapper))
	}
	if o.Timeout < 0 || o.Connections < 0 || o.Connections > maxConnections {
		return fmt.Errorf("%w: time-out or number of connections", ErrInvalidRequest)
	}
	if o.MaxFragment != 0 && (o.MaxFragment < rpc.MinFragment || o.MaxFragment > rpc.MaxFragment) {
		return fmt.Errorf("%w: fragments of %d bytes", ErrInvalidRequest, o.MaxFragment)
	}
	switch o.Transport {
	case TransportAuto, TransportTCP, TransportNamedPipe, TransportDCOM:
	default:
		return fmt.Errorf("%w: transport %q", ErrInvalidRequest, bounded(string(o.Transport)))
	}
	switch o.Auth {
	case AuthNTLM, AuthNegotiate, AuthKerberos:
	default:
		return fmt.Errorf("%w: authentication %q", ErrInvalidRequest, bounded(string(o.Auth)))
	}
	return o.checkKerberos()
}

func (o *Options) checkKerberos() error {
	if service, host, ok := strings.Cut(o.SPN, "/"); o.SPN != "" && (!ok || service == "" || host == "" || host[0] == '/' ||
		checkName("SPN", o.SPN) != nil) {
		return fmt.Errorf("%w: service principal name %q is not service/host", ErrInvalidRequest, bounded(o.SPN))
	}
	if o.KDC != "" && (checkName("KDC", o.KDC) != nil || strings.ContainsAny(o.KDC, "/ ")) {
		return fmt.Errorf("%w: KDC %q is neither host nor host:port", ErrInvalidRequest, bounded(o.KDC))
	}
	return nil
}

// checkName checks the name of a host or a CA.
func checkName(what, s string) error {
	if s == "" || len(s) > maxName || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%w: %s %q", ErrInvalidRequest, what, bounded(s))
	}
	return nil
}
