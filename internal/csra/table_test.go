package csra_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	gencsra "github.com/oiweiwei/go-msrpc/msrpc/dcom/csra"
	"github.com/oiweiwei/go-msrpc/msrpc/dtyp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/rpc"
)

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 123_456_700, time.UTC) }

// second leaves out the fraction, which go-msrpc v1.5.2 decodes wrong.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func sampleRows() []csra.Row {
	return []csra.Row{
		{ID: 7, Values: []csra.Value{
			csra.Integer(0x1000, 7), csra.Binary(0x1001, []byte{1, 2, 3, 4, 5}), csra.Date(0x100b, noon()),
			csra.String(0x1010, `CORP\bücher`), csra.String(0x2006, ""), csra.Integer(0x1008, math.MinInt32),
		}},
		{ID: 8, Values: []csra.Value{csra.Integer(0x1000, 8)}},
	}
}

func TestRows(t *testing.T) {
	for name, end := range map[string]*uint32{"more to come": nil, "the end": new(uint32)} {
		t.Run(name, func(t *testing.T) {
			if end != nil {
				*end = 2
			}
			b := csra.EncodeRows(sampleRows(), end)
			rows, total, ended, err := csra.DecodeRows(b, 2)
			require.NoError(t, err)
			assert.Equal(t, end != nil, ended)
			if end != nil {
				assert.Equal(t, *end, total)
			}
			assert.Equal(t, sampleRows()[1], rows[1])
			for i, want := range sampleRows()[0].Values {
				assert.Equal(t, want.Type, rows[0].Values[i].Type)
				assert.Equal(t, string(want.Data), string(rows[0].Values[i].Data))
			}
			checkGenerated(t, b, end == nil)
		})
	}
}

// checkGenerated reads the sample rows with go-msrpc's decoder.
func checkGenerated(t *testing.T, b []byte, more bool) {
	t.Helper()
	rows, theirMore, err := (&gencsra.CertTransportBlob{Buffer: b}).Rows()
	require.NoError(t, err)
	assert.Equal(t, more, theirMore)
	require.Len(t, rows, 2)
	assert.Equal(t, uint32(7), rows[0].ID)
	want := []any{int32(7), []byte{1, 2, 3, 4, 5}, second(noon()), `CORP\bücher`, nil, int32(math.MinInt32)}
	for i, c := range rows[0].Columns {
		got, err := c.Value()
		require.NoError(t, err)
		if date, ok := got.(time.Time); ok {
			got = second(date)
		}
		assert.Equal(t, want[i], got)
	}
}

func TestValues(t *testing.T) {
	row := sampleRows()[0]
	value := func(id uint32) csra.Value {
		v, ok := row.Value(id)
		require.True(t, ok)
		return v
	}
	_, ok := row.Value(0x9999)
	assert.False(t, ok)
	number, ok := value(0x1008).Integer()
	assert.True(t, ok)
	assert.Equal(t, int32(math.MinInt32), number)
	date, ok := value(0x100b).Date()
	assert.True(t, ok)
	assert.Equal(t, noon(), date)
	text, ok := value(0x1010).Text()
	assert.True(t, ok)
	assert.Equal(t, `CORP\bücher`, text)
	raw, ok := value(0x1001).Binary()
	assert.True(t, ok)
	assert.Equal(t, []byte{1, 2, 3, 4, 5}, raw)
	assert.True(t, value(0x2006).Null())

	for name, v := range map[string]csra.Value{
		"null": {Type: csra.TypeString}, "another type": {Type: 9, Data: []byte{1, 2, 3, 4}},
		"odd":          {Type: csra.TypeString, Data: []byte{65}},
		"short number": {Type: csra.TypeInteger, Data: []byte{1}},
		"short date":   {Type: csra.TypeDate, Data: []byte{1, 2, 3, 4}},
	} {
		_, text := v.Text()
		_, number := v.Integer()
		_, date := v.Date()
		_, raw := v.Binary()
		assert.False(t, text || number || date || raw, name)
	}
	indexed := csra.Value{Type: csra.TypeInteger | csra.Indexed, Data: []byte{1, 0, 0, 0}}
	number, ok = indexed.Integer()
	assert.True(t, ok, "the flag says nothing about the value")
	assert.Equal(t, int32(1), number)
}

func TestFileTime(t *testing.T) {
	for _, when := range []time.Time{noon(), time.Unix(0, 0).UTC(), time.Date(1601, 1, 1, 0, 0, 1, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		f := csra.FileTime(when)
		assert.Equal(t, when, csra.Time(f))
		theirs := &dtyp.Filetime{LowDateTime: uint32(f), HighDateTime: uint32(f >> 32)}
		if when.Year() > 1700 && when.Year() < 2200 { // theirs counts in nanoseconds
			assert.Equal(t, second(when), second(theirs.AsTime()))
		}
	}
	assert.Zero(t, csra.FileTime(time.Time{}))
	assert.Zero(t, csra.FileTime(time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC)))
	assert.True(t, csra.Time(0).IsZero())
	assert.True(t, csra.Time(math.MaxUint64).IsZero())
}

func TestColumns(t *testing.T) {
	columns := []csra.Column{
		{Type: csra.TypeInteger | csra.Indexed, ID: 0x1000, MaxBytes: 4, Name: "Request.RequestID",
			DisplayName: "Vorgangsnummer ß"},
		{Type: csra.TypeBinary, ID: 0x1001, MaxBytes: 65536, Name: "Request.RawRequest"},
	}
	b := csra.EncodeColumns(columns)
	ours, err := csra.DecodeColumns(b, 2)
	require.NoError(t, err)
	assert.Equal(t, columns, ours)
	theirs, err := (&gencsra.CertTransportBlob{Buffer: b}).Columns(2)
	require.NoError(t, err)
	for i, c := range columns {
		assert.Equal(t, []any{c.ID, c.MaxBytes, c.Name, c.DisplayName, uint32(c.Type.Kind()), uint32(c.Type >> 16)},
			[]any{theirs[i].Index, theirs[i].MaxLength, theirs[i].Name, theirs[i].DisplayName, uint32(theirs[i].Type),
				uint32(theirs[i].Flags)})
	}
}

