package dcom

import (
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// RemQueryInterface is the request of IRemUnknown::RemQueryInterface, behind [This] (MS-DCOM section 3.1.1.5.6.1.1).
type RemQueryInterface struct {
	IPID rpc.UUID // of any interface of the object
	Refs uint32   // public references to each new interface
	IIDs []rpc.UUID
}

// Write writes the parameters.
func (m *RemQueryInterface) Write(w *ndr.Writer) {
	w.UUID(m.IPID)
	w.U32(m.Refs)
	w.U16(uint16(len(m.IIDs)))
	writeUUIDs(w, m.IIDs)
}

// Read reads the parameters.
func (m *RemQueryInterface) Read(r *ndr.Reader) {
	m.IPID, m.Refs = r.UUID(), r.U32()
	m.IIDs = readUUIDs(r, uint32(r.U16()), maxInterfaces)
}

// QueriedInterface is a REMQIRESULT (MS-DCOM section 2.2.24).
type QueriedInterface struct {
	Result uint32 // HRESULT
	Ref    StdObjRef
}

// remQIResultSize is the length of a REMQIRESULT: the result, padding, STDOBJREF.
const remQIResultSize = 8 + stdSize

// RemQueriedInterface is the answer of RemQueryInterface, behind [That].
type RemQueriedInterface struct {
	Results []QueriedInterface // nil for NULL
	Return  uint32             // HRESULT
}

// Write writes the results.
func (m *RemQueriedInterface) Write(w *ndr.Writer) {
	w.Pointer(m.Results != nil)
	if m.Results != nil {
		w.Count(len(m.Results))
		for _, e := range m.Results {
			w.Align(8)
			w.U32(e.Result)
			e.Ref.Write(w)
		}
	}
	w.U32(m.Return)
}

// Read reads the results.
func (m *RemQueriedInterface) Read(r *ndr.Reader) {
	if r.Pointer() {
		m.Results = make([]QueriedInterface, r.Elements(remQIResultSize, maxInterfaces))
		for i := range m.Results {
			r.Align(8)
			m.Results[i].Result = r.U32()
			m.Results[i].Ref.Read(r)
		}
	}
	m.Return = r.U32()
}

// InterfaceRef is a REMINTERFACEREF: references to one interface (MS-DCOM section 2.2.23).
type InterfaceRef struct {
	IPID                    rpc.UUID
	PublicRefs, PrivateRefs uint32
}

// RemReferences is the request of IRemUnknown::RemAddRef and RemRelease, behind [This] (MS-DCOM sections 3.1.1.5.6.1.2
// and .3). [Status] answers RemRelease, [RemAddedRef] answers RemAddRef, both behind [That].
type RemReferences struct{ Refs []InterfaceRef }

// Write writes the parameters.
func (m *RemReferences) Write(w *ndr.Writer) {
	w.U16(uint16(len(m.Refs)))
	w.Count(len(m.Refs))
	for _, e := range m.Refs {
		w.UUID(e.IPID)
		w.U32(e.PublicRefs)
		w.U32(e.PrivateRefs)
	}
}

// Read reads the parameters.
func (m *RemReferences) Read(r *ndr.Reader) {
	for range r.ElementsAre(uint32(r.U16()), 24, maxInterfaces) {
		m.Refs = append(m.Refs, InterfaceRef{r.UUID(), r.U32(), r.U32()})
	}
}

// RemAddedRef is the answer of RemAddRef.
type RemAddedRef struct {
	Results []uint32 // HRESULTs
	Return  uint32   // HRESULT
}

// Write writes the results.
func (m *RemAddedRef) Write(w *ndr.Writer) {
	w.Count(len(m.Results))
	for _, v := range m.Results {
		w.U32(v)
	}
	w.U32(m.Return)
}

// Read reads the results.
func (m *RemAddedRef) Read(r *ndr.Reader) {
	for range r.Elements(4, maxInterfaces) {
		m.Results = append(m.Results, r.U32())
	}
	m.Return = r.U32()
}
