package adcstest

import (
	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// objectMethod is a method of an object, behind ORPCTHIS and ORPCTHAT.
type objectMethod func(c *callContext, r *ndr.Reader) (answerer, error)

// objectInterfaces are the interfaces at the port of the objects.
func (s *Server) objectInterfaces() []*rpcInterface {
	unknown := s.objectInterface("IRemUnknown", dcom.IRemUnknown(), s.unknownMethods())
	unknown2 := s.objectInterface("IRemUnknown2", dcom.IRemUnknown2(), s.unknown2Methods())
	for _, i := range []*rpcInterface{unknown, unknown2} {
		i.denied = rpc.Status(hrAccessDenied) // as Windows says it there: MS-DCOM section 3.1.1.5.4, note 40
	}
	return []*rpcInterface{
		unknown, unknown2,
		s.caObject("ICertRequestD", dcom.ICertRequestD(), s.requestMethods()),
		s.caObject("ICertRequestD2", dcom.ICertRequestD2(), s.request2Methods()),
		s.caObject("ICertAdminD", csra.ICertAdminD(), s.adminMethods()),
		s.caObject("ICertAdminD2", csra.ICertAdminD2(), s.admin2Methods()),
	}
}

// caObject is an interface of the CA's own: its calls take the faults that tests have queued.
func (s *Server) caObject(name string, iid rpc.UUID, methods map[uint16]objectMethod) *rpcInterface {
	i := s.objectInterface(name, iid, methods)
	i.ofCA = true
	return i
}

func (s *Server) objectInterface(name string, iid rpc.UUID, methods map[uint16]objectMethod) *rpcInterface {
	i := &rpcInterface{
		name: name, syntax: dcom.Interface(iid), noNDR64: true, object: true,
		minLevel: authLevel(s.opts.MinAuthLevel), off: s.dcomOff.Load,
	}
	for opnum, m := range methods {
		for len(i.methods) <= int(opnum) {
			i.methods = append(i.methods, nil)
		}
		i.methods[opnum] = s.ofObject(iid, m)
	}
	return i
}

// ofObject does what comes before and after a method of an object (MS-DCOM section 3.1.1.5.4).
func (s *Server) ofObject(iid rpc.UUID, m objectMethod) method {
	return func(c *callContext, r *ndr.Reader) ([]byte, error) {
		var this dcom.This
		this.Read(r)
		switch {
		case r.Err() != nil:
			return nil, errStub
		case !supported(this.Version):
			return nil, rpc.Status(hrVersionMismatch)
		case this.Flags != 0:
			return nil, rpc.Status(hrInvalidHeader)
		}
		var status rpc.Status
		if c.object, status = s.findObject(c.call.request.Object, iid); status != 0 {
			return nil, status
		}
		out, err := m(c, r)
		if err != nil {
			return nil, err
		}
		w := &ndr.Writer{}
		(&dcom.That{}).Write(w)
		out.Write(w)
		return w.Stub(), nil
	}
}

// findObject compares the object that a call names with the interface that it is for, which may be one that the
// object's is derived from: go-msrpc calls the methods of ICertAdminD so.
func (s *Server) findObject(ipid *rpc.UUID, iid rpc.UUID) (*comObject, rpc.Status) {
	if ipid == nil {
		return nil, rpc.Status(hrInvalidIPID)
	}
	if *ipid == s.objects.remUnknown {
		if iid == dcom.IRemUnknown() || iid == dcom.IRemUnknown2() {
			return nil, 0
		}
		return nil, rpc.Status(hrInvalidIPID)
	}
	o, found := s.objects.called(*ipid)
	switch {
	case o == nil:
		return nil, rpc.Status(hrDisconnected)
	case !extends(found, iid):
		return nil, rpc.Status(hrInvalidIPID)
	}
	return o, 0
}
