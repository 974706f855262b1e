package adcs

import (
	"context"
	"errors"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// call runs one CertServerRequest and decodes its answer. It is repeated once, on another connection, if that is safe:
// for a request that changes something only if nothing of it can have been executed; for one that is idempotent also
// when a connection that had been at rest turned out to be dead.
//
// With an error, executed is false if it is certain that the CA has not seen the request.
func (c *Client) call(ctx context.Context, r *certServerRequest, idempotent bool) (a *answer, executed bool, err error) {
	begun := c.logon.begun()
	if err := c.pool.acquire(ctx); err != nil {
		return nil, false, err
	}
	defer c.pool.release()
	t, err := c.logon.try(ctx, begun)
	if err != nil {
		return nil, false, err
	}
	a, executed, err = c.attempts(ctx, t, r, idempotent)
	t.end(err)
	return a, executed, err
}

// attempts does the work of call, with a slot of the pool and the right to log on.
func (c *Client) attempts(ctx context.Context, t *trial, r *certServerRequest, idempotent bool) (a *answer, executed bool,
	err error) {
	wide := c.opts.transfer == rpc.NDR64()
	stub := r.encode(wide)
	for attempt := 1; ; attempt++ {
		conn, rested := c.pool.take(ctx), true
		if conn == nil {
			rested = false
			if conn, err = c.connect(ctx); err != nil {
				return nil, false, err
			}
		}
		if conn.Proved() {
			t.accepted()
		}
		out, err := conn.Call(ctx, assoc.Request{Opnum: opCertServerRequest, Stub: stub})
		if err == nil {
			t.accepted()
			if a, err = decodeAnswer(out, wide); err != nil {
				conn.Close()
				return nil, true, mapError(PhaseCall, err)
			}
			c.pool.put(conn)
			return a, true, nil
		}
		conn.Close()
		not, again := notExecuted(err)
		again = again || idempotent && rested && died(err)
		if !again || attempt > 1 || ctx.Err() != nil {
			return nil, !not, mapError(PhaseCall, err)
		}
	}
}

// died reports whether an error is that of a connection that broke, and not anything that the server said.
func died(err error) bool {
	var fault *assoc.FaultError
	return !errors.As(err, &fault) && !errors.Is(err, assoc.ErrLogon) && !errors.Is(err, rpc.ErrMalformed) &&
		!errors.Is(err, rpc.ErrIntegrity)
}

// notExecuted reports whether a failed call can have been executed, and whether it may be repeated.
//
// It was not executed if nothing of its last fragment left this host, or if the server says so: by the flag
// PFC_DID_NOT_EXECUTE, or by a status that it sends before it runs a call (see notDispatched).
//
// Most servers do not sign faults, so somebody on the path can make one, and have a request that was executed taken for
// one that was not. That is why only a fault with a right signature makes a request go out again; what one without says
// is for the caller, who sees which fault it was.
func notExecuted(err error) (not, again bool) {
	var call *assoc.CallError
	if errors.As(err, &call) && !call.Sent {
		return true, true
	}
	if errors.Is(err, assoc.ErrLogon) {
		return true, false
	}
	var fault *assoc.FaultError
	if !errors.As(err, &fault) || !fault.DidNotExecute && !notDispatched(fault.Status) {
		return false, false
	}
	return true, fault.Signed && !permanent(fault.Status)
}

// notDispatched reports whether a status is one that servers send instead of running a call.
func notDispatched(s rpc.Status) bool {
	switch RPCStatus(s).canonical() {
	case ErrRPCAccessDenied, // the level is too low, or the caller has no right on the interface
		ErrSecurityPackage,       // the authentication did not complete
		ErrUnknownInterface,      // the interface was withdrawn
		ErrUnknownOperation,      // the operation does not exist
		ErrContextMismatch,       // the context handle or presentation context is not known
		ErrInvalidPresContext,    // the presentation context is not known
		ErrUnsupportedAuthnLevel, // the level is not supported
		ErrInvalidChecksum,       // the signature of the request is wrong
		ErrServerTooBusy,         // there was no thread for the call
		ErrCallFailedDNE:         // "the remote procedure call failed and did not execute"
		return true
	}
	return false
}

// permanent reports whether a repetition would only get the same answer. A refused logon is never repeated.
func permanent(s rpc.Status) bool {
	switch RPCStatus(s).canonical() {
	case ErrRPCAccessDenied, ErrSecurityPackage, ErrUnknownOperation, ErrUnsupportedAuthnLevel:
		return true
	}
	return false
}
