package adcs_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

const svc = `CORP\svc-adcs`

// someRows are requests of two accounts, two of them with the same request.
func someRows() []adcs.Row {
	return []adcs.Row{
		{RequestID: 1, Requester: svc, Submitted: clock(0), Disposition: adcs.Denied, Code: adcs.ErrTemplateDenied,
			Message: "Denied by\nPolicy Module", Request: []byte("one")},
		{RequestID: 2, Requester: svc, Submitted: clock(10), Disposition: adcs.Issued, Request: []byte("two"),
			Serial:      "0a1b",
			Certificate: []byte("a certificate")},
		{RequestID: 3, Requester: `CORP\other`, Submitted: clock(20), Disposition: adcs.Pending,
			Request: []byte("three")},
		{RequestID: 4, Requester: svc, Submitted: clock(7200), Disposition: adcs.Pending, Request: []byte("one")},
		{RequestID: 5, Requester: svc, Submitted: clock(30), Disposition: adcs.Revoked, Request: []byte("five"),
			Serial:      "ff",
			Certificate: []byte("another"), RevocationReason: adcs.ReasonKeyCompromise, Revoked: clock(40)},
	}
}

func idsOf(rows []*adcs.Row) []uint32 {
	ids := []uint32{}
	for _, r := range rows {
		ids = append(ids, r.RequestID)
	}
	return ids
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		name   string
		lookup adcs.Lookup
		want   []uint32
	}{
		{"by id", adcs.Lookup{RequestID: 2}, []uint32{2}},
		{"by an id that is not there", adcs.Lookup{RequestID: 9}, nil},
		{"by id, of another request", adcs.Lookup{RequestID: 2, Request: []byte("one")}, nil},
		{"by id, of another account", adcs.Lookup{RequestID: 3, Requester: svc}, nil},
		{"by serial number", adcs.Lookup{Serial: "A1B"}, []uint32{2}},
		{"by serial number with zeros", adcs.Lookup{Serial: "0000ff"}, []uint32{5}},
		{"by a serial number that is not there", adcs.Lookup{Serial: "a1"}, nil},
		{"by request", adcs.Lookup{Request: []byte("three")}, []uint32{3}},
		{"by request, at any time", adcs.Lookup{Request: []byte("one")}, []uint32{1, 4}},
		{"by request and requester", adcs.Lookup{Request: []byte("two"), Requester: svc}, []uint32{2}},
		{"by request and time", adcs.Lookup{Request: []byte("one"), Requester: svc, Time: clock(5)}, []uint32{1}},
		{"the CA's clock is behind", adcs.Lookup{Request: []byte("one"), Requester: svc, Time: clock(890)},
			[]uint32{1}},
		{"too far behind", adcs.Lookup{Request: []byte("one"), Requester: svc, Time: clock(910)}, nil},
		{"but within the window", adcs.Lookup{Request: []byte("one"), Time: clock(910), Window: time.Hour},
			[]uint32{1}},
		{"another one's request", adcs.Lookup{Request: []byte("three"), Requester: svc, Time: clock(20)}, nil},
		{"the name in other letters", adcs.Lookup{Request: []byte("two"), Requester: `corp\SVC-adcs`, Time: clock(0)},
			[]uint32{2}},
		{"a name that the CA does not know",
			adcs.Lookup{Request: []byte("two"), Requester: "svc@corp.test", Time: clock(0)}, []uint32{2}},
		{"the domain by its DNS name",
			adcs.Lookup{Request: []byte("two"), Requester: `corp.test\svc-adcs`, Time: clock(0)}, []uint32{2}},
		{"a part of a request", adcs.Lookup{Request: []byte("tw")}, nil},
	} {
		for _, page := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s, pages of %d", test.name, page), func(t *testing.T) {
				d := newDatabase(t, someRows()...)
				d.page = page
				rows, err := adcs.FindOn(t.Context(), d.object(), test.lookup)
				require.NoError(t, err)
				assert.ElementsMatch(t, test.want, idsOf(rows))
				assert.False(t, d.open)
			})
		}
	}
}

