package adcstest

import (
	"errors"

	"github.com/adcskit/adcskit/internal/ndr"
)

// errStub is stub data that cannot be decoded: RPC_X_BAD_STUB_DATA.
var errStub = errors.New("bad stub data")

// decodeCertServerRequest decodes the input of CertServerRequest (MS-ICPR section 3.2.4.1.1). It returns how many bytes
// it used: what follows may be a verification trailer.
func decodeCertServerRequest(r *ndr.Reader) (certServerRequest, int, error) {
	in := certServerRequest{flags: r.U32()}
	in.authority, _ = r.StringPointer()
	in.requestID = r.U32()
	in.attributes = r.Blob()
	in.request = r.Blob()
	if r.Err() != nil {
		return certServerRequest{}, 0, errStub
	}
	return in, r.Offset(), nil
}

// encodeCertServerResponse encodes its output.
func encodeCertServerResponse(out certServerResponse, wide bool) []byte {
	w := ndr.NewWriter(wide, 128+len(out.cert)+len(out.encodedCert)+len(out.message))
	w.U32(out.requestID)
	w.U32(out.disposition)
	w.Blob(out.cert)
	w.Blob(out.encodedCert)
	w.Blob(out.message)
	w.U32(out.ret)
	return w.Stub()
}
