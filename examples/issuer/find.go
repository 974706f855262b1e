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
	ca, err := i.ca(o.CA)
	if err != nil {
		return nil, err
	}
	rows, err := ca.client.Find(ctx, adcs.Lookup{Requester: l.Account, Time: l.Time, Request: l.Request})
	if err != nil {
		return nil, undecided(err)
	}
	settled, err := adcs.Settle(rows)
	switch {
	case err != nil:
		return result(nil, err) // a refusal: the row says so
	case settled == nil:
		return nil, nil
	case settled.Certificate == nil:
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
		return nil, undecided(err)
	}
	return result(retrieved, nil)
}

// undecided translates an error of a look-up, which decides nothing about the request, whatever it is.
func undecided(err error) error {
	out := caError(err)
	if e, ok := errors.AsType[*connector.CAError](out); ok && e.Kind != connector.CALogon {
		e.Kind, e.Reason = connector.CAFailed, ""
	}
	return out
}