// TestFindReadsTheWholeRow: what is found is what the CA has.
func TestFindReadsTheWholeRow(t *testing.T) {
	for _, want := range someRows() {
		rows, err := adcs.FindOn(t.Context(), newDatabase(t, someRows()...).object(),
			adcs.Lookup{RequestID: want.RequestID})
		require.NoError(t, err)
		require.Len(t, rows, 1)
		if want.RequestID == 1 {
			want.Message = "Denied by Policy Module"
		}
		assert.Equal(t, want, *rows[0])
	}
}

// TestFindAsksForLittle: requests are restricted at the CA, and whole rows are read of those only that are the one.
func TestFindAsksForLittle(t *testing.T) {
	var rows []adcs.Row
	for i := range 500 {
		rows = append(rows, adcs.Row{
			RequestID: uint32(i + 1), Requester: svc, Submitted: clock(60 * i), Request: []byte(fmt.Sprint(i)),
			Certificate: make([]byte, 1000),
		})
	}
	d := newDatabase(t, rows...)
	found, err := adcs.FindOn(t.Context(), d.object(), adcs.Lookup{
		Request: []byte("250"), Requester: svc, Time: clock(60 * 250), Window: 10 * time.Minute,
	})
	require.NoError(t, err)
	assert.Equal(t, []uint32{251}, idsOf(found))
	assert.Equal(t, 21+1, d.sent)
}

// TestFindAmongFullPagesOfColumns: who asks for more columns than there are gets ERROR_ARITHMETIC_OVERFLOW, which is 1
// here (MS-CSRA section 2.2.5).
func TestFindAmongFullPagesOfColumns(t *testing.T) {
	d := newDatabase(t, someRows()...)
	for i := len(d.columns); i < 128; i++ {
		d.columns = append(d.columns, csra.Column{ID: uint32(0x2000 + i), Name: fmt.Sprint("Column", i)})
	}
	found, err := adcs.FindOn(t.Context(), d.object(), adcs.Lookup{RequestID: 2})
	require.NoError(t, err)
	assert.Equal(t, []uint32{2}, idsOf(found))
}

// TestFindWithoutOptionalColumns: a CA need not keep what section 3.1.1.1.2 of MS-CSRA lists.
func TestFindWithoutOptionalColumns(t *testing.T) {
	d := newDatabase(t, someRows()...)
	for i := range d.columns {
		if i >= 3 && d.columns[i].Name != "SerialNumber" && d.columns[i].Name != "RawCertificate" {
			d.columns[i].Name = "Vendor." + fmt.Sprint(i)
		}
	}
	rows, err := adcs.FindOn(t.Context(), d.object(), adcs.Lookup{RequestID: 2})
	require.NoError(t, err)
	assert.Equal(t, []adcs.Row{{RequestID: 2, Disposition: adcs.Issued, Request: []byte("two"), Serial: "0a1b",
		Certificate: []byte("a certificate")}}, []adcs.Row{*rows[0]})
	_, err = adcs.FindOn(t.Context(), d.object(), adcs.Lookup{Request: []byte("two"), Time: clock(0)})
	require.ErrorContains(t, err, "request.submittedwhen")
}

func TestFindLimits(t *testing.T) {
	row := func(i int, request string) adcs.Row {
		return adcs.Row{RequestID: uint32(i + 1), Request: []byte(request)}
	}
	t.Run("rows that fit", func(t *testing.T) {
		var rows []adcs.Row
		for i := range adcs.MaxFound + 1 {
			rows = append(rows, row(i, "same"))
		}
		_, err := adcs.FindOn(t.Context(), newDatabase(t, rows...).object(), adcs.Lookup{Request: []byte("same")})
		require.ErrorIs(t, err, adcs.ErrTooManyRows)
		found, err := adcs.FindOn(t.Context(), newDatabase(t, rows[1:]...).object(),
			adcs.Lookup{Request: []byte("same")})
		require.NoError(t, err)
		assert.Len(t, found, adcs.MaxFound)
	})
	t.Run("rows to look at", func(t *testing.T) {
		var rows []adcs.Row
		for i := range adcs.ViewLimit + adcs.ViewPage {
			rows = append(rows, row(i, "other"))
		}
		d := newDatabase(t, rows...)
		_, err := adcs.FindOn(t.Context(), d.object(), adcs.Lookup{Request: []byte("same")})
		require.ErrorIs(t, err, adcs.ErrTooManyRows)
		assert.False(t, d.open, "the view is closed")
		assert.LessOrEqual(t, d.sent, adcs.ViewLimit)
		checkExplanation(t, adcs.Explain(err))
	})
}

