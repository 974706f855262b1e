package dcom

import (
	"encoding/binary"
	"unicode/utf16"
)

// The properties of a CA (MS-WCCE section 3.2.1.4.3.2).
const (
	PropFileVersion        = 0x01
	PropProductVersion     = 0x02
	PropExitCount          = 0x03
	PropExitDescription    = 0x04
	PropPolicyDescription  = 0x05
	PropCAName             = 0x06
	PropSanitizedCAName    = 0x07
	PropSharedFolder       = 0x08
	PropParentCA           = 0x09
	PropCAType             = 0x0a
	PropCASigCertCount     = 0x0b
	PropCASigCert          = 0x0c
	PropCASigCertChain     = 0x0d
	PropCAXchgCertCount    = 0x0e
	PropCAXchgCert         = 0x0f
	PropCAXchgCertChain    = 0x10
	PropBaseCRL            = 0x11
	PropDeltaCRL           = 0x12
	PropCACertState        = 0x13
	PropCRLState           = 0x14
	PropCAPropIDMax        = 0x15
	PropDNSName            = 0x16
	PropRoleSeparation     = 0x17
	PropKRACertUsedCount   = 0x18
	PropKRACertCount       = 0x19
	PropKRACert            = 0x1a
	PropKRACertState       = 0x1b
	PropAdvancedServer     = 0x1c
	PropTemplates          = 0x1d
	PropBaseCRLPublish     = 0x1e
	PropDeltaCRLPublish    = 0x1f
	PropCASigCertCRLChain  = 0x20
	PropCACertStatusCode   = 0x22
	PropCACertVersion      = 0x27
	PropSanitizedShortName = 0x28
	PropCDPURLs            = 0x29
	PropAIAURLs            = 0x2a
	PropOCSPURLs           = 0x2b
	PropLocaleName         = 0x2c
	PropSubjectTemplate    = 0x2d
)

// The types of properties (MS-WCCE section 2.2.2.3).
const (
	TypeLong   = 1
	TypeDate   = 2
	TypeBinary = 3
	TypeString = 4
)

// PropertyNewest is the index of the newest of several values.
const PropertyNewest int32 = -1

// Property describes a property of a CA: a CATRANSPROP (MS-WCCE section 2.2.2.3).
type Property struct {
	ID      int32
	Type    uint8
	Indexed bool
	Name    string // in the CA's language
}

const (
	propertySize = 12
	maxCAProps   = 1024 // Windows has some 50
	maxCAName    = 1024 // UTF-16 code units of a display name
)

// EncodeProperties is the content of [PropertyInfo].Info (MS-WCCE section 2.2.2.3.1).
func EncodeProperties(list []Property) []byte {
	var b, names []byte
	for _, p := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(p.ID))
		flags := uint16(0)
		if p.Indexed {
			flags = 1
		}
		b = binary.LittleEndian.AppendUint16(append(b, p.Type, 0), flags)
		b = binary.LittleEndian.AppendUint32(b, uint32(propertySize*len(list)+len(names)))
		names = AppendText(names, p.Name)
		names = append(names, make([]byte, -len(names)&3)...)
	}
	return append(b, names...)
}

// ParseProperties reads the content of [PropertyInfo].Info, of which count says how many there are.
func ParseProperties(b []byte, count int32) ([]Property, error) {
	if count < 0 || count > maxCAProps || int(count)*propertySize > len(b) {
		return nil, malformed("%d properties in %d bytes", count, len(b))
	}
	list := make([]Property, 0, count)
	for i := range int(count) {
		at := b[i*propertySize:]
		offset := binary.LittleEndian.Uint32(at[8:])
		if uint64(offset) < uint64(count)*propertySize || uint64(offset) > uint64(len(b)) {
			return nil, malformed("the name of a property at %d of %d", offset, len(b))
		}
		name, err := textUntilNUL(b[offset:])
		if err != nil {
			return nil, err
		}
		list = append(list, Property{
			ID: int32(binary.LittleEndian.Uint32(at)), Type: at[4],
			Indexed: binary.LittleEndian.Uint16(at[6:])&1 != 0, Name: name,
		})
	}
	return list, nil
}

// textUntilNUL reads UTF-16 up to a NUL, which must come soon.
func textUntilNUL(b []byte) (string, error) {
	var u []uint16
	for ; len(b) >= 2 && len(u) <= maxCAName; b = b[2:] {
		v := binary.LittleEndian.Uint16(b)
		if v == 0 {
			return string(utf16.Decode(u)), nil
		}
		u = append(u, v)
	}
	return "", malformed("a text that does not end")
}

// AppendText writes UTF-16 with a NUL, as the values of properties of type string are.
func AppendText(b []byte, s string) []byte {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return append(b, 0, 0)
}

// ParseText reads UTF-16, with or without NULs at its end. Nothing, which is how servers say NULL, is an empty text.
func ParseText(b []byte) (string, error) {
	if len(b)%2 != 0 {
		return "", malformed("a text of %d bytes", len(b))
	}
	u := make([]uint16, 0, len(b)/2)
	for ; len(b) > 0; b = b[2:] {
		u = append(u, binary.LittleEndian.Uint16(b))
	}
	for len(u) > 0 && u[len(u)-1] == 0 {
		u = u[:len(u)-1]
	}
	for _, v := range u {
		if v == 0 {
			return "", malformed("a text with a NUL in it")
		}
	}
	return string(utf16.Decode(u)), nil
}

// CAInfo is a CAINFO (MS-WCCE section 2.2.2.4), by which GetCAProperty returns some numbers, each in its own member.
type CAInfo struct {
	CAType                         int32
	SignatureCerts, ExchangeCerts  uint32
	ExitAlgorithms                 uint32
	PropIDMax, RoleSeparation      int32
	KRACertUsedCount, KRACertCount uint32
	AdvancedServer                 uint32
}

const caInfoSize = 40

// Append writes the structure.
func (i *CAInfo) Append(b []byte) []byte {
	for _, v := range []uint32{
		caInfoSize, uint32(i.CAType), i.SignatureCerts, i.ExchangeCerts, i.ExitAlgorithms, uint32(i.PropIDMax),
		uint32(i.RoleSeparation), i.KRACertUsedCount, i.KRACertCount, i.AdvancedServer,
	} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// ParseCAInfo reads the structure. One of an older CA is shorter: what it lacks is zero.
func ParseCAInfo(b []byte) (*CAInfo, error) {
	if len(b) < 8 || len(b)%4 != 0 || binary.LittleEndian.Uint32(b) > uint32(len(b)) {
		return nil, malformed("a CAINFO of %d bytes", len(b))
	}
	b = b[:min(len(b), caInfoSize)]
	var v [caInfoSize / 4]uint32
	for i := range len(b) / 4 {
		v[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return &CAInfo{
		CAType: int32(v[1]), SignatureCerts: v[2], ExchangeCerts: v[3], ExitAlgorithms: v[4], PropIDMax: int32(v[5]),
		RoleSeparation: int32(v[6]), KRACertUsedCount: v[7], KRACertCount: v[8], AdvancedServer: v[9],
	}, nil
}

// ParseLong reads the value of a property of type long: a number of 32 bits, or a CAINFO, of which pick takes the
// member.
func ParseLong(b []byte, pick func(*CAInfo) uint32) (uint32, error) {
	if len(b) == 4 {
		return binary.LittleEndian.Uint32(b), nil
	}
	info, err := ParseCAInfo(b)
	if err != nil || pick == nil {
		return 0, malformed("a number of %d bytes", len(b))
	}
	return pick(info), nil
}
