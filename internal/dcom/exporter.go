package dcom

import (
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// maxProtseqs bounds the protocol sequences of a request; the specification allows 0x8000.
const maxProtseqs = 256

// ServerAlive2 is the answer of IObjectExporter::ServerAlive2, whose request is empty (MS-DCOM section 3.1.2.5.1.6).
type ServerAlive2 struct {
	Version  Version
	Bindings *Bindings // of the object resolver, without endpoints; nil for NULL
	Status   uint32    // a Win32 code
}

// Write writes the results.
func (m *ServerAlive2) Write(w *ndr.Writer) {
	m.Version.Write(w)
	writeBindingsPointer(w, m.Bindings)
	w.U32(0)
	w.U32(m.Status)
}

// Read reads the results.
func (m *ServerAlive2) Read(r *ndr.Reader) {
	m.Version.Read(r)
	m.Bindings = readBindingsPointer(r)
	r.U32()
	m.Status = r.U32()
}

// Status is the answer of operations that return nothing else: ServerAlive, SimplePing (Win32 codes), RemRelease, Ping
// and Ping2 (HRESULTs).
type Status struct{ Status uint32 }

// Write writes the result.
func (m *Status) Write(w *ndr.Writer) { w.U32(m.Status) }

// Read reads the result.
func (m *Status) Read(r *ndr.Reader) { m.Status = r.U32() }

// ResolveOxid is the request of IObjectExporter::ResolveOxid and ResolveOxid2 (MS-DCOM sections 3.1.2.5.1.1 and .5).
type ResolveOxid struct {
	OXID     uint64
	Protseqs []uint16
}

// Write writes the parameters.
func (m *ResolveOxid) Write(w *ndr.Writer) {
	w.U64(m.OXID)
	w.U16(uint16(len(m.Protseqs)))
	writeProtseqs(w, m.Protseqs)
}

// Read reads the parameters.
func (m *ResolveOxid) Read(r *ndr.Reader) {
	m.OXID = r.U64()
	m.Protseqs = readProtseqs(r, r.U16())
}

func writeProtseqs(w *ndr.Writer, list []uint16) {
	w.Count(len(list))
	for _, p := range list {
		w.U16(p)
	}
}

func readProtseqs(r *ndr.Reader, count uint16) (list []uint16) {
	for range r.ElementsAre(uint32(count), 2, maxProtseqs) {
		list = append(list, r.U16())
	}
	return list
}

// ResolvedOxid is the answer of ResolveOxid and, with Two, of ResolveOxid2.
type ResolvedOxid struct {
	Two        bool // set it before reading
	Bindings   *Bindings
	RemUnknown rpc.UUID // IPID
	AuthnHint  uint32
	Version    Version // with Two
	Status     uint32  // a Win32 code
}

// Write writes the results.
func (m *ResolvedOxid) Write(w *ndr.Writer) {
	writeBindingsPointer(w, m.Bindings)
	w.UUID(m.RemUnknown)
	w.U32(m.AuthnHint)
	if m.Two {
		m.Version.Write(w)
	}
	w.U32(m.Status)
}

// Read reads the results.
func (m *ResolvedOxid) Read(r *ndr.Reader) {
	m.Bindings = readBindingsPointer(r)
	m.RemUnknown, m.AuthnHint = r.UUID(), r.U32()
	if m.Two {
		m.Version.Read(r)
	}
	m.Status = r.U32()
}

// SimplePing is the request of IObjectExporter::SimplePing, which [Status] answers (MS-DCOM section 3.1.2.5.1.2).
type SimplePing struct{ Set uint64 }

// Write writes the parameters.
func (m *SimplePing) Write(w *ndr.Writer) { w.U64(m.Set) }

// Read reads the parameters.
func (m *SimplePing) Read(r *ndr.Reader) { m.Set = r.U64() }

// maxPinged bounds the objects in one ComplexPing; a number of 16 bits counts them.
const maxPinged = 4096

// ComplexPing is the request of IObjectExporter::ComplexPing (MS-DCOM section 3.1.2.5.1.3).
type ComplexPing struct {
	Set         uint64 // 0 for a new one
	Sequence    uint16
	Add, Delete []uint64 // OIDs
}

// Write writes the parameters.
func (m *ComplexPing) Write(w *ndr.Writer) {
	w.U64(m.Set)
	w.U16(m.Sequence)
	w.U16(uint16(len(m.Add)))
	w.U16(uint16(len(m.Delete)))
	for _, list := range [][]uint64{m.Add, m.Delete} {
		w.Pointer(len(list) > 0)
		if len(list) == 0 {
			continue
		}
		w.Count(len(list))
		for _, oid := range list {
			w.U64(oid)
		}
	}
}

// Read reads the parameters.
func (m *ComplexPing) Read(r *ndr.Reader) {
	m.Set, m.Sequence = r.U64(), r.U16()
	counts := [2]uint16{r.U16(), r.U16()}
	for i, list := range []*[]uint64{&m.Add, &m.Delete} {
		if !r.Pointer() {
			if counts[i] != 0 {
				r.Fail("%d objects behind a NULL pointer", counts[i])
			}
			continue
		}
		for range r.ElementsAre(uint32(counts[i]), 8, maxPinged) {
			*list = append(*list, r.U64())
		}
	}
}

// ComplexPinged is the answer of ComplexPing.
type ComplexPinged struct {
	Set     uint64
	Backoff uint16
	Status  uint32 // a Win32 code
}

// Write writes the results.
func (m *ComplexPinged) Write(w *ndr.Writer) {
	w.U64(m.Set)
	w.U16(m.Backoff)
	w.U32(m.Status)
}

// Read reads the results.
func (m *ComplexPinged) Read(r *ndr.Reader) { m.Set, m.Backoff, m.Status = r.U64(), r.U16(), r.U32() }
