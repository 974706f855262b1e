package adcstest

import (
	"slices"

	"github.com/adcskit/adcskit/internal/csra"
)

// schema is the database of a CA: its tables and columns. It is not written to once made.
type schema struct {
	tables map[uint32][]dbColumn // by the number of the table
	byID   map[uint32]dbColumn
}

func newSchema() *schema {
	s := &schema{byID: map[uint32]dbColumn{}, tables: map[uint32][]dbColumn{
		csra.TableRequests:   slices.Concat(requestColumns(), certificateColumns()),
		csra.TableExtensions: extensionColumns(),
		csra.TableAttributes: attributeColumns(),
		csra.TableCRLs:       crlColumns(),
	}}
	for _, columns := range s.tables {
		for _, c := range columns {
			s.byID[c.id] = c
		}
	}
	return s
}

// columns does EnumViewColumnTable (MS-CSRA section 3.1.4.2.5).
func (s *schema) columns(table, first, count uint32) csra.Table {
	list, ok := s.tables[table]
	switch {
	case !ok, count == 0:
		return csra.Table{Return: hrInvalidArg}
	case uint64(first) >= uint64(len(list)):
		return csra.Table{Return: csra.EndOfData} // which section 2.2.5 calls ERROR_ARITHMETIC_OVERFLOW
	}
	list = list[first:]
	list = list[:min(uint64(count), uint64(len(list)))]
	columns := make([]csra.Column, len(list))
	for i, c := range list {
		columns[i] = csra.Column{Type: c.typ, ID: c.id, MaxBytes: c.max, Name: c.name, DisplayName: c.text}
	}
	return csra.Table{Count: uint32(len(columns)), Data: csra.EncodeColumns(columns)}
}

// defaultColumns does GetViewDefaultColumnSet (MS-CSRA section 3.1.4.1.10, notes 49 to 55). The set of all bits is that
// of pending requests, and so on downwards.
func defaultColumns(set uint32) ([]uint32, bool) {
	pending := []uint32{
		0x1000, 0x1010, 0x100b, 0x1008, 0x100a, 0x2003, 0x101a, 0x1022, 0x1019, 0x1018, 0x101b, 0x101c, 0x1017, 0x1001,
	}
	// Note 50 has the numbers that these columns had before there was one for flags of private keys, and so has note 55.
	issued := []uint32{
		0x1000, 0x1010, 0x2007, 0x2009, 0x200a, 0x2003, 0x2017, 0x201f, 0x2016, 0x2015, 0x2018, 0x2019, 0x2014, 0x2001,
	}
	switch ^set {
	case 0, 2:
		return pending, true
	case 1:
		return issued, true
	case 3:
		return idsOf(extensionColumns()), true
	case 4:
		return idsOf(attributeColumns()), true
	case 5:
		return idsOf(crlColumns()), true
	case 6:
		return append(issued, 0x100d, 0x100e, 0x100f), true
	}
	return nil, false
}

func idsOf(columns []dbColumn) []uint32 {
	ids := make([]uint32, len(columns))
	for i, c := range columns {
		ids[i] = c.id
	}
	return ids
}

// cell makes a value of a column. What is nil, empty or zero is NULL, but numbers are not.
func (c dbColumn) cell(v any) csra.Value {
	out := csra.Value{Column: c.id}
	switch v := v.(type) {
	case int:
		out = csra.Integer(c.id, int32(v))
	case uint32:
		out = csra.Integer(c.id, int32(v))
	case string:
		out = csra.String(c.id, v)
	case []byte:
		out = csra.Binary(c.id, v)
	case timeValue:
		out = csra.Date(c.id, v.Time)
	}
	out.Type = c.typ
	return out
}
