package adcstest

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/rpc"
)

const (
	pingPeriod = 2 * time.Minute // MS-DCOM section 3.1.2.2
	pingLimit  = 3 * pingPeriod

	// publicRefs is how many references an activation hands out for each interface, as on Windows.
	publicRefs = 5
	maxRefs    = 1 << 30 // of one interface, so that counting does not overflow

	maxObjects  = 1 << 16
	maxPingSets = 1 << 12
)

// HRESULTs of COM (MS-ERREF section 2.1).
const (
	hrNoInterface      uint32 = 0x80004002
	hrServerExec       uint32 = 0x80080005 // CO_E_SERVER_EXEC_FAILURE
	hrOutOfMemory      uint32 = 0x8007000E
	hrClassNotReg      uint32 = 0x80040154 // REGDB_E_CLASSNOTREG
	hrObjectNotReg     uint32 = 0x800401FD // CO_E_OBJNOTREG
	hrDisconnected     uint32 = 0x80010108 // RPC_E_DISCONNECTED
	hrVersionMismatch  uint32 = 0x80010110 // RPC_E_VERSION_MISMATCH
	hrInvalidHeader    uint32 = 0x80010111 // RPC_E_INVALID_HEADER
	hrInvalidIPID      uint32 = 0x80010113 // RPC_E_INVALID_IPID
	hrInvalidObject    uint32 = 0x80010114 // RPC_E_INVALID_OBJECT
	hrProtseqUnsupport uint32 = 0x800706A7 // RPC_S_PROTSEQ_NOT_SUPPORTED
)

// objectTable holds the objects that clients have made, and the ping sets that keep them (MS-DCOM sections 3.1.1.1 and
// 3.1.2.1: the tables of object exporter and object resolver, which are one here).
type objectTable struct {
	oxid       uint64
	remUnknown rpc.UUID // IPID of the object that counts references
	now        func() time.Time
	views      viewCount

	mu      sync.Mutex
	objects map[uint64]*comObject       // by OID
	entries map[rpc.UUID]*interfaceRefs // by IPID
	sets    map[uint64]*pingSet         // by SETID
	swept   time.Time
}

// comObject is an object: there is nothing to it but its class, since all of them speak for the one CA.
type comObject struct {
	oid        uint64
	class      rpc.UUID
	interfaces []*interfaceRefs
	used       time.Time // when it was last called or made
	sets       int       // how many ping sets it is in
	view       viewSlot  // of an object that administers
}

// interfaceRefs is one interface of an object and the references that clients hold.
type interfaceRefs struct {
	ipid    rpc.UUID
	iid     rpc.UUID
	object  *comObject
	public  uint32
	private map[string]uint32 // by account
}

func newObjectTable(now func() time.Time) *objectTable {
	return &objectTable{
		oxid: newID(), remUnknown: newIPID(), now: now,
		objects: map[uint64]*comObject{}, entries: map[rpc.UUID]*interfaceRefs{}, sets: map[uint64]*pingSet{},
	}
}

func newIPID() (u rpc.UUID) {
	_, _ = rand.Read(u[:]) // never fails
	return u
}

// newID makes an OXID, OID or SETID. Zero is none of them.
func newID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) | 1
}

// interfacesOf are the interfaces that the objects of a class have, nil for a class that is not ours.
func interfacesOf(class rpc.UUID) []rpc.UUID {
	switch class {
	case dcom.ClassCertRequest():
		return []rpc.UUID{dcom.IUnknown(), dcom.ICertRequestD(), dcom.ICertRequestD2()}
	case csra.CLSID():
		return []rpc.UUID{dcom.IUnknown(), csra.ICertAdminD(), csra.ICertAdminD2()}
	}
	return nil
}

// extends says whether an interface has the methods of another: both are the same, or the first is derived from it.
func extends(iid, base rpc.UUID) bool {
	switch iid {
	case base:
		return true
	case dcom.ICertRequestD2():
		return base == dcom.ICertRequestD()
	case csra.ICertAdminD2():
		return base == csra.ICertAdminD()
	}
	return false
}

