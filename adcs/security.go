package adcs

import (
	"context"
	"net"
	"strings"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// serviceRPC is the class of the service principal name that RPC servers have on Windows.
const serviceRPC = "host"

// serviceSMB is the class of the service principal name of SMB servers.
const serviceSMB = "cifs"

// spn is the service principal name of a service on the CA's host. What Options.SPN says about the class is for RPC;
// the host in it is for all.
func (c *Client) spn(service string) string {
	if c.opts.SPN == "" {
		return service + "/" + c.host
	}
	if service == serviceRPC {
		return c.opts.SPN
	}
	_, host, _ := strings.Cut(c.opts.SPN, "/")
	host, _, _ = strings.Cut(host, "/")
	return service + "/" + host
}

// initiator is a new logon of the client's credential to a service on the CA's host, such as "host", for RPC.
func (c *Client) initiator(ctx context.Context, service string) (assoc.Initiator, error) {
	spn := c.spn(service)
	if c.cred.system != nil {
		return c.currentInitiator(spn, true), nil
	}
	switch c.opts.Auth {
	case AuthNTLM:
		return assoc.NTLM(c.cred.ntlm(spn)), nil
	case AuthKerberos:
		return c.kerberos(ctx, spn, true)
	}
	first, more, err := c.mechanisms(ctx, spn, true)
	if err != nil {
		return nil, err
	}
	return assoc.SPNEGO(first, more...), nil
}

// smbInitiator is a new logon of the client's credential to the file service on the CA's host. It is SPNEGO whatever
// Options.Auth says, which then has the one mechanism that is allowed: SMB takes nothing else.
func (c *Client) smbInitiator(ctx context.Context) (assoc.Initiator, error) {
	i, err := c.spnegoInitiator(ctx, serviceSMB)
	if err != nil {
		return nil, err
	}
	return assoc.InSMB(i), nil
}

// spnegoInitiator is a new logon to a service that takes SPNEGO only, and not in DCE style.
func (c *Client) spnegoInitiator(ctx context.Context, service string) (assoc.Initiator, error) {
	spn := c.spn(service)
	if c.cred.system != nil {
		return c.currentInitiator(spn, false), nil
	}
	switch c.opts.Auth {
	case AuthNTLM:
		return assoc.SPNEGO(assoc.NTLM(c.cred.ntlm(spn))), nil
	case AuthKerberos:
		k, err := c.kerberos(ctx, spn, false)
		if err != nil {
			return nil, err
		}
		return assoc.SPNEGO(k), nil
	}
	first, more, err := c.mechanisms(ctx, spn, false)
	if err != nil {
		return nil, err
	}
	return assoc.SPNEGO(first, more...), nil
}

// refusedTicket drops the tickets of a service that has not accepted one: it may have got another key.
func (c *Client) refusedTicket(service string) {
	if c.tickets != nil {
		c.tickets.Forget(c.spn(service))
	}
}

// associate binds a connection to an interface and authenticates, at level privacy, as the client's credential to a
// service on the CA's host. On an error nc has been closed.
func (c *Client) associate(ctx context.Context, nc net.Conn, iface rpc.Syntax, service string) (*assoc.Conn, error) {
	initiator, err := c.initiator(ctx, service)
	if err != nil {
		nc.Close()
		return nil, mapError(PhaseBind, err)
	}
	var transfer rpc.Syntax // NDR 2.0, which is all that DCOM has (MS-DCOM section 2.2.13)
	if iface == rpc.ICertPassage() {
		transfer = c.opts.transfer
	}
	conn, err := assoc.Open(ctx, nc, assoc.Config{
		Interface: iface, Transfer: transfer, MaxFragment: c.opts.MaxFragment, Initiator: initiator,
	})
	if err != nil {
		c.refusedTicket(service)
		return nil, c.withoutKerberos(mapError(PhaseBind, err))
	}
	return conn, nil
}
