package rpc

import "encoding/binary"

// AuthType is the security provider of a connection (MS-RPCE section 2.2.1.1.7).
type AuthType uint8

// The providers that adcskit speaks.
const (
	AuthNone      AuthType = 0
	AuthNegotiate AuthType = 9 // SPNEGO
	AuthNTLM      AuthType = 10
	AuthKerberos  AuthType = 16
)

// AuthLevel is the protection of a connection (MS-RPCE section 2.2.1.1.8).
type AuthLevel uint8

// The levels. LevelCall is treated as LevelPacket by everybody on connections (MS-RPCE section 3.3.1.5.2.2).
const (
	LevelNone      AuthLevel = 1
	LevelConnect   AuthLevel = 2
	LevelCall      AuthLevel = 3
	LevelPacket    AuthLevel = 4
	LevelIntegrity AuthLevel = 5
	LevelPrivacy   AuthLevel = 6
)

// trailerSize is the fixed part of the sec_trailer, in bytes (MS-RPCE section 2.2.2.11).
const trailerSize = 8

// tokenLimit is the most bytes of authentication token that fit in one PDU.
const tokenLimit = MaxFragment - 1024

// Auth is the security trailer of a PDU and the token or signature that follows it.
type Auth struct {
	Type      AuthType
	Level     AuthLevel
	Pad       uint8 // bytes of padding before the trailer
	Reserved  uint8
	ContextID uint32
	Value     []byte
}

// Auth returns the security trailer. It is false when the PDU has none. The trailer begins at frag_length -
// auth_length - 8, whatever the alignment (MS-RPCE section 2.2.2.11).
func (p *PDU) Auth() (Auth, bool, error) {
	if p.AuthLength == 0 {
		return Auth{}, false, nil
	}
	at := len(p.Raw) - int(p.AuthLength) - trailerSize
	t := p.Raw[at:]
	a := Auth{
		Type: AuthType(t[0]), Level: AuthLevel(t[1]), Pad: t[2], Reserved: t[3],
		ContextID: binary.LittleEndian.Uint32(t[4:]), Value: t[trailerSize:],
	}
	if int(a.Pad) > at-HeaderSize {
		return Auth{}, false, malformed("padding of %d bytes in a body of %d", a.Pad, at-HeaderSize)
	}
	return a, true, nil
}

// append writes the trailer without the value.
func (a Auth) append(b []byte) []byte {
	b = append(b, byte(a.Type), byte(a.Level), a.Pad, a.Reserved)
	return binary.LittleEndian.AppendUint32(b, a.ContextID)
}

// body is the payload without the padding before the trailer.
func (p *PDU) body() ([]byte, error) {
	a, ok, err := p.Auth()
	if err != nil {
		return nil, err
	}
	b := p.payload()
	if ok {
		b = b[:len(b)-int(a.Pad)]
	}
	return b, nil
}

// Encode puts a PDU together: header, body, and with auth the padding to a multiple of 4, the trailer and its value.
// The lengths in h and the padding in auth are computed. It is for bind, alter_context, their answers, AUTH3, and for
// requests, responses and faults without protection; [Security.Seal] is for the protected ones.
func Encode(h Header, body []byte, auth *Auth) ([]byte, error) {
	size := HeaderSize + len(body)
	pad := 0
	if auth != nil && len(auth.Value) > 0 {
		pad = -len(body) & 3
		size += pad + trailerSize + len(auth.Value)
		h.AuthLength = uint16(len(auth.Value))
	} else {
		auth, h.AuthLength = nil, 0
	}
	if size > MaxFragment || auth != nil && len(auth.Value) > tokenLimit {
		return nil, malformed("PDU of %d bytes does not fit", size)
	}
	h.FragLength = uint16(size)
	b := append(h.append(make([]byte, 0, size)), body...)
	if auth != nil {
		t := *auth
		t.Pad, t.Reserved = uint8(pad), 0
		b = append(b, make([]byte, pad)...)
		b = append(t.append(b), t.Value...)
	}
	return b, nil
}
