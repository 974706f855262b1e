package rpc

import (
	"errors"
	"fmt"
)

// ErrIntegrity is in the chain of every error about a PDU that is not what the peer protected: a wrong signature, no
// security trailer, another level, type or context, a field out of its place.
var ErrIntegrity = errors.New("integrity of the DCE/RPC connection is broken")

func broken(format string, args ...any) error {
	return fmt.Errorf("rpc: %w: %s", ErrIntegrity, fmt.Sprintf(format, args...))
}

// Message is what a [Protector] works on: the parts of a PDU, in their order.
type Message struct {
	Header     []byte // common header and fixed part of the body
	Body       []byte // stub and padding; encrypted and decrypted in place when Seal is set
	Trailer    []byte // the 8 bytes of the security trailer
	SignHeader bool   // header signing was agreed: Header and Trailer are signed along with Body
	Seal       bool
}

// Protector is an established security context: it keeps keys and sequence numbers of both directions, so calls have
// to come in the order of the PDUs. It is for one goroutine at a time. Adapters are [GSSAPI] and [NTLM].
type Protector interface {
	// SignatureSize is the length of every signature that Wrap makes for a message of this kind, in bytes.
	SignatureSize(seal bool) int
	// Wrap encrypts m.Body in place if m.Seal, and returns the signature.
	Wrap(m *Message) ([]byte, error)
	// Unwrap decrypts m.Body in place if m.Seal, and verifies the signature with everything it covers, the sequence
	// number included. Any error means that nothing of the message may be used.
	Unwrap(m *Message, signature []byte) error
}

// Security is the security context of a connection as it was agreed in bind: what every later PDU is held to.
type Security struct {
	Type       AuthType
	Level      AuthLevel // LevelConnect, LevelPacket, LevelIntegrity or LevelPrivacy
	ContextID  uint32    // auth_context_id
	SignHeader bool      // both sides set FlagSignHeader
	Protector  Protector // unused at LevelConnect
}

// protects reports whether PDUs carry a signature.
func (s *Security) protects() bool { return s != nil && s.Level > LevelConnect }

// CoversHeader reports whether signatures cover all of a PDU: header signing was agreed, or the mechanism signs header
// and trailer whatever was agreed, as NTLM does (MS-NLMP section 3.4.6.1).
func (s *Security) CoversHeader() bool {
	p, ok := s.Protector.(interface{ CoversHeader() bool })
	return s.SignHeader || ok && p.CoversHeader()
}

// fits reports whether a received signature has a right length. A Protector whose peers may send more than one says so.
func (s *Security) fits(n int) bool {
	seal := s.Level == LevelPrivacy
	if p, ok := s.Protector.(interface{ SignatureFits(n int, seal bool) bool }); ok {
		return p.SignatureFits(n, seal)
	}
	return n == s.Protector.SignatureSize(seal)
}

// bodyAlign is the alignment of the stub before the trailer: 16, as MS-RPCE section 2.2.2.11 wants it.
const bodyAlign = 16

// Overhead is how much of a fragment is not stub: headers, worst padding, trailer and signature, in bytes.
func (s *Security) Overhead(fixed int) int {
	n := HeaderSize + fixed
	if s.protects() {
		n += trailerSize + s.Protector.SignatureSize(s.Level == LevelPrivacy)
	}
	return n
}