func TestAttributesAndExtensions(t *testing.T) {
	attributes := []csra.Attribute{{Name: "CertificateTemplate", Value: "Gerät"}, {Name: "ccm", Value: ""}}
	got, err := csra.DecodeAttributes(csra.EncodeAttributes(attributes), 2)
	require.NoError(t, err)
	assert.Equal(t, attributes, got)

	extensions := []csra.Extension{{Name: "2.5.29.15", Flags: 1, Value: []byte{3, 2, 5, 160}},
		{Name: "1.2.3", Value: nil}}
	decoded, err := csra.DecodeExtensions(csra.EncodeExtensions(extensions), 2)
	require.NoError(t, err)
	assert.Equal(t, extensions, decoded)
}

// set is a copy of b in which a DWORD was changed.
func set(b []byte, at int, v uint32) []byte {
	b = append([]byte(nil), b...)
	binary.LittleEndian.PutUint32(b[at:], v)
	return b
}

func TestHostileTables(t *testing.T) {
	rows := csra.EncodeRows(sampleRows(), nil)
	columns := csra.EncodeColumns([]csra.Column{{Name: "a", DisplayName: "b"}})
	attributes := csra.EncodeAttributes([]csra.Attribute{{Name: "a", Value: "b"}})
	extensions := csra.EncodeExtensions([]csra.Extension{{Name: "1.2", Value: []byte{1, 2, 3, 4}}})
	type decode func([]byte, uint32) error
	decodeRows := func(b []byte, n uint32) error { _, _, _, err := csra.DecodeRows(b, n); return err }
	decodeColumns := func(b []byte, n uint32) error { _, err := csra.DecodeColumns(b, n); return err }
	decodeAttributes := func(b []byte, n uint32) error { _, err := csra.DecodeAttributes(b, n); return err }
	decodeExtensions := func(b []byte, n uint32) error { _, err := csra.DecodeExtensions(b, n); return err }
	const first = 12 // of the columns of a row
	for name, test := range map[string]struct {
		decode decode
		b      []byte
		count  uint32
	}{
		"rows, none there":          {decodeRows, nil, 1},
		"rows, one too many":        {decodeRows, rows, 3},
		"rows, four billion":        {decodeRows, rows, math.MaxUint32},
		"rows, cut off":             {decodeRows, rows[:40], 1},
		"rows, columns":             {decodeRows, set(rows, 4, math.MaxUint32), 1},
		"rows, more columns":        {decodeRows, set(rows, 4, 20), 1},
		"rows, size 0":              {decodeRows, set(rows, 8, 0), 1},
		"rows, size":                {decodeRows, set(rows, 8, math.MaxUint32), 1},
		"rows, size of a header":    {decodeRows, set(rows, 8, 12), 1},
		"rows, offset not aligned":  {decodeRows, set(rows, first+8, 109), 1},
		"rows, offset in columns":   {decodeRows, set(rows, first+8, 12), 1},
		"rows, offset behind":       {decodeRows, set(rows, first+8, 1<<20), 1},
		"rows, offset that wraps":   {decodeRows, set(rows, first+8, math.MaxUint32-3), 1},
		"rows, length":              {decodeRows, set(rows, first+12, math.MaxUint32), 1},
		"columns, none there":       {decodeColumns, nil, 1},
		"columns, many":             {decodeColumns, columns, math.MaxUint32},
		"columns, name in structs":  {decodeColumns, set(columns, 12, 0), 1},
		"columns, name behind":      {decodeColumns, set(columns, 12, 1<<20), 1},
		"columns, name not aligned": {decodeColumns, set(columns, 12, 21), 1},
		"columns, no end":           {decodeColumns, columns[:len(columns)-2], 1},
		"columns, display name":     {decodeColumns, set(columns, 16, math.MaxUint32-3), 1},
		"attributes, many":          {decodeAttributes, attributes, 2},
		"attributes, value":         {decodeAttributes, set(attributes, 4, 4), 1},
		"extensions, many":          {decodeExtensions, extensions, math.MaxUint32},
		"extensions, name":          {decodeExtensions, set(extensions, 0, 1), 1},
		"extensions, value":         {decodeExtensions, set(extensions, 12, 0), 1},
		"extensions, length":        {decodeExtensions, set(extensions, 8, math.MaxUint32), 1},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, test.decode(test.b, test.count), rpc.ErrMalformed) })
	}
	require.NoError(t, decodeRows(rows, 2))
	require.NoError(t, decodeColumns(columns, 1))
	require.NoError(t, decodeAttributes(attributes, 1))
	require.NoError(t, decodeExtensions(extensions, 1))
}

// TestSharedText bounds what many offsets to one long text cost.
func TestSharedText(t *testing.T) {
	const count = 4096
	b := make([]byte, 8*count)
	for i := range count {
		binary.LittleEndian.PutUint32(b[8*i:], uint32(len(b)))
		binary.LittleEndian.PutUint32(b[8*i+4:], uint32(len(b)))
	}
	b = append(b, csra.Text(strings.Repeat("a", 8000))...)
	_, err := csra.DecodeAttributes(b, count)
	require.ErrorIs(t, err, rpc.ErrMalformed)
}
