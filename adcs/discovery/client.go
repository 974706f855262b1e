package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/ldapauth"
	"github.com/adcskit/adcskit/internal/rpc"
)

// Protection says how the connection to the directory is protected.
type Protection string

// The protections. There is none that leaves passwords or answers in the clear.
const (
	// ProtectSealed logs on by Kerberos, or NTLM where that is allowed, on LDAP's own port, and seals everything with
	// the key of the logon. It needs no certificate on the server. It is the default.
	ProtectSealed Protection = "sealed"
	// ProtectTLS is LDAP over TLS, port 636, and a simple bind with user and password.
	ProtectTLS Protection = "tls"
	// ProtectStartTLS is the same on LDAP's own port.
	ProtectStartTLS Protection = "starttls"
)

// Options are what a client can be told beyond the required. Nil and the zero value of each field mean the defaults.
type Options struct {
	// Protection of the connection. Empty means ProtectSealed.
	Protection Protection

	// Roots verify the server's certificate. Nil means those of the system.
	Roots *x509.CertPool

	// Auth, AllowNTLM, KRB5Conf, KDC and SPN say how ProtectSealed logs on, as in [adcs.Options]. The service principal
	// name is by default ldap/ and the server.
	Auth      adcs.Auth
	AllowNTLM bool
	KRB5Conf  string
	KDC       string
	SPN       string

	// Address is dialled in the place of the server's name and the usual port, host:port.
	Address string

	// DialContext opens every connection, those to KDCs too; the network is "tcp". Nil means a zero net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Timeout bounds each call from its beginning to its end. A context that ends earlier wins. Zero means a minute.
	Timeout time.Duration

	// Account is whose rights are judged: the connector's, as DOMAIN\name, name@realm or name. Empty means who logs on.
	Account string
}

const (
	defaultTimeout = time.Minute
	portLDAP       = "389"
	portLDAPS      = "636"
	maxHost        = 256
)

// Client reads a forest's directory. It keeps no connection between calls, and may be used by several goroutines. After
// a refused logon it does not try the credential again for an hour, as [adcs.Client] does.
type Client struct {
	host     string
	opts     Options
	logon    ldapauth.Logon
	maxTotal int // bytes of a connection
}

// New makes a client of a domain controller, by its DNS name. It does no I/O.
func New(server string, cred adcs.Credential, o *Options) (*Client, error) {
	c := &Client{host: server, maxTotal: maxTotal}
	if o != nil {
		c.opts = *o
	}
	if server == "" || len(server) > maxHost || !utf8.ValidString(server) || strings.Contains(server, "/") ||
		strings.ContainsFunc(server, unicode.IsControl) {
		return nil, fmt.Errorf("%w: the directory server %q is not the DNS name of a host", adcs.ErrInvalidRequest,
			server[:min(len(server), maxHost)])
	}
	if err := c.opts.complete(server); err != nil {
		return nil, err
	}
	logon, err := adcs.DirectoryLogon(server, cred, &adcs.Options{
		Auth: c.opts.Auth, AllowNTLM: c.opts.AllowNTLM, KRB5Conf: c.opts.KRB5Conf, KDC: c.opts.KDC, SPN: c.opts.SPN,
		DialContext: c.opts.DialContext,
	})
	if err != nil {
		return nil, err
	}
	if c.opts.Protection != ProtectSealed {
		if _, _, err := logon.Simple(); err != nil {
			return nil, fmt.Errorf("discovery: protection %q: %w", c.opts.Protection, err)
		}
	}
	c.logon = logon
	return c, nil
}

func (o *Options) complete(server string) error {
	if o.Protection == "" {
		o.Protection = ProtectSealed
	}
	port := portLDAP
	switch o.Protection {
	case ProtectTLS:
		port = portLDAPS
	case ProtectSealed, ProtectStartTLS:
	default:
		return fmt.Errorf("%w: protection %q", adcs.ErrInvalidRequest, o.Protection)
	}
	if o.Address == "" {
		o.Address = net.JoinHostPort(server, port)
	}
	if _, _, err := net.SplitHostPort(o.Address); err != nil {
		return fmt.Errorf("%w: address %q is not host:port", adcs.ErrInvalidRequest, o.Address)
	}
	if o.DialContext == nil {
		o.DialContext = new(net.Dialer).DialContext
	}
	if o.Timeout < 0 {
		return fmt.Errorf("%w: time-out", adcs.ErrInvalidRequest)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	return nil
}

// session calls f with an open directory, and closes it. When the context ends, so does the connection.
func (c *Client) session(ctx context.Context, f func(*directory) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	nc, err := c.opts.DialContext(ctx, "tcp", c.opts.Address)
	if err != nil {
		return ended(ctx, &connectError{err})
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	end, err := c.logon.Try(ctx)
	if err != nil {
		return ended(ctx, fmt.Errorf("discovery: logging on: %w", err))
	}
	protected, err := c.protect(ctx, nc)
	if err != nil {
		end(err)
		return ended(ctx, err)
	}
	g := &guarded{Conn: protected, left: c.maxTotal}
	conn := ldap.NewConn(g, c.opts.Protection != ProtectSealed)
	conn.Start()
	err = c.bindSimple(conn)
	end(err)
	if err == nil {
		err = f(&directory{conn: conn, maxObjects: maxObjects})
	}
	conn.Close()
	return ended(ctx, g.cause(err))
}

// protect turns a connection to a protected one.
func (c *Client) protect(ctx context.Context, nc net.Conn) (net.Conn, error) {
	switch c.opts.Protection {
	case ProtectSealed:
		i, err := c.logon.Initiator(ctx)
		if err != nil {
			return nil, fmt.Errorf("discovery: logging on: %w", c.logon.Failure(err))
		}
		s, err := bindSASL(nc, i)
		if err != nil {
			return nil, fmt.Errorf("discovery: logging on: %w", c.logon.Failure(err))
		}
		return s, nil
	case ProtectStartTLS:
		if err := startTLS(nc); err != nil {
			return nil, err
		}
	}
	t := tls.Client(nc, &tls.Config{ServerName: c.host, RootCAs: c.opts.Roots, MinVersion: tls.VersionTLS12})
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("discovery: TLS: %w", err)
	}
	return t, nil
}

// bindSimple logs on with user and password. It is used on TLS only.
func (c *Client) bindSimple(conn *ldap.Conn) error {
	if c.opts.Protection == ProtectSealed {
		return nil
	}
	user, password, err := c.logon.Simple()
	if err != nil {
		return err
	}
	err = rpc.Guard(func() error { return conn.Bind(user, password) })
	var e *ldap.Error
	if asLDAP(err, &e) && e.ResultCode < ldap.ErrorNetwork {
		return fmt.Errorf("discovery: logging on: %w", refused(e.ResultCode, diagnosis(e.Err.Error())))
	}
	return err
}
