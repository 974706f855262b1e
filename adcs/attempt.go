package adcs

import (
	"context"
	"errors"
	"time"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// call runs one CertServerRequest and decodes its answer. It is repeated once, on another connection, if that is safe:
// for a request that changes something only if nothing of it can have been executed; for one that is idempotent also
// when a connection that had been at rest turned out to be dead.
//
// It returns when the request was sent: the zero time if it is certain that the CA has not executed it.
func (c *Client) call(ctx context.Context, r *certServerRequest, idempotent bool) (a *answer, sent time.Time, err error) {
	if err := c.pool.acquire(ctx); err != nil {
		return nil, time.Time{}, err
	}
	defer c.pool.release()
	if _, err := c.logon.state(); err != nil {
		return nil, time.Time{}, err
	}
	t := &trial{logon: c.logon}
	a, sent, err = c.attempts(ctx, t, r, idempotent)
	t.end(err)
	return a, sent, err
}

// attempts does the work of call, with a slot of the pool.
func (c *Client) attempts(ctx context.Context, t *trial, r *certServerRequest, idempotent bool) (a *answer,
	sent time.Time, err error) {
	for attempt := 1; ; attempt++ {
		var s session
		var rested bool
		if s, rested, err = c.session(ctx, t, idempotent); err != nil {
			return nil, time.Time{}, err
		}
		if s.Proved() && !rested {
			t.accepted()
		}
		sent = time.Now()
		a, err = s.request(ctx, r)
		if err == nil {
			if !rested {
				t.accepted()
			}
			c.keep(s, a)
			return a, sent, nil
		}
		s.Close()
		not, again := notExecuted(err)
		not = not && (t.believes || !errors.Is(err, assoc.ErrLogon))
		if not {
			sent = time.Time{}
		}
		again = again || idempotent && rested && died(err)
		if !again || attempt > 1 || ctx.Err() != nil {
			return nil, sent, mapError(PhaseCall, err)
		}
	}
}

// keep lays a session to rest, unless its answer says that the CA has ceased to serve requests this way since the ladder
// was climbed.
func (c *Client) keep(s session, a *answer) {
	if switchedOff(a) == nil {
		c.pool.put(s)
		return
	}
	s.Close()
	c.ladder.lost()
}

// session is a session at rest, or else a new one, for which the credential has to be tried. There may be one at rest by
// the time that this call has its turn.
func (c *Client) session(ctx context.Context, t *trial, idempotent bool) (s session, rested bool, err error) {
	if s = c.pool.take(ctx); s != nil {
		return s, true, nil
	}
	if err = t.begin(ctx); err != nil {
		return nil, false, err
	}
	if s = c.pool.take(ctx); s != nil {
		t.leave()
		return s, true, nil
	}
	good, _ := c.logon.state()
	t.believes = idempotent || !good
	s, err = c.connect(ctx, t.believes)
	return s, false, err
}

// connect opens a session. With NTLM by itself the server does not show before its first answer that it has taken the
// credential, and until then anybody on the path can let a request pass and put a refused logon, which nobody signs, in
// the place of its answer. A credential that was good before is not likely to be refused: a harmless request goes ahead
// then of one that must not be executed twice, and whoever refuses the logon refuses it there. A server that does not
// take the harmless one gets the other at once, and a refused logon is no certain answer to it.
func (c *Client) connect(ctx context.Context, believe bool) (session, error) {
	s, err := c.ladder.connect(ctx, c.probe)
	if err != nil || believe || s.Proved() {
		return s, err
	}
	if _, err = s.request(ctx, c.harmless()); err == nil {
		return s, nil
	}
	s.Close()
	if ctx.Err() != nil || errors.Is(err, assoc.ErrLogon) {
		return nil, mapError(PhaseCall, err)
	}
	return c.ladder.connect(ctx, c.probe)
}

// harmless is a request that changes nothing: it retrieves one that cannot exist.
func (c *Client) harmless() *certServerRequest {
	return &certServerRequest{flags: flagsRetrieve, authority: c.ca, requestID: pingID}
}

// probe is the harmless call that a rung of the ladder has to carry: it retrieves a request that cannot exist. Whatever
// the CA says about it proves the way, except that it does not serve requests this way.
func (c *Client) probe(ctx context.Context, s session) error {
	a, err := s.request(ctx, c.harmless())
	if err != nil {
		return mapError(PhaseCall, err)
	}
	return switchedOff(a)
}

// switchedOff is the error of an answer that says that the CA does not serve requests this way.
func switchedOff(a *answer) error {
	if code := HResult(a.returned); errors.Is(code, ErrRPCServerUnavailable) {
		return &RPCError{Phase: PhaseCall, Err: code} // IF_NORPCICERTREQUEST: MS-ICPR section 3.2.4.1.1, note 7
	}
	return nil
}

// died reports whether an error is that of a connection that broke, and not anything that the server said.
func died(err error) bool {
	var fault *assoc.FaultError
	return !errors.As(err, &fault) && !errors.Is(err, assoc.ErrLogon) && !errors.Is(err, rpc.ErrMalformed) &&
		!errors.Is(err, rpc.ErrIntegrity)
}

// notExecuted reports whether it is certain that a failed call was not executed, and whether it may be repeated.
//
// It was not executed if nothing of its last fragment left this host, or if the server says so in a fault that it has
// signed: by the flag PFC_DID_NOT_EXECUTE, or by a status that it sends before it runs a call (see notDispatched).
//
// Most servers do not sign faults, and one without a signature proves nothing: anybody on the path can let a request
// pass and put a fault in the place of its answer, and whoever believed it would order a second certificate. There is
// one that has to be believed, the refusal of a logon: a server that does not accept the password has no key to sign
// with. It counts only on a connection on which the server has proved nothing yet, which SPNEGO leaves no time for, and
// only as long as the credential was never accepted (see connect).
func notExecuted(err error) (not, again bool) {
	var call *assoc.CallError
	if errors.As(err, &call) && !call.Sent {
		return true, true
	}
	if errors.Is(err, assoc.ErrLogon) {
		return true, false
	}
	var fault *assoc.FaultError
	if !errors.As(err, &fault) || !fault.Signed || !fault.DidNotExecute && !notDispatched(fault.Status) {
		return false, false
	}
	return true, !permanent(fault.Status)
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
