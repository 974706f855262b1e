package adcstest

import (
	"encoding/binary"
	"errors"
	"unicode/utf16"

	"github.com/adcskit/adcskit/internal/rpc"
)

// The parameters of the few calls that the server has, in NDR (C706 chapter 14) and NDR64 (MS-RPCE section 2.2.5).
// The decoder is written by hand, so that every count is compared with the bytes that are there before anything
// depends on it.

// errStub is stub data that cannot be decoded: RPC_X_BAD_STUB_DATA.
var errStub = errors.New("bad stub data")

// ndrReader reads parameters. After the first error everything is zero and err is set.
type ndrReader struct {
	b    []byte
	at   int
	wide bool // NDR64
	err  error
}

func (r *ndrReader) take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.b)-r.at) {
		r.err = errStub
		return nil
	}
	r.at += int(n)
	return r.b[r.at-int(n) : r.at : r.at]
}

func (r *ndrReader) align(n int) { r.take(uint64(-r.at & (n - 1))) }

func (r *ndrReader) u32() uint32 {
	r.align(4)
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// long reads what NDR64 widened: referent ids, and the counts of arrays and strings.
func (r *ndrReader) long() uint64 {
	if !r.wide {
		return uint64(r.u32())
	}
	r.align(8)
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// structure aligns to a structure that holds a pointer or a conformant array.
func (r *ndrReader) structure() {
	if r.wide {
		r.align(8)
	} else {
		r.align(4)
	}
}

func (r *ndrReader) uuid() (u rpc.UUID) {
	r.align(4)
	copy(u[:], r.take(16))
	return u
}

// wideString reads a conformant and varying string of UTF-16 with its terminator, which it leaves out.
func (r *ndrReader) wideString() string {
	limit, offset, actual := r.long(), r.long(), r.long()
	if offset != 0 || actual > limit || actual == 0 || actual > uint64(len(r.b)) {
		r.err = errStub
		return ""
	}
	b := r.take(2 * actual)
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	for i, c := range u {
		if (c == 0) != (i == len(u)-1) {
			r.err = errStub // the terminator is missing, or there is another one
			return ""
		}
	}
	if len(u) == 0 {
		return ""
	}
	return string(utf16.Decode(u[:len(u)-1]))
}

// blob reads a CERTTRANSBLOB (MS-WCCE section 2.2.2.2), of which null says that its pointer is NULL.
func (r *ndrReader) blob() (data []byte, null bool) {
	r.structure()
	size := r.u32()
	if r.long() == 0 {
		if size != 0 {
			r.err = errStub
		}
		return nil, true
	}
	if r.long() != uint64(size) {
		r.err = errStub
	}
	data = r.take(uint64(size))
	if data == nil {
		data = []byte{}
	}
	return data, false
}

// contextHandle is an ndr_context_handle (C706 section 14.2.16.6).
type contextHandle struct {
	attributes uint32
	id         rpc.UUID
}

func (r *ndrReader) handle() contextHandle { return contextHandle{attributes: r.u32(), id: r.uuid()} }

// ndrWriter writes results.
type ndrWriter struct {
	b    []byte
	wide bool
	refs uint32
}

func (w *ndrWriter) align(n int) { w.b = append(w.b, make([]byte, -len(w.b)&(n-1))...) }

func (w *ndrWriter) u32(v uint32) {
	w.align(4)
	w.b = binary.LittleEndian.AppendUint32(w.b, v)
}

func (w *ndrWriter) long(v uint64) {
	if !w.wide {
		w.u32(uint32(v))
		return
	}
	w.align(8)
	w.b = binary.LittleEndian.AppendUint64(w.b, v)
}

func (w *ndrWriter) structure() {
	if w.wide {
		w.align(8)
	} else {
		w.align(4)
	}
}

// pointer writes a referent id of its own, or NULL.
func (w *ndrWriter) pointer(null bool) {
	if null {
		w.long(0)
		return
	}
	w.refs++
	w.long(0x20000 + uint64(w.refs)*4)
}

func (w *ndrWriter) blob(data []byte) {
	w.structure()
	w.u32(uint32(len(data)))
	w.pointer(data == nil)
	if data != nil {
		w.long(uint64(len(data)))
		w.b = append(w.b, data...)
	}
}

func (w *ndrWriter) handle(h contextHandle) {
	w.u32(h.attributes)
	w.b = append(w.b, h.id[:]...)
}

// decodeCertServerRequest decodes the input of CertServerRequest. It returns how many bytes it used: what follows may
// be a verification trailer.
func decodeCertServerRequest(stub []byte, wide bool) (certServerRequest, int, error) {
	r := &ndrReader{b: stub, wide: wide}
	in := certServerRequest{flags: r.u32()}
	if r.long() != 0 {
		in.authority = r.wideString()
	}
	in.requestID = r.u32()
	in.attributes, _ = r.blob()
	in.request, _ = r.blob()
	return in, r.at, r.err
}

// encodeCertServerResponse encodes its output.
func encodeCertServerResponse(out certServerResponse, wide bool) []byte {
	w := &ndrWriter{wide: wide}
	w.u32(out.requestID)
	w.u32(out.disposition)
	w.blob(out.cert)
	w.blob(out.encodedCert)
	w.blob(out.message)
	w.u32(out.ret)
	return w.b
}
