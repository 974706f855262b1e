package dcom

import (
	"encoding/binary"

	"github.com/adcskit/adcskit/internal/ndr"
)

const (
	remoteServer = 0x10 // CLSCTX_REMOTE_SERVER
	impersonate  = 3    // RPC_C_IMP_LEVEL_IMPERSONATE
)

// properties are those of a request, in the order in which Windows has them.
func (m *CreateInstance) properties() []byte {
	return appendProperties([]property{
		{classInstantiationInfo(), m.instantiation()},
		{classActivationContextInfo(), m.activationContext()},
		{classServerLocationInfo(), serialize(func(w *ndr.Writer) {
			w.Pointer(false)
			w.U32(0)
			w.U32(0)
			w.U32(0)
		})},
		{classScmRequestInfo(), m.scmRequest()},
	})
}

// instantiation is an InstantiationInfoData (MS-DCOM section 2.2.22.2.1).
func (m *CreateInstance) instantiation() []byte {
	const thisSize = 40 // where that member is
	b := serialize(func(w *ndr.Writer) {
		w.UUID(m.Class)
		w.U32(remoteServer)
		w.U32(0)
		w.U32(0)
		w.U32(uint32(len(m.IIDs)))
		w.U32(0)
		w.Pointer(true)
		w.U32(0) // thisSize
		v := CurrentVersion()
		v.Write(w)
		writeUUIDs(w, m.IIDs)
	})
	binary.LittleEndian.PutUint32(b[2*serialHeader+thisSize:], uint32(len(b)))
	return b
}

// parseInstantiation reads an InstantiationInfoData.
func (m *CreateInstance) parseInstantiation(b []byte) error {
	r, err := deserialize(b)
	if err != nil {
		return err
	}
	m.Class = r.UUID()
	r.U32()
	r.U32()
	r.U32()
	count := r.U32()
	r.U32()
	r.Ref()
	r.U32()
	var v Version
	v.Read(r)
	if m.IIDs = readUUIDs(r, count, maxInterfaces); len(m.IIDs) == 0 {
		r.Fail("an activation without interfaces")
	}
	return r.Err()
}

// activationContext is an ActivationContextInfoData with a client's context that has no properties (MS-DCOM sections
// 2.2.22.2.5 and 2.2.20).
func (m *CreateInstance) activationContext() []byte {
	b := binary.LittleEndian.AppendUint16(nil, 1)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = append(b, m.Context[:]...)
	for _, v := range []uint32{2, 0, 0, 0, otherMachine, 0, 1} { // by value … Frozen
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	ref := (&custom{iid: iContext(), class: classContextMarshaler(), data: b}).append(nil)
	return serialize(func(w *ndr.Writer) {
		for range 4 {
			w.U32(0)
		}
		w.Pointer(true)
		w.Pointer(false)
		writeInterfacePointer(w, ref)
	})
}

// scmRequest is a ScmRequestInfoData (MS-DCOM section 2.2.22.2.4).
func (m *CreateInstance) scmRequest() []byte {
	return serialize(func(w *ndr.Writer) {
		w.Pointer(false)
		w.Pointer(true)
		w.U32(impersonate)
		w.U16(uint16(len(m.Protseqs)))
		w.Align(4)
		w.Pointer(true)
		writeProtseqs(w, m.Protseqs)
	})
}

// parseRequest reads a ScmRequestInfoData.
func (m *CreateInstance) parseRequest(b []byte) error {
	r, err := deserialize(b)
	if err != nil {
		return err
	}
	reserved := r.Pointer()
	r.Ref()
	if reserved {
		r.U32()
	}
	r.U32()
	count := r.U16()
	if !r.Pointer() {
		return r.Err()
	}
	m.Protseqs = readProtseqs(r, count)
	return r.Err()
}
