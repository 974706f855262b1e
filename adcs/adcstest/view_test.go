package adcstest_test

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/csra"
)

// Columns by what they hold; their names are compared in TestColumns.
const (
	colRequestID   = 0x1000
	colRawRequest  = 0x1001
	colDisposition = 0x1009
	colMessage     = 0x100a
	colSubmitted   = 0x100b
	colRevoked     = 0x100d
	colReason      = 0x100f
	colRequester   = 0x1010
	colRequestCN   = 0x101a
	colCertificate = 0x2001
	colHash        = 0x2002
	colTemplate    = 0x2003
	colSerial      = 0x2007
	colNotAfter    = 0x200a
	colCRLNumber   = 0x5001
)

// TestColumns compares some columns with MS-CSRA section 3.1.1, note 4.
func TestColumns(t *testing.T) {
	named := map[string]csra.Column{}
	for table, want := range map[uint32]int{0: 81, 0x3000: 4, 0x4000: 3, 0x5000: 18} {
		out := adcstest.Columns(table, 0, 1000)
		require.Zero(t, out.Return)
		list, err := csra.DecodeColumns(out.Data, out.Count)
		require.NoError(t, err)
		require.Len(t, list, want)
		for _, c := range list {
			named[c.Name] = c
		}
	}
	for name, id := range map[string]uint32{
		"Request.RequestID": colRequestID, "Request.RawRequest": colRawRequest, "Request.Disposition": colDisposition,
		"Request.SubmittedWhen": colSubmitted, "Request.RequesterName": colRequester, "RawCertificate": colCertificate,
		"SerialNumber": colSerial, "NotAfter": colNotAfter, "CRLNumber": colCRLNumber, "CertificateTemplate": colTemplate,
		"Request.RevokedReason": colReason, "AttributeName": 0x3001, "ExtensionName": 0x4001, "CommonName": 0x2017,
		"Request.CommonName": colRequestCN,
	} {
		assert.Equal(t, id, named[name].ID, name)
	}
	assert.Equal(t, csra.Column{Type: csra.TypeString | csra.Indexed, ID: colSerial, MaxBytes: 128, Name: "SerialNumber",
		DisplayName: "Serial Number"}, named["SerialNumber"])

	page := adcstest.Columns(0, 80, 5)
	assert.EqualValues(t, 1, page.Count)
	for _, bad := range [][3]uint32{{1, 0, 5}, {0x1000, 0, 5}, {0, 0, 0}} {
		assert.Equal(t, hrInvalidArg, adcstest.Columns(bad[0], bad[1], bad[2]).Return, "%v", bad)
	}
	assert.EqualValues(t, 1, adcstest.Columns(0, 81, 5).Return)
	for set := range uint32(7) {
		ids, ok := adcstest.DefaultColumns(^set)
		assert.True(t, ok)
		assert.NotEmpty(t, ids)
	}
	_, ok := adcstest.DefaultColumns(0)
	assert.False(t, ok)
}

// newViewed is a CA with four requests: issued and revoked, held, denied, issued.
func newViewed(t testing.TB) (*adcstest.Authority, *time.Time) {
	t.Helper()
	ca, now := newRevoker(t, adcstest.Profile{})
	_, serial := issueOne(t, ca)
	require.Zero(t, ca.Revoke(serial, 1, *now))
	for _, template := range []string{"Held", "Denied", "WebServer"} {
		*now = now.Add(time.Hour)
		c := submission(t, template)
		c.Account = [2]string{"CORP", "bob"}
		ca.Call(c)
	}
	return ca, now
}

// rowsOf are the rows of an answer.
func rowsOf(t testing.TB, out csra.Table) []csra.Row {
	t.Helper()
	require.LessOrEqual(t, out.Return, uint32(1))
	rows, _, _, err := csra.DecodeRows(out.Data, out.Count)
	require.NoError(t, err)
	return rows
}

func idsOf(t testing.TB, out csra.Table) []uint32 {
	t.Helper()
	ids := []uint32{}
	for _, r := range rowsOf(t, out) {
		ids = append(ids, r.ID)
	}
	return ids
}

