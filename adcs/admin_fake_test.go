package adcs_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// database is an administration object with the rows of a request table, that does what a test says in place of any of
// its operations. It has the dispositions of Windows.
type database struct {
	t       testing.TB
	rows    []adcs.Row
	columns []csra.Column
	page    int // rows that are sent at once; as many as are asked for if 0
	folds   bool

	instead map[csra.Opnum]func(stub []byte) ([]byte, error)
	called  []csra.Opnum
	view    []csra.Row // nil if none is open
	open    bool
	asked   *csra.OpenView // the last one
	sent    int            // rows in all
}

func columnNames() []string {
	return []string{
		"Request.RequestID", "Request.RawRequest", "Request.Disposition", "Request.StatusCode",
		"Request.DispositionMessage",
		"Request.SubmittedWhen", "Request.RequesterName", "SerialNumber", "RawCertificate", "Request.RevokedReason",
		"Request.RevokedEffectiveWhen",
	}
}

func newDatabase(t testing.TB, rows ...adcs.Row) *database {
	d := &database{t: t, rows: rows, instead: map[csra.Opnum]func([]byte) ([]byte, error){}}
	for i, name := range columnNames() {
		d.columns = append(d.columns, csra.Column{ID: uint32(0x1000 + 7*i), Name: name, DisplayName: name})
	}
	return d
}

func (d *database) id(name string) uint32 {
	for _, c := range d.columns {
		if c.Name == name {
			return c.ID
		}
	}
	return math.MaxUint32
}

// values are a row as it is stored.
func (d *database) values(r *adcs.Row) []csra.Value {
	stored := map[adcs.Disposition]int32{
		adcs.Pending: 9, adcs.Issued: 20, adcs.Revoked: 21, adcs.Failed: 30, adcs.Denied: 31, adcs.Incomplete: 8,
	}
	return []csra.Value{
		csra.Integer(d.id("Request.RequestID"), int32(r.RequestID)), csra.Binary(d.id("Request.RawRequest"), r.Request),
		csra.Integer(d.id("Request.Disposition"), stored[r.Disposition]),
		csra.Integer(d.id("Request.StatusCode"), int32(r.Code)),
		csra.String(d.id("Request.DispositionMessage"), r.Message),
		csra.Date(d.id("Request.SubmittedWhen"), r.Submitted), csra.String(d.id("Request.RequesterName"), r.Requester),
		csra.String(d.id("SerialNumber"), r.Serial), csra.Binary(d.id("RawCertificate"), r.Certificate),
		csra.Integer(d.id("Request.RevokedReason"), int32(r.RevocationReason)),
		csra.Date(d.id("Request.RevokedEffectiveWhen"), r.Revoked),
	}
}

// object is the database as what a client calls.
func (d *database) object() adcs.Remote {
	return adcs.RemoteFunc(func(_ context.Context, iid rpc.UUID, opnum uint16, stub []byte) ([]byte, error) {
		require.Equal(d.t, csra.ICertAdminD2(), iid)
		op := csra.Opnum(opnum)
		d.called = append(d.called, op)
		if f := d.instead[op]; f != nil {
			return f(stub)
		}
		switch op {
		case csra.OpEnumViewColumnTable:
			return d.enumColumns(stub), nil
		case csra.OpOpenView:
			return d.openView(stub), nil
		case csra.OpEnumView:
			return d.enumView(stub), nil
		case csra.OpCloseView:
			require.True(d.t, d.open)
			d.open = false
			return encode(&csra.Result{}), nil
		}
		return nil, fmt.Errorf("operation %d was not expected", op)
	})
}

func encode(m interface{ Write(*ndr.Writer) }) []byte {
	w := new(ndr.Writer)
	m.Write(w)
	return w.Stub()
}

func decode(t testing.TB, stub []byte, m interface{ Read(*ndr.Reader) }) {
	r := ndr.NewReader(stub, false)
	m.Read(r)
	require.NoError(t, r.Done())
}

func (d *database) enumColumns(stub []byte) []byte {
	var q csra.TableRange
	decode(d.t, stub, &q)
	require.Equal(d.t, "Corp CA", q.Authority)
	if int(q.First) >= len(d.columns) {
		return encode(&csra.Table{Return: csra.EndOfData})
	}
	some := d.columns[q.First:min(int(q.First+q.Count), len(d.columns))]
	return encode(&csra.Table{Count: uint32(len(some)), Data: csra.EncodeColumns(some)})
}

func (d *database) openView(stub []byte) []byte {
	require.False(d.t, d.open, "one view at a time")
	d.asked = new(csra.OpenView)
	decode(d.t, stub, d.asked)
	d.open, d.view = true, nil
	for i := range d.rows {
		values := d.values(&d.rows[i])
		row := csra.Row{ID: d.rows[i].RequestID, Values: values}
		if !d.passes(&row) {
			continue
		}
		chosen := csra.Row{ID: row.ID}
		for _, c := range d.asked.Columns {
			v, ok := row.Value(c)
			require.True(d.t, ok, "column %#x", c)
			chosen.Values = append(chosen.Values, v)
		}
		d.view = append(d.view, chosen)
	}
	return d.some(d.asked.First, d.asked.Count)
}

// passes compares dates and numbers as numbers, and the rest for equality.
func (d *database) passes(row *csra.Row) bool {
	for _, r := range d.asked.Restrictions {
		v, ok := row.Value(r.Column)
		require.True(d.t, ok)
		fits := false
		switch {
		case r.Seek == csra.SeekEqual && v.Type.Kind() == csra.TypeString && d.folds:
			fits = bytes.EqualFold(v.Data, r.Value)
		case r.Seek == csra.SeekEqual:
			fits = bytes.Equal(v.Data, r.Value)
		case v.Type.Kind() == csra.TypeDate && !v.Null():
			have, want := binary.LittleEndian.Uint64(v.Data), binary.LittleEndian.Uint64(r.Value)
			fits = r.Seek == csra.SeekGreaterOrEqual && have >= want || r.Seek == csra.SeekLessOrEqual && have <= want
		}
		if !fits {
			return false
		}
	}
	return true
}

func (d *database) enumView(stub []byte) []byte {
	var q csra.Range
	decode(d.t, stub, &q)
	require.True(d.t, d.open)
	return d.some(q.First, q.Count)
}

func (d *database) some(first, count uint32) []byte {
	require.GreaterOrEqual(d.t, first, uint32(csra.FirstRow))
	rest := d.view[min(int(first-csra.FirstRow), len(d.view)):]
	n := min(int(count), len(rest))
	if d.page > 0 {
		n = min(n, d.page)
	}
	d.sent += n
	if n < len(rest) {
		return encode(&csra.Table{Count: uint32(n), Data: csra.EncodeRows(rest[:n], nil)})
	}
	total := uint32(len(d.view))
	return encode(&csra.Table{Count: uint32(n), Data: csra.EncodeRows(rest, &total), Return: csra.EndOfData})
}

// clock is some time, to which seconds are added.
func clock(seconds int) time.Time {
	return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}
