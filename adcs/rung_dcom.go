package adcs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"

	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// dcomRung reaches the CA's object over DCOM: MS-WCCE section 3.2.1.4.
type dcomRung struct{ *Client }

func (*dcomRung) transport() Transport { return TransportDCOM }

func (r *dcomRung) open(ctx context.Context) (session, error) {
	o, err := r.certRequest(ctx)
	if err != nil {
		return nil, err
	}
	return &dcomSession{o}, nil
}

// certRequest makes the object that takes certification requests: ICertRequestD2, or of old CAs ICertRequestD. With
// NTLM by itself, the server has not shown yet that it has the key to the connection. A harmless call does: whether the
// account may call the object is known then before anything is submitted, and no unsigned fault is taken for a refused
// logon later.
func (c *Client) certRequest(ctx context.Context) (*dcomObject, error) {
	o, err := c.activate(ctx, dcom.ClassCertRequest(), dcom.ICertRequestD2(), dcom.ICertRequestD())
	if err != nil || o.conn.Proved() {
		return o, err
	}
	opnum := uint16(dcom.OpPing2)
	if o.bound != dcom.ICertRequestD2() {
		opnum = dcom.OpPing
	}
	var pong dcom.Status // whatever the CA says, it says it to this account
	if err := o.exchange(ctx, o.bound, opnum, &dcom.Authority{}, &pong); err != nil {
		o.Close()
		return nil, accessError(err)
	}
	return o, nil
}

// dcomSession is a session on the CA's object.
type dcomSession struct{ *dcomObject }

// errObjectOld ends a session that never rested: its next request goes out on a new one.
var errObjectOld = errors.New("the object is too old")

// maxDCOMAttributes bounds the attributes of a request, in UTF-16 code units with the NUL: range(1, 1536) in MS-WCCE
// section 6.
const maxDCOMAttributes = 1536

func (s *dcomSession) request(ctx context.Context, r *certServerRequest) (*answer, error) {
	attributes := attributesText(r.attributes)
	if len(r.attributes)/2 > maxDCOMAttributes {
		return nil, &assoc.CallError{Err: fmt.Errorf("%w: attributes of %d characters, DCOM takes %d", ErrInvalidRequest,
			len(r.attributes)/2, maxDCOMAttributes)}
	}
	if s.old() {
		return nil, &assoc.CallError{Err: errObjectOld}
	}
	var out dcom.Answer
	var err error
	if iid := dcom.ICertRequestD2(); s.bound == iid {
		err = s.exchange(ctx, iid, dcom.OpRequest2, &dcom.Request2{
			Authority: r.authority, Flags: r.flags, RequestID: r.requestID, Attributes: attributes, Request: r.request,
		}, &out)
	} else {
		err = s.exchange(ctx, dcom.ICertRequestD(), dcom.OpRequest, &dcom.Request{
			Authority: r.authority, Flags: r.flags, RequestID: r.requestID, Attributes: attributes, Request: r.request,
		}, &out)
	}
	if err != nil {
		return nil, err
	}
	return &answer{
		requestID: out.RequestID, disposition: out.Disposition, chain: out.Chain, leaf: out.Certificate,
		message: out.Message, returned: out.Return,
	}, nil
}

// attributesText is the text of encoded attributes, which end with a NUL.
func attributesText(b []byte) string {
	u := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		u = append(u, binary.LittleEndian.Uint16(b))
	}
	for len(u) > 0 && u[len(u)-1] == 0 {
		u = u[:len(u)-1]
	}
	return string(utf16.Decode(u))
}
