package adcstest

import (
	"errors"

	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// run executes a complete call and answers it.
func (c *conn) run(call *partialCall) error {
	f := &call.fault
	if f.Cut == CutBeforeLastFragment || f.Cut == CutAfterRequest {
		return errCut
	}
	if f.Before != nil {
		f.Before(c.ctx)
	}
	if f.Status != 0 && f.NotExecuted {
		return c.injected(call, rpc.FlagDidNotExecute)
	}
	out, err := c.dispatch(call)
	var status rpc.Status
	switch {
	case errors.As(err, &status):
		return c.fault(call.id, call.request.ContextID, status, rpc.FlagDidNotExecute)
	case err != nil:
		return c.fault(call.id, call.request.ContextID, rpc.StatusBadStubData, rpc.FlagDidNotExecute)
	}
	if f.After != nil {
		f.After(c.ctx)
	}
	if f.Status != 0 {
		return c.injected(call, 0)
	}
	if f.Cut == CutBeforeAnswer {
		return errCut
	}
	return c.answer(call, f.stub(out, call.syntax.iface.object))
}

// injected sends the fault that a test asked for.
func (c *conn) injected(call *partialCall, flags rpc.Flags) error {
	status := rpc.Status(call.fault.Status)
	if call.auth == nil || !call.fault.Signed {
		return c.fault(call.id, call.request.ContextID, status, flags)
	}
	h, body := faultPDU(call.id, call.request.ContextID, status, flags)
	b, err := call.auth.security.Seal(h, body, nil)
	if err != nil {
		return err
	}
	return c.write(b)
}

// dispatch runs the method of a call.
func (c *conn) dispatch(call *partialCall) ([]byte, error) {
	ctx := &callContext{
		conn: c, call: call, stub: call.stub, wide: call.syntax.transfer == rpc.NDR64(),
		caller: c.callerOf(call.auth), local: c.local,
	}
	return call.syntax.iface.method(call.request.Opnum)(ctx, ndr.NewReader(ctx.stub, ctx.wide))
}

// answer sends a response in as many fragments as it needs.
func (c *conn) answer(call *partialCall, stub []byte) error {
	var security *rpc.Security
	if call.auth != nil {
		security = &call.auth.security
	}
	r := rpc.Call{Type: rpc.TypeResponse, CallID: call.id, ContextID: call.request.ContextID, Stub: stub}
	list, err := r.Fragments(c.fragment, security)
	if err != nil {
		return err
	}
	for i, b := range list {
		if call.fault.PDU != nil {
			b = call.fault.PDU(i, b)
		}
		if call.fault.Cut == CutInAnswer && i == len(list)-1 {
			b = b[:len(b)/2]
		}
		if err := c.write(b); err != nil {
			return err
		}
	}
	if call.fault.Cut == CutInAnswer {
		return errCut
	}
	return nil
}

// checkTrailer compares the verification trailer, if the client sent one, with what came in the clear (MS-RPCE section
// 2.2.2.13). The parameters ended at the given place of the stub.
func (c *callContext) checkTrailer(end int) error {
	v, err := rpc.ParseVerificationTrailer(c.stub, end)
	if err != nil {
		return rpc.StatusAccessDenied
	}
	if v == nil {
		return nil
	}
	m := &c.call.request
	switch {
	case v.Bitmask != nil && *v.Bitmask&1 != 0 && c.conn.authSeen && !c.conn.clientSigns:
	case v.Pcontext != nil && (v.Pcontext.Interface != c.call.syntax.abstract ||
		v.Pcontext.Transfer != c.call.syntax.transfer):
	case v.Header != nil && *v.Header != (rpc.VerifyHeader{
		Type: rpc.TypeRequest, CallID: c.call.id, ContextID: m.ContextID, Opnum: m.Opnum,
	}):
	default:
		return nil
	}
	return rpc.StatusAccessDenied
}

// handleCertServerRequest serves CertServerRequest (MS-ICPR section 3.2.4.1.1).
func (s *Server) handleCertServerRequest(c *callContext, r *ndr.Reader) ([]byte, error) {
	in, end, err := decodeCertServerRequest(r)
	if err != nil {
		return nil, err
	}
	if err := c.checkTrailer(end); err != nil {
		return nil, err
	}
	out := s.authority.certServerRequest(c.caller, in, c.call.fault.Forge.tampering())
	return encodeCertServerResponse(out, c.wide), nil
}
