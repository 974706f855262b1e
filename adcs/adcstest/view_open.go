package adcstest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf16"

	"github.com/adcskit/adcskit/internal/csra"
)

const (
	maxViews     = 64       // open at once
	maxViewBytes = 16 << 20 // of one answer; a client that gets fewer rows than it wants asks again

	hrOutOfViews uint32 = 0xc800042d // ERROR_OUT_OF_MEMORY of MS-CSRA section 2.2.5
)

// dbView is the set of rows of an open view (MS-CSRA section 3.1.4.1.12), as it was when the view was opened.
type dbView struct {
	rows    []tableRow
	columns []dbColumn
}

// viewCount is how many views are open, of all objects.
type viewCount struct{ atomic.Int32 }

// viewSlot is where an object keeps its view: one at most (MS-CSRA section 3.1.1.6).
type viewSlot struct {
	count *viewCount

	mu   sync.Mutex
	view *dbView
	gone bool // with its object
}

// open makes a view and returns its first rows.
func (v *viewSlot) open(a *authority, s *schema, m *csra.OpenView) csra.Table {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.view != nil || v.gone {
		return csra.Table{Return: hrUnexpected}
	}
	view, ok := s.query(a, m)
	if !ok {
		return csra.Table{Return: hrInvalidArg}
	}
	if v.count.Add(1) > maxViews {
		v.count.Add(-1)
		return csra.Table{Return: hrOutOfViews}
	}
	v.view = view
	return view.page(m.First, m.Count)
}

// enumerate does EnumView (MS-CSRA section 3.1.4.1.13).
func (v *viewSlot) enumerate(first, count uint32) csra.Table {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.view == nil {
		return csra.Table{Return: hrInvalidHandle}
	}
	return v.view.page(first, count)
}

// close ends the view, if there is one.
func (v *viewSlot) close() uint32 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.view == nil {
		return hrInvalidHandle
	}
	v.view = nil
	v.count.Add(-1)
	return 0
}

// drop ends the view for good.
func (v *viewSlot) drop() {
	v.close()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone = true
}

// page returns rows from the first one on, which is number 1. Behind the last row of the set comes the extra one.
func (v *dbView) page(first, count uint32) csra.Table {
	left := v.rows[min(uint64(max(first, 1)-1), uint64(len(v.rows))):]
	var data []byte
	var fetched uint32
	for ; fetched < count && int(fetched) < len(left); fetched++ {
		row, ok := v.row(left[fetched], maxViewBytes-len(data))
		if !ok {
			break
		}
		data = append(data, csra.EncodeRows([]csra.Row{row}, nil)...)
	}
	switch {
	case fetched == count, fetched > 0 && int(fetched) < len(left):
		return csra.Table{Count: fetched, Data: data}
	case len(left) > 0 && fetched == 0:
		return csra.Table{Return: hrOutOfViews} // no answer has room for the row
	}
	total := uint32(len(v.rows))
	return csra.Table{Count: fetched, Data: append(data, csra.EncodeRows(nil, &total)...), Return: csra.EndOfData}
}

// row is a row with the columns of the view. It is false if the values are longer than limit: a view may name a long
// column any number of times.
func (v *dbView) row(r tableRow, limit int) (csra.Row, bool) {
	out := csra.Row{ID: r.rowID(), Values: make([]csra.Value, len(v.columns))}
	for i, c := range v.columns {
		out.Values[i] = c.cell(r.cell(c.id))
		if limit -= len(out.Values[i].Data); limit < 0 {
			return csra.Row{}, false
		}
	}
	return out, true
}

// query finds the rows of a view. It is false for a view that the CA does not open: of an unknown column, of several
// tables, with two orders, or with a value that is not of its column's type.
func (s *schema) query(a *authority, m *csra.OpenView) (*dbView, bool) {
	v := &dbView{}
	table, ok := s.tableOf(m)
	if !ok {
		return nil, false
	}
	for _, id := range m.Columns {
		v.columns = append(v.columns, s.byID[id])
	}
	order, sorted := csra.Restriction{}, 0
	var conditions []condition
	for _, r := range m.Restrictions {
		c, ok := newCondition(s.byID[r.Column], r)
		if !ok || r.Sort > csra.SortDescending {
			return nil, false
		}
		conditions = append(conditions, c)
		if r.Sort != csra.SortNone {
			order, sorted = r, sorted+1
		}
	}
	if sorted > 1 {
		return nil, false
	}
	for _, r := range a.tableRows(table) {
		if !slices.ContainsFunc(conditions, func(c condition) bool { return !c.holds(r) }) {
			v.rows = append(v.rows, r)
		}
	}
	if sorted > 0 {
		sortRows(v.rows, s.byID[order.Column], order.Sort == csra.SortDescending)
	}
	return v, true
}

