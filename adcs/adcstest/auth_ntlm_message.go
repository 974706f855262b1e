package adcstest

import (
	"encoding/binary"
	"time"
	"unicode/utf16"
)

// The messages of NTLM as they lie on the wire (MS-NLMP section 2.2).

// authenticateMessage is an AUTHENTICATE_MESSAGE (MS-NLMP section 2.2.1.3).
type authenticateMessage struct {
	nt, lm, key        []byte
	domain, user       string
	flags              uint32
	payload            int // smallest offset of a field that is not empty
	domainRaw, userRaw []byte
	avFlags            uint32
}

func parseAuthenticate(b []byte, unicode bool) (*authenticateMessage, error) {
	if len(b) < 64 || string(b[:8]) != ntlmSignature || binary.LittleEndian.Uint32(b[8:]) != 3 {
		return nil, errToken
	}
	m := &authenticateMessage{payload: len(b), flags: binary.LittleEndian.Uint32(b[60:])}
	var workstation []byte
	for i, dst := range []*[]byte{&m.lm, &m.nt, &m.domainRaw, &m.userRaw, &workstation, &m.key} {
		field := b[12+8*i:]
		size, off := int(binary.LittleEndian.Uint16(field)), int64(binary.LittleEndian.Uint32(field[4:]))
		if size == 0 {
			continue
		}
		if off < 64 || off+int64(size) > int64(len(b)) {
			return nil, errToken
		}
		*dst = b[off : off+int64(size)]
		m.payload = min(m.payload, int(off))
	}
	var err error
	if m.user, err = decodeText(m.userRaw, unicode); err != nil {
		return nil, err
	}
	if m.domain, err = decodeText(m.domainRaw, unicode); err != nil {
		return nil, err
	}
	return m, nil
}

// clientAVFlags walks the AV pairs of the client's response and returns its MsvAvFlags. A list that has no end marker
// ends with the data.
func clientAVFlags(b []byte) (uint32, error) {
	for range ntlmMaxAVPairs {
		if len(b) < 4 {
			return 0, nil
		}
		id, size := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		b = b[4:]
		if id == avEOL {
			return 0, nil
		}
		if size > len(b) || id == avFlags && size != 4 {
			return 0, errToken
		}
		if id == avFlags {
			return binary.LittleEndian.Uint32(b), nil
		}
		b = b[size:]
	}
	return 0, errToken
}

func appendField(b []byte, size, offset int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(size))
	b = binary.LittleEndian.AppendUint16(b, uint16(size))
	return binary.LittleEndian.AppendUint32(b, uint32(offset))
}

func utf16le(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

// decodeText decodes a name of the client: UTF-16LE, or an OEM string, which is taken as Latin-1.
func decodeText(b []byte, unicode bool) (string, error) {
	if !unicode {
		r := make([]rune, len(b))
		for i, c := range b {
			r[i] = rune(c)
		}
		return string(r), nil
	}
	if len(b)%2 != 0 {
		return "", errToken
	}
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u)), nil
}

// filetime is t in units of 100 ns since 1601 (MS-DTYP section 2.3.3).
func filetime(t time.Time) uint64 {
	const epoch = 116444736000000000
	return uint64(t.UnixNano()/100) + epoch
}
