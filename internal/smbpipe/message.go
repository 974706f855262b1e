package smbpipe

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is in the chain when the server sent what SMB 2 does not allow.
var ErrMalformed = errors.New("malformed SMB message")

// ErrIntegrity is in the chain when a message does not carry the signature of the session, or cannot be decrypted.
var ErrIntegrity = errors.New("SMB message was not signed by the server")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// command is an SMB 2 command (MS-SMB2 section 2.2.1.2).
type command uint16

const (
	cmdNegotiate    command = 0
	cmdSessionSetup command = 1
	cmdLogoff       command = 2
	cmdTreeConnect  command = 3
	cmdCreate       command = 5
	cmdClose        command = 6
	cmdRead         command = 8
	cmdWrite        command = 9
)

// Offsets in the header (MS-SMB2 section 2.2.1.1 and 2.2.1.2).
const (
	headerSize = 64

	atCharge    = 6
	atStatus    = 8
	atCommand   = 12
	atCredits   = 14
	atFlags     = 16
	atNext      = 20
	atMessageID = 24
	atTree      = 36
	atSession   = 40
	atSignature = 48
)

const (
	flagResponse = 1 << 0
	flagAsync    = 1 << 1
	flagSigned   = 1 << 3
)

// creditsAsked is how many credits each request asks for. One is enough to go on; servers exist that count wrongly.
const creditsAsked = 16

// appendHeader appends the header of a request.
func appendHeader(b []byte, c command, charge uint16, messageID uint64, tree uint32, session uint64) []byte {
	le := binary.LittleEndian
	at := len(b)
	b = append(b, make([]byte, headerSize)...)
	h := b[at:]
	copy(h, "\xfeSMB")
	le.PutUint16(h[4:], headerSize)
	le.PutUint16(h[atCharge:], charge)
	le.PutUint16(h[atCommand:], uint16(c))
	le.PutUint16(h[atCredits:], creditsAsked)
	le.PutUint64(h[atMessageID:], messageID)
	le.PutUint32(h[atTree:], tree)
	le.PutUint64(h[atSession:], session)
	return b
}

// message is a response: header and body.
type message []byte

// parseMessage checks the header of a response.
func parseMessage(b []byte) (message, error) {
	if len(b) < headerSize || string(b[:4]) != "\xfeSMB" || binary.LittleEndian.Uint16(b[4:]) != headerSize {
		return nil, malformed("no header of SMB 2 in %d bytes", len(b))
	}
	m := message(b)
	if m.flags()&flagResponse == 0 {
		return nil, malformed("a request, where a response is due")
	}
	if binary.LittleEndian.Uint32(b[atNext:]) != 0 {
		return nil, malformed("a compound response to a single request")
	}
	return m, nil
}

func (m message) status() Status    { return Status(binary.LittleEndian.Uint32(m[atStatus:])) }
func (m message) command() command  { return command(binary.LittleEndian.Uint16(m[atCommand:])) }
func (m message) credits() uint16   { return binary.LittleEndian.Uint16(m[atCredits:]) }
func (m message) flags() uint32     { return binary.LittleEndian.Uint32(m[atFlags:]) }
func (m message) messageID() uint64 { return binary.LittleEndian.Uint64(m[atMessageID:]) }
func (m message) tree() uint32      { return binary.LittleEndian.Uint32(m[atTree:]) }
func (m message) session() uint64   { return binary.LittleEndian.Uint64(m[atSession:]) }
func (m message) body() []byte      { return m[headerSize:] }

// fixed is the fixed part of a body, if the body begins with its structure size. The size counts one byte of what
// follows when something can.
func (m message) fixed(structure uint16) ([]byte, error) {
	b := m.body()
	if size := int(structure &^ 1); len(b) < size || binary.LittleEndian.Uint16(b) != structure {
		return nil, malformed("response to command %d has a wrong structure", m.command())
	}
	return b, nil
}

// buffer is what an offset from the beginning of the header and a length point to.
func (m message) buffer(offset, length uint32) ([]byte, error) {
	if length == 0 {
		return nil, nil
	}
	if offset < headerSize || uint64(offset)+uint64(length) > uint64(len(m)) {
		return nil, malformed("%d bytes at %d of %d", length, offset, len(m))
	}
	return m[offset : offset+length], nil
}
