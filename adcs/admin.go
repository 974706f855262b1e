package adcs

import (
	"context"
	"errors"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// remote is an object on the CA's host.
type remote interface {
	// call calls an operation. Its errors are those of an association and of decoding what came back.
	call(ctx context.Context, iid rpc.UUID, opnum uint16, stub []byte) ([]byte, error)
	Close() error
}

// admin is the CA's administration object (MS-CSRA). The CA keeps one view of its database for each, so that a call of
// this package makes one for itself. It is not safe for concurrent use.
type admin struct {
	remote
	ca string
}

// administer runs f with the CA's administration object, which is always reached over DCOM, whatever carries requests.
func (c *Client) administer(ctx context.Context, f func(context.Context, *admin) error) error {
	ctx, leave, err := c.pool.enter(ctx, c.opts.Timeout)
	if err != nil {
		return err
	}
	defer leave()
	if err := c.pool.acquire(ctx); err != nil {
		return err
	}
	defer c.pool.release()
	object, err := c.activateAdmin(ctx)
	if err != nil {
		return err
	}
	defer object.Close()
	return f(ctx, &admin{object, c.ca})
}

// activateAdmin makes an administration object. One call at a time tries a credential that is not known to be good.
func (c *Client) activateAdmin(ctx context.Context) (remote, error) {
	t, err := c.logon.try(ctx)
	if err != nil {
		return nil, err
	}
	object, err := c.activate(ctx, csra.CLSID(), csra.ICertAdminD2())
	if err == nil {
		t.accepted()
	}
	t.end(err)
	return object, err
}

// adminRequest and adminAnswer are messages of package csra.
type (
	adminRequest interface{ Write(*ndr.Writer) }
	adminAnswer  interface{ Read(*ndr.Reader) }
)

// do calls an operation. An error is a *adminError.
func (a *admin) do(ctx context.Context, op csra.Opnum, request adminRequest, answer adminAnswer) error {
	w := new(ndr.Writer) // NDR 2.0, the only transfer syntax of DCOM
	request.Write(w)
	stub, err := a.call(ctx, csra.ICertAdminD2(), uint16(op), w.Stub())
	if err != nil {
		return &adminError{executed: mayHaveRun(err), err: mapError(PhaseCall, err)}
	}
	r := ndr.NewReader(stub, false)
	answer.Read(r)
	if err := r.Done(); err != nil {
		return &adminError{executed: true, err: &AnswerError{0, err.Error()}}
	}
	return nil
}

// adminError is a call without an answer that can be used.
type adminError struct {
	executed bool // it may have been executed
	err      error
}

func (e *adminError) Error() string { return e.err.Error() }
func (e *adminError) Unwrap() error { return e.err }

// mayHaveRun reports whether a failed call may have been executed. Unlike for a submit (see notExecuted), a fault with
// which servers refuse to run a call is believed without a signature: whoever makes one up makes somebody repeat what
// may be repeated.
func mayHaveRun(err error) bool {
	if not, _ := notExecuted(err); not {
		return false
	}
	fault, ok := errors.AsType[*assoc.FaultError](err)
	return !ok || !fault.DidNotExecute && !notDispatched(fault.Status)
}
