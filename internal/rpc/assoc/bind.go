package assoc

import (
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Initiator is the client's side of a security mechanism, for one association.
type Initiator interface {
	// Type is the provider, as bind names it.
	Type() rpc.AuthType
	// Step takes the server's token, nil at first, and returns the next one to send. Complete says that no token of the
	// server is awaited any more; the token that is returned with it, if any, is the last leg.
	Step(token []byte) (out []byte, complete bool, err error)
	// Protector protects messages once Step has said complete.
	Protector() rpc.Protector
	// Mutual reports whether the server has shown by its tokens that it knows the key, once Step has said complete.
	Mutual() bool
	// SessionKey is the key of the context once Step has said complete. SMB derives its own keys from it.
	SessionKey() []byte
	// ByTicket reports whether the server is shown a ticket and no proof of the password: it may refuse it for many
	// reasons, of which a wrong password is none.
	ByTicket() bool
}

// maxLegs bounds the tokens that are sent; three is what NTLM and Kerberos need inside of SPNEGO.
const maxLegs = 8

// bind runs bind and the legs of the authentication (MS-RPCE section 3.3.1.5.2).
func (c *Conn) bind() error {
	if c.cfg.Initiator == nil {
		_, err := c.exchange(rpc.TypeBind, nil)
		return err
	}
	c.sec = &rpc.Security{Type: c.cfg.Initiator.Type(), Level: rpc.LevelPrivacy, ContextID: authContextID}
	var token []byte
	for leg := range maxLegs {
		var out []byte
		var complete bool
		err := rpc.Guard(func() (e error) { out, complete, e = c.cfg.Initiator.Step(token); return e })
		switch {
		case err != nil:
			return err
		case complete && leg == 0:
			return errors.New("authentication ended before the server had a part in it")
		case complete:
			c.sec.Protector = c.cfg.Initiator.Protector()
			c.proved = c.cfg.Initiator.Mutual()
			if len(out) == 0 {
				return nil
			}
			return c.auth3(out)
		case len(out) == 0:
			return errors.New("authentication has nothing to send and is not complete")
		}
		t := rpc.TypeBind
		if leg > 0 {
			t = rpc.TypeAlterContext
		}
		if token, err = c.exchange(t, out); err != nil {
			return refused(c.cfg.Initiator, leg, err)
		}
	}
	return errors.New("authentication does not come to an end")
}

// refused tells what the server refused. It has seen the credential once the second leg was sent, and a ticket with the
// first: what it answers then, be it bind_nak or fault, is about that (MS-RPCE section 3.3.1.5.2.1).
func refused(i Initiator, leg int, err error) error {
	if leg == 0 && !i.ByTicket() {
		return err
	}
	var nak *NakError
	var fault *FaultError
	if errors.As(err, &nak) && (leg > 0 || nak.Reason == rpc.NakReasonNotSpecified || nak.Reason == rpc.NakInvalidChecksum) ||
		errors.As(err, &fault) && logonStatus(fault.Status) {
		return refusal(i, err)
	}
	return err
}

// logonStatus reports whether servers use a status to say that they refuse a credential: those of RPC, and the Win32
// codes and the SSPI code (MS-ERREF sections 2.1.1 and 2.2) that say why.
func logonStatus(s rpc.Status) bool {
	switch s {
	case rpc.StatusAccessDenied, rpc.StatusSecPkgError,
		0x52e, 0x52f, 0x530, 0x531, 0x532, 0x533, 0x569, // ERROR_LOGON_FAILURE to ERROR_LOGON_TYPE_NOT_GRANTED
		0x701, 0x773, 0x775, // expired, password must change, locked out
		0x8009030c: // SEC_E_LOGON_DENIED
		return true
	}
	return false
}

// offer is the body of a bind or alter_context that offers one presentation context.
func (c *Conn) offer(id uint16, iface rpc.Syntax) *rpc.Bind {
	return &rpc.Bind{
		MaxXmit: uint16(c.cfg.MaxFragment), MaxRecv: uint16(c.cfg.MaxFragment),
		Contexts: []rpc.Context{{ID: id, Abstract: iface, Transfer: []rpc.Syntax{c.cfg.Transfer}}},
	}
}

// exchange sends a bind or alter_context with a token and returns the token of the answer.
func (c *Conn) exchange(t rpc.PacketType, token []byte) ([]byte, error) {
	m := c.offer(contextID, c.cfg.Interface)
	h := rpc.Header{Type: t, Flags: rpc.FlagFirst | rpc.FlagLast, CallID: c.callID}
	var auth *rpc.Auth
	if token != nil {
		h.Flags |= rpc.FlagSignHeader
		auth = &rpc.Auth{Type: c.sec.Type, Level: c.sec.Level, ContextID: c.sec.ContextID, Value: token}
	}
	raw, err := rpc.Encode(h, m.Append(nil), auth)
	if err != nil {
		return nil, err
	}
	if _, err := c.nc.Write(raw); err != nil {
		return nil, err
	}
	p, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("waiting for the answer to bind: %w", err)
	}
	return c.accepted(p, t)
}

