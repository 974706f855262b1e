package csra

import "github.com/adcskit/adcskit/internal/ndr"

// The tables of a CA (section 3.1.4.2.5).
const (
	TableRequests   uint32 = 0
	TableExtensions uint32 = 0x3000
	TableAttributes uint32 = 0x4000
	TableCRLs       uint32 = 0x5000
)

// FirstRow is the number of the first row of a view; columns, in Range and TableRange, are counted from 0. The
// specification does not say that rows are counted from 1; clients that are used with Windows CAs do it.
const FirstRow = 1

// Range is the request of EnumViewColumn and EnumView (sections 3.1.4.1.9 and 3.1.4.1.13).
type Range struct {
	Authority string
	First     uint32 // column or row to begin with
	Count     uint32 // how many are wanted
}

// Write writes the parameters.
func (m *Range) Write(w *ndr.Writer) {
	writeName(w, m.Authority)
	w.U32(m.First)
	w.U32(m.Count)
}

// Read reads the parameters.
func (m *Range) Read(r *ndr.Reader) { m.Authority, m.First, m.Count = readName(r), r.U32(), r.U32() }

// TableRange is the request of EnumViewColumnTable (section 3.1.4.2.5).
type TableRange struct {
	Authority    string
	Table        uint32
	First, Count uint32 // columns
}

// Write writes the parameters.
func (m *TableRange) Write(w *ndr.Writer) {
	writeName(w, m.Authority)
	w.U32(m.Table)
	w.U32(m.First)
	w.U32(m.Count)
}

// Read reads the parameters.
func (m *TableRange) Read(r *ndr.Reader) {
	m.Authority, m.Table, m.First, m.Count = readName(r), r.U32(), r.U32(), r.U32()
}

// Elements is the request of EnumAttributesOrExtensions (section 3.1.4.1.11).
type Elements struct {
	Authority string
	RequestID uint32
	Kind      uint32 // ElementAttributes or ElementExtensions; a peer may send others
	Last      string // name of the element after which to begin; empty for the first
	Count     uint32
}

// The kinds of elements.
const (
	ElementAttributes uint32 = 0 // of the request
	ElementExtensions uint32 = 1 // of the certificate
)

// Write writes the parameters.
func (m *Elements) Write(w *ndr.Writer) {
	writeName(w, m.Authority)
	w.U32(m.RequestID)
	w.U32(m.Kind)
	writeName(w, m.Last)
	w.U32(m.Count)
}

// Read reads the parameters.
func (m *Elements) Read(r *ndr.Reader) {
	m.Authority, m.RequestID, m.Kind = readName(r), r.U32(), r.U32()
	m.Last, m.Count = readName(r), r.U32()
}

// Seek compares the value of a column with that of a restriction (section 2.2.1.3).
type Seek uint32

// The comparisons.
const (
	SeekEqual          Seek = 1
	SeekLess           Seek = 2
	SeekLessOrEqual    Seek = 4
	SeekGreaterOrEqual Seek = 8
	SeekGreater        Seek = 16
)

// The orders of the rows by the value of a column.
const (
	SortNone       uint32 = 0
	SortAscending  uint32 = 1
	SortDescending uint32 = 2
)

// Restriction leaves only those rows in a view whose value in a column compares so (section 2.2.1.3).
type Restriction struct {
	Column uint32
	Seek   Seek
	Sort   uint32
	Value  []byte // as in a row
}

// Restrict makes a restriction, without a sort order.
func Restrict(column uint32, seek Seek, v Value) Restriction {
	return Restriction{Column: column, Seek: seek, Value: v.Data}
}

// maxRestrictions bounds the restrictions of a view.
const maxRestrictions = 64

// OpenView is the request of OpenView (section 3.1.4.1.12).
type OpenView struct {
	Authority    string
	Restrictions []Restriction // all of them hold
	Columns      []uint32      // of the rows
	First, Count uint32        // rows
}

// Write writes the parameters.
func (m *OpenView) Write(w *ndr.Writer) {
	writeName(w, m.Authority)
	w.U32(uint32(len(m.Restrictions)))
	w.Count(len(m.Restrictions))
	for _, v := range m.Restrictions {
		w.Structure()
		w.U32(v.Column)
		w.U32(uint32(v.Seek))
		w.U32(v.Sort)
		w.Pointer(v.Value != nil)
		w.U32(uint32(len(v.Value)))
		w.Gap(8)
	}
	for _, v := range m.Restrictions {
		if v.Value != nil {
			w.ByteArray(v.Value)
		}
	}
	w.U32(uint32(len(m.Columns)))
	w.Count(len(m.Columns))
	for _, c := range m.Columns {
		w.U32(c)
	}
	w.U32(m.First)
	w.U32(m.Count)
}

// Read reads the parameters. The values of the restrictions lie in the stub.
func (m *OpenView) Read(r *ndr.Reader) {
	m.Authority = readName(r)
	m.Restrictions = readRestrictions(r)
	count := r.U32()
	m.Columns = make([]uint32, r.ElementsAre(count, 4, MaxColumns))
	for i := range m.Columns {
		m.Columns[i] = r.U32()
	}
	m.First, m.Count = r.U32(), r.U32()
}

func readRestrictions(r *ndr.Reader) []Restriction {
	const size = 20 // of a structure, at least
	count := r.U32()
	all := make([]Restriction, r.ElementsAre(count, size, maxRestrictions))
	present, lengths := make([]bool, len(all)), make([]uint32, len(all))
	for i := range all {
		r.Structure()
		all[i].Column, all[i].Seek, all[i].Sort = r.U32(), Seek(r.U32()), r.U32()
		present[i], lengths[i] = r.Pointer(), r.U32()
		r.Gap(8)
		if !present[i] && lengths[i] != 0 {
			r.Fail("%d bytes behind a NULL pointer", lengths[i])
		}
	}
	for i := range all {
		if present[i] {
			all[i].Value = r.ByteArray(lengths[i])
		}
	}
	return all
}