// Seal puts a request, response or fault together: header, the fixed part of its body, and the stub, which is padded,
// signed and encrypted as the level says. Without security (nil, or level connect) the stub goes out as it is. The
// stub is not changed.
func (s *Security) Seal(h Header, fixed, stub []byte) ([]byte, error) {
	if !s.protects() {
		return Encode(h, append(fixed[:len(fixed):len(fixed)], stub...), nil)
	}
	seal := s.Level == LevelPrivacy
	sigSize := s.Protector.SignatureSize(seal)
	pad := -len(stub) & (bodyAlign - 1)
	stubAt := HeaderSize + len(fixed)
	trailerAt := stubAt + len(stub) + pad
	size := trailerAt + trailerSize + sigSize
	if size > MaxFragment {
		return nil, malformed("fragment of %d bytes does not fit", size)
	}
	h.FragLength, h.AuthLength = uint16(size), uint16(sigSize)
	b := append(h.append(make([]byte, 0, size)), fixed...)
	b = append(append(b, stub...), make([]byte, pad)...)
	b = Auth{Type: s.Type, Level: s.Level, Pad: uint8(pad), ContextID: s.ContextID}.append(b)
	m := &Message{
		Header: b[:stubAt], Body: b[stubAt:trailerAt], Trailer: b[trailerAt:],
		SignHeader: s.SignHeader, Seal: seal,
	}
	sig, err := guard1(func() ([]byte, error) { return s.Protector.Wrap(m) })
	if err != nil {
		return nil, fmt.Errorf("rpc: protecting a PDU: %w", err)
	}
	if len(sig) != sigSize {
		return nil, fmt.Errorf("rpc: protecting a PDU: signature of %d bytes, %d were promised", len(sig), sigSize)
	}
	return append(b, sig...), nil
}

// Open verifies and decrypts a request or response in place and returns its stub, without padding. The PDU must carry
// a trailer of exactly this context, level and type. Without security (nil, or level connect) it is [PDU.Stub].
func (s *Security) Open(p *PDU) ([]byte, error) {
	if err := p.want(TypeRequest, TypeResponse); err != nil {
		return nil, err
	}
	if !s.protects() {
		return p.Stub()
	}
	return s.open(p)
}

// OpenFault decodes a fault and verifies its signature. A server that has no key yet, and many that have, answer with
// faults that carry none: signed is then false, and the fault proves nothing. The sequence numbers do not move then.
func (s *Security) OpenFault(p *PDU) (f *Fault, signed bool, err error) {
	if f, err = ParseFault(p); err != nil || p.AuthLength == 0 {
		return f, false, err
	}
	if !s.protects() {
		return f, false, nil
	}
	if _, err := s.open(p); err != nil {
		return nil, false, err
	}
	return f, true, nil
}

// open does the work of Open for every type.
func (s *Security) open(p *PDU) ([]byte, error) {
	seal := s.Level == LevelPrivacy
	a, ok, err := p.Auth()
	if err != nil {
		return nil, err
	}
	switch {
	case !ok:
		return nil, broken("a PDU of type %d is not protected", p.Type)
	case a.Type != s.Type || a.Level != s.Level || a.ContextID != s.ContextID:
		return nil, broken("a PDU is of authentication type %d, level %d, context %d instead of %d, %d, %d",
			a.Type, a.Level, a.ContextID, s.Type, s.Level, s.ContextID)
	case a.Reserved != 0:
		return nil, broken("reserved field of the security trailer is %d", a.Reserved)
	case !s.fits(len(a.Value)):
		return nil, broken("signature of %d bytes", len(a.Value))
	}
	stubAt := HeaderSize + p.fixedSize()
	trailerAt := len(p.Raw) - int(p.AuthLength) - trailerSize
	if trailerAt-stubAt < int(a.Pad) || a.Pad >= bodyAlign {
		return nil, broken("padding of %d bytes", a.Pad)
	}
	m := &Message{
		Header: p.Raw[:stubAt], Body: p.Raw[stubAt:trailerAt], Trailer: p.Raw[trailerAt : trailerAt+trailerSize],
		SignHeader: s.SignHeader, Seal: seal,
	}
	err = guard(func() error { return s.Protector.Unwrap(m, a.Value) })
	if err != nil {
		return nil, broken("%v", err)
	}
	return m.Body[:len(m.Body)-int(a.Pad)], nil
}

// guard turns a panic of the code below, which sees bytes of the peer and is not ours, to an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("rpc: %w: %v", ErrMalformed, r)
		}
	}()
	return f()
}

func guard1[T any](f func() (T, error)) (v T, err error) {
	err = guard(func() (e error) { v, e = f(); return e })
	return v, err
}

// Guard runs f, and turns a panic to an error with [ErrMalformed] in its chain. It is for calls of other people's
// decoders and mechanisms with bytes of a peer.
func Guard(f func() error) error { return guard(f) }
