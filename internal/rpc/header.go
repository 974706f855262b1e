package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// PacketType is the type of a PDU (C706 section 12.6.3.1).
type PacketType uint8

// The PDU types of a connection (C706 section 12.6.4, MS-RPCE section 2.2.2).
const (
	TypeRequest      PacketType = 0
	TypeResponse     PacketType = 2
	TypeFault        PacketType = 3
	TypeBind         PacketType = 11
	TypeBindAck      PacketType = 12
	TypeBindNak      PacketType = 13
	TypeAlterContext PacketType = 14
	TypeAlterResp    PacketType = 15
	TypeAuth3        PacketType = 16
	TypeShutdown     PacketType = 17
	TypeCancel       PacketType = 18
	TypeOrphaned     PacketType = 19
)

// Flags are the pfc_flags of a PDU (C706 section 12.6.3.1).
type Flags uint8

// The flags. FlagSignHeader is what FlagPendingCancel means in a bind or alter_context (MS-RPCE section 2.2.2.3).
const (
	FlagFirst         Flags = 0x01
	FlagLast          Flags = 0x02
	FlagPendingCancel Flags = 0x04
	FlagSignHeader    Flags = 0x04
	FlagConcMpx       Flags = 0x10
	FlagDidNotExecute Flags = 0x20
	FlagMaybe         Flags = 0x40
	FlagObject        Flags = 0x80
)

// HeaderSize is the length of the common header, in bytes.
const HeaderSize = 16

// MinFragment is the least fragment size that everybody must accept (C706 section 12.6.3.1, MustRecvFragSize).
const MinFragment = 1432

// MaxFragment is the largest fragment that the 16-bit length allows and that keeps an alignment of 8.
const MaxFragment = 65528

// Header is the common header of a PDU. Version 5.0 and the representation are constants and checked when read.
type Header struct {
	Type       PacketType
	Flags      Flags
	FragLength uint16 // whole PDU, in bytes
	AuthLength uint16 // the token in the security trailer, in bytes, without the 8 bytes of the trailer
	CallID     uint32
}

// ErrMalformed is in the chain of every error about bytes that are not what the protocol allows.
var ErrMalformed = errors.New("malformed DCE/RPC PDU")

func malformed(format string, args ...any) error {
	return fmt.Errorf("rpc: %w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// ParseHeader decodes the first 16 bytes of a PDU and checks them for sense: version, representation, and that the
// lengths have room for each other.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, malformed("%d bytes of header", len(b))
	}
	if b[0] != 5 || b[1] != 0 {
		return Header{}, malformed("version %d.%d", b[0], b[1])
	}
	if b[4] != 0x10 || b[5] != 0 || b[6] != 0 || b[7] != 0 {
		return Header{}, malformed("data representation % x", b[4:8])
	}
	h := Header{
		Type:       PacketType(b[2]),
		Flags:      Flags(b[3]),
		FragLength: binary.LittleEndian.Uint16(b[8:]),
		AuthLength: binary.LittleEndian.Uint16(b[10:]),
		CallID:     binary.LittleEndian.Uint32(b[12:]),
	}
	need := HeaderSize
	if h.AuthLength > 0 {
		need += trailerSize + int(h.AuthLength)
	}
	if int(h.FragLength) < need {
		return Header{}, malformed("fragment of %d bytes with %d bytes of authentication", h.FragLength, h.AuthLength)
	}
	return h, nil
}

// append writes the header with its lengths as they are.
func (h Header) append(b []byte) []byte {
	b = append(b, 5, 0, byte(h.Type), byte(h.Flags), 0x10, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, h.FragLength)
	b = binary.LittleEndian.AppendUint16(b, h.AuthLength)
	return binary.LittleEndian.AppendUint32(b, h.CallID)
}

// PDU is one protocol data unit: its header, and all its bytes including the header.
type PDU struct {
	Header
	Raw []byte
}

// ReadPDU reads one PDU of at most max bytes. At a clean end of the stream the error is io.EOF; an end inside a PDU
// is io.ErrUnexpectedEOF. Nothing is allocated before the header has been checked.
func ReadPDU(r io.Reader, max int) (*PDU, error) {
	var head [HeaderSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	h, err := ParseHeader(head[:])
	if err != nil {
		return nil, err
	}
	if int(h.FragLength) > max {
		return nil, malformed("fragment of %d bytes, %d are allowed", h.FragLength, max)
	}
	raw := make([]byte, h.FragLength)
	copy(raw, head[:])
	if _, err := io.ReadFull(r, raw[HeaderSize:]); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return &PDU{Header: h, Raw: raw}, nil
}

// ParsePDU is [ReadPDU] for bytes at hand, which must be exactly one PDU.
func ParsePDU(raw []byte) (*PDU, error) {
	h, err := ParseHeader(raw)
	if err != nil {
		return nil, err
	}
	if int(h.FragLength) != len(raw) {
		return nil, malformed("fragment of %d bytes says it has %d", len(raw), h.FragLength)
	}
	return &PDU{Header: h, Raw: raw}, nil
}

// payload is what lies between the common header and the security trailer, padding included.
func (p *PDU) payload() []byte {
	end := len(p.Raw)
	if p.AuthLength > 0 {
		end -= int(p.AuthLength) + trailerSize
	}
	return p.Raw[HeaderSize:end]
}

// want checks the type of a PDU before its body is decoded.
func (p *PDU) want(types ...PacketType) error {
	for _, t := range types {
		if p.Type == t {
			return nil
		}
	}
	return malformed("PDU of type %d", p.Type)
}
