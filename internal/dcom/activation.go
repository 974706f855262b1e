package dcom

import (
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// maxInterfaces bounds the interfaces that are asked for at once; the specification allows 0x8000.
const maxInterfaces = 64

// RemoteActivation is the request of IActivation::RemoteActivation (MS-DCOM section 3.1.2.5.2.3.1).
type RemoteActivation struct {
	This     This
	Class    rpc.UUID
	Name     string // of a persistent object; empty for none
	Storage  []byte // OBJREF of a persistent object; nil for none
	ImpLevel uint32 // without a meaning to servers
	Mode     uint32 // 0 for an object, 0xffffffff for its class factory
	IIDs     []rpc.UUID
	Protseqs []uint16
}

// Write writes the parameters.
func (m *RemoteActivation) Write(w *ndr.Writer) {
	m.This.Write(w)
	w.UUID(m.Class)
	writeText(w, m.Name)
	w.Pointer(m.Storage != nil)
	if m.Storage != nil {
		writeInterfacePointer(w, m.Storage)
	}
	w.U32(m.ImpLevel)
	w.U32(m.Mode)
	w.U32(uint32(len(m.IIDs)))
	w.Pointer(len(m.IIDs) > 0)
	if len(m.IIDs) > 0 {
		writeUUIDs(w, m.IIDs)
	}
	w.U16(uint16(len(m.Protseqs)))
	writeProtseqs(w, m.Protseqs)
}

// Read reads the parameters.
func (m *RemoteActivation) Read(r *ndr.Reader) {
	m.This.Read(r)
	m.Class = r.UUID()
	m.Name, _ = r.StringPointer()
	if r.Pointer() {
		m.Storage = readInterfacePointer(r)
	}
	m.ImpLevel, m.Mode = r.U32(), r.U32()
	count := r.U32()
	if !r.Pointer() || count == 0 {
		r.Fail("an activation without interfaces")
		return
	}
	m.IIDs = readUUIDs(r, count, maxInterfaces)
	m.Protseqs = readProtseqs(r, r.U16())
}

// writeText writes a unique pointer to a string, NULL if it is empty.
func writeText(w *ndr.Writer, s string) {
	if s == "" {
		w.Pointer(false)
		return
	}
	w.StringPointer(s)
}

func writeUUIDs(w *ndr.Writer, list []rpc.UUID) {
	w.Count(len(list))
	for _, u := range list {
		w.UUID(u)
	}
}

func readUUIDs(r *ndr.Reader, count uint32, limit int) (list []rpc.UUID) {
	for range r.ElementsAre(count, 16, limit) {
		list = append(list, r.UUID())
	}
	return list
}

// Activated is what an activation made: an object, its interfaces, and where it is.
type Activated struct {
	OXID       uint64
	Bindings   *Bindings // of the object exporter, with endpoints; nil for NULL
	RemUnknown rpc.UUID  // IPID of the object that counts references
	AuthnHint  uint32    // the least authentication level
	Version    Version
	Interfaces []Interfaced // one for each that was asked for, in the same order
}

// Interfaced is one interface of an object: a reference, or an HRESULT that says why there is none.
type Interfaced struct {
	Result uint32
	Ref    *ObjRef // nil for NULL
}

// RemoteActivated is the answer of RemoteActivation.
type RemoteActivated struct {
	That      That
	Activated        // of which nothing is valid unless Result is 0
	Result    uint32 // HRESULT of the activation
	Status    uint32 // error_status_t, a Win32 code or an HRESULT
}

// Write writes the results.
func (m *RemoteActivated) Write(w *ndr.Writer) {
	m.That.Write(w)
	w.U64(m.OXID)
	writeBindingsPointer(w, m.Bindings)
	w.UUID(m.RemUnknown)
	w.U32(m.AuthnHint)
	m.Version.Write(w)
	w.U32(m.Result)
	writeReferences(w, m.Interfaces)
	writeResults(w, m.Interfaces)
	w.U32(m.Status)
}

// Read reads the results.
func (m *RemoteActivated) Read(r *ndr.Reader) {
	m.That.Read(r)
	m.OXID, m.Bindings = r.U64(), readBindingsPointer(r)
	m.RemUnknown, m.AuthnHint = r.UUID(), r.U32()
	m.Version.Read(r)
	m.Result = r.U32()
	m.Interfaces = readReferences(r, r.Elements(4, maxInterfaces))
	readResults(r, m.Interfaces)
	m.Status = r.U32()
}

// writeReferences writes an array of unique pointers to MInterfacePointers, and what they point to.
func writeReferences(w *ndr.Writer, list []Interfaced) {
	w.Count(len(list))
	for _, e := range list {
		w.Pointer(e.Ref != nil)
	}
	for _, e := range list {
		if e.Ref != nil {
			writeInterfacePointer(w, e.Ref.Append(nil))
		}
	}
}

// readReferences reads an array of unique pointers of which the count was read, and what they point to.
func readReferences(r *ndr.Reader, count int) []Interfaced {
	present := make([]bool, count)
	for i := range present {
		present[i] = r.Pointer()
	}
	list := make([]Interfaced, count)
	for i, ok := range present {
		if !ok || r.Err() != nil {
			continue
		}
		raw := readInterfacePointer(r)
		if r.Err() != nil {
			return nil
		}
		var err error
		if list[i].Ref, err = ParseObjRef(raw); err != nil {
			r.Fail("%v", err)
			return nil
		}
	}
	return list
}

func writeResults(w *ndr.Writer, list []Interfaced) {
	w.Count(len(list))
	for _, e := range list {
		w.U32(e.Result)
	}
}

// readResults reads an array of HRESULTs to a list that has been read.
func readResults(r *ndr.Reader, list []Interfaced) {
	for i := range r.ElementsAre(uint32(len(list)), 4, maxInterfaces) {
		list[i].Result = r.U32()
	}
}
