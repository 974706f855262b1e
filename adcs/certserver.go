package adcs

import (
	"fmt"

	"github.com/adcskit/adcskit/internal/ndr"
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

// encode is the stub of a request, in NDR 2.0 or with wide in NDR64.
func (r *certServerRequest) encode(wide bool) []byte {
	w := ndr.NewWriter(wide, 256+2*len(r.authority)+len(r.attributes)+len(r.request))
	w.U32(r.flags)
	w.StringPointer(r.authority)
	w.U32(r.requestID)
	w.Blob(r.attributes)
	w.Blob(r.request)
	return w.Stub()
}

// decodeAnswer reads the stub of an answer. Every byte of it must have its place. What it returns lies in the stub.
func decodeAnswer(stub []byte, wide bool) (*answer, error) {
	r := ndr.NewReader(stub, wide)
	a := &answer{requestID: r.U32(), disposition: r.U32()}
	a.chain = r.Blob()
	a.leaf = r.Blob()
	a.message = r.Blob()
	a.returned = r.U32()
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("answer of CertServerRequest: %w", err)
	}
	return a, nil
}
