package adcs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// dialError is a connection that could not be made.
type dialError struct{ err error }

func (e *dialError) Error() string { return "connecting: " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// phaseError is an error of the network, or of bytes that nobody understands, in a phase.
type phaseError struct {
	Phase
	err error
}

func (e *phaseError) Error() string { return fmt.Sprintf("adcs: %s: %v", e.Phase, e.err) }
func (e *phaseError) Unwrap() error { return e.err }

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

// dialPort connects to a port of the CA's host. The host is reached where its endpoint mapper is: a mapper knows the
// ports of its own host only, and the name of the host, which the logon is bound to, need not resolve.
func (c *Client) dialPort(ctx context.Context, port uint16) (net.Conn, error) {
	host, _, err := net.SplitHostPort(c.opts.EndpointMapper)
	if err != nil {
		return nil, err
	}
	return c.dial(ctx, net.JoinHostPort(host, strconv.Itoa(int(port))))
}

// mapError turns an error of package assoc to one of this package.
func mapError(phase Phase, err error) error {
	var nak *assoc.NakError
	var reject *assoc.RejectError
	var fault *assoc.FaultError
	var status rpc.Status
	e := &RPCError{Phase: phase}
	if reason := krb5.ReasonOf(err); reason != "" {
		return fmt.Errorf("adcs: %s: %w", phase, &kerberosFailure{reason, err})
	}
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
		return &phaseError{phase, err}
	}
	if errors.Is(err, assoc.ErrLogon) {
		return fmt.Errorf("%w: %w", ErrLogon, e)
	}
	return e
}
