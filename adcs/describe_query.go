package adcs

import (
	"context"
	"errors"

	"github.com/adcskit/adcskit/internal/dcom"
)

// caQuery asks a CA about itself, by ICertRequestD2 or, of an old CA, by ICertRequestD.
type caQuery struct {
	object *dcomObject
	ca     string
}

// inspect runs f with the CA's object, on a connection of its own.
func (c *Client) inspect(ctx context.Context, f func(context.Context, *caQuery) error) error {
	ctx, leave, err := c.pool.enter(ctx, c.opts.Timeout)
	if err != nil {
		return err
	}
	defer leave()
	if err := c.pool.acquire(ctx); err != nil {
		return err
	}
	defer c.pool.release()
	t, err := c.logon.try(ctx)
	if err != nil {
		return err
	}
	o, err := c.certRequest(ctx)
	if err == nil {
		t.accepted()
	}
	t.end(err)
	if err != nil {
		return err
	}
	defer o.Close()
	return f(ctx, &caQuery{o, c.ca})
}

// refusedQuery makes a refusal of the CA's answer to a question an error of a whole call.
func refusedQuery(err error) error {
	if code, ok := errors.AsType[HResult](err); ok && errors.Is(err, errRefused) {
		return &RequestError{Code: code}
	}
	return err
}

// errRefused is matched by the error of a question that the CA answered with an HRESULT. All other errors end the
// connection, or are about the value.
var errRefused = errors.New("refused")

// refusal is a question that the CA answered with an HRESULT.
type refusal struct{ HResult }

func (r refusal) Is(target error) bool { return target == errRefused || r.HResult.Is(target) }
func (r refusal) Unwrap() error        { return r.HResult }

// value asks for a property. An error that matches errRefused says that there is none, or none for this account; all
// others are those of the connection.
func (q *caQuery) value(ctx context.Context, id, index, kind int32) ([]byte, error) {
	iid := dcom.ICertRequestD2()
	if q.object.bound != iid {
		what, ok := legacyProperty(id, index)
		if !ok {
			return nil, refusal{ErrNoInterface}
		}
		return q.getCACert(ctx, what, q.ca)
	}
	var out dcom.Value
	err := q.object.exchange(ctx, iid, dcom.OpGetCAProperty, &dcom.GetCAProperty{
		Authority: q.ca, ID: id, Index: index, Type: kind,
	}, &out)
	return answeredValue(&out, err)
}

// getCACert asks for a property by the operation that ICertRequestD has. The name of the CA (dcom.CACertName) is what
// it tells who does not know it: authority may be empty then (MS-WCCE section 3.2.1.4.2.2).
func (q *caQuery) getCACert(ctx context.Context, what uint32, authority string) ([]byte, error) {
	var out dcom.Value
	err := q.object.exchange(ctx, q.object.bound, dcom.OpGetCACert, &dcom.GetCACert{What: what, Authority: authority}, &out)
	return answeredValue(&out, err)
}

func answeredValue(out *dcom.Value, err error) ([]byte, error) {
	if err != nil {
		return nil, mapError(PhaseCall, err)
	}
	if out.Return != 0 {
		return nil, refusal{hresultFromWin32(out.Return)}
	}
	return out.Value, nil
}

// list asks what the CA can be asked for.
func (q *caQuery) list(ctx context.Context) ([]dcom.Property, error) {
	iid := dcom.ICertRequestD2()
	if q.object.bound != iid {
		return nil, refusal{ErrNoInterface}
	}
	var out dcom.PropertyInfo
	if err := q.object.exchange(ctx, iid, dcom.OpGetCAPropertyInfo, &dcom.Authority{Authority: q.ca}, &out); err != nil {
		return nil, mapError(PhaseCall, err)
	}
	if out.Return != 0 {
		return nil, refusal{hresultFromWin32(out.Return)}
	}
	list, err := dcom.ParseProperties(out.Info, out.Count)
	if err != nil {
		return nil, &AnswerError{0, err.Error()}
	}
	return list, nil
}

// legacyProperty is how GetCACert is asked for a property (MS-WCCE section 3.2.1.4.2.2). Ok is false for those that it
// does not know.
func legacyProperty(id, index int32) (what uint32, ok bool) {
	byIndex := map[int32]uint32{
		dcom.PropCASigCert: 0x6374, dcom.PropBaseCRL: 0x636c, dcom.PropCACertState: 0x7374, dcom.PropCRLState: 0x736c,
	}
	newest := map[int32]uint32{dcom.PropCASigCert: dcom.CACertSignature, dcom.PropBaseCRL: dcom.CACertCRL}
	plain := map[int32]uint32{
		dcom.PropFileVersion: dcom.CACertFile, dcom.PropProductVersion: dcom.CACertProduct,
		dcom.PropPolicyDescription: 0x706f6c69, dcom.PropCAName: dcom.CACertName,
		dcom.PropSanitizedCAName: dcom.CACertSanitized, dcom.PropSharedFolder: 0x73686172,
		dcom.PropParentCA: dcom.CACertParent, dcom.PropCAXchgCert: dcom.CACertExchange,
	}
	for _, number := range []int32{
		dcom.PropCAType, dcom.PropCASigCertCount, dcom.PropCAXchgCertCount, dcom.PropExitCount, dcom.PropCAPropIDMax,
		dcom.PropRoleSeparation, dcom.PropKRACertUsedCount, dcom.PropKRACertCount, dcom.PropAdvancedServer,
	} {
		plain[number] = dcom.CACertInfo
	}
	if what, ok := newest[id]; ok && index == dcom.PropertyNewest {
		return what, true
	}
	if selector, ok := byIndex[id]; ok {
		return selector<<16 | uint32(index)&0xffff, index >= 0
	}
	what, ok = plain[id]
	return what, ok
}