// TestViewRestrictions finds rows by every comparison and every type of column (MS-CSRA section 3.1.4.1.12).
func TestViewRestrictions(t *testing.T) {
	ca, now := newViewed(t)
	requests := ca.Requests()
	number := func(v int32) csra.Value { return csra.Integer(colRequestID, v) }
	date := func(v time.Time) csra.Value { return csra.Date(colSubmitted, v) }
	text := func(v string) csra.Value { return csra.String(colRequester, v) }
	only := func(column uint32, seek csra.Seek, v csra.Value) []csra.Restriction {
		return []csra.Restriction{csra.Restrict(column, seek, v)}
	}
	third := now.Add(-time.Hour)
	for name, c := range map[string]struct {
		restrictions []csra.Restriction
		want         []uint32
	}{
		"everything":       {nil, []uint32{1, 2, 3, 4}},
		"=":                {only(colRequestID, csra.SeekEqual, number(3)), []uint32{3}},
		"<":                {only(colRequestID, csra.SeekLess, number(3)), []uint32{1, 2}},
		"<=":               {only(colRequestID, csra.SeekLessOrEqual, number(3)), []uint32{1, 2, 3}},
		">=":               {only(colRequestID, csra.SeekGreaterOrEqual, number(3)), []uint32{3, 4}},
		">":                {only(colRequestID, csra.SeekGreater, number(3)), []uint32{4}},
		"negative":         {only(colRequestID, csra.SeekGreater, number(-3)), []uint32{1, 2, 3, 4}},
		"date =":           {only(colSubmitted, csra.SeekEqual, date(third)), []uint32{3}},
		"date >=":          {only(colSubmitted, csra.SeekGreaterOrEqual, date(third)), []uint32{3, 4}},
		"text":             {only(colRequester, csra.SeekEqual, text(`corp\BOB`)), []uint32{2, 3, 4}},
		"text <":           {only(colRequester, csra.SeekLess, text(`CORP\bob`)), []uint32{1}},
		"text that begins": {only(colRequester, csra.SeekEqual, text(`CORP\bo`)), []uint32{}},
		"serial": {[]csra.Restriction{
			csra.Restrict(colSerial, csra.SeekEqual, csra.String(colSerial, requests[3].Serial)),
		}, []uint32{4}},
		"raw request": {[]csra.Restriction{
			csra.Restrict(colRawRequest, csra.SeekEqual, csra.Binary(colRawRequest, requests[1].Raw)),
		}, []uint32{2}},
		"NULL compares with nothing": {[]csra.Restriction{
			csra.Restrict(colSerial, csra.SeekLessOrEqual, csra.String(colSerial, "g")),
		}, []uint32{1, 4}},
		"nor does a number": {[]csra.Restriction{
			csra.Restrict(colReason, csra.SeekLess, csra.Integer(colReason, 5)),
		}, []uint32{1}},
		"two at once": {[]csra.Restriction{
			csra.Restrict(colRequester, csra.SeekEqual, text(`CORP\bob`)),
			csra.Restrict(colDisposition, csra.SeekEqual, csra.Integer(colDisposition, 20)),
		}, []uint32{4}},
		"descending": {[]csra.Restriction{
			{Column: colRequestID, Seek: csra.SeekGreater, Sort: csra.SortDescending, Value: number(1).Data},
		}, []uint32{4, 3, 2}},
		"ascending by disposition": {[]csra.Restriction{
			{Column: colDisposition, Seek: csra.SeekGreater, Sort: csra.SortAscending, Value: number(0).Data},
		}, []uint32{2, 4, 1, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			out := ca.NewView().Open(csra.OpenView{
				Restrictions: c.restrictions, Columns: []uint32{colRequestID}, First: 1, Count: 100,
			})
			assert.Equal(t, c.want, idsOf(t, out))
		})
	}
}

