package rpc

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// UUID is a UUID as it lies on the wire in little-endian representation (C706 appendix A): the first three fields are
// swapped in comparison with the text.
type UUID [16]byte

// String is the text form.
func (u UUID) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(u[0:]), binary.LittleEndian.Uint16(u[4:]),
		binary.LittleEndian.Uint16(u[6:]), u[8:10], u[10:16])
}

// ParseUUID reads the text form, which must be the 36 characters with hyphens.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, fmt.Errorf("rpc: %.40q is not a UUID", s)
	}
	b, err := hex.DecodeString(s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil {
		return u, fmt.Errorf("rpc: %q is not a UUID", s)
	}
	return newUUID(binary.BigEndian.Uint32(b), binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]),
		[8]byte(b[8:])), nil
}

func newUUID(a uint32, b, c uint16, d [8]byte) UUID {
	var u UUID
	binary.LittleEndian.PutUint32(u[0:], a)
	binary.LittleEndian.PutUint16(u[4:], b)
	binary.LittleEndian.PutUint16(u[6:], c)
	copy(u[8:], d[:])
	return u
}

// Syntax identifies an interface or a transfer syntax (p_syntax_id_t, C706 section 12.6.3.1).
type Syntax struct {
	UUID         UUID
	Major, Minor uint16
}

// String is the form that error messages use.
func (s Syntax) String() string { return fmt.Sprintf("%v v%d.%d", s.UUID, s.Major, s.Minor) }

func (s Syntax) append(b []byte) []byte {
	b = append(b, s.UUID[:]...)
	b = binary.LittleEndian.AppendUint16(b, s.Major)
	return binary.LittleEndian.AppendUint16(b, s.Minor)
}

func (c *cursor) syntax() Syntax {
	var s Syntax
	copy(s.UUID[:], c.take(16))
	s.Major, s.Minor = c.u16(), c.u16()
	return s
}

// NDR is the transfer syntax NDR 2.0 (C706 chapter 14).
func NDR() Syntax {
	return Syntax{newUUID(0x8a885d04, 0x1ceb, 0x11c9, [8]byte{0x9f, 0xe8, 0x08, 0, 0x2b, 0x10, 0x48, 0x60}), 2, 0}
}

// NDR64 is the transfer syntax NDR64 1.0 (MS-RPCE section 2.2.5).
func NDR64() Syntax {
	return Syntax{newUUID(0x71710533, 0xbeba, 0x4937, [8]byte{0x83, 0x19, 0xb5, 0xdb, 0xef, 0x9c, 0xcc, 0x36}), 1, 0}
}

// ICertPassage is the interface of MS-ICPR (section 1.9).
func ICertPassage() Syntax {
	return Syntax{newUUID(0x91ae6020, 0x9e3c, 0x11cf, [8]byte{0x8d, 0x7c, 0, 0xaa, 0, 0xc0, 0x91, 0xbe}), 0, 0}
}

// EndpointMapper is the interface of the endpoint mapper (C706 appendix O).
func EndpointMapper() Syntax {
	return Syntax{newUUID(0xe1af8308, 0x5d1f, 0x11c9, [8]byte{0x91, 0xa4, 0x08, 0, 0x2b, 0x14, 0xa0, 0xfa}), 3, 0}
}

// Features are the bits of the bind-time feature negotiation (MS-RPCE section 2.2.2.14).
type Features uint8

// The features.
const (
	FeatureSecurityMultiplexing Features = 1
	FeatureKeepOnOrphan         Features = 2
)

// BindFeatures is the pseudo transfer syntax by which a client offers features (MS-RPCE section 3.3.1.5.3).
func BindFeatures(f Features) Syntax {
	return Syntax{newUUID(0x6cb71c2c, 0x9812, 0x4540, [8]byte{byte(f)}), 1, 0}
}

// Features reports the features that a transfer syntax of a bind offers; it is false for every real syntax.
func (s Syntax) Features() (Features, bool) {
	f := Features(s.UUID[8])
	return f, s == BindFeatures(f)
}
