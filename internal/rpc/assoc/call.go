package assoc

import (
	"context"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Request is one call.
type Request struct {
	Context uint16 // that [Conn.Alter] returned; 0 is the interface that the association was opened for
	Opnum   uint16
	Object  *rpc.UUID // nil for none
	Stub    []byte    // in the transfer syntax of the association
}

// Call sends a request and returns the stub of the answer. Its errors are *[CallError]; the association is closed then.
func (c *Conn) Call(ctx context.Context, req Request) ([]byte, error) {
	if c.err != nil {
		return nil, &CallError{Err: c.err}
	}
	if ctx.Err() != nil {
		return nil, &CallError{Err: Ended(ctx)} // nothing was sent, the association stays good
	}
	release := watch(ctx, c.nc)
	stub, sent, err := c.call(req)
	release()
	if err != nil {
		c.err = errors.New("association was closed after an error")
		c.nc.Close()
		return nil, &CallError{Sent: sent, Err: cause(ctx, err)}
	}
	return stub, nil
}

// call does the work of Call.
func (c *Conn) call(req Request) (stub []byte, sent bool, err error) {
	if c.r.Buffered() > 0 {
		return nil, false, ErrOutOfStep
	}
	if int(req.Context) >= len(c.contexts) {
		return nil, false, fmt.Errorf("presentation context %d was not negotiated", req.Context)
	}
	c.callID++
	stub = c.withTrailer(req)
	fragments, err := (&rpc.Call{
		Type: rpc.TypeRequest, CallID: c.callID, ContextID: req.Context, Opnum: req.Opnum, Object: req.Object, Stub: stub,
	}).Fragments(c.maxSend, c.sec)
	if err != nil {
		return nil, false, err
	}
	if sent, err := c.send(fragments); err != nil {
		return nil, sent, fmt.Errorf("sending a request: %w", err)
	}
	stub, err = c.receive(req.Context)
	return stub, true, err
}

// withTrailer adds the verification trailer to the stub of the first call in a presentation context. Nothing protects
// the bind; by the trailer, which is signed, the server finds out that somebody changed the interface in it or took
// header signing out. Windows sends the same (MS-RPCE section 2.2.2.13 with notes 41 and 43).
func (c *Conn) withTrailer(req Request) []byte {
	stub, in := req.Stub, c.contexts[req.Context]
	if c.sec == nil || in.answered {
		return stub
	}
	signing := uint32(1)
	v := rpc.VerificationTrailer{
		Bitmask:  &signing,
		Pcontext: &rpc.VerifyContext{Interface: in.iface, Transfer: c.cfg.Transfer},
	}
	return v.Append(stub[:len(stub):len(stub)]) // a copy: what lies behind the caller's stub is not ours
}

// send writes the fragments. It reports whether anything of the last one may have left.
func (c *Conn) send(fragments [][]byte) (sent bool, err error) {
	for i, f := range fragments {
		if n, err := c.nc.Write(f); err != nil {
			return i == len(fragments)-1 && n > 0, err
		}
	}
	return true, nil
}

// receive reads the fragments of the answer to a call in a presentation context.
func (c *Conn) receive(context uint16) ([]byte, error) {
	whole := rpc.Reassembler{Max: c.cfg.MaxResponse, Header: c.sec != nil && !c.sec.CoversHeader()}
	for {
		p, err := c.read()
		if err != nil {
			return nil, fmt.Errorf("waiting for the answer: %w", err)
		}
		if p.CallID != c.callID && !c.refusal(p) {
			return nil, fmt.Errorf("%w: PDU of call %d in the answer to call %d", ErrOutOfStep, p.CallID, c.callID)
		}
		switch p.Type {
		case rpc.TypeResponse:
		case rpc.TypeFault:
			return nil, c.fault(p)
		case rpc.TypeBindNak: // how some servers say that they could not take AUTH3
			if !c.unproved() {
				return nil, fmt.Errorf("%w: bind_nak in an answer", rpc.ErrMalformed)
			}
			reason, err := rpc.ParseBindNak(p)
			if err != nil {
				return nil, err
			}
			return nil, refused(c.cfg.Initiator, 1, &NakError{Reason: reason})
		default:
			return nil, fmt.Errorf("%w: PDU of type %d in an answer", rpc.ErrMalformed, p.Type)
		}
		if p.Flags&^(rpc.FlagFirst|rpc.FlagLast) != 0 {
			return nil, fmt.Errorf("%w: answer with flags %#02x", rpc.ErrMalformed, uint8(p.Flags))
		}
		stub, err := c.sec.Open(p)
		if err != nil {
			return nil, err
		}
		done, err := whole.Add(p, stub)
		if err != nil {
			return nil, err
		}
		if r, err := rpc.ParseResponse(p); err != nil || r.ContextID != context || r.CancelCount != 0 {
			return nil, fmt.Errorf("%w: answer of another presentation context, or to a cancel", rpc.ErrMalformed)
		}
		c.proved = c.sec != nil
		if done {
			c.contexts[context].answered = true
			return whole.Stub()
		}
	}
}

// unproved reports whether the server may still refuse the credential: it has not shown yet that it took it.
func (c *Conn) unproved() bool { return c.sec != nil && !c.proved }

// refusal reports whether p may be the server's answer to AUTH3, which arrives when the first call is under way. The
// specification has none; servers that send one give it the number of the AUTH3.
func (c *Conn) refusal(p *rpc.PDU) bool {
	return c.unproved() && p.CallID == bindCallID && (p.Type == rpc.TypeBindNak || p.Type == rpc.TypeFault)
}

// fault turns a fault to an error.
func (c *Conn) fault(p *rpc.PDU) error {
	f, signed, err := c.sec.OpenFault(p)
	if err != nil {
		return err
	}
	e := &FaultError{Status: f.Status, DidNotExecute: p.Flags&rpc.FlagDidNotExecute != 0, Signed: signed}
	// Samba answers requests after an AUTH3 that it has not accepted with a protocol error.
	if c.unproved() && !signed && (logonStatus(f.Status) || f.Status == rpc.StatusProtocol) {
		return fmt.Errorf("%w (%w)", ErrLogon, e)
	}
	return e
}