// TestViewRefused opens what cannot be opened.
func TestViewRefused(t *testing.T) {
	ca, _ := newViewed(t)
	id := func(r csra.Restriction) csra.OpenView {
		return csra.OpenView{Restrictions: []csra.Restriction{r}, Columns: []uint32{colRequestID}, First: 1, Count: 1}
	}
	one := csra.Integer(0, 1).Data
	for name, m := range map[string]csra.OpenView{
		"unknown column":     {Columns: []uint32{0x1fff}},
		"two tables":         {Columns: []uint32{colRequestID, colCRLNumber}},
		"attributes":         {Columns: []uint32{0x3001}},
		"extensions":         {Columns: []uint32{0x4001}},
		"other restriction":  id(csra.Restriction{Column: colCRLNumber, Seek: csra.SeekEqual, Value: one}),
		"unknown comparison": id(csra.Restriction{Column: colRequestID, Seek: 3, Value: one}),
		"no comparison":      id(csra.Restriction{Column: colRequestID, Value: one}),
		"unknown order":      id(csra.Restriction{Column: colRequestID, Seek: csra.SeekEqual, Sort: 3, Value: one}),
		"short number":       id(csra.Restriction{Column: colRequestID, Seek: csra.SeekEqual, Value: one[:3]}),
		"no value":           id(csra.Restriction{Column: colRequestID, Seek: csra.SeekEqual}),
		"short date":         id(csra.Restriction{Column: colSubmitted, Seek: csra.SeekEqual, Value: one}),
		"unended text":       id(csra.Restriction{Column: colRequester, Seek: csra.SeekEqual, Value: []byte{'a', 0}}),
		"NUL in a text":      id(csra.Restriction{Column: colRequester, Seek: csra.SeekEqual, Value: utf16z("\x00a")}),
		"odd text":           id(csra.Restriction{Column: colRequester, Seek: csra.SeekEqual, Value: []byte{'a', 0, 0}}),
		"order of bytes":     id(csra.Restriction{Column: colRawRequest, Seek: csra.SeekLess, Value: one}),
		"two orders": {Columns: []uint32{colRequestID}, Restrictions: []csra.Restriction{
			{Column: colRequestID, Seek: csra.SeekGreater, Sort: csra.SortAscending, Value: one},
			{Column: colDisposition, Seek: csra.SeekGreater, Sort: csra.SortAscending, Value: one},
		}},
	} {
		v := ca.NewView()
		assert.Equal(t, hrInvalidArg, v.Open(m).Return, name)
		assert.EqualValues(t, 0x80070006, v.Enumerate(1, 1).Return, "%s: no view is open", name)
	}
}

// TestViewPages reads a view page by page, and finds its end (MS-CSRA section 3.1.4.1.13).
func TestViewPages(t *testing.T) {
	ca, _ := newViewed(t)
	v := ca.NewView()
	first := v.Open(csra.OpenView{Columns: []uint32{colRequestID}, First: 1, Count: 3})
	assert.Equal(t, []uint32{1, 2, 3}, idsOf(t, first))
	assert.Zero(t, first.Return)
	ca.Call(submission(t, "WebServer")) // not in the set that was opened
	for _, c := range []struct {
		first, count uint32
		want         []uint32
		end          bool
	}{
		{4, 1, []uint32{4}, false}, {4, 2, []uint32{4}, true}, {5, 1, []uint32{}, true}, {1, 4, []uint32{1, 2, 3, 4}, false},
		{2, 0xffffffff, []uint32{2, 3, 4}, true}, {0xffffffff, 1, []uint32{}, true}, {1, 0, []uint32{}, false},
		{0, 1, []uint32{1}, false},
	} {
		out := v.Enumerate(c.first, c.count)
		rows, total, end, err := csra.DecodeRows(out.Data, out.Count)
		require.NoError(t, err)
		ids := []uint32{}
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		assert.Equal(t, c.want, ids, "%v", c)
		assert.Equal(t, c.end, end, "%v", c)
		assert.Equal(t, c.end, out.Return == csra.EndOfData, "%v", c)
		if end {
			assert.EqualValues(t, 4, total)
		}
	}
	assert.EqualValues(t, 0x8000FFFF, v.Open(csra.OpenView{}).Return, "a view is open")
	assert.Zero(t, v.Close())
	assert.EqualValues(t, 0x80070006, v.Close())
	assert.Zero(t, v.Open(csra.OpenView{Columns: []uint32{colRequestID}}).Return, "closed, it can be opened again")
}

// TestViewOfLongRows names a long column many times: the answer stays within bounds.
func TestViewOfLongRows(t *testing.T) {
	ca, _ := newRevoker(t, adcstest.Profile{})
	c := submission(t, "WebServer")
	c.Attributes = attributes("CertificateTemplate:WebServer\nnote:" + strings.Repeat("x", 10<<10))
	for range 3 {
		ca.Call(c)
	}
	const attribute = 0x1005
	view := func(columns int) csra.Table {
		return ca.NewView().Open(csra.OpenView{Columns: slices.Repeat([]uint32{attribute}, columns), First: 1, Count: 100})
	}
	assert.EqualValues(t, 0xc800042d, view(csra.MaxColumns).Return, "not one row")
	some := view(600)
	assert.Zero(t, some.Return, "there is more")
	assert.Equal(t, []uint32{1}, idsOf(t, some))
	assert.Equal(t, []uint32{1, 2, 3}, idsOf(t, view(1)))
}

