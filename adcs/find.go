package adcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/adcskit/adcskit/internal/csra"
)

// Lookup says which requests [Client.Find] looks for: by RequestID, by Serial, or by Request. Of several, all
// must hold.
type Lookup struct {
	// RequestID is the CA's id of the request.
	RequestID uint32

	// Serial is the serial number of the certificate, in hexadecimal.
	Serial string

	// Request is the request itself, DER, compared byte for byte. Requests are read and compared here: a CA has no
	// index of them. Requester and Time keep down how many.
	Request []byte

	// Requester is the account that submitted the request. Only in the form DOMAIN\name can the CA compare it, without
	// regard to case; any other form says nothing, and every account's requests are looked at. A domain with a dot is a
	// DNS name, which is another form: the CA knows the NetBIOS name.
	Requester string

	// Time is when the request was submitted, by this host's clock, and Window how much earlier or later the CA's clock
	// may have said it was. The zero Time means any time, the zero Window a quarter of an hour.
	Time   time.Time
	Window time.Duration
}

const (
	defaultWindow = 15 * time.Minute
	maxFound      = 64 // rows that are returned; a request is submitted once
)

// Find looks for requests in the CA's database, over DCOM ([MS-CSRA], sections 3.1.4.1.12 to 3.1.4.1.14). The account
// needs the right Read on the CA, which every right to enroll or manage implies there. It returns every row that is as
// the Lookup says, oldest first: [Settle] says what they come to.
//
// No row proves nothing: the CA may not have got to it yet, or has lost it. What was found may change, as long as the
// CA's manager can decide.
//
// Errors: [ErrInvalidRequest]; *[ActionError] if the CA refused; [ErrTooManyRows], if more than 20,000 rows would have
// to be looked at or more than 64 fit; *[AnswerError]; and those of [Client.Retrieve].
func (c *Client) Find(ctx context.Context, lookup Lookup) ([]*Row, error) {
	if err := lookup.check(); err != nil {
		return nil, err
	}
	var rows []*Row
	err := c.administer(ctx, func(ctx context.Context, a *admin) (err error) {
		rows, err = findOn(ctx, a, lookup)
		return err
	})
	return rows, lookup.action().administered(err)
}

// findOn is Find with the object at hand.
func findOn(ctx context.Context, a *admin, lookup Lookup) ([]*Row, error) {
	rows, err := a.find(ctx, &lookup)
	if err == nil {
		return rows, nil
	}
	return nil, lookup.action().failed(err)
}

func (l *Lookup) action() ActionError {
	return ActionError{Action: ActionFind, RequestID: l.RequestID, Serial: l.Serial}
}

