package ndr

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Reader reads parameters from a stub. After the first error every method returns zeros, and [Reader.Err] says what was
// wrong. It is not safe for concurrent use.
type Reader struct {
	b    []byte
	at   int
	wide bool
	err  error
}

// NewReader makes a reader of a stub, which must not change as long as what was read from it is in use: slices of bytes
// lie in it. Wide says that the stub is in NDR64.
func NewReader(stub []byte, wide bool) *Reader { return &Reader{b: stub, wide: wide} }

// Err is the first error. It matches rpc.ErrMalformed.
func (r *Reader) Err() error { return r.err }

// Fail makes the reader fail, as if it had found the error itself: callers use it for what the values forbid. Of
// several errors the first one counts.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: stub, at byte %d: %s", rpc.ErrMalformed, r.at, fmt.Sprintf(format, args...))
	}
}

// Wide reports whether the stub is in NDR64.
func (r *Reader) Wide() bool { return r.wide }

// Offset is how many bytes were read.
func (r *Reader) Offset() int { return r.at }

// Left is how many bytes were not read yet; none after an error.
func (r *Reader) Left() int {
	if r.err != nil {
		return 0
	}
	return len(r.b) - r.at
}

// maxPadding is how many bytes of padding may follow the parameters: servers round stubs up.
const maxPadding = 15

// Done ends reading: it is an error if anything but up to 15 zero bytes follows. It returns the same as [Reader.Err].
// Where a verification trailer may follow, callers use [Reader.Err] and [Reader.Offset].
func (r *Reader) Done() error {
	if r.Left() > maxPadding {
		r.Fail("%d bytes too many", r.Left())
	}
	for _, b := range r.b[len(r.b)-r.Left():] {
		if b != 0 {
			r.Fail("bytes too many, which are no padding")
		}
	}
	return r.err
}

// Bytes takes n bytes as they are. They lie in the stub.
func (r *Reader) Bytes(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.b)-r.at) {
		r.Fail("cut off: %d bytes are needed, %d are there", n, len(r.b)-r.at)
		return nil
	}
	r.at += int(n)
	return r.b[r.at-int(n) : r.at : r.at]
}

// Align moves to a multiple of size, which is a power of 2, counted from the beginning of the stub.
func (r *Reader) Align(size int) {
	if n := -r.at & (size - 1); n > 0 {
		r.Bytes(uint64(n))
	}
}

// U8 reads 8 bits.
func (r *Reader) U8() uint8 {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads 16 bits.
func (r *Reader) U16() uint16 {
	r.Align(2)
	if b := r.Bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 reads 32 bits.
func (r *Reader) U32() uint32 {
	r.Align(4)
	if b := r.Bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads 64 bits.
func (r *Reader) U64() uint64 {
	r.Align(8)
	if b := r.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Enum reads an enumeration without the attribute v1_enum: 16 bits, or 32 in NDR64.
func (r *Reader) Enum() uint32 {
	if r.wide {
		return r.U32()
	}
	return uint32(r.U16())
}

// UUID reads a UUID.
func (r *Reader) UUID() (u rpc.UUID) {
	r.Align(4)
	copy(u[:], r.Bytes(uint64(len(u))))
	return u
}

// Handle reads a context handle (C706 section 14.2.16.6). The one of which all is zero is NULL.
func (r *Reader) Handle() Handle { return Handle{Attributes: r.U32(), ID: r.UUID()} }

// Count reads what NDR64 has widened: the counts of arrays and strings.
func (r *Reader) Count() uint64 {
	if r.wide {
		return r.U64()
	}
	return uint64(r.U32())
}

// Pointer reads a unique or full pointer and reports whether it points to anything.
func (r *Reader) Pointer() bool { return r.Count() != 0 }

// Ref reads a reference pointer inside of a structure, which must point to something.
func (r *Reader) Ref() {
	if !r.Pointer() {
		r.Fail("a NULL pointer where none is allowed")
	}
}

// Structure moves to the alignment of a structure that holds a pointer or a conformant array, and nothing of 8 bytes.
func (r *Reader) Structure() {
	if r.wide {
		r.Align(8)
	} else {
		r.Align(4)
	}
}

// Gap reads what NDR64 appends to a structure, so that its size is a multiple of its alignment (MS-RPCE section
// 2.2.5.3.4.1). NDR 2.0 has nothing there.
func (r *Reader) Gap(alignment int) {
	if r.wide {
		r.Align(alignment)
	}
}

// Elements reads the count of a conformant array and returns it, if so many elements of at least size bytes each, of
// which there are not more than limit, have room in the rest of the stub. Only then may memory depend on it.
func (r *Reader) Elements(size, limit int) int {
	n := r.Count()
	if n > uint64(limit) || n > uint64(r.Left()/max(size, 1)) {
		r.Fail("an array of %d elements", n)
		return 0
	}
	return int(n)
}

// ElementsAre is [Reader.Elements] where the number is known from another parameter, with which the count is compared.
func (r *Reader) ElementsAre(want uint32, size, limit int) int {
	n := r.Elements(size, limit)
	if n != int(want) {
		r.Fail("an array of %d elements where %d were announced", n, want)
		return 0
	}
	return n
}

// ByteArray reads a conformant array of bytes, of which another parameter said that there are want. It lies in the stub
// and is not nil, not even when it is empty.
func (r *Reader) ByteArray(want uint32) []byte {
	if n := r.Count(); n != uint64(want) {
		r.Fail("an array of %d bytes where %d were announced", n, want)
		return nil
	}
	return r.Bytes(uint64(want))
}

// Blob reads a structure of a 32-bit size and a unique pointer to so many bytes, and what it points to: a CERTTRANSBLOB
// (MS-WCCE section 2.2.2.2) that is a parameter of its own. Nil is a NULL pointer.
func (r *Reader) Blob() []byte {
	size, ok := r.BlobHead()
	if !ok {
		return nil
	}
	return r.ByteArray(size)
}

// BlobHead is the first part of [Reader.Blob], for blobs inside of other structures: the size, and whether bytes follow
// later, to be read by [Reader.ByteArray].
func (r *Reader) BlobHead() (size uint32, ok bool) {
	r.Structure()
	size, ok = r.U32(), r.Pointer()
	if !ok && size != 0 {
		r.Fail("%d bytes behind a NULL pointer", size)
	}
	return size, ok
}

// WideString reads a conformant and varying string of UTF-16 with its terminator, which is left out. Characters that
// are no UTF-16 become U+FFFD.
func (r *Reader) WideString() string {
	limit, offset, actual := r.Count(), r.Count(), r.Count()
	if offset != 0 || actual > limit || actual == 0 || actual > uint64(r.Left()/2) {
		r.Fail("a string of %d characters at %d, of %d", actual, offset, limit)
		return ""
	}
	r.Align(2)
	b := r.Bytes(2 * actual)
	if b == nil {
		return ""
	}
	return r.text(b)
}

// text decodes UTF-16 that must have one NUL, at its end.
func (r *Reader) text(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
		if (u[i] == 0) != (i == len(u)-1) {
			r.Fail("a string without its terminator, or with two")
			return ""
		}
	}
	return string(utf16.Decode(u[:len(u)-1]))
}

// StringPointer reads a top-level unique pointer to a string, and the string. Ok says that the pointer was not NULL.
func (r *Reader) StringPointer() (s string, ok bool) {
	if !r.Pointer() {
		return "", false
	}
	return r.WideString(), true
}
