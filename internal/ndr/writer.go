package ndr

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Handle is a context handle (C706 section 14.2.16.6).
type Handle struct {
	Attributes uint32
	ID         rpc.UUID
}

// Writer writes parameters. Its zero value writes NDR 2.0. It is not safe for concurrent use.
type Writer struct {
	b    []byte
	wide bool
	refs uint32
}

// NewWriter makes a writer; wide says that it writes NDR64. The stub is expected to have some size bytes.
func NewWriter(wide bool, size int) *Writer { return &Writer{b: make([]byte, 0, size), wide: wide} }

// Stub is what was written.
func (w *Writer) Stub() []byte { return w.b }

// Wide reports whether the writer writes NDR64.
func (w *Writer) Wide() bool { return w.wide }

// Bytes writes bytes as they are.
func (w *Writer) Bytes(b []byte) { w.b = append(w.b, b...) }

// Align writes zeros up to a multiple of size, which is a power of 2 and at most 16.
func (w *Writer) Align(size int) {
	var zeros [16]byte
	w.b = append(w.b, zeros[:-len(w.b)&(size-1)]...)
}

// U8 writes 8 bits.
func (w *Writer) U8(v uint8) { w.b = append(w.b, v) }

// U16 writes 16 bits.
func (w *Writer) U16(v uint16) {
	w.Align(2)
	w.b = binary.LittleEndian.AppendUint16(w.b, v)
}

// U32 writes 32 bits.
func (w *Writer) U32(v uint32) {
	w.Align(4)
	w.b = binary.LittleEndian.AppendUint32(w.b, v)
}

// U64 writes 64 bits.
func (w *Writer) U64(v uint64) {
	w.Align(8)
	w.b = binary.LittleEndian.AppendUint64(w.b, v)
}

// Enum writes an enumeration without the attribute v1_enum: 16 bits, or 32 in NDR64.
func (w *Writer) Enum(v uint16) {
	if w.wide {
		w.U32(uint32(v))
	} else {
		w.U16(v)
	}
}

// UUID writes a UUID.
func (w *Writer) UUID(u rpc.UUID) {
	w.Align(4)
	w.b = append(w.b, u[:]...)
}

// Handle writes a context handle.
func (w *Writer) Handle(h Handle) {
	w.U32(h.Attributes)
	w.UUID(h.ID)
}

// Count writes what NDR64 has widened: the counts of arrays and strings.
func (w *Writer) Count(n int) {
	if w.wide {
		w.U64(uint64(n))
	} else {
		w.U32(uint32(n))
	}
}

// Pointer writes a unique, full or embedded reference pointer: a referent id that differs from all others, or NULL.
func (w *Writer) Pointer(present bool) {
	if !present {
		w.Count(0)
		return
	}
	w.refs++
	w.Count(0x20000 + int(w.refs)*4)
}

// Structure writes zeros up to the alignment of a structure that holds a pointer or a conformant array, and nothing of
// 8 bytes.
func (w *Writer) Structure() {
	if w.wide {
		w.Align(8)
	} else {
		w.Align(4)
	}
}

// Gap writes what NDR64 appends to a structure: see [Reader.Gap].
func (w *Writer) Gap(alignment int) {
	if w.wide {
		w.Align(alignment)
	}
}

// ByteArray writes a conformant array of bytes.
func (w *Writer) ByteArray(b []byte) {
	w.Count(len(b))
	w.Bytes(b)
}

// BlobHead writes a structure of a 32-bit size and a unique pointer to so many bytes, NULL if b is nil. The bytes are
// to be written by [Writer.ByteArray], after the outermost structure.
func (w *Writer) BlobHead(b []byte) {
	w.Structure()
	w.U32(uint32(len(b)))
	w.Pointer(b != nil)
}

// Blob writes a CERTTRANSBLOB (MS-WCCE section 2.2.2.2) that is a parameter of its own; nil is a NULL pointer.
func (w *Writer) Blob(b []byte) {
	w.BlobHead(b)
	if b != nil {
		w.ByteArray(b)
	}
}

// WideString writes a conformant and varying string of UTF-16 and adds its terminator. What is behind a NUL in s would
// not be read by a peer: callers see to it that there is none.
func (w *Writer) WideString(s string) {
	units := append(utf16.Encode([]rune(s)), 0)
	w.Count(len(units))
	w.Count(0)
	w.Count(len(units))
	for _, u := range units {
		w.b = binary.LittleEndian.AppendUint16(w.b, u)
	}
}

// StringPointer writes a top-level unique pointer to a string, and the string.
func (w *Writer) StringPointer(s string) {
	w.Pointer(true)
	w.WideString(s)
}
