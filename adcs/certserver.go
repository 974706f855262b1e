package adcs

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"github.com/adcskit/adcskit/internal/rpc"
)

// CertServerRequest is operation 0 of ICertPassage (MS-ICPR section 3.2.4.1.1). It is encoded and decoded here, not by
// go-msrpc, which counts the bytes of a name outside of ASCII where its characters are meant, and which reads zeros
// past the end of an answer.

const opCertServerRequest = 0

// The request types and flags in dwFlags (MS-WCCE section 3.2.1.4.3.1.1).
const (
	flagsRetrieve    = 0
	flagsPKCS10      = 0x100   // CR_IN_PKCS10
	flagsPKCS7       = 0x300   // CR_IN_PKCS7: PKCS#10 in CMS
	flagFullResponse = 0x40000 // CR_IN_FULLRESPONSE
)

// certServerRequest is the input of CertServerRequest. A nil slice is a NULL pointer.
type certServerRequest struct {
	flags      uint32
	authority  string
	requestID  uint32
	attributes []byte
	request    []byte
}

// ndr writes and reads NDR 2.0, or with wide NDR64 (MS-RPCE section 2.2.5): there, pointers and counts have 8 bytes and
// are aligned to that.
type ndr struct {
	b    []byte
	at   int // where reading is
	wide bool
	bad  bool
}

func (n *ndr) align(size int) {
	for len(n.b)%size != 0 {
		n.b = append(n.b, 0)
	}
}

func (n *ndr) u32(v uint32) {
	n.align(4)
	n.b = binary.LittleEndian.AppendUint32(n.b, v)
}

// count writes a count or a pointer.
func (n *ndr) count(v int) {
	if !n.wide {
		n.u32(uint32(v))
		return
	}
	n.align(8)
	n.b = binary.LittleEndian.AppendUint64(n.b, uint64(v))
}

// pointer writes a pointer that is not NULL. Its value only has to differ from the others: the offset does.
func (n *ndr) pointer() { n.count(len(n.b) + 1) }

// text writes a unique pointer to a string and the string behind it.
func (n *ndr) text(s string) {
	units := append(utf16.Encode([]rune(s)), 0)
	n.pointer()
	n.count(len(units))
	n.count(0)
	n.count(len(units))
	for _, u := range units {
		n.b = binary.LittleEndian.AppendUint16(n.b, u)
	}
}

// blob writes a CERTTRANSBLOB and what it points to (MS-WCCE section 2.2.2.2).
func (n *ndr) blob(v []byte) {
	if n.wide {
		n.align(8)
	}
	n.u32(uint32(len(v)))
	if v == nil {
		n.count(0)
		return
	}
	n.pointer()
	n.count(len(v))
	n.b = append(n.b, v...)
}

// encode is the stub of a request.
func (r *certServerRequest) encode(wide bool) []byte {
	n := &ndr{wide: wide, b: make([]byte, 0, 256+2*len(r.authority)+len(r.attributes)+len(r.request))}
	n.u32(r.flags)
	n.text(r.authority)
	n.u32(r.requestID)
	n.blob(r.attributes)
	n.blob(r.request)
	return n.b
}

// skip moves the reader to an alignment.
func (n *ndr) skip(size int) { n.take(-n.at & (size - 1)) }

func (n *ndr) take(size int) []byte {
	if n.bad || size < 0 || size > len(n.b)-n.at {
		n.bad = true
		return nil
	}
	n.at += size
	return n.b[n.at-size : n.at : n.at]
}

func (n *ndr) readU32() uint32 {
	n.skip(4)
	if b := n.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (n *ndr) readCount() uint64 {
	if !n.wide {
		return uint64(n.readU32())
	}
	n.skip(8)
	if b := n.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// readBlob reads a CERTTRANSBLOB. What it returns lies in the stub: nothing is allocated.
func (n *ndr) readBlob() []byte {
	if n.wide {
		n.skip(8)
	}
	size := n.readU32()
	if n.readCount() == 0 {
		n.bad = n.bad || size != 0
		return nil
	}
	if n.readCount() != uint64(size) || uint64(size) > uint64(len(n.b)) {
		n.bad = true
		return nil
	}
	return n.take(int(size))
}

// maxStubPadding is how many bytes of padding may follow the parameters; servers round stubs up.
const maxStubPadding = 15

// decodeAnswer reads the stub of an answer. Every byte of it must have its place.
func decodeAnswer(stub []byte, wide bool) (*answer, error) {
	n := &ndr{b: stub, wide: wide}
	a := &answer{requestID: n.readU32(), disposition: n.readU32()}
	a.chain = n.readBlob()
	a.leaf = n.readBlob()
	a.message = n.readBlob()
	a.returned = n.readU32()
	if n.bad {
		return nil, fmt.Errorf("%w: answer of CertServerRequest, %d bytes", rpc.ErrMalformed, len(stub))
	}
	rest := stub[n.at:]
	for _, b := range rest {
		if b != 0 || len(rest) > maxStubPadding {
			return nil, fmt.Errorf("%w: %d bytes after the answer of CertServerRequest", rpc.ErrMalformed, len(rest))
		}
	}
	return a, nil
}
