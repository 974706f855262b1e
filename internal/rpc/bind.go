package rpc

import "encoding/binary"

// Context is an element of the list of presentation contexts in a bind or alter_context.
type Context struct {
	ID       uint16
	Abstract Syntax
	Transfer []Syntax
}

// Bind is the body of bind and alter_context (C706 section 12.6.4.3).
type Bind struct {
	MaxXmit, MaxRecv uint16 // bytes
	AssocGroup       uint32
	Contexts         []Context
}

// contextLimit bounds the contexts of one bind and the transfer syntaxes of a context; Windows uses three.
const contextLimit = 64

// Append encodes the body.
func (m *Bind) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, m.MaxXmit)
	b = binary.LittleEndian.AppendUint16(b, m.MaxRecv)
	b = binary.LittleEndian.AppendUint32(b, m.AssocGroup)
	b = append(b, byte(len(m.Contexts)), 0, 0, 0)
	for _, c := range m.Contexts {
		b = binary.LittleEndian.AppendUint16(b, c.ID)
		b = append(b, byte(len(c.Transfer)), 0)
		b = c.Abstract.append(b)
		for _, t := range c.Transfer {
			b = t.append(b)
		}
	}
	return b
}

// ParseBind decodes a bind or alter_context.
func ParseBind(p *PDU) (*Bind, error) {
	if err := p.want(TypeBind, TypeAlterContext); err != nil {
		return nil, err
	}
	body, err := p.body()
	if err != nil {
		return nil, err
	}
	c := &cursor{b: body}
	m := &Bind{MaxXmit: c.u16(), MaxRecv: c.u16(), AssocGroup: c.u32()}
	n := int(c.u8())
	c.take(3)
	if n == 0 || n > contextLimit {
		return nil, malformed("bind with %d contexts", n)
	}
	for range n {
		e := Context{ID: c.u16()}
		syntaxes := int(c.u8())
		c.u8()
		e.Abstract = c.syntax()
		if syntaxes == 0 || syntaxes > contextLimit || c.bad {
			return nil, malformed("bind context with %d transfer syntaxes", syntaxes)
		}
		for range syntaxes {
			e.Transfer = append(e.Transfer, c.syntax())
		}
		m.Contexts = append(m.Contexts, e)
	}
	if c.bad {
		return nil, malformed("bind is cut off")
	}
	return m, nil
}

// Verdict is the result for one presentation context (p_cont_def_result_t; MS-RPCE section 2.2.2.4).
type Verdict uint16

// The verdicts. VerdictNegotiateAck answers a bind-time feature negotiation; its Reason holds the accepted bits.
const (
	VerdictAccept       Verdict = 0
	VerdictUserReject   Verdict = 1
	VerdictReject       Verdict = 2
	VerdictNegotiateAck Verdict = 3
)

// The reasons of VerdictReject.
const (
	ReasonNone               = 0
	ReasonAbstractSyntax     = 1
	ReasonTransferSyntax     = 2
	ReasonLocalLimitExceeded = 3
)

// secondaryAddressLimit bounds the secondary address of a bind_ack, in bytes.
const secondaryAddressLimit = 256

// Result is the answer to one presentation context.
type Result struct {
	Verdict  Verdict
	Reason   uint16
	Transfer Syntax // all zero unless accepted
}

// BindAck is the body of bind_ack and alter_context_resp (C706 section 12.6.4.4).
type BindAck struct {
	MaxXmit, MaxRecv uint16 // bytes
	AssocGroup       uint32
	SecondaryAddress string // without its NUL; the port of a TCP endpoint
	Results          []Result
}

// Append encodes the body.
func (m *BindAck) Append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint16(b, m.MaxXmit)
	b = binary.LittleEndian.AppendUint16(b, m.MaxRecv)
	b = binary.LittleEndian.AppendUint32(b, m.AssocGroup)
	if m.SecondaryAddress == "" {
		b = append(b, 0, 0)
	} else {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(m.SecondaryAddress)+1))
		b = append(append(b, m.SecondaryAddress...), 0)
	}
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	b = append(b, byte(len(m.Results)), 0, 0, 0)
	for _, r := range m.Results {
		b = binary.LittleEndian.AppendUint16(b, uint16(r.Verdict))
		b = binary.LittleEndian.AppendUint16(b, r.Reason)
		b = r.Transfer.append(b)
	}
	return b
}

// ParseBindAck decodes a bind_ack or alter_context_resp.
func ParseBindAck(p *PDU) (*BindAck, error) {
	if err := p.want(TypeBindAck, TypeAlterResp); err != nil {
		return nil, err
	}
	body, err := p.body()
	if err != nil {
		return nil, err
	}
	c := &cursor{b: body}
	m := &BindAck{MaxXmit: c.u16(), MaxRecv: c.u16(), AssocGroup: c.u32()}
	n := int(c.u16())
	if n > secondaryAddressLimit {
		return nil, malformed("secondary address of %d bytes", n)
	}
	if s := c.take(n); len(s) > 0 {
		m.SecondaryAddress = string(s[:len(s)-1])
	}
	c.align(4)
	results := int(c.u8())
	c.take(3)
	if results > contextLimit {
		return nil, malformed("bind_ack with %d results", results)
	}
	for range results {
		m.Results = append(m.Results, Result{Verdict: Verdict(c.u16()), Reason: c.u16(), Transfer: c.syntax()})
	}
	if c.bad {
		return nil, malformed("bind_ack is cut off")
	}
	return m, nil
}

// The reasons of a bind_nak (C706 section 12.6.3.1, MS-RPCE section 2.2.2.5).
const (
	NakReasonNotSpecified    = 0
	NakTemporaryCongestion   = 1
	NakLocalLimitExceeded    = 2
	NakProtocolVersion       = 4
	NakAuthTypeNotRecognized = 8
	NakInvalidChecksum       = 9
)

// EncodeBindNak is a whole bind_nak PDU.
func EncodeBindNak(callID uint32, reason uint16) []byte {
	body := binary.LittleEndian.AppendUint16(nil, reason)
	body = append(body, 1, 5, 0) // one version is supported: 5.0
	b, err := Encode(Header{Type: TypeBindNak, Flags: FlagFirst | FlagLast, CallID: callID}, body, nil)
	if err != nil {
		panic("rpc: internal error: a bind_nak of constant size does not fit")
	}
	return b
}

// ParseBindNak returns the reason of a bind_nak.
func ParseBindNak(p *PDU) (reason uint16, err error) {
	if err := p.want(TypeBindNak); err != nil {
		return 0, err
	}
	c := &cursor{b: p.payload()}
	if reason = c.u16(); c.bad {
		return 0, malformed("bind_nak is cut off")
	}
	return reason, nil
}
