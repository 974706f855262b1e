package csra

import (
	"encoding/binary"
)

// Limits on tables.
const (
	// MaxColumns bounds the columns of a row and of a schema. Windows Server 2022 has some 80 in its request table.
	MaxColumns = 1024

	rowHeader    = 12 // CERTTRANSDBRESULTROW
	columnHeader = 16 // CERTTRANSDBRESULTCOLUMN
)

// Row is a row of a view (MS-CSRA section 2.2.3).
type Row struct {
	ID     uint32 // of the row in its table: for the request table the request id
	Values []Value
}

// Value returns the value in a column; it is false if the row does not have the column.
func (r *Row) Value(column uint32) (Value, bool) {
	for _, v := range r.Values {
		if v.Column == column {
			return v, true
		}
	}
	return Value{}, false
}

// EncodeRows is the content of pctbResultRows (section 2.2.3.1): the rows and, if end is not nil, the extra row that
// says that there are no more, which holds the total count (section 3.1.4.1.13).
func EncodeRows(rows []Row, end *uint32) []byte {
	var b []byte
	for _, r := range rows {
		b = r.append(b)
	}
	if end != nil {
		b = binary.LittleEndian.AppendUint32(b, *end)
		b = binary.LittleEndian.AppendUint32(b, ^*end)
		b = binary.LittleEndian.AppendUint32(b, rowHeader)
	}
	return b
}

func (r *Row) append(b []byte) []byte {
	at := rowHeader + columnHeader*len(r.Values)
	size := at
	for _, v := range r.Values {
		size += padded(len(v.Data))
	}
	b = binary.LittleEndian.AppendUint32(b, r.ID)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Values)))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	for _, v := range r.Values {
		b = binary.LittleEndian.AppendUint32(b, uint32(v.Type))
		b = binary.LittleEndian.AppendUint32(b, v.Column)
		offset := 0
		if len(v.Data) > 0 {
			offset = at
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(offset))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(v.Data)))
		at += padded(len(v.Data))
	}
	for _, v := range r.Values {
		b = append(b, v.Data...)
		b = append(b, make([]byte, padded(len(v.Data))-len(v.Data))...)
	}
	return b
}

// padded rounds a length up to whole DWORDs.
func padded(n int) int { return (n + 3) &^ 3 }

// DecodeRows reads the content of pctbResultRows: as many rows as pceltFetched says. The data of the values lies in b.
// If the extra row follows that ends a view, total is the count that it holds and end is true; what else follows is not
// looked at.
func DecodeRows(b []byte, fetched uint32) (rows []Row, total uint32, end bool, err error) {
	if uint64(fetched)*rowHeader > uint64(len(b)) {
		return nil, 0, false, malformed("%d rows in %d bytes", fetched, len(b))
	}
	rows = make([]Row, 0, fetched)
	for range fetched {
		r, size, err := decodeRow(b)
		if err != nil {
			return nil, 0, false, err
		}
		rows, b = append(rows, r), b[size:]
	}
	if len(b) >= 8 {
		id, count := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if id == ^count {
			return rows, id, true, nil
		}
	}
	return rows, 0, false, nil
}

// decodeRow reads the row at the beginning of b and says how long it is.
func decodeRow(b []byte) (Row, int, error) {
	if len(b) < rowHeader {
		return Row{}, 0, malformed("%d bytes of a row", len(b))
	}
	r := Row{ID: binary.LittleEndian.Uint32(b)}
	columns, size := uint64(binary.LittleEndian.Uint32(b[4:])), uint64(binary.LittleEndian.Uint32(b[8:]))
	data := rowHeader + columnHeader*columns
	if columns > MaxColumns || size > uint64(len(b)) || data > size {
		return Row{}, 0, malformed("a row of %d bytes with %d columns, in %d bytes", size, columns, len(b))
	}
	b = b[:size:size]
	r.Values = make([]Value, 0, columns)
	for at := rowHeader; uint64(at) < data; at += columnHeader {
		v, err := decodeValue(b, at, data)
		if err != nil {
			return Row{}, 0, err
		}
		r.Values = append(r.Values, v)
	}
	return r, int(size), nil
}

// decodeValue reads the CERTTRANSDBRESULTCOLUMN at an offset of a row, whose data begins at another one (section
// 2.2.1.10.1). The offset of a value without data says nothing.
func decodeValue(row []byte, at int, data uint64) (Value, error) {
	v := Value{
		Type:   Type(binary.LittleEndian.Uint32(row[at:])),
		Column: binary.LittleEndian.Uint32(row[at+4:]),
	}
	begin, length := uint64(binary.LittleEndian.Uint32(row[at+8:])), uint64(binary.LittleEndian.Uint32(row[at+12:]))
	if length == 0 {
		return v, nil
	}
	if begin%4 != 0 || begin < data || begin+length > uint64(len(row)) {
		return v, malformed("%d bytes at %d in a row of %d", length, begin, len(row))
	}
	v.Data = row[begin : begin+length : begin+length]
	return v, nil
}
