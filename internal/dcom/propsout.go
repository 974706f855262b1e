package dcom

import "github.com/adcskit/adcskit/internal/ndr"

// properties are those of an answer. Clients exist that know them by their order.
func (m *CreatedInstance) properties() []byte {
	return appendProperties([]property{
		{classActivationPropertiesOut(), m.out()},
		{classScmReplyInfo(), m.reply()},
	})
}

// out is a PropsOutInfo (MS-DCOM section 2.2.22.2.9).
func (m *CreatedInstance) out() []byte {
	return serialize(func(w *ndr.Writer) {
		w.U32(uint32(len(m.Interfaces)))
		w.Pointer(true)
		w.Pointer(true)
		w.Pointer(true)
		writeUUIDs(w, m.IIDs)
		writeResults(w, m.Interfaces)
		writeReferences(w, m.Interfaces)
	})
}

// parseOut reads a PropsOutInfo.
func (m *CreatedInstance) parseOut(b []byte) error {
	r, err := deserialize(b)
	if err != nil {
		return err
	}
	count := r.U32()
	r.Ref()
	r.Ref()
	r.Ref()
	m.IIDs = readUUIDs(r, count, maxInterfaces)
	results := make([]uint32, r.ElementsAre(count, 4, maxInterfaces))
	for i := range results {
		results[i] = r.U32()
	}
	m.Interfaces = readReferences(r, r.ElementsAre(count, 4, maxInterfaces))
	if r.Err() != nil {
		return r.Err()
	}
	for i := range m.Interfaces {
		m.Interfaces[i].Result = results[i]
	}
	return nil
}

// reply is a ScmReplyInfoData (MS-DCOM section 2.2.22.2.8).
func (m *CreatedInstance) reply() []byte {
	return serialize(func(w *ndr.Writer) {
		w.Pointer(false)
		w.Pointer(true)
		w.U64(m.OXID)
		w.Pointer(m.Bindings != nil)
		w.UUID(m.RemUnknown)
		w.U32(m.AuthnHint)
		m.Version.Write(w)
		if m.Bindings != nil {
			m.Bindings.Write(w)
		}
	})
}

// parseReply reads a ScmReplyInfoData.
func (m *CreatedInstance) parseReply(b []byte) error {
	r, err := deserialize(b)
	if err != nil {
		return err
	}
	reserved := r.Pointer()
	r.Ref()
	if reserved {
		r.U32()
	}
	m.OXID = r.U64()
	bound := r.Pointer()
	m.RemUnknown, m.AuthnHint = r.UUID(), r.U32()
	m.Version.Read(r)
	if bound {
		m.Bindings = new(Bindings)
		m.Bindings.Read(r)
	}
	return r.Err()
}