func TestFindRefuses(t *testing.T) {
	for name, l := range map[string]adcs.Lookup{
		"nothing": {}, "an account alone": {Requester: svc, Time: clock(0)}, "no hexadecimal": {Serial: "xyz"},
		"zero": {Serial: "00"}, "a huge request": {Request: make([]byte, 2<<20)},
		"a window":            {RequestID: 1, Window: -1},
		"a control character": {RequestID: 1, Requester: "a\x00b"}, "an id that no CA has": {RequestID: 1 << 31},
	} {
		_, err := newClient(t, newServer(t, nil), nil).Find(t.Context(), l)
		require.ErrorIs(t, err, adcs.ErrInvalidRequest, name)
	}
}

func TestFindErrors(t *testing.T) {
	table := func(returned uint32) func([]byte) ([]byte, error) {
		return func([]byte) ([]byte, error) { return encode(&csra.Table{Return: returned}), nil }
	}
	fault := func(status uint32) func([]byte) ([]byte, error) {
		return func([]byte) ([]byte, error) {
			return nil, &assoc.CallError{Sent: true, Err: &assoc.FaultError{Status: rpc.Status(status)}}
		}
	}
	for name, test := range map[string]struct {
		op   csra.Opnum
		say  func([]byte) ([]byte, error)
		want error
	}{
		"no right to read":     {csra.OpEnumViewColumnTable, table(0x80070005), adcs.ErrAccessDenied},
		"no right, by a fault": {csra.OpEnumViewColumnTable, fault(5), adcs.ErrAccessDenied},
		"wrong name of the CA": {csra.OpEnumViewColumnTable, table(0x80070057), adcs.ErrInvalidArg},
		"another view is open": {csra.OpOpenView, table(0x8000ffff), adcs.HResult(0x8000ffff)},
		"the database is busy": {csra.OpEnumView, table(uint32(adcs.ErrNoDBSessions)), adcs.ErrNoDBSessions},
		"a fault":              {csra.OpEnumView, fault(0x1c000012), adcs.RPCStatus(0x1c000012)},
		"the connection is broken": {csra.OpOpenView, func([]byte) ([]byte, error) {
			return nil, &assoc.CallError{Sent: true, Err: errRough}
		}, errRough},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t, someRows()...)
			d.page = 1
			d.instead[test.op] = test.say
			rows, err := adcs.FindOn(t.Context(), d.object(), adcs.Lookup{Request: []byte("one")})
			require.ErrorIs(t, err, test.want)
			assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
			assert.Empty(t, rows)
			checkExplanation(t, adcs.Explain(err))
		})
	}
}

