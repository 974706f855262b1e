package adcs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// endpoint remembers where the CA listens. The port of ICertPassage changes when the CA's service is restarted, so a
// port that did not lead to the CA is forgotten.
type endpoint struct {
	mu   sync.Mutex
	port uint16
}

func (e *endpoint) get() uint16 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.port
}

func (e *endpoint) set(port uint16) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.port = port
}

// forget drops a port, unless another one has been learnt since.
func (e *endpoint) forget(port uint16) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.port == port {
		e.port = 0
	}
}

// maxMapResponse bounds the endpoint mapper's answer, in bytes.
const maxMapResponse = 64 << 10

// lookUp asks the endpoint mapper for the TCP port of ICertPassage. Only the port of its answer is used: the address in
// it may be one that is of no use here, and it came unauthenticated.
func (c *Client) lookUp(ctx context.Context) (uint16, error) {
	nc, err := c.dial(ctx, c.opts.EndpointMapper)
	if err != nil {
		return 0, mapError(PhaseMap, err)
	}
	conn, err := assoc.Open(ctx, nc, assoc.Config{Interface: rpc.EndpointMapper(), MaxResponse: maxMapResponse})
	if err != nil {
		return 0, mapError(PhaseMap, err)
	}
	defer conn.Close()
	stub, err := conn.Call(ctx, assoc.Request{Opnum: rpc.EptMapOpnum, Stub: rpc.EncodeMapRequest(rpc.ICertPassage())})
	if err != nil {
		return 0, mapError(PhaseMap, err)
	}
	towers, err := rpc.ParseMapResponse(stub)
	if err != nil {
		return 0, mapError(PhaseMap, err)
	}
	for _, t := range towers {
		if t.Interface.UUID == rpc.ICertPassage().UUID && t.Pipe == "" && t.Port != 0 {
			return t.Port, nil
		}
	}
	return 0, &RPCError{Phase: PhaseMap, Err: ErrNotRegistered}
}

// connect opens an association with the CA: at the port that is known, or else at the one that the endpoint mapper
// names. A known port that leads nowhere, or to something else, is looked up anew once.
func (c *Client) connect(ctx context.Context) (*assoc.Conn, error) {
	if port := c.endpoint.get(); port != 0 {
		conn, err := c.open(ctx, port)
		if err == nil || ctx.Err() != nil || !moved(err) {
			return conn, err
		}
		c.endpoint.forget(port)
	}
	port, err := c.lookUp(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := c.open(ctx, port)
	if err != nil {
		return nil, err
	}
	c.endpoint.set(port)
	return conn, nil
}

// moved reports whether an error may mean that the CA does not listen at a port any more. An error that involves the
// credential never does: it would be presented twice.
func moved(err error) bool {
	var network *dialError
	var rejected ContextRejection
	return errors.As(err, &network) || errors.As(err, &rejected)
}

// dialError is a connection that could not be made.
type dialError struct{ err error }

func (e *dialError) Error() string { return "connecting: " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// dial makes a connection.
func (c *Client) dial(ctx context.Context, addr string) (net.Conn, error) {
	nc, err := c.opts.DialContext(ctx, "tcp", addr)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w (%v)", assoc.Ended(ctx), err)
	}
	if err != nil {
		return nil, &dialError{err}
	}
	return nc, nil
}

// open connects to a port of the CA's host, binds and authenticates. The host is reached where its endpoint mapper is: a
// mapper knows the ports of its own host only, and the name of the host, which the logon is bound to, need not resolve.
func (c *Client) open(ctx context.Context, port uint16) (*assoc.Conn, error) {
	host, _, err := net.SplitHostPort(c.opts.EndpointMapper)
	if err != nil {
		return nil, mapError(PhaseBind, err)
	}
	nc, err := c.dial(ctx, net.JoinHostPort(host, strconv.Itoa(int(port))))
	if err != nil {
		return nil, mapError(PhaseBind, err)
	}
	initiator := assoc.SPNEGO
	if c.opts.Auth == AuthNTLM {
		initiator = assoc.NTLM
	}
	conn, err := assoc.Open(ctx, nc, assoc.Config{
		Interface: rpc.ICertPassage(), Transfer: c.opts.transfer, MaxFragment: c.opts.MaxFragment,
		Initiator: initiator(c.cred.ntlm(c.host)),
	})
	if err != nil {
		return nil, mapError(PhaseBind, err)
	}
	return conn, nil
}

// mapError turns an error of package assoc to one of this package.
func mapError(phase Phase, err error) error {
	var nak *assoc.NakError
	var reject *assoc.RejectError
	var fault *assoc.FaultError
	var status rpc.Status
	e := &RPCError{Phase: phase}
	switch {
	case errors.As(err, &nak):
		e.Err = BindNak(nak.Reason)
	case errors.As(err, &reject):
		e.Err = ContextRejection(reject.Reason)
	case errors.As(err, &fault):
		e.Err, e.DidNotExecute = RPCStatus(fault.Status), fault.DidNotExecute
	case errors.As(err, &status):
		e.Err = RPCStatus(status)
	case errors.Is(err, assoc.ErrLogon):
		return fmt.Errorf("%w: %v", ErrLogon, err)
	default:
		return fmt.Errorf("adcs: %s: %w", phase, err)
	}
	if errors.Is(err, assoc.ErrLogon) {
		return fmt.Errorf("%w: %w", ErrLogon, e)
	}
	return e
}
