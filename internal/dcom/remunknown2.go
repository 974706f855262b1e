package dcom

import (
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// OpRemQueryInterface2 is the operation of IRemUnknown2 (MS-DCOM section 3.1.1.5.7).
const OpRemQueryInterface2 = 6

// RemQueryInterface2 is the request of IRemUnknown2::RemQueryInterface2, behind [This] (MS-DCOM section 3.1.1.5.7.1.1).
type RemQueryInterface2 struct {
	IPID rpc.UUID // of any interface of the object
	IIDs []rpc.UUID
}

// Write writes the parameters.
func (m *RemQueryInterface2) Write(w *ndr.Writer) {
	w.UUID(m.IPID)
	w.U16(uint16(len(m.IIDs)))
	writeUUIDs(w, m.IIDs)
}

// Read reads the parameters.
func (m *RemQueryInterface2) Read(r *ndr.Reader) {
	m.IPID = r.UUID()
	m.IIDs = readUUIDs(r, uint32(r.U16()), maxInterfaces)
}

// RemQueriedInterface2 is the answer of RemQueryInterface2, behind [That].
type RemQueriedInterface2 struct {
	Interfaces []Interfaced
	Return     uint32 // HRESULT
}

// Write writes the results.
func (m *RemQueriedInterface2) Write(w *ndr.Writer) {
	writeResults(w, m.Interfaces)
	writeReferences(w, m.Interfaces)
	w.U32(m.Return)
}

// Read reads the results.
func (m *RemQueriedInterface2) Read(r *ndr.Reader) {
	results := make([]uint32, r.Elements(4, maxInterfaces))
	for i := range results {
		results[i] = r.U32()
	}
	m.Interfaces = readReferences(r, r.ElementsAre(uint32(len(results)), 4, maxInterfaces))
	for i := range m.Interfaces {
		m.Interfaces[i].Result = results[i]
	}
	m.Return = r.U32()
}
