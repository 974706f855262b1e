package issuer

import (
	"bytes"
	"context"
	"errors"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// Finds reports whether lost answers of a CA are looked up.
func (i *Issuer) Finds(a wsproto.CAAssignment) bool {
	ca, err := i.ca(a)
	return err == nil && !ca.NoFind
}

// Find looks for a request in the CA's database.
func (i *Issuer) Find(ctx context.Context, o *connector.Order, l connector.Lookup) (*connector.CAResult, error) {
	ca, err := i.ready(o)
	if err != nil {
		return nil, err
	}
	rows, err := ca.client.Find(ctx, adcs.Lookup{Requester: l.Account, Time: l.Time, Request: l.Request})
	if err != nil {
		return nil, undecided(err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	settled, err := adcs.Settle(rows)
	if _, refused := errors.AsType[*adcs.RequestError](err); refused {
		return result(nil, err) // the row says so
	}
	if err == nil && settled == nil {
		err = errors.New("issuer: the CA has the request, and nothing is certain about it yet")
	}
	if err != nil {
		return nil, arrived(err, rows[0].RequestID)
	}
	if settled.Certificate == nil {
		return result(settled, nil)
	}
	return i.fetch(ctx, ca, settled)
}

// fetch retrieves a certificate that the database has, since with it come those of the CA.
func (i *Issuer) fetch(ctx context.Context, ca entry, settled *adcs.Result) (*connector.CAResult, error) {
	retrieved, err := ca.client.Retrieve(ctx, settled.RequestID)
	if err == nil && (retrieved.Certificate == nil || !bytes.Equal(retrieved.Certificate.Raw,
		settled.Certificate.Raw)) {
		err = errors.New("issuer: the CA's database has another certificate than the CA hands out")
	}
	if err != nil {
		return nil, arrived(err, settled.RequestID)
	}
	return result(retrieved, nil)
}

// arrived translates an error of a look-up that has found the request.
func arrived(err error, requestID uint32) error {
	out := undecided(err)
	if e, ok := errors.AsType[*connector.CAError](out); ok {
		e.RequestID = requestID
	}
	return out
}

// undecided translates an error of a look-up, which decides nothing about the request, whatever it is.
func undecided(err error) error {
	out := caError(err)
	if e, ok := errors.AsType[*connector.CAError](out); ok && e.Kind != connector.CALogon {
		e.Kind, e.Reason = connector.CAFailed, ""
	}
	return out
}