// activate makes an object and returns a reference to each of the interfaces.
func (t *objectTable) activate(class rpc.UUID, iids []rpc.UUID) ([]dcom.Interfaced, uint32) {
	have := interfacesOf(class)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	switch {
	case have == nil:
		return nil, hrClassNotReg
	case len(t.objects) >= maxObjects:
		return nil, hrOutOfMemory
	case !slices.ContainsFunc(iids, func(iid rpc.UUID) bool { return slices.Contains(have, iid) }):
		return nil, hrNoInterface
	}
	o := &comObject{oid: newID(), class: class, used: t.now(), view: viewSlot{count: &t.views}}
	t.objects[o.oid] = o
	list := make([]dcom.Interfaced, len(iids))
	for i, iid := range iids {
		std, hr := t.query(o, iid, publicRefs)
		if list[i].Result = hr; hr == 0 {
			list[i].Ref = &dcom.ObjRef{IID: iid, Std: std}
		}
	}
	return list, 0
}

// query adds references to an interface of an object. The caller holds the lock.
func (t *objectTable) query(o *comObject, iid rpc.UUID, refs uint32) (dcom.StdObjRef, uint32) {
	if !slices.Contains(interfacesOf(o.class), iid) {
		return dcom.StdObjRef{}, hrNoInterface
	}
	i := slices.IndexFunc(o.interfaces, func(e *interfaceRefs) bool { return e.iid == iid })
	if i < 0 {
		e := &interfaceRefs{ipid: newIPID(), iid: iid, object: o, private: map[string]uint32{}}
		t.entries[e.ipid] = e
		i, o.interfaces = len(o.interfaces), append(o.interfaces, e)
	}
	e := o.interfaces[i]
	e.public = addRefs(e.public, refs)
	return dcom.StdObjRef{PublicRefs: refs, OXID: t.oxid, OID: o.oid, IPID: e.ipid}, 0
}

func addRefs(have, more uint32) uint32 { return uint32(min(uint64(have)+uint64(more), maxRefs)) }

// called looks up the object and the interface that a call is for, and notes the call.
func (t *objectTable) called(ipid rpc.UUID) (o *comObject, iid rpc.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	e := t.entries[ipid]
	if e == nil {
		return nil, iid
	}
	e.object.used = t.now()
	return e.object, e.iid
}

// queryInterface does RemQueryInterface (MS-DCOM section 3.1.1.5.6.1.1).
func (t *objectTable) queryInterface(m *dcom.RemQueryInterface) dcom.RemQueriedInterface {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	e := t.entries[m.IPID]
	if e == nil {
		return dcom.RemQueriedInterface{Return: hrInvalidObject}
	}
	e.object.used = t.now()
	out := dcom.RemQueriedInterface{Results: make([]dcom.QueriedInterface, len(m.IIDs))}
	for i, iid := range m.IIDs {
		out.Results[i].Ref, out.Results[i].Result = t.query(e.object, iid, m.Refs)
	}
	return out
}

// addReferences does RemAddRef (MS-DCOM section 3.1.1.5.6.1.2) for an account.
func (t *objectTable) addReferences(account string, list []dcom.InterfaceRef) []uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	results := make([]uint32, len(list))
	for i, ref := range list {
		e := t.entries[ref.IPID]
		if e == nil {
			results[i] = hrObjectNotReg
			continue
		}
		e.public = addRefs(e.public, ref.PublicRefs)
		if ref.PrivateRefs > 0 {
			e.private[account] = addRefs(e.private[account], ref.PrivateRefs)
		}
	}
	return results
}

// release does RemRelease (MS-DCOM section 3.1.1.5.6.1.3) for an account.
func (t *objectTable) release(account string, list []dcom.InterfaceRef) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, ref := range list {
		e := t.entries[ref.IPID]
		if e == nil {
			continue
		}
		e.public -= min(ref.PublicRefs, e.public)
		if left := e.private[account]; left > ref.PrivateRefs {
			e.private[account] = left - ref.PrivateRefs
		} else {
			delete(e.private, account)
		}
		if e.public == 0 && len(e.private) == 0 {
			t.dropInterface(e)
		}
	}
}

// dropInterface forgets an interface that nobody refers to any more, and with the last one its object.
func (t *objectTable) dropInterface(e *interfaceRefs) {
	delete(t.entries, e.ipid)
	o := e.object
	o.interfaces = slices.DeleteFunc(o.interfaces, func(other *interfaceRefs) bool { return other == e })
	if len(o.interfaces) == 0 {
		o.view.drop()
		delete(t.objects, o.oid)
	}
}

// count is how many objects there are.
func (t *objectTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	return len(t.objects)
}
