package dcom

import (
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// Version is a COMVERSION (MS-DCOM section 2.2.11).
type Version struct{ Major, Minor uint16 }

// CurrentVersion is the newest version: 5.7.
func CurrentVersion() Version { return Version{5, 7} }

// Negotiate is the version that a client and a server of versions v and w speak: the older one. Ok is false if they
// speak none (MS-DCOM section 1.7).
func (v Version) Negotiate(w Version) (Version, bool) {
	return Version{v.Major, min(v.Minor, w.Minor)}, v.Major == w.Major
}

// Write writes the version.
func (v *Version) Write(w *ndr.Writer) {
	w.U16(v.Major)
	w.U16(v.Minor)
}

// Read reads the version.
func (v *Version) Read(r *ndr.Reader) { v.Major, v.Minor = r.U16(), r.U16() }

// Extent is an ORPC_EXTENT (MS-DCOM section 2.2.13.1), which receivers pass over unless they know its identifier.
type Extent struct {
	ID   rpc.UUID
	Data []byte
}

const (
	maxExtents = 64       // in one message; Windows sends one or two
	maxExtent  = 64 << 10 // bytes of one
)

// This is ORPCTHIS, with which the stub of every call on an object begins (MS-DCOM section 2.2.13.3).
type This struct {
	Version    Version
	Flags      uint32 // 0
	CID        rpc.UUID
	Extensions []Extent
}

// Write writes what the stub begins with.
func (m *This) Write(w *ndr.Writer) {
	m.Version.Write(w)
	w.U32(m.Flags)
	w.U32(0)
	w.UUID(m.CID)
	writeExtents(w, m.Extensions)
}

// Read reads what a stub begins with. The rest begins at a multiple of 8 bytes then.
func (m *This) Read(r *ndr.Reader) {
	m.Version.Read(r)
	m.Flags = r.U32()
	r.U32()
	m.CID = r.UUID()
	m.Extensions = readExtents(r)
}

// That is ORPCTHAT, with which the stub of every answer of an object begins (MS-DCOM section 2.2.13.4).
type That struct {
	Flags      uint32 // without a meaning
	Extensions []Extent
}

// Write writes what the stub begins with.
func (m *That) Write(w *ndr.Writer) {
	w.U32(m.Flags)
	writeExtents(w, m.Extensions)
}

// Read reads what a stub begins with. The rest begins at a multiple of 8 bytes then.
func (m *That) Read(r *ndr.Reader) {
	m.Flags = r.U32()
	m.Extensions = readExtents(r)
}

// writeExtents writes a unique pointer to an ORPC_EXTENT_ARRAY and what it points to. Arrays are rounded up, so that
// what follows is at a multiple of 8.
func writeExtents(w *ndr.Writer, extents []Extent) {
	w.Pointer(len(extents) > 0)
	if len(extents) == 0 {
		return
	}
	w.U32(uint32(len(extents)))
	w.U32(0)
	w.Pointer(true)
	rounded := (len(extents) + 1) &^ 1
	w.Count(rounded)
	for i := range rounded {
		w.Pointer(i < len(extents))
	}
	for _, e := range extents {
		size := (len(e.Data) + 7) &^ 7
		w.Count(size)
		w.UUID(e.ID)
		w.U32(uint32(len(e.Data)))
		w.Bytes(e.Data)
		w.Bytes(make([]byte, size-len(e.Data)))
	}
}

// readExtents reads a unique pointer to an ORPC_EXTENT_ARRAY and what it points to.
func readExtents(r *ndr.Reader) []Extent {
	if !r.Pointer() {
		return nil
	}
	size := r.U32()
	r.U32()
	if size > maxExtents {
		r.Fail("%d extensions", size)
		return nil
	}
	if !r.Pointer() {
		if size != 0 {
			r.Fail("%d extensions behind a NULL pointer", size)
		}
		return nil
	}
	present := 0
	for range r.ElementsAre((size+1)&^1, 4, maxExtents) {
		if r.Pointer() {
			present++
		}
	}
	if present != int(size) {
		r.Fail("%d extensions where %d were announced", present, size)
		return nil
	}
	list := make([]Extent, 0, present)
	for range present {
		list = append(list, readExtent(r))
	}
	return list
}

func readExtent(r *ndr.Reader) Extent {
	count := r.Count()
	e := Extent{ID: r.UUID()}
	size := r.U32()
	if size > maxExtent || count != uint64(size+7)&^7 {
		r.Fail("an extension of %d bytes in an array of %d", size, count)
		return e
	}
	e.Data = r.Bytes(count)
	if r.Err() == nil {
		e.Data = e.Data[:size]
	}
	return e
}