// TestFindHostile: what a CA cannot have said is an error, and nothing is believed of it.
func TestFindHostile(t *testing.T) {
	d := newDatabase(t, someRows()...)
	rowsOf := func(rows ...csra.Row) []byte { return csra.EncodeRows(rows, nil) }
	whole := func(change func(*adcs.Row)) csra.Row {
		r := someRows()[1]
		change(&r)
		return csra.Row{ID: r.RequestID, Values: d.values(&r)}
	}
	same := whole(func(*adcs.Row) {})
	for name, test := range map[string]struct {
		op    csra.Opnum
		table csra.Table
	}{
		"columns that are none":  {csra.OpEnumViewColumnTable, csra.Table{Count: 3, Data: []byte("abc")}},
		"no columns":             {csra.OpEnumViewColumnTable, csra.Table{Return: csra.EndOfData}},
		"rows that are none":     {csra.OpOpenView, csra.Table{Count: 1, Data: []byte("abc")}},
		"a row without anything": {csra.OpOpenView, csra.Table{Count: 1, Data: rowsOf(csra.Row{ID: 2})}},
		"another request": {csra.OpOpenView, csra.Table{Count: 1, Return: csra.EndOfData,
			Data: rowsOf(whole(func(r *adcs.Row) { r.RequestID = 7 }))}},
		"a negative id": {csra.OpOpenView,
			csra.Table{Count: 1, Data: rowsOf(whole(func(r *adcs.Row) { r.RequestID = 1<<32 - 2 }))}},
		"twice": {csra.OpOpenView, csra.Table{Count: 2, Return: csra.EndOfData, Data: rowsOf(same, same)}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t)
			d.instead[test.op] = func([]byte) ([]byte, error) {
				d.open = true
				return encode(&test.table), nil
			}
			rows, err := adcs.FindOn(t.Context(), d.object(), adcs.Lookup{RequestID: 2})
			_, ok := errors.AsType[*adcs.AnswerError](err)
			require.True(t, ok, "%v", err)
			assert.Empty(t, rows)
			checkExplanation(t, adcs.Explain(err))
		})
	}
	t.Run("more columns than asked", func(t *testing.T) {
		d := newDatabase(t, someRows()...)
		for i := range 60 {
			d.columns = append(d.columns, csra.Column{ID: uint32(0x2000 + i), Name: fmt.Sprint(i)})
		}
		d.instead[csra.OpEnumViewColumnTable] = func([]byte) ([]byte, error) {
			return encode(&csra.Table{Count: uint32(len(d.columns)), Data: csra.EncodeColumns(d.columns)}), nil
		}
		_, err := adcs.FindOn(t.Context(), d.object(), adcs.Lookup{RequestID: 2})
		require.ErrorContains(t, err, "71 columns where 64 were asked for")
	})
	t.Run("more rows than asked", func(t *testing.T) {
		d := newDatabase(t)
		d.instead[csra.OpOpenView] = func([]byte) ([]byte, error) {
			d.open = true
			rows := make([]csra.Row, adcs.ViewPage+1)
			for i := range rows {
				rows[i] = whole(func(r *adcs.Row) { r.RequestID = uint32(i + 1) })
			}
			return encode(&csra.Table{Count: uint32(len(rows)), Data: rowsOf(rows...)}), nil
		}
		_, err := adcs.FindOn(t.Context(), d.object(), adcs.Lookup{Request: []byte("none of these")})
		require.ErrorContains(t, err, "33 rows where 32 were asked for")
	})
	t.Run("rows that do not fit", func(t *testing.T) {
		d := newDatabase(t)
		d.instead[csra.OpOpenView] = func([]byte) ([]byte, error) {
			d.open = true
			other := whole(func(r *adcs.Row) { r.Request = []byte("another") })
			return encode(&csra.Table{Count: 1, Return: csra.EndOfData, Data: rowsOf(other)}), nil
		}
		rows, err := adcs.FindOn(t.Context(), d.object(), adcs.Lookup{RequestID: 2, Request: []byte("two")})
		require.NoError(t, err)
		assert.Empty(t, rows)
	})
}