// tableOf is the table that all columns of a view belong to, which must be that of requests or of CRLs. Without columns
// it is that of requests.
func (s *schema) tableOf(m *csra.OpenView) (uint32, bool) {
	ids := slices.Clone(m.Columns)
	for _, r := range m.Restrictions {
		ids = append(ids, r.Column)
	}
	tables := map[uint32]bool{}
	for _, id := range ids {
		if _, ok := s.byID[id]; !ok {
			return 0, false
		}
		switch id &^ 0xfff {
		case 0x1000, 0x2000:
			tables[csra.TableRequests] = true
		case csra.TableCRLs:
			tables[csra.TableCRLs] = true
		default:
			return 0, false
		}
	}
	if tables[csra.TableCRLs] {
		return csra.TableCRLs, len(tables) == 1
	}
	return csra.TableRequests, true
}

// tableRows is a copy of every row of a table, in the order of its primary index.
func (a *authority) tableRows(table uint32) []tableRow {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []tableRow
	if table == csra.TableCRLs {
		for _, r := range a.crls.rows {
			list = append(list, crlTableRow{r})
		}
		return list
	}
	for _, r := range a.rows {
		v := &requestRow{row: *r}
		if t := a.templates.byName[strings.ToLower(r.template)]; t != nil {
			v.templateOID = t.OID
		}
		list = append(list, v)
	}
	return list
}

// condition is a restriction that is known to be well-formed.
type condition struct {
	column dbColumn
	seek   csra.Seek
	value  csra.Value
}

// newCondition checks a restriction: its comparison, and that the value is of the column's type.
func newCondition(column dbColumn, r csra.Restriction) (condition, bool) {
	c := condition{column, r.Seek, csra.Value{Column: column.id, Type: column.typ, Data: r.Value}}
	switch r.Seek {
	case csra.SeekEqual, csra.SeekLess, csra.SeekLessOrEqual, csra.SeekGreaterOrEqual, csra.SeekGreater:
	default:
		return c, false
	}
	switch column.typ.Kind() {
	case csra.TypeInteger:
		return c, len(r.Value) == 4
	case csra.TypeDate:
		return c, len(r.Value) == 8
	case csra.TypeBinary:
		return c, r.Seek == csra.SeekEqual && len(r.Value) > 0
	}
	return c, isText(r.Value)
}

// isText says whether bytes are UTF-16 with a NUL at the end and nowhere else.
func isText(b []byte) bool {
	if len(b) < 2 || len(b)%2 != 0 {
		return false
	}
	for i := 0; i < len(b); i += 2 {
		if (b[i] == 0 && b[i+1] == 0) != (i == len(b)-2) {
			return false
		}
	}
	return true
}

// holds says whether a row is in the view. NULL compares with nothing.
func (c *condition) holds(r tableRow) bool {
	have := c.column.cell(r.cell(c.column.id))
	if have.Null() {
		return false
	}
	order := compareValues(have, c.value)
	switch c.seek {
	case csra.SeekLess:
		return order < 0
	case csra.SeekLessOrEqual:
		return order <= 0
	case csra.SeekGreaterOrEqual:
		return order >= 0
	case csra.SeekGreater:
		return order > 0
	}
	return order == 0
}

// compareValues orders two values of a column. Text is compared without regard to case, as the database of Windows
// does.
func compareValues(x, y csra.Value) int {
	switch x.Type.Kind() {
	case csra.TypeInteger:
		return cmp.Compare(int32(binary.LittleEndian.Uint32(x.Data)), int32(binary.LittleEndian.Uint32(y.Data)))
	case csra.TypeDate:
		return cmp.Compare(binary.LittleEndian.Uint64(x.Data), binary.LittleEndian.Uint64(y.Data))
	case csra.TypeBinary:
		return bytes.Compare(x.Data, y.Data)
	}
	return slices.Compare(folded(x.Data), folded(y.Data))
}

func folded(b []byte) []uint16 { return utf16.Encode([]rune(strings.ToLower(csra.DecodeText(b)))) }

// sortRows orders rows by a column, NULL first, and rows that are the same in it as they were.
func sortRows(rows []tableRow, column dbColumn, descending bool) {
	cells := map[tableRow]csra.Value{}
	for _, r := range rows {
		cells[r] = column.cell(r.cell(column.id))
	}
	slices.SortStableFunc(rows, func(x, y tableRow) int {
		order := 0
		switch vx, vy := cells[x], cells[y]; {
		case vx.Null() || vy.Null():
			order = cmp.Compare(len(vx.Data), len(vy.Data))
		default:
			order = compareValues(vx, vy)
		}
		if descending {
			return -order
		}
		return order
	})
}
