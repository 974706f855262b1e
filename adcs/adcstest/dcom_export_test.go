package adcstest

import (
	"time"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// Objects is how many objects clients have made and not released.
func (s *Server) Objects() int { return s.objects.count() }

// ObjectTable is the table of the objects.
type ObjectTable struct{ t *objectTable }

func NewObjectTable(now func() time.Time) *ObjectTable { return &ObjectTable{newObjectTable(now)} }

func (t *ObjectTable) Activate(class rpc.UUID, iids ...rpc.UUID) ([]dcom.Interfaced, uint32) {
	return t.t.activate(class, iids)
}

func (t *ObjectTable) Alive(ipid rpc.UUID) bool {
	o, _ := t.t.called(ipid)
	return o != nil
}

func (t *ObjectTable) Query(m *dcom.RemQueryInterface) dcom.RemQueriedInterface {
	return t.t.queryInterface(m)
}

func (t *ObjectTable) AddRefs(account string, refs ...dcom.InterfaceRef) []uint32 {
	return t.t.addReferences(account, refs)
}

func (t *ObjectTable) Release(account string, refs ...dcom.InterfaceRef) { t.t.release(account, refs) }

func (t *ObjectTable) Ping(set uint64) uint32                           { return t.t.ping(set) }
func (t *ObjectTable) ChangeSet(m *dcom.ComplexPing) dcom.ComplexPinged { return t.t.changeSet(m) }
func (t *ObjectTable) Count() int                                       { return t.t.count() }

// CallObject runs a method of one of the interfaces at the port of the objects, or of the endpoint mapper's, as a
// caller who manages the CA. It returns the answer's stub, or the status of a fault.
func (s *Server) CallObject(mapper bool, iface, opnum uint16, object *rpc.UUID, stub []byte) ([]byte, error) {
	list := s.objectInterfaces()
	if mapper {
		list = s.mapperInterfaces()
	}
	i := list[int(iface)%len(list)]
	m := i.method(opnum)
	if m == nil {
		return nil, rpc.StatusOpRange
	}
	c := &conn{server: s}
	return m(&callContext{
		conn: c, stub: stub, caller: caller{user: "manager", domain: "CORP", level: levelPrivacy},
		call: &partialCall{request: rpc.Request{Opnum: opnum, Object: object}, syntax: presentation{iface: i}},
	}, ndr.NewReader(stub, false))
}

// RemUnknown is the IPID of the object that counts references, OXID the object exporter.
func (s *Server) RemUnknown() rpc.UUID { return s.objects.remUnknown }
func (s *Server) OXID() uint64         { return s.objects.oxid }

// IPIDFor is an object for calls of an interface of [Server.CallObject], made anew each time.
func (s *Server) IPIDFor(mapper bool, iface uint16) *rpc.UUID {
	list := s.objectInterfaces()
	i := list[int(iface)%len(list)]
	if mapper {
		return nil
	}
	if i.syntax.UUID == dcom.IRemUnknown() || i.syntax.UUID == dcom.IRemUnknown2() {
		return &s.objects.remUnknown
	}
	for _, class := range []rpc.UUID{dcom.ClassCertRequest(), csra.CLSID()} {
		if made, hr := s.objects.activate(class, []rpc.UUID{i.syntax.UUID}); hr == 0 {
			return &made[0].Ref.Std.IPID
		}
	}
	return nil
}
