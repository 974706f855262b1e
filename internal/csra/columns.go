package csra

import (
	"encoding/binary"
)

// Column describes a column of a table (MS-CSRA section 2.2.1.7).
type Column struct {
	Type        Type
	ID          uint32 // its identifier, by which views name it
	MaxBytes    uint32 // the longest value
	Name        string // such as "Request.RequestID"
	DisplayName string // in the language of the CA
}

// columnSize is the length of CERTTRANSDBCOLUMN.
const columnSize = 20

// maxColumnName bounds a name of a column, in UTF-16 code units. Windows' longest have some 40.
const maxColumnName = 512

// EncodeColumns is the content of pctbColumnInfo (section 2.2.1.7.1).
func EncodeColumns(columns []Column) []byte {
	t := newTable(columnSize * len(columns))
	for _, c := range columns {
		t.number(uint32(c.Type))
		t.number(c.ID)
		t.number(c.MaxBytes)
		t.text(c.Name)
		t.text(c.DisplayName)
	}
	return t.bytes()
}

// DecodeColumns reads the content of pctbColumnInfo: as many columns as pcColumn says.
func DecodeColumns(b []byte, count uint32) ([]Column, error) {
	if count > MaxColumns || uint64(count)*columnSize > uint64(len(b)) {
		return nil, malformed("%d columns in %d bytes", count, len(b))
	}
	columns := make([]Column, 0, count)
	for i := range count {
		at := b[i*columnSize:]
		c := Column{
			Type: Type(binary.LittleEndian.Uint32(at)), ID: binary.LittleEndian.Uint32(at[4:]),
			MaxBytes: binary.LittleEndian.Uint32(at[8:]),
		}
		var err error
		if c.Name, err = textAt(b, binary.LittleEndian.Uint32(at[12:]), count*columnSize, maxColumnName); err != nil {
			return nil, err
		}
		if c.DisplayName, err = textAt(b, binary.LittleEndian.Uint32(at[16:]), count*columnSize,
			maxColumnName); err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// table writes fixed structures, and behind them what their offsets point to.
type table struct {
	fixed, data []byte
	size        int // of the fixed part when it is complete
}

func newTable(size int) *table { return &table{size: size} }

func (t *table) number(v uint32) { t.fixed = binary.LittleEndian.AppendUint32(t.fixed, v) }

// bytesAt writes the offset of data, and the data, on a multiple of 4.
func (t *table) bytesAt(b []byte) {
	t.number(uint32(t.size + len(t.data)))
	t.data = append(t.data, b...)
	t.data = append(t.data, make([]byte, padded(len(b))-len(b))...)
}

func (t *table) text(s string) { t.bytesAt(Text(s)) }

func (t *table) bytes() []byte { return append(t.fixed, t.data...) }

// textAt reads the string at an offset of a table: on a multiple of 4, behind the fixed part, ended by a NUL, and at
// most so many code units long. Many offsets may point to one string, so it is this bound that limits what they cost.
func textAt(b []byte, offset, fixed uint32, longest int) (string, error) {
	if offset%4 != 0 || offset < fixed || uint64(offset) > uint64(len(b)) {
		return "", malformed("a string at %d of %d bytes", offset, len(b))
	}
	b = b[offset:]
	b = b[:min(len(b), 2*(longest+1))]
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			return DecodeText(b[:i]), nil
		}
	}
	return "", malformed("a string at %d has no end within %d characters", offset, longest)
}