// TestViewValues compares the values of rows with the request table.
func TestViewValues(t *testing.T) {
	ca, now := newViewed(t)
	requests := ca.Requests()
	columns := []uint32{}
	list, err := csra.DecodeColumns(adcstest.Columns(0, 0, 1000).Data, 81)
	require.NoError(t, err)
	for _, c := range list {
		columns = append(columns, c.ID)
	}
	rows := rowsOf(t, ca.NewView().Open(csra.OpenView{Columns: columns, First: 1, Count: 10}))
	require.Len(t, rows, 4)
	value := func(row int, column uint32) csra.Value {
		t.Helper()
		v, ok := rows[row].Value(column)
		require.True(t, ok)
		return v
	}
	text := func(row int, column uint32) string {
		s, _ := value(row, column).Text()
		return s
	}
	integer := func(row int, column uint32) int32 {
		n, ok := value(row, column).Integer()
		require.True(t, ok, "column %#x", column)
		return n
	}
	raw, _ := value(0, colRawRequest).Binary()
	assert.Equal(t, requests[0].Raw, raw)
	der, _ := value(3, colCertificate).Binary()
	assert.Equal(t, requests[3].Certificate, der)
	sum := sha1.Sum(der)
	assert.Equal(t, hex.EncodeToString(sum[:]), strings.ReplaceAll(text(3, colHash), " ", ""))
	assert.Equal(t, requests[3].Serial, text(3, colSerial))
	assert.Equal(t, [4]int32{21, 9, 31, 20}, [4]int32{
		integer(0, colDisposition), integer(1, colDisposition), integer(2, colDisposition), integer(3, colDisposition),
	})
	assert.Equal(t, `Revoked by CORP\admin`, text(0, colMessage))
	assert.EqualValues(t, 1, integer(0, colReason))
	assert.True(t, value(3, colReason).Null())
	assert.True(t, value(3, colRevoked).Null())
	submitted, _ := value(3, colSubmitted).Date()
	assert.True(t, submitted.Equal(*now))
	assert.True(t, value(1, colCertificate).Null())
	assert.Equal(t, heldOID, text(1, colTemplate), "version 2: by its identifier")
	assert.Equal(t, "WebServer", text(3, colTemplate), "version 1: by its name")
	assert.Equal(t, "device", text(1, colRequestCN))
	assert.Equal(t, "device", text(3, 0x2017))
	assert.Equal(t, "1.2.840.10045.2.1", text(3, 0x200e))
	assert.EqualValues(t, 256, integer(3, 0x200d))
	for _, c := range list {
		assert.Equal(t, c.Type, value(3, c.ID).Type, c.Name)
		assert.LessOrEqual(t, len(value(3, c.ID).Data), int(c.MaxBytes), c.Name)
	}
}

// TestViewOfCRLs reads the other table that can be viewed.
func TestViewOfCRLs(t *testing.T) {
	ca, _ := newViewed(t)
	require.Zero(t, ca.PublishCRLs(time.Time{}, 1))
	require.Zero(t, ca.PublishCRLs(time.Time{}, 1))
	rows := rowsOf(t, ca.NewView().Open(csra.OpenView{
		Columns: []uint32{colCRLNumber, 0x5002, 0x5010, 0x500f, 0x5009}, First: 1, Count: 100,
		Restrictions: []csra.Restriction{csra.Restrict(0x5002, csra.SeekEqual, csra.Integer(0x5002, 0))},
	}))
	require.Len(t, rows, 2, "base CRLs")
	number, _ := rows[1].Values[0].Integer()
	assert.EqualValues(t, 2, number)
	raw, _ := rows[1].Values[2].Binary()
	lists, err := ca.CRLs(false)
	require.NoError(t, err)
	assert.Equal(t, lists[0].Raw, raw)
	publisher, _ := rows[1].Values[3].Text()
	assert.Equal(t, `CORP\admin`, publisher)
	assert.True(t, rows[1].Values[4].Null(), "a base CRL builds on none")
}
