package adcstest

import (
	"errors"
	"net/netip"

	"github.com/adcskit/adcskit/internal/rpc"
)

// partialCall is a call whose fragments are coming in.
type partialCall struct {
	id      uint32
	request rpc.Request // of the first fragment
	syntax  presentation
	auth    *authContext // the security context of every fragment; nil without authentication
	stub    []byte       // so far
	fault   Fault
}

// callContext is what a method knows of its call.
type callContext struct {
	conn   *conn
	call   *partialCall
	stub   []byte
	wide   bool // NDR64
	caller caller
	local  netip.Addr // the address the client connected to
	object *comObject // of a call on one; nil for the one that counts references
}

// handleRequest takes one fragment of a call. Whatever else is wrong with it, its protection is verified first.
func (c *conn) handleRequest(p *rpc.PDU) error {
	m, err := rpc.ParseRequest(p)
	if err != nil {
		return c.protocolError(p.Header)
	}
	auth, stub, status := c.open(p)
	if status != 0 {
		return c.hangUp(p.CallID, m.ContextID, status)
	}
	if p.Flags&rpc.FlagFirst == 0 && c.call == nil {
		return c.oldFragment(p)
	}
	if p.Flags&rpc.FlagFirst != 0 {
		if c.call != nil {
			return c.protocolError(p.Header)
		}
		if err := c.begin(p, m, auth); err != nil || c.call == nil {
			return err
		}
		if c.call.fault.Cut == CutBeforeLastFragment {
			return errCut
		}
	}
	if c.call.auth != auth {
		return c.hangUp(p.CallID, m.ContextID, rpc.StatusAccessDenied)
	}
	return c.add(p, m, stub)
}

// add puts a fragment to its call, and runs the call when it is complete.
func (c *conn) add(p *rpc.PDU, m *rpc.Request, stub []byte) error {
	call, last := c.call, p.Flags&rpc.FlagLast != 0
	switch {
	case p.CallID != call.id || m.ContextID != call.request.ContextID || m.Opnum != call.request.Opnum,
		len(stub) == 0 && !last: // a fragment that brings nothing could be followed by any number of such
		return c.protocolError(p.Header)
	case len(stub) > maxStub-len(call.stub):
		return c.hangUp(p.CallID, m.ContextID, rpc.StatusAccessDenied) // MS-RPCE section 3.3.3.5.4
	}
	if call.stub = append(call.stub, stub...); !last {
		return nil
	}
	c.call = nil
	return c.run(call)
}

// begin starts a call with its first fragment. If it is refused, c.call stays nil, and what else comes of the call is
// dropped: the client need not have sent it all to learn of it (MS-RPCE section 3.3.3.5.8).
func (c *conn) begin(p *rpc.PDU, m *rpc.Request, auth *authContext) error {
	c.callID = max(c.callID, p.CallID)
	syntax, known := c.contexts[m.ContextID]
	who := c.callerOf(auth)
	var status rpc.Status
	switch {
	case !known || syntax.iface.off():
		status = rpc.StatusUnknownIf
	case who.level < syntax.iface.minLevel:
		if status = syntax.iface.denied; status == 0 {
			status = rpc.StatusAccessDenied
		}
	case syntax.iface.method(m.Opnum) == nil:
		status = rpc.StatusOpRange
	}
	if status != 0 {
		return c.fault(p.CallID, m.ContextID, status, rpc.FlagDidNotExecute)
	}
	c.call = &partialCall{id: p.CallID, request: *m, syntax: syntax, auth: auth}
	if name := syntax.iface.name; name != "" {
		about := Call{
			Interface: name, EndpointMapper: name == mapperName, OpNum: m.Opnum, Level: AuthLevel(who.level),
		}
		if auth != nil {
			about.User = auth.who.account()
		}
		c.call.fault = c.server.faults.take(about, syntax.iface.ofCA)
	}
	return nil
}

// callerOf is the identity that a security context stands for.
func (c *conn) callerOf(a *authContext) caller {
	if a == nil {
		return caller{level: levelNone}
	}
	who := a.who
	who.level, _ = effectiveLevel(a.security.Level)
	return who
}

// open verifies and decrypts a fragment with the security context that it names. The status is not 0 if it may not be
// used.
func (c *conn) open(p *rpc.PDU) (*authContext, []byte, rpc.Status) {
	t, ok, err := p.Auth()
	if err != nil {
		return nil, nil, rpc.StatusProtocol
	}
	a := c.onlyConnectContext()
	switch {
	case ok:
		a = c.auths[t.ContextID]
		if a == nil || a.security.Type != t.Type || a.asked != t.Level {
			return nil, nil, rpc.StatusAccessDenied
		}
	case len(c.auths) > 0 && a == nil:
		return nil, nil, rpc.StatusAccessDenied // a fragment without the protection that was agreed
	case a == nil:
		stub, err := p.Stub()
		if err != nil {
			return nil, nil, rpc.StatusProtocol
		}
		return nil, stub, 0
	}
	switch a.state {
	case authFailed:
		return nil, nil, rpc.StatusSecPkgError
	case authPending:
		return nil, nil, rpc.StatusAccessDenied
	}
	stub, err := a.security.Open(p)
	switch {
	case errors.Is(err, rpc.ErrIntegrity):
		return nil, nil, rpc.StatusAccessDenied
	case err != nil:
		return nil, nil, rpc.StatusProtocol
	}
	return a, stub, 0
}

// onlyConnectContext is the security context of a fragment that names none: the only one of the connection, if it is
// of level connect (MS-RPCE section 3.3.1.5.4). A context that failed counts, so that the client learns why.
func (c *conn) onlyConnectContext() *authContext {
	if len(c.auths) != 1 {
		return nil
	}
	for _, a := range c.auths {
		if a.security.Level <= rpc.LevelConnect || a.state == authFailed {
			return a
		}
	}
	return nil
}

// oldFragment drops what is left of a call that has ended already; anything else is a protocol error (MS-RPCE section
// 3.3.3.5.6).
func (c *conn) oldFragment(p *rpc.PDU) error {
	if c.callID-p.CallID < oldCallsWindow {
		return nil
	}
	return c.protocolError(p.Header)
}
