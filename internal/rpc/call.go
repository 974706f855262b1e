package rpc

import "encoding/binary"

// Request is the body of a request PDU before its stub (C706 section 12.6.4.9).
type Request struct {
	AllocHint uint32
	ContextID uint16
	Opnum     uint16
	Object    *UUID // nil without FlagObject
}

// ParseRequest decodes the fixed part of a request. Its stub comes from [Security.Open] or [PDU.Stub].
func ParseRequest(p *PDU) (*Request, error) {
	if err := p.want(TypeRequest); err != nil {
		return nil, err
	}
	c := &cursor{b: p.payload()}
	m := &Request{AllocHint: c.u32(), ContextID: c.u16(), Opnum: c.u16()}
	if p.Flags&FlagObject != 0 {
		m.Object = new(UUID)
		copy(m.Object[:], c.take(16))
	}
	if c.bad {
		return nil, malformed("request is cut off")
	}
	return m, nil
}

// Append encodes the fixed part.
func (m *Request) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, m.AllocHint)
	b = binary.LittleEndian.AppendUint16(b, m.ContextID)
	b = binary.LittleEndian.AppendUint16(b, m.Opnum)
	if m.Object != nil {
		b = append(b, m.Object[:]...)
	}
	return b
}

// Response is the body of a response PDU before its stub (C706 section 12.6.4.10).
type Response struct {
	AllocHint   uint32
	ContextID   uint16
	CancelCount uint8
	Reserved    uint8
}

// ParseResponse decodes the fixed part of a response.
func ParseResponse(p *PDU) (*Response, error) {
	if err := p.want(TypeResponse); err != nil {
		return nil, err
	}
	return p.response()
}

func (p *PDU) response() (*Response, error) {
	c := &cursor{b: p.payload()}
	m := &Response{AllocHint: c.u32(), ContextID: c.u16(), CancelCount: c.u8(), Reserved: c.u8()}
	if c.bad {
		return nil, malformed("response is cut off")
	}
	return m, nil
}

// Append encodes the fixed part.
func (m *Response) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, m.AllocHint)
	b = binary.LittleEndian.AppendUint16(b, m.ContextID)
	return append(b, m.CancelCount, m.Reserved)
}

// Fault is the body of a fault PDU (C706 section 12.6.4.7). Fields it shares with a response are there.
type Fault struct {
	Response
	Status   Status
	Reserved uint32 // reserved2; without meaning
}

// faultSize is the length of a fault's fixed part, in bytes.
const faultSize = 16

// ParseFault decodes a fault without verifying anything; see [Security.OpenFault]. Its body is never encrypted, since
// a fault has no stub.
func ParseFault(p *PDU) (*Fault, error) {
	if err := p.want(TypeFault); err != nil {
		return nil, err
	}
	r, err := p.response()
	if err != nil {
		return nil, err
	}
	c := &cursor{b: p.payload(), at: 8}
	m := &Fault{Response: *r, Status: Status(c.u32()), Reserved: c.u32()}
	if c.bad {
		// Some servers leave the reserved field out; the status is what counts.
		if c = (&cursor{b: p.payload(), at: 8}); c.left() < 4 {
			return nil, malformed("fault is cut off")
		}
	}
	return m, nil
}

// Append encodes the body.
func (m *Fault) Append(b []byte) []byte {
	b = m.Response.Append(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(m.Status))
	return binary.LittleEndian.AppendUint32(b, m.Reserved)
}

// fixedSize is the length of the fixed part of the body of p: what is never encrypted.
func (p *PDU) fixedSize() int {
	switch {
	case p.Type == TypeRequest && p.Flags&FlagObject != 0:
		return 24
	case p.Type == TypeFault:
		return faultSize
	default:
		return 8
	}
}

// Stub is the stub data of an unprotected request or response: one without security trailer, or with the trailer of a
// connection at level connect, which protects nothing.
func (p *PDU) Stub() ([]byte, error) {
	if err := p.want(TypeRequest, TypeResponse); err != nil {
		return nil, err
	}
	b, err := p.body()
	if err != nil {
		return nil, err
	}
	if len(b) < p.fixedSize() {
		return nil, malformed("PDU of type %d is cut off", p.Type)
	}
	return b[p.fixedSize():], nil
}
