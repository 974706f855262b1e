package dcom

import (
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// CreateInstance is the request of IRemoteSCMActivator::RemoteCreateInstance (MS-DCOM section 3.1.2.5.2.3.3), as far as
// it makes a plain object: what persistent objects, logon sessions and contexts need is written as nothing, and passed
// over when read.
type CreateInstance struct {
	This     This
	Class    rpc.UUID
	IIDs     []rpc.UUID
	Protseqs []uint16
	Context  rpc.UUID // names the client's context; any
}

// Write writes the parameters.
func (m *CreateInstance) Write(w *ndr.Writer) {
	m.This.Write(w)
	w.Pointer(false) // pUnkOuter
	w.Pointer(true)
	writeInterfacePointer(w, (&custom{
		iid: iActivationPropertiesIn(), class: classActivationPropertiesIn(), data: m.properties(),
	}).append(nil))
}

// Read reads the parameters.
func (m *CreateInstance) Read(r *ndr.Reader) {
	m.This.Read(r)
	if r.Pointer() {
		readInterfacePointer(r) // must be NULL, and must be ignored
	}
	list := readProperties(r, classActivationPropertiesIn())
	instantiation, ok := list[classInstantiationInfo()]
	if !ok {
		r.Fail("activation properties without InstantiationInfo")
		return
	}
	request, ok := list[classScmRequestInfo()]
	if !ok {
		r.Fail("activation properties without ScmRequestInfo")
		return
	}
	check(r, m.parseInstantiation(instantiation))
	check(r, m.parseRequest(request))
}

// CreatedInstance is the answer of RemoteCreateInstance.
type CreatedInstance struct {
	That       That
	*Activated            // nil for NULL
	IIDs       []rpc.UUID // of Activated.Interfaces
	Status     uint32     // HRESULT
}

// Write writes the results.
func (m *CreatedInstance) Write(w *ndr.Writer) {
	m.That.Write(w)
	w.Pointer(m.Activated != nil)
	if m.Activated != nil {
		writeInterfacePointer(w, (&custom{
			iid: iActivationPropertiesOut(), class: classActivationPropertiesOut(), data: m.properties(),
		}).append(nil))
	}
	w.U32(m.Status)
}

// Read reads the results.
func (m *CreatedInstance) Read(r *ndr.Reader) {
	m.That.Read(r)
	if list := readProperties(r, classActivationPropertiesOut()); list != nil {
		m.Activated = &Activated{}
		out, ok := list[classActivationPropertiesOut()]
		reply, ok2 := list[classScmReplyInfo()]
		if !ok || !ok2 {
			r.Fail("activation properties without PropsOutInfo or ScmReplyInfo")
			return
		}
		check(r, m.parseOut(out))
		check(r, m.parseReply(reply))
	}
	m.Status = r.U32()
}
