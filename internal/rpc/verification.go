package rpc

import (
	"bytes"
	"encoding/binary"
)

// verificationMagic is the signature of a verification trailer (MS-RPCE section 2.2.2.13.1).
var verificationMagic = [8]byte{0x8a, 0xe3, 0x13, 0x71, 0x02, 0xf4, 0x36, 0x71}

// The commands of a verification trailer (MS-RPCE section 2.2.2.13).
const (
	vtBitmask   = 0x0001
	vtPcontext  = 0x0002
	vtHeader2   = 0x0003
	vtMust      = 0x8000
	vtEnd       = 0x4000
	vtCommand   = 0x3fff
	vtMaxLength = 1024
)

// VerificationTrailer is what a client repeats at the end of a request's stub, inside of what is signed, so that the
// server can compare it with what it got in the clear. Nil fields are absent.
type VerificationTrailer struct {
	// Bitmask has bit 0 set when the client supports header signing.
	Bitmask *uint32
	// Interface and Transfer are those of the presentation context.
	Pcontext *VerifyContext
	// Header repeats the request's header.
	Header *VerifyHeader
}

// VerifyContext is the command rpc_sec_vt_pcontext (MS-RPCE section 2.2.2.13.4).
type VerifyContext struct{ Interface, Transfer Syntax }

// VerifyHeader is the command rpc_sec_vt_header2 (MS-RPCE section 2.2.2.13.3).
type VerifyHeader struct {
	Type      PacketType
	CallID    uint32
	ContextID uint16
	Opnum     uint16
}

// Append adds the trailer to a stub: padding to 4, the signature, the commands. A trailer without commands adds
// nothing.
func (v *VerificationTrailer) Append(stub []byte) []byte {
	type command struct {
		id    uint16
		value []byte
	}
	var list []command
	if v.Bitmask != nil {
		list = append(list, command{vtBitmask, binary.LittleEndian.AppendUint32(nil, *v.Bitmask)})
	}
	if v.Pcontext != nil {
		list = append(list, command{vtPcontext | vtMust, v.Pcontext.Transfer.append(v.Pcontext.Interface.append(nil))})
	}
	if h := v.Header; h != nil {
		b := []byte{byte(h.Type), 0, 0, 0, 0x10, 0, 0, 0}
		b = binary.LittleEndian.AppendUint32(b, h.CallID)
		b = binary.LittleEndian.AppendUint16(b, h.ContextID)
		list = append(list, command{vtHeader2 | vtMust, binary.LittleEndian.AppendUint16(b, h.Opnum)})
	}
	if len(list) == 0 {
		return stub
	}
	list[len(list)-1].id |= vtEnd
	stub = append(stub, make([]byte, -len(stub)&3)...)
	stub = append(stub, verificationMagic[:]...)
	for _, c := range list {
		stub = binary.LittleEndian.AppendUint16(stub, c.id)
		stub = binary.LittleEndian.AppendUint16(stub, uint16(len(c.value)))
		stub = append(stub, c.value...)
	}
	return stub
}

// ParseVerificationTrailer looks for a verification trailer in a stub of which consumed bytes were parameters. It is
// nil when there is none. An unknown command that must be processed is an error, and so is one that is cut off.
func ParseVerificationTrailer(stub []byte, consumed int) (*VerificationTrailer, error) {
	if consumed < 0 || consumed > len(stub) {
		return nil, malformed("stub of %d bytes with %d bytes of parameters", len(stub), consumed)
	}
	at := -1
	for i := consumed; i <= len(stub)-len(verificationMagic); i++ {
		if i%4 == 0 && bytes.Equal(stub[i:i+8], verificationMagic[:]) {
			at = i + 8
			break
		}
	}
	if at < 0 {
		return nil, nil
	}
	if len(stub)-at > vtMaxLength {
		return nil, malformed("verification trailer of %d bytes", len(stub)-at)
	}
	v, c := &VerificationTrailer{}, &cursor{b: stub, at: at}
	for {
		id, n := c.u16(), int(c.u16())
		value := c.take(n)
		if c.bad {
			return nil, malformed("verification trailer is cut off")
		}
		if err := v.command(id, value); err != nil {
			return nil, err
		}
		if id&vtEnd != 0 {
			return v, nil
		}
	}
}

// command decodes one command.
func (v *VerificationTrailer) command(id uint16, value []byte) error {
	c := &cursor{b: value}
	switch id & vtCommand {
	case vtBitmask:
		m := c.u32()
		v.Bitmask = &m
	case vtPcontext:
		v.Pcontext = &VerifyContext{Interface: c.syntax(), Transfer: c.syntax()}
	case vtHeader2:
		h := &VerifyHeader{Type: PacketType(c.u8())}
		c.take(3)
		if drep := c.take(4); !bytes.Equal(drep, []byte{0x10, 0, 0, 0}) {
			return malformed("verification trailer with representation % x", drep)
		}
		h.CallID, h.ContextID, h.Opnum = c.u32(), c.u16(), c.u16()
		v.Header = h
	default:
		if id&vtMust != 0 {
			return malformed("verification trailer with command %#04x, which must be understood", id)
		}
		return nil
	}
	if c.bad || c.left() != 0 {
		return malformed("verification trailer with command %#04x of %d bytes", id, len(value))
	}
	return nil
}
