package rpc

import "encoding/binary"

// Call is one message to send: a request or a response with its whole stub.
type Call struct {
	Type      PacketType // TypeRequest or TypeResponse
	CallID    uint32
	ContextID uint16
	Opnum     uint16 // requests only
	Object    *UUID  // requests only; nil for none
	Flags     Flags  // beside FlagFirst, FlagLast and FlagObject
	Stub      []byte
}

// fixed is the part of the body before the stub, with left bytes of stub still to come.
func (c *Call) fixed(left int) []byte {
	if c.Type == TypeResponse {
		return (&Response{AllocHint: uint32(left), ContextID: c.ContextID}).Append(nil)
	}
	return (&Request{AllocHint: uint32(left), ContextID: c.ContextID, Opnum: c.Opnum, Object: c.Object}).Append(nil)
}

// Fragments cuts the call to PDUs of at most max bytes and protects each. There is always at least one. The stub of
// every fragment but the last is a multiple of 16 long, so that none of them needs padding (C706 wants 8).
func (c *Call) Fragments(max int, sec *Security) ([][]byte, error) {
	if c.Type != TypeRequest && c.Type != TypeResponse {
		return nil, malformed("call of type %d", c.Type)
	}
	max = min(max, MaxFragment)
	room := (max - sec.Overhead(len(c.fixed(0)))) &^ (bodyAlign - 1)
	if room <= 0 {
		return nil, malformed("fragments of %d bytes have no room for a stub", max)
	}
	var list [][]byte
	for rest, first := c.Stub, true; first || len(rest) > 0; first = false {
		part := rest[:min(room, len(rest))]
		h := Header{Type: c.Type, Flags: c.Flags, CallID: c.CallID}
		if first {
			h.Flags |= FlagFirst
		}
		if len(part) == len(rest) {
			h.Flags |= FlagLast
		}
		if c.Object != nil && c.Type == TypeRequest {
			h.Flags |= FlagObject
		}
		pdu, err := sec.Seal(h, c.fixed(len(rest)), part)
		if err != nil {
			return nil, err
		}
		list, rest = append(list, pdu), rest[len(part):]
	}
	return list, nil
}

// Reassembler puts the stub of one call together. It holds every fragment to the first one: same type, call and
// presentation context (and operation, for requests), first and last flag in their places, no empty fragment before the last.
// Its zero value with Max set is ready for a call.
type Reassembler struct {
	Max int // bytes of stub that are accepted at most
	// Header makes it look at what a signature leaves out when there is no header signing: alloc_hint, and the reserved
	// field of a response.
	Header bool

	count int // fragments so far
	hints []hint
	head  Header
	fixed [4]byte // what follows alloc_hint: context and operation, or context and cancel count
	stub  []byte
	begun bool
	done  bool
}

// maxFragments bounds the fragments of a call. Four MiB in the least fragments that everybody must accept are a fifth.
const maxFragments = 1 << 14

// Add takes the next fragment: the PDU as it was received and its stub as [Security.Open] returned it. It reports
// whether that was the last one.
func (r *Reassembler) Add(p *PDU, stub []byte) (done bool, err error) {
	if err := p.want(TypeRequest, TypeResponse); err != nil {
		return false, err
	}
	body := p.payload()
	if len(body) < 8 {
		return false, malformed("PDU of type %d is cut off", p.Type)
	}
	if first := p.Flags&FlagFirst != 0; r.done || first == r.begun {
		return false, malformed("fragment out of order: flags %#02x", uint8(p.Flags))
	}
	fixed := [4]byte(body[4:8])
	if !r.begun {
		r.head, r.fixed, r.begun = p.Header, fixed, true
	}
	if p.Type != r.head.Type || p.CallID != r.head.CallID || fixed != r.fixed {
		return false, malformed("fragment of another call")
	}
	last := p.Flags&FlagLast != 0
	if len(stub) == 0 && !last {
		return false, malformed("empty fragment that is not the last")
	}
	if len(stub) > r.Max-len(r.stub) {
		return false, malformed("call of more than %d bytes", r.Max)
	}
	if r.count++; r.count > maxFragments {
		return false, malformed("call of more than %d fragments", maxFragments)
	}
	if r.Header {
		r.hints = append(r.hints, hint{alloc: hintOf(p), at: len(r.stub), size: len(stub)})
	}
	r.stub = append(r.stub, stub...)
	r.done = last
	return last, nil
}

// Stub is the whole stub, after Add has returned true. It fails if the fields that Header watches make no sense.
func (r *Reassembler) Stub() ([]byte, error) {
	if !r.done {
		return nil, malformed("call is not complete")
	}
	if r.Header && r.head.Type == TypeResponse && r.fixed[3] != 0 {
		return nil, broken("reserved field of a response is %d", r.fixed[3])
	}
	for _, h := range r.hints {
		if !h.plausible(len(r.stub)) {
			return nil, broken("alloc_hint %d in an answer of %d bytes", h.alloc, len(r.stub))
		}
	}
	return r.stub, nil
}

// hint is the alloc_hint of a fragment, with where its stub begins and how long it is.
type hint struct {
	alloc    uint32
	at, size int
}

// plausible reports whether a hint is one that servers send: nothing, what is left from this fragment on (Windows,
// Samba), the whole, or this fragment; with or without padding.
func (h hint) plausible(total int) bool {
	if h.alloc == 0 {
		return true
	}
	for _, n := range []int{total - h.at, total, h.size} {
		if d := int64(h.alloc) - int64(n); d == 0 || d == int64(-n&3) || d == int64(-n&(bodyAlign-1)) {
			return true
		}
	}
	return false
}

// hintOf is the alloc_hint of a request or response.
func hintOf(p *PDU) uint32 {
	if b := p.payload(); len(b) >= 4 {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}