func TestSettle(t *testing.T) {
	row := func(d adcs.Disposition) *adcs.Row { return &adcs.Row{RequestID: uint32(d) + 1, Disposition: d} }
	cert := newPKI(t).root
	issued := &adcs.Row{RequestID: 40, Disposition: adcs.Issued, Certificate: cert.Raw, Message: "Issued"}
	for name, test := range map[string]struct {
		rows []*adcs.Row
		want adcs.Disposition // 0: nothing is certain
		fate string
	}{
		"none":   {nil, 0, "nothing"},
		"issued": {[]*adcs.Row{issued}, adcs.Issued, "result"},
		"issued among others": {[]*adcs.Row{row(adcs.Denied), row(adcs.Pending), issued, row(adcs.Revoked)},
			adcs.Issued, "result"},
		"held":                        {[]*adcs.Row{row(adcs.Denied), row(adcs.Pending)}, adcs.Pending, "result"},
		"denied":                      {[]*adcs.Row{row(adcs.Denied)}, adcs.Denied, "refused"},
		"failed twice":                {[]*adcs.Row{row(adcs.Failed), row(adcs.Failed)}, adcs.Failed, "refused"},
		"revoked":                     {[]*adcs.Row{row(adcs.Revoked)}, adcs.Revoked, "refused"},
		"being worked on":             {[]*adcs.Row{row(adcs.Incomplete)}, 0, "nothing"},
		"denied, and being worked on": {[]*adcs.Row{row(adcs.Incomplete), row(adcs.Denied)}, 0, "nothing"},
		"out of band":                 {[]*adcs.Row{row(adcs.IssuedOutOfBand), row(adcs.Denied)}, 0, "nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := adcs.Settle(test.rows)
			refusal, refused := errors.AsType[*adcs.RequestError](err)
			switch test.fate {
			case "nothing":
				require.NoError(t, err)
				assert.Nil(t, result)
			case "result":
				require.NoError(t, err)
				assert.Equal(t, test.want, result.Disposition)
				if test.want == adcs.Issued {
					assert.Equal(t, cert, result.Certificate)
				}
			case "refused":
				require.True(t, refused, "%v", err)
				assert.Equal(t, test.want, refusal.Disposition)
				assert.Nil(t, result)
			}
		})
	}
	_, err := adcs.Settle([]*adcs.Row{{RequestID: 1, Disposition: adcs.Issued, Certificate: []byte("none")}})
	_, ok := errors.AsType[*adcs.AnswerError](err)
	assert.True(t, ok, "%v", err)
}

// FuzzFind lets a CA say anything in place of columns and rows.
func FuzzFind(f *testing.F) {
	d := newDatabase(f, someRows()...)
	columns := csra.EncodeColumns(d.columns)
	var rows []csra.Row
	for _, r := range someRows() {
		rows = append(rows, csra.Row{ID: r.RequestID, Values: d.values(&r)})
	}
	total := uint32(len(rows))
	f.Add(columns, uint32(len(d.columns)), csra.EncodeRows(rows, &total), total, uint32(1))
	f.Add(columns, uint32(len(d.columns)), csra.EncodeRows(rows[:1], nil), uint32(1), uint32(1))
	f.Add(columns, uint32(len(d.columns)), []byte{}, uint32(0), uint32(0))
	f.Add([]byte{}, uint32(0), []byte{}, uint32(0), uint32(adcs.ErrAccessDenied))
	f.Fuzz(func(t *testing.T, columns []byte, columnCount uint32, rows []byte, count, returned uint32) {
		calls := 0
		object := adcs.RemoteFunc(func(_ context.Context, _ rpc.UUID, opnum uint16, _ []byte) ([]byte, error) {
			if calls++; calls > 50 {
				return nil, &assoc.CallError{Err: errRough}
			}
			switch csra.Opnum(opnum) {
			case csra.OpEnumViewColumnTable:
				return encode(&csra.Table{Count: columnCount, Data: columns}), nil
			case csra.OpCloseView:
				return encode(&csra.Result{Return: returned}), nil
			}
			return encode(&csra.Table{Count: count, Data: rows, Return: returned}), nil
		})
		for _, l := range []adcs.Lookup{{RequestID: 2}, {Serial: "ff"}, {Request: []byte("one"), Requester: svc, Time: clock(0)}} {
			calls = 0
			found, err := adcs.FindOn(t.Context(), object, l)
			if err != nil && len(found) > 0 {
				t.Fatal("rows and an error")
			}
			for _, r := range found {
				if l.RequestID != 0 && r.RequestID != l.RequestID || l.Request != nil && string(r.Request) != string(l.Request) {
					t.Fatalf("%+v is not what was looked for", r)
				}
			}
			_, _ = adcs.Settle(found)
			adcs.Explain(err)
		}
	})
}
