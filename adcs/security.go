package adcs

import (
	"context"
	"net"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// serviceRPC is the class of the service principal name that RPC servers have on Windows.
const serviceRPC = "host"

// serviceSMB is the class of the service principal name of SMB servers.
const serviceSMB = "cifs"

// initiator is a new logon of the client's credential to a service on the CA's host, such as "host", for RPC.
func (c *Client) initiator(_ context.Context, service string) (assoc.Initiator, error) {
	p := c.cred.ntlm(service, c.host)
	if c.opts.Auth == AuthNTLM {
		return assoc.NTLM(p), nil
	}
	return assoc.SPNEGO(assoc.NTLM(p)), nil
}

// smbInitiator is a new logon of the client's credential to the file service on the CA's host. It is SPNEGO whatever
// Options.Auth says, which then has the one mechanism that is allowed: SMB takes nothing else.
func (c *Client) smbInitiator(_ context.Context) (assoc.Initiator, error) {
	return assoc.SPNEGO(assoc.NTLM(c.cred.ntlm(serviceSMB, c.host))), nil
}

// associate binds a connection to an interface and authenticates, at level privacy, as the client's credential to a
// service on the CA's host. On an error nc has been closed.
func (c *Client) associate(ctx context.Context, nc net.Conn, iface rpc.Syntax, service string) (*assoc.Conn, error) {
	initiator, err := c.initiator(ctx, service)
	if err != nil {
		nc.Close()
		return nil, mapError(PhaseBind, err)
	}
	conn, err := assoc.Open(ctx, nc, assoc.Config{
		Interface: iface, Transfer: c.opts.transfer, MaxFragment: c.opts.MaxFragment, Initiator: initiator,
	})
	if err != nil {
		return nil, mapError(PhaseBind, err)
	}
	return conn, nil
}
