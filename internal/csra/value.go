package csra

import (
	"encoding/binary"
	"time"
	"unicode/utf16"
)

// Type is the type of a column (MS-CSRA section 2.2.1.7): the low byte says what its values are, and the flag Indexed
// that the database looks them up quickly.
type Type uint32

// The types of columns.
const (
	TypeInteger Type = 1 // 4 bytes, signed
	TypeDate    Type = 2 // 8 bytes, a FILETIME
	TypeBinary  Type = 3
	TypeString  Type = 4 // UTF-16LE, ended by a NUL

	Indexed Type = 0x10000
)

// Kind is the type without its flags.
func (t Type) Kind() Type { return t & 0xff }

// Value is the content of a column in one row. No data means NULL.
type Value struct {
	Column uint32 // identifier of the column
	Type   Type
	Data   []byte
}

// Integer makes a value of type integer.
func Integer(column uint32, v int32) Value {
	return Value{column, TypeInteger, binary.LittleEndian.AppendUint32(nil, uint32(v))}
}

// Date makes a value of type date; the zero time is NULL.
func Date(column uint32, t time.Time) Value {
	v := Value{Column: column, Type: TypeDate}
	if !t.IsZero() {
		v.Data = binary.LittleEndian.AppendUint64(nil, FileTime(t))
	}
	return v
}

// Binary makes a value of type binary; an empty one is NULL.
func Binary(column uint32, b []byte) Value { return Value{column, TypeBinary, b} }

// String makes a value of type string; the empty one is NULL.
func String(column uint32, s string) Value {
	v := Value{Column: column, Type: TypeString}
	if s != "" {
		v.Data = Text(s)
	}
	return v
}

// Null reports whether the row has no value in the column.
func (v Value) Null() bool { return len(v.Data) == 0 }

// Integer returns the number. It is false for a value of another type or length, and for NULL.
func (v Value) Integer() (int32, bool) {
	if v.Type.Kind() != TypeInteger || len(v.Data) != 4 {
		return 0, false
	}
	return int32(binary.LittleEndian.Uint32(v.Data)), true
}

// Date returns the time, in UTC. It is false for a value of another type or length, and for NULL.
func (v Value) Date() (time.Time, bool) {
	if v.Type.Kind() != TypeDate || len(v.Data) != 8 {
		return time.Time{}, false
	}
	return Time(binary.LittleEndian.Uint64(v.Data)), true
}

// Binary returns the bytes, which lie in what was decoded. It is false for a value of another type, and for NULL.
func (v Value) Binary() ([]byte, bool) { return v.Data, v.Type.Kind() == TypeBinary && len(v.Data) > 0 }

// Text returns the text up to its NUL, with U+FFFD in the place of what is not UTF-16. It is false for a value of
// another type or of an odd length, and for NULL.
func (v Value) Text() (string, bool) {
	if v.Type.Kind() != TypeString || len(v.Data) == 0 || len(v.Data)%2 != 0 {
		return "", false
	}
	return DecodeText(v.Data), true
}

// Text is a string as the protocol's tables have it: UTF-16LE, with a NUL at the end.
func Text(s string) []byte {
	units := utf16.Encode([]rune(s))
	b := make([]byte, 0, 2*len(units)+2)
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return append(b, 0, 0)
}

// DecodeText decodes UTF-16LE up to the first NUL, or to the end, with U+FFFD in the place of what is not UTF-16.
func DecodeText(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		u := binary.LittleEndian.Uint16(b)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

// epoch is the FILETIME of the Unix epoch: MS-DTYP section 2.3.3 counts from 1601.
const epoch = 116444736000000000

// ticks are the units of a FILETIME in a second: 100 nanoseconds each.
const ticks = 10_000_000

// FileTime is a time as a FILETIME, without what is finer than 100 nanoseconds. Times before 1601, and the zero time,
// are 0.
func FileTime(t time.Time) uint64 {
	if t.IsZero() || t.Unix() < -epoch/ticks {
		return 0
	}
	return uint64(t.Unix()*ticks + int64(t.Nanosecond()/100) + epoch)
}

// Time is the time of a FILETIME, in UTC; 0 and what lies after the year 30827, which is negative where FILETIME has a
// sign, are the zero time.
func Time(f uint64) time.Time {
	if f == 0 || f > 1<<63-1 {
		return time.Time{}
	}
	n := int64(f) - epoch
	return time.Unix(n/ticks, n%ticks*100).UTC()
}