// acknowledged reads the answer to a bind or alter_context.
func (c *Conn) acknowledged(p *rpc.PDU, asked rpc.PacketType) (*rpc.BindAck, error) {
	want := rpc.TypeBindAck
	if asked == rpc.TypeAlterContext {
		want = rpc.TypeAlterResp
	}
	if p.CallID != c.callID || p.Flags&(rpc.FlagFirst|rpc.FlagLast) != rpc.FlagFirst|rpc.FlagLast {
		return nil, fmt.Errorf("%w: answer to bind is of call %d, flags %#02x", rpc.ErrMalformed, p.CallID, uint8(p.Flags))
	}
	switch p.Type {
	case want:
	case rpc.TypeBindNak:
		reason, err := rpc.ParseBindNak(p)
		if err != nil {
			return nil, err
		}
		return nil, &NakError{Reason: reason}
	case rpc.TypeFault:
		f, err := rpc.ParseFault(p)
		if err != nil {
			return nil, err
		}
		return nil, &FaultError{Status: f.Status, DidNotExecute: p.Flags&rpc.FlagDidNotExecute != 0}
	default:
		return nil, fmt.Errorf("%w: answer to bind is of type %d", rpc.ErrMalformed, p.Type)
	}
	return rpc.ParseBindAck(p)
}

// accepted checks the answer to a bind or alter_context and takes the token from it.
func (c *Conn) accepted(p *rpc.PDU, asked rpc.PacketType) (token []byte, err error) {
	ack, err := c.acknowledged(p, asked)
	if err != nil {
		return nil, err
	}
	if err := c.agreed(ack, asked); err != nil {
		return nil, err
	}
	if c.sec == nil {
		return nil, nil
	}
	return c.token(p, asked)
}

// agreed checks what the server accepted.
func (c *Conn) agreed(ack *rpc.BindAck, asked rpc.PacketType) error {
	if len(ack.Results) == 0 && asked == rpc.TypeAlterContext {
		return nil // the context was accepted before
	}
	if len(ack.Results) != 1 {
		return fmt.Errorf("%w: %d results for one presentation context", rpc.ErrMalformed, len(ack.Results))
	}
	r := ack.Results[0]
	if r.Verdict != rpc.VerdictAccept {
		return &RejectError{Verdict: r.Verdict, Reason: r.Reason}
	}
	if r.Transfer != c.cfg.Transfer {
		return fmt.Errorf("%w: transfer syntax %v was not offered", rpc.ErrMalformed, r.Transfer)
	}
	if asked == rpc.TypeBind {
		if ack.MaxRecv < rpc.MinFragment {
			return fmt.Errorf("%w: server takes fragments of %d bytes only", rpc.ErrMalformed, ack.MaxRecv)
		}
		c.maxSend = min(c.cfg.MaxFragment, int(ack.MaxRecv))
	}
	return nil
}

// token takes the token from an answer, which must be of the authentication that is under way.
func (c *Conn) token(p *rpc.PDU, asked rpc.PacketType) ([]byte, error) {
	a, ok, err := p.Auth()
	if err != nil {
		return nil, err
	}
	if !ok || a.Type != c.sec.Type || a.Level != c.sec.Level || a.ContextID != c.sec.ContextID {
		return nil, fmt.Errorf("%w: answer to bind is not of the authentication that was begun", rpc.ErrMalformed)
	}
	if asked == rpc.TypeBind {
		c.sec.SignHeader = p.Flags&rpc.FlagSignHeader != 0
	}
	return a.Value, nil
}

// auth3 sends the last leg of an authentication with an odd number of them. It is not answered.
func (c *Conn) auth3(token []byte) error {
	h := rpc.Header{Type: rpc.TypeAuth3, Flags: rpc.FlagFirst | rpc.FlagLast, CallID: c.callID}
	auth := &rpc.Auth{Type: c.sec.Type, Level: c.sec.Level, ContextID: c.sec.ContextID, Value: token}
	raw, err := rpc.Encode(h, make([]byte, 4), auth)
	if err != nil {
		return err
	}
	_, err = c.nc.Write(raw)
	return err
}