// Settle says what the rows of one request come to. Any of them may be the one in question, and so a certificate counts
// first, then a request that is held; the request was refused only if every row is. It returns nil without an error if
// nothing is certain: there is no row, or the CA works on one.
func Settle(rows []*Row) (*Result, error) {
	for _, d := range []Disposition{Issued, Pending, Incomplete, IssuedOutOfBand} {
		if i := slices.IndexFunc(rows, func(r *Row) bool { return r.Disposition == d }); i >= 0 {
			return rows[i].Result()
		}
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return rows[len(rows)-1].Result()
}

func (l *Lookup) check() error {
	if l.RequestID == 0 && l.Serial == "" && len(l.Request) == 0 {
		return fmt.Errorf("%w: a look-up without request id, serial number or request", ErrInvalidRequest)
	}
	if len(l.Request) > maxRequest || l.Window < 0 || l.RequestID > 1<<31-1 {
		return fmt.Errorf("%w: a look-up out of bounds", ErrInvalidRequest)
	}
	if len(l.Requester) > maxName || !utf8.ValidString(l.Requester) || strings.ContainsFunc(l.Requester,
		unicode.IsControl) {
		return fmt.Errorf("%w: name of the requester", ErrInvalidRequest)
	}
	if l.Serial != "" {
		return second(databaseSerial(l.Serial))
	}
	return nil
}

func second[T any](_ T, err error) error { return err }

// account is the requester as the CA's database names it, if it is in that form.
func (l *Lookup) account() (string, bool) {
	domain, name, ok := strings.Cut(l.Requester, `\`)
	return l.Requester, ok && domain != "" && name != "" && !strings.Contains(domain, ".")
}

// find finds rows in two steps: which rows fit, by as little of each as will do, and what these say.
func (a *admin) find(ctx context.Context, l *Lookup) ([]*Row, error) {
	s, err := a.schema(ctx)
	if err != nil {
		return nil, err
	}
	columns, err := s.rowColumns()
	if err != nil {
		return nil, err
	}
	ids, err := a.candidates(ctx, s, l)
	if err != nil {
		return nil, err
	}
	var rows []*Row
	for _, id := range ids {
		row, err := a.row(ctx, s, columns, id)
		if err != nil {
			return nil, err
		}
		if row != nil && l.matches(row) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// candidates returns the ids of requests that may fit, without doubles, in ascending order.
func (a *admin) candidates(ctx context.Context, s schema, l *Lookup) ([]uint32, error) {
	if l.RequestID != 0 {
		return []uint32{l.RequestID}, nil
	}
	ids, err := a.scan(ctx, s, l, true)
	// The CA compares names as it likes, perhaps by case. Nothing found is looked for once more without the name.
	if _, named := l.account(); named && err == nil && len(ids) == 0 && l.Serial == "" && !l.Time.IsZero() {
		ids, err = a.scan(ctx, s, l, false)
	}
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// scan reads the requests that the CA lets through and returns the ids of those that are the one in question.
func (a *admin) scan(ctx context.Context, s schema, l *Lookup, named bool) ([]uint32, error) {
	restrictions, err := s.restrict(l, named)
	if err != nil {
		return nil, err
	}
	id, err := s.column(columnRequestID)
	if err != nil {
		return nil, err
	}
	request, err := s.column(columnRequest)
	if err != nil {
		return nil, err
	}
	var ids []uint32
	err = a.view(ctx, restrictions, []uint32{id.ID, request.ID}, func(r *csra.Row) error {
		v, _ := r.Value(id.ID)
		raw, _ := r.Value(request.ID)
		n, ok := v.Integer()
		if !ok || n <= 0 {
			return unusable(errors.New("a row without request id"))
		}
		if len(l.Request) > 0 && !bytes.Equal(raw.Data, l.Request) {
			return nil
		}
		if len(ids) == maxFound {
			return ErrTooManyRows
		}
		ids = append(ids, uint32(n))
		return nil
	})
	return ids, err
}

// restrict is the part of a look-up that the CA does.
func (s schema) restrict(l *Lookup, named bool) ([]csra.Restriction, error) {
	all := []csra.Restriction{}
	add := func(name string, seek csra.Seek, value func(column uint32) csra.Value) error {
		c, err := s.column(name)
		if err == nil {
			all = append(all, csra.Restrict(c.ID, seek, value(c.ID)))
		}
		return err
	}
	text := func(t string) func(uint32) csra.Value {
		return func(c uint32) csra.Value { return csra.String(c, t) }
	}
	date := func(t time.Time) func(uint32) csra.Value {
		return func(c uint32) csra.Value { return csra.Date(c, t) }
	}
	var errs []error
	if l.Serial != "" {
		serial, err := databaseSerial(l.Serial)
		errs = append(errs, err, add(columnSerial, csra.SeekEqual, text(serial)))
	}
	if account, ok := l.account(); ok && named {
		errs = append(errs, add(columnRequester, csra.SeekEqual, text(account)))
	}
	if !l.Time.IsZero() {
		errs = append(errs, add(columnSubmitted, csra.SeekGreaterOrEqual, date(l.Time.Add(-l.window()))),
			add(columnSubmitted, csra.SeekLessOrEqual, date(l.Time.Add(l.window()))))
	}
	return all, errors.Join(errs...)
}

func (l *Lookup) window() time.Duration {
	if l.Window == 0 {
		return defaultWindow
	}
	return l.Window
}

// row returns the row of a request, or nil if there is none.
func (a *admin) row(ctx context.Context, s schema, columns []uint32, id uint32) (*Row, error) {
	column, err := s.column(columnRequestID)
	if err != nil {
		return nil, err
	}
	var row *Row
	restriction := csra.Restrict(column.ID, csra.SeekEqual, csra.Integer(column.ID, int32(id)))
	err = a.view(ctx, []csra.Restriction{restriction}, columns, func(r *csra.Row) error {
		found, err := s.row(r)
		if err == nil && (row != nil || found.RequestID != id) {
			err = unusable(fmt.Errorf("a row of request %d where request %d was asked for", found.RequestID, id))
		}
		row = found
		return err
	})
	return row, err
}

// matches compares everything again that the CA was asked to compare: what it lets through is its own affair.
func (l *Lookup) matches(r *Row) bool {
	if l.Serial != "" {
		want, err := databaseSerial(l.Serial)
		if got, gotErr := databaseSerial(r.Serial); err != nil || gotErr != nil || got != want {
			return false
		}
	}
	if account, ok := l.account(); ok && !strings.EqualFold(account, r.Requester) {
		return false
	}
	if !l.Time.IsZero() && (r.Submitted.Before(l.Time.Add(-l.window())) || r.Submitted.After(l.Time.Add(l.window()))) {
		return false
	}
	return len(l.Request) == 0 || bytes.Equal(l.Request, r.Request)
}
