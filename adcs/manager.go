package adcs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/internal/csra"
)

// Manager does what a manager of the CA does, over DCOM ([MS-CSRA]). It is a part of its client, and is closed with it.
// What it may do is decided by the CA: the right Issue and Manage Certificates is needed for requests and certificates,
// and Manage CA for CRLs.
//
// Errors: *[ActionError] if the CA refused, or if there is nothing to act on; *[ActionUnknownError], which matches
// [ErrOutcomeUnknown], if the connection broke, or anything else, after the CA may have got the call; [ErrLogon];
// *[RPCError]; those of the network and of ctx if nothing was sent. Everything that a manager does may be repeated: the
// CA is in the same state after it was done twice as after once.
type Manager struct {
	ca         string
	administer func(context.Context, func(context.Context, *admin) error) error
}

// Manager returns the manager's part of the client. It does no I/O.
func (c *Client) Manager() *Manager { return &Manager{c.ca, c.administer} }

// act acts with the administration object.
func (m *Manager) act(ctx context.Context, what ActionError, f func(context.Context, *admin) error) error {
	return what.administered(m.administer(ctx, f))
}

// Approve has the CA issue a request that it holds, whoever submitted it, who can retrieve the certificate then. The
// disposition is Issued, or Pending if the CA's policy holds it again.
//
// If the policy refuses now, the error is a *[RequestError]. A request that is not held is left alone, with an error
// that matches [ErrBadRequestStatus]: the CA itself would issue one that was denied if an administrator asked so. One
// that does not exist matches [ErrPropertyEmpty]. To approve twice issues once: the second time the request is not held
// any more.
func (m *Manager) Approve(ctx context.Context, requestID uint32) (Disposition, error) {
	what := ActionError{Action: ActionApprove, RequestID: requestID}
	var answer csra.Number
	err := m.onHeld(ctx, what, func(ctx context.Context, a *admin) error {
		return a.do(ctx, csra.OpResubmitRequest, &csra.ByRequest{Authority: a.ca, RequestID: requestID}, &answer)
	})
	if err != nil {
		return 0, err
	}
	return approved(what, &answer)
}

// approved is the answer to ResubmitRequest ([MS-CSRA], section 3.1.4.1.3). That there is no such request is said by
// the return value since Windows Server 2008, and before that by the disposition, as everything else.
func approved(what ActionError, answer *csra.Number) (Disposition, error) {
	disposition := Disposition(answer.Number)
	code := hresultFromWin32(answer.Return)
	if code == 0 && disposition > Revoked {
		code = hresultFromWin32(answer.Number)
	}
	switch {
	case errors.Is(code, ErrPropertyEmpty), errors.Is(code, ErrBadRequestStatus), answer.Return != 0:
		return 0, what.because(code)
	case disposition == Issued, disposition == Pending:
		return disposition, nil
	}
	return 0, &RequestError{RequestID: what.RequestID, Disposition: disposition, Code: code}
}

// Deny has the CA refuse a request that it holds. Errors are those of [Manager.Approve]; a request that was denied
// before is not held any more.
func (m *Manager) Deny(ctx context.Context, requestID uint32) error {
	what := ActionError{Action: ActionDeny, RequestID: requestID}
	var answer csra.Result
	err := m.onHeld(ctx, what, func(ctx context.Context, a *admin) error {
		return a.do(ctx, csra.OpDenyRequest, &csra.ByRequest{Authority: a.ca, RequestID: requestID}, &answer)
	})
	if err != nil {
		return err
	}
	return what.result(answer.Return)
}

// onHeld acts on a request if the CA's database says that it is held.
func (m *Manager) onHeld(ctx context.Context, what ActionError, act func(context.Context, *admin) error) error {
	if what.RequestID == 0 {
		return fmt.Errorf("%w: request id 0", ErrInvalidRequest)
	}
	return m.act(ctx, what, func(ctx context.Context, a *admin) error {
		rows, err := a.find(ctx, &Lookup{RequestID: what.RequestID})
		switch {
		case err != nil:
			return what.failed(err)
		case len(rows) == 0:
			return what.because(ErrPropertyEmpty)
		case rows[0].Disposition != Pending:
			what.Disposition = rows[0].Disposition
			return what.because(ErrBadRequestStatus)
		}
		return what.unknown(m.ca, act(ctx, a))
	})
}

// CRLOptions say which certificate revocation lists [Manager.PublishCRL] publishes. Nil and the zero value of each
// field mean the defaults.
type CRLOptions struct {
	// Delta publishes new delta CRLs only. Without it there are new base CRLs, and delta CRLs as well if the CA has
	// any.
	Delta bool

	// Again publishes what there is once more, and makes nothing new.
	Again bool

	// NextUpdate is when the next CRL is due. Zero leaves it to the CA's configuration.
	NextUpdate time.Time
}

// PublishCRL has the CA make and publish revocation lists, for each of its keys ([MS-CSRA], section 3.1.4.2.1). Revoked
// certificates are on them from their effective date on.
func (m *Manager) PublishCRL(ctx context.Context, opts *CRLOptions) error {
	var o CRLOptions
	if opts != nil {
		o = *opts
	}
	flags := csra.PublishBase
	if o.Delta {
		flags = csra.PublishDelta
	}
	if o.Again {
		flags |= csra.PublishCurrent
	}
	what := ActionError{Action: ActionPublishCRL}
	request := publishCRLs{csra.Publish{Authority: m.ca, NextUpdate: csra.FileTime(o.NextUpdate), Flags: flags}}
	var answer csra.Result
	err := m.act(ctx, what, func(ctx context.Context, a *admin) error {
		return what.unknown(m.ca, a.do(ctx, csra.OpPublishCRLs, &request, &answer))
	})
	if err != nil {
		return err
	}
	return what.result(answer.Return)
}
