package adcs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Auth says how a client logs on.
type Auth string

// The ways to log on.
const (
	// AuthNegotiate lets SPNEGO choose. It is the default. NTLM is among what it may choose only with Options.AllowNTLM.
	AuthNegotiate Auth = "negotiate"
	// AuthKerberos is not supported yet.
	AuthKerberos Auth = "kerberos"
	// AuthNTLM is NTLM by itself. NTLM proves the server's identity to nobody: whoever can stand between client and CA
	// can pass the logon on to another server. Choosing it is the permission to use it.
	AuthNTLM Auth = "ntlm"
)

// Transport is how calls reach the CA.
type Transport string

// The transports.
const (
	TransportAuto      Transport = "auto" // what works; TCP for now
	TransportTCP       Transport = "tcp"  // ICertPassage over TCP, its port learnt from the endpoint mapper
	TransportNamedPipe Transport = "np"   // ICertPassage over SMB; not supported yet
	TransportDCOM      Transport = "dcom" // ICertRequestD2; not supported yet
)

// Options are what a client can be told beyond the required. Nil and the zero value of each field mean the defaults.
type Options struct {
	// Auth says how to log on. Empty means AuthNegotiate.
	Auth Auth

	// AllowNTLM lets AuthNegotiate use NTLM. Without it, AuthNegotiate is an error until Kerberos is supported.
	AllowNTLM bool

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

	transfer rpc.Syntax // for tests: zero means NDR 2.0
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

// check refuses options that are wrong, and those that a later version will understand.
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
	case TransportAuto, TransportTCP:
	case TransportNamedPipe, TransportDCOM:
		return unsupported("transport " + string(o.Transport))
	default:
		return fmt.Errorf("%w: transport %q", ErrInvalidRequest, bounded(string(o.Transport)))
	}
	switch o.Auth {
	case AuthNTLM:
	case AuthNegotiate:
		if !o.AllowNTLM {
			return unsupported("Kerberos, and negotiate without permission for NTLM (Options.AllowNTLM)")
		}
	case AuthKerberos:
		return unsupported("Kerberos")
	default:
		return fmt.Errorf("%w: authentication %q", ErrInvalidRequest, bounded(string(o.Auth)))
	}
	return nil
}

// unsupported is the error for what a later version will understand. It matches errors.ErrUnsupported, without its text,
// which would say the same again.
type unsupported string

func (u unsupported) Error() string      { return "adcs: " + string(u) + ": not supported yet" }
func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }

// checkName checks the name of a host or a CA.
func checkName(what, s string) error {
	if s == "" || len(s) > maxName || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%w: %s %q", ErrInvalidRequest, what, bounded(s))
	}
	return nil
}
