package adcstest_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// writer is a message.
type writer interface{ Write(*ndr.Writer) }

// orpc is the stub of a call on an object.
func orpc(m writer) []byte {
	w := &ndr.Writer{}
	this := dcom.This{Version: dcom.CurrentVersion()}
	this.Write(w)
	m.Write(w)
	return w.Stub()
}

// logOnTo binds interfaces with NTLM; their presentation contexts are numbered from 0.
func logOnTo(t testing.TB, addr string, u adcstest.User, level rpc.AuthLevel, iids ...rpc.UUID) *rawPeer {
	t.Helper()
	p := dialRaw(t, addr)
	l := newLogOn(u, u.Password, level, 7)
	m := rpc.Bind{MaxXmit: 5840, MaxRecv: 5840}
	for i, iid := range iids {
		m.Contexts = append(m.Contexts, rpc.Context{
			ID: uint16(i), Abstract: dcom.Interface(iid), Transfer: []rpc.Syntax{rpc.NDR()},
		})
	}
	p.send(p.encode(rpc.TypeBind, whole|rpc.FlagSignHeader, m.Append(nil), l.negotiate(t)))
	p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), l.authenticate(t, p.recv())))
	p.sec = l.security()
	return p
}

// callObject sends a call.
func (p *rawPeer) callObject(context, opnum uint16, object *rpc.UUID, stub []byte) {
	p.t.Helper()
	p.call++
	c := rpc.Call{Type: rpc.TypeRequest, CallID: p.call, ContextID: context, Opnum: opnum, Object: object, Stub: stub}
	list, err := c.Fragments(5840, p.sec)
	require.NoError(p.t, err)
	for _, b := range list {
		if _, err := p.nc.Write(b); err != nil {
			return // a fault of the test may have cut the connection
		}
	}
}

// activated is an object made with IActivation.
func activated(t testing.TB, s *adcstest.Server, class rpc.UUID, iids ...rpc.UUID) *dcom.RemoteActivated {
	t.Helper()
	p := logOnTo(t, s.EndpointMapper(), s.User(), rpc.LevelIntegrity, dcom.IActivation())
	m := &dcom.RemoteActivation{
		This: dcom.This{Version: dcom.CurrentVersion()}, Class: class, IIDs: iids, Protseqs: []uint16{dcom.TowerTCP},
	}
	w := &ndr.Writer{}
	m.Write(w)
	p.callObject(0, dcom.OpRemoteActivation, nil, w.Stub())
	out := &dcom.RemoteActivated{}
	r := ndr.NewReader(p.answer(), false)
	out.Read(r)
	require.NoError(t, r.Err())
	require.NoError(t, p.nc.Close())
	return out
}

// dcomRequester is a connection to ICertRequestD2 and the IPID of an object of it.
func dcomRequester(t testing.TB, s *adcstest.Server) (*rawPeer, *rpc.UUID) {
	t.Helper()
	out := activated(t, s, dcom.ClassCertRequest(), dcom.ICertRequestD2())
	require.Zero(t, out.Result)
	p := logOnTo(t, s.ObjectAddr(), s.User(), rpc.LevelPrivacy, dcom.ICertRequestD2(), dcom.ICertRequestD(),
		dcom.IRemUnknown())
	return p, &out.Interfaces[0].Ref.Std.IPID
}

func request2(s *adcstest.Server, der []byte) []byte {
	return orpc(&dcom.Request2{Authority: s.Name(), Attributes: "CertificateTemplate:User", Request: der})
}

// answered reads the answer of Request2.
func (p *rawPeer) answered() dcom.Answer {
	p.t.Helper()
	r := ndr.NewReader(p.answer(), false)
	var that dcom.That
	that.Read(r)
	var m dcom.Answer
	m.Read(r)
	require.NoError(p.t, r.Done())
	return m
}

// TestObjectCalls is what calls on objects are refused for (MS-DCOM section 3.1.1.5.4).
func TestObjectCalls(t *testing.T) {
	s := newServer(t, nil)
	p, ipid := dcomRequester(t, s)
	other := activated(t, s, csra.CLSID(), csra.ICertAdminD2()).Interfaces[0].Ref.Std.IPID
	unknown := s.RemUnknown()
	ping := orpc(&dcom.Authority{Authority: s.Name()})
	with := func(this dcom.This) []byte {
		w := &ndr.Writer{}
		this.Write(w)
		return append(w.Stub(), ping[32:]...)
	}
	for name, c := range map[string]struct {
		context, opnum uint16
		object         *rpc.UUID
		stub           []byte
		want           rpc.Status
	}{
		"no object":            {0, dcom.OpPing2, nil, ping, 0x80010113},
		"unknown object":       {0, dcom.OpPing2, &rpc.UUID{1, 2, 3}, ping, 0x80010108},
		"of another interface": {0, dcom.OpPing2, &other, ping, 0x80010113},
		"the counting object":  {0, dcom.OpPing2, &unknown, ping, 0x80010113},
		"object that counts":   {2, dcom.OpRemRelease, ipid, orpc(&dcom.RemReferences{}), 0x80010113},
		"newer version": {
			0, dcom.OpPing2, ipid, with(dcom.This{Version: dcom.Version{Major: 5, Minor: 8}}), 0x80010110,
		},
		"other version": {0, dcom.OpPing2, ipid, with(dcom.This{Version: dcom.Version{Major: 6}}), 0x80010110},
		"flags": {
			0, dcom.OpPing2, ipid, with(dcom.This{Version: dcom.CurrentVersion(), Flags: 1}), 0x80010111,
		},
		"no stub":            {0, dcom.OpPing2, ipid, nil, rpc.StatusBadStubData},
		"half a stub":        {0, dcom.OpPing2, ipid, ping[:40], rpc.StatusBadStubData},
		"IUnknown":           {0, 0, ipid, ping, rpc.StatusOpRange},
		"Release":            {0, 2, ipid, ping, rpc.StatusOpRange},
		"beyond the last":    {0, 10, ipid, ping, rpc.StatusOpRange},
		"method of D2 for D": {1, dcom.OpPing2, ipid, ping, rpc.StatusOpRange},
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.callObject(c.context, c.opnum, c.object, c.stub)
			assert.NotZero(t, p.wantFault(c.want).Flags&rpc.FlagDidNotExecute)
		})
	}
	p.t = t
	p.callObject(0, dcom.OpPing2, ipid, with(dcom.This{Version: dcom.Version{Major: 5, Minor: 1}}))
	assert.Equal(t, make([]byte, 12), p.answer(), "an older client is served, and the connection lives")
	p.callObject(1, dcom.OpPing, ipid, ping)
	assert.Equal(t, make([]byte, 12), p.answer(), "a method of the base interface")
	p.callObject(0, dcom.OpPing2, ipid, append(ping, 0, 0, 0, 0))
	assert.Equal(t, make([]byte, 12), p.answer(), "clients exist that send a parameter more than there is")
}

// TestObjectLevels is the protection that objects and activations want.
func TestObjectLevels(t *testing.T) {
	s := newServer(t, nil)
	_, ipid := dcomRequester(t, s)
	p := logOnTo(t, s.ObjectAddr(), s.User(), rpc.LevelIntegrity, dcom.ICertRequestD2(), dcom.IRemUnknown())
	p.callObject(0, dcom.OpRequest2, ipid, request2(s, newCSR(t, "signed")))
	p.wantFault(rpc.StatusAccessDenied)
	unknown := s.RemUnknown()
	p.callObject(1, dcom.OpRemRelease, &unknown, orpc(&dcom.RemReferences{}))
	p.wantFault(0x80070005)
	assert.Empty(t, s.Requests())

	activation := logOnTo(t, s.EndpointMapper(), s.User(), rpc.LevelConnect,
		dcom.IActivation(), dcom.IRemoteSCMActivator())
	for i, opnum := range []uint16{dcom.OpRemoteActivation, dcom.OpRemoteCreateInstance} {
		activation.callObject(uint16(i), opnum, nil, make([]byte, 100))
		activation.wantFault(rpc.StatusAccessDenied)
	}
}

// TestActivations is what RemoteActivation answers.
func TestActivations(t *testing.T) {
	s := newServer(t, nil)
	p := logOnTo(t, s.EndpointMapper(), s.User(), rpc.LevelPrivacy, dcom.IActivation())
	right := dcom.RemoteActivation{
		This: dcom.This{Version: dcom.CurrentVersion()}, Class: dcom.ClassCertRequest(),
		IIDs: []rpc.UUID{dcom.ICertRequestD2()}, Protseqs: []uint16{dcom.TowerPipe, dcom.TowerTCP},
	}
	activate := func(change func(*dcom.RemoteActivation)) {
		m := right
		change(&m)
		w := &ndr.Writer{}
		m.Write(w)
		p.callObject(0, dcom.OpRemoteActivation, nil, w.Stub())
	}
	for name, c := range map[string]struct {
		change func(*dcom.RemoteActivation)
		want   uint32
	}{
		"unknown class":     {func(m *dcom.RemoteActivation) { m.Class = rpc.UUID{1} }, 0x80040154},
		"unknown interface": {func(m *dcom.RemoteActivation) { m.IIDs = []rpc.UUID{{1}} }, 0x80004002},
		"class factory":     {func(m *dcom.RemoteActivation) { m.Mode = 0xffffffff }, 0x80004002},
		"pipes alone":       {func(m *dcom.RemoteActivation) { m.Protseqs = []uint16{dcom.TowerPipe} }, 0x800706A7},
	} {
		activate(c.change)
		var out dcom.RemoteActivated
		r := ndr.NewReader(p.answer(), false)
		out.Read(r)
		require.NoError(t, r.Done(), name)
		assert.Equal(t, c.want, out.Result, name)
		assert.Nil(t, out.Interfaces[0].Ref, name)
		assert.Zero(t, out.Interfaces[0].Result, name)
	}
	activate(func(m *dcom.RemoteActivation) { m.This.Version.Minor = 8 })
	p.wantFault(0x80010110)
	activate(func(m *dcom.RemoteActivation) { m.IIDs = make([]rpc.UUID, 1000) })
	p.wantFault(rpc.StatusBadStubData)
	assert.Zero(t, s.Objects())

	out := activated(t, s, dcom.ClassCertRequest(), dcom.ICertRequestD2(), csra.ICertAdminD())
	assert.Zero(t, out.Result)
	assert.EqualValues(t, 0x80004002, out.Interfaces[1].Result)
	port, ok := out.Bindings.Port()
	assert.True(t, ok)
	assert.Contains(t, s.ObjectAddr(), port2text(port))
	assert.EqualValues(t, adcstest.LevelPrivacy, out.AuthnHint)
	for _, b := range out.Interfaces[0].Ref.Resolver.Strings {
		assert.NotContains(t, b.Address, "[", "the resolver is where it always is")
	}
}

func port2text(port uint16) string { return ":" + strconv.Itoa(int(port)) }

// TestResolver is IObjectExporter without a logon.
func TestResolver(t *testing.T) {
	s := newServer(t, nil)
	p := dialRaw(t, s.EndpointMapper())
	m := rpc.Bind{MaxXmit: 5840, MaxRecv: 5840, Contexts: []rpc.Context{
		{Abstract: dcom.Interface(dcom.IObjectExporter()), Transfer: []rpc.Syntax{rpc.NDR()}},
	}}
	p.send(p.encode(rpc.TypeBind, whole, m.Append(nil), nil))
	require.Equal(t, rpc.VerdictAccept, p.bindAck().Results[0].Verdict)
	call := func(opnum uint16, m writer, out interface{ Read(*ndr.Reader) }) {
		t.Helper()
		w := &ndr.Writer{}
		if m != nil {
			m.Write(w)
		}
		p.send(p.encode(rpc.TypeRequest, whole, append((&rpc.Request{Opnum: opnum}).Append(nil), w.Stub()...), nil))
		stub, err := p.recv().Stub()
		require.NoError(t, err)
		r := ndr.NewReader(stub, false)
		out.Read(r)
		require.NoError(t, r.Done())
	}
	var alive dcom.Status
	call(dcom.OpServerAlive, nil, &alive)
	assert.Zero(t, alive.Status)
	var alive2 dcom.ServerAlive2
	call(dcom.OpServerAlive2, nil, &alive2)
	assert.Equal(t, dcom.CurrentVersion(), alive2.Version)
	assert.Equal(t, []dcom.StringBinding{{Tower: 7, Address: "CA"}, {Tower: 7, Address: "127.0.0.1"}},
		alive2.Bindings.Strings)
	assert.Equal(t, []dcom.SecurityBinding{{Service: 9}, {Service: 10}, {Service: 16}}, alive2.Bindings.Security)

	resolved := dcom.ResolvedOxid{Two: true}
	call(dcom.OpResolveOxid2, &dcom.ResolveOxid{OXID: s.OXID(), Protseqs: []uint16{7}}, &resolved)
	assert.Zero(t, resolved.Status)
	assert.Equal(t, s.RemUnknown(), resolved.RemUnknown)
	port, _ := resolved.Bindings.Port()
	assert.Contains(t, s.ObjectAddr(), port2text(port))
	resolved = dcom.ResolvedOxid{}
	call(dcom.OpResolveOxid, &dcom.ResolveOxid{OXID: 1, Protseqs: []uint16{7}}, &resolved)
	assert.EqualValues(t, 1910, resolved.Status)
	call(dcom.OpSimplePing, &dcom.SimplePing{Set: 1}, &alive)
	assert.EqualValues(t, 1912, alive.Status)
	var pinged dcom.ComplexPinged
	call(dcom.OpComplexPing, &dcom.ComplexPing{}, &pinged)
	call(dcom.OpSimplePing, &dcom.SimplePing{Set: pinged.Set}, &alive)
	assert.Zero(t, alive.Status)
}

// TestFaultsOverDCOM is every fault of a test on a submission over DCOM: what the client sees, what the CA did, and
// that the next call is served.
func TestFaultsOverDCOM(t *testing.T) {
	closed := func(p *rawPeer) {
		_, err := rpc.ReadPDU(p.nc, rpc.MaxFragment)
		assert.Error(p.t, err)
	}
	undecodable := func(p *rawPeer) {
		r := ndr.NewReader(p.answer(), false)
		var that dcom.That
		that.Read(r)
		(&dcom.Answer{}).Read(r)
		assert.Error(p.t, r.Err())
	}
	for name, c := range map[string]struct {
		fault adcstest.Fault
		size  int
		rows  int
		want  func(p *rawPeer)
	}{
		"answer lost":        {adcstest.Fault{Cut: adcstest.CutBeforeAnswer}, 0, 1, closed},
		"cut in the answer":  {adcstest.Fault{Cut: adcstest.CutInAnswer}, 0, 1, closed},
		"request lost":       {adcstest.Fault{Cut: adcstest.CutAfterRequest}, 0, 0, closed},
		"cut in the request": {adcstest.Fault{Cut: adcstest.CutBeforeLastFragment}, 20000, 0, closed},
		"fault, executed":    {adcstest.Fault{Status: 0x6ba}, 0, 1, func(p *rawPeer) { p.wantFault(0x6ba) }},
		"fault, not executed": {
			adcstest.Fault{Status: 0x6ba, NotExecuted: true}, 0, 0, func(p *rawPeer) { p.wantFault(0x6ba) },
		},
		"bad NDR": {adcstest.Fault{BadNDR: true}, 0, 1, undecodable},
		"wrong request id": {
			adcstest.Fault{Forge: adcstest.Forgery{RequestIDOffset: 7}}, 0, 1,
			func(p *rawPeer) { assert.EqualValues(p.t, 8, p.answered().RequestID) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			p, ipid := dcomRequester(t, s)
			s.InjectFault(c.fault)
			der := newCSR(t, "fault")
			if c.size > 0 {
				der = make([]byte, c.size)
			}
			p.callObject(0, dcom.OpRequest2, ipid, request2(s, der))
			c.want(p)
			assert.Len(t, s.Requests(), c.rows)
			p, ipid = dcomRequester(t, s)
			p.callObject(0, dcom.OpRequest2, ipid, request2(s, newCSR(t, "next")))
			assert.EqualValues(t, 3, p.answered().Disposition)
		})
	}
}

// TestBadNDROverDCOM spoils answers of every form.
func TestBadNDROverDCOM(t *testing.T) {
	s := newServer(t, nil)
	p, ipid := dcomRequester(t, s)
	for name, c := range map[string]struct {
		opnum uint16
		stub  []byte
		out   interface{ Read(*ndr.Reader) }
	}{
		"Ping2":             {dcom.OpPing2, orpc(&dcom.Authority{}), &dcom.Status{}},
		"GetCAPropertyInfo": {dcom.OpGetCAPropertyInfo, orpc(&dcom.Authority{Authority: s.Name()}), &dcom.PropertyInfo{}},
		"GetCAProperty": {dcom.OpGetCAProperty, orpc(&dcom.GetCAProperty{
			Authority: s.Name(), ID: dcom.PropCAName, Type: dcom.TypeString,
		}), &dcom.Value{}},
	} {
		s.InjectFault(adcstest.Fault{BadNDR: true})
		p.callObject(0, c.opnum, ipid, c.stub)
		r := ndr.NewReader(p.answer(), false)
		var that dcom.That
		that.Read(r)
		c.out.Read(r)
		assert.Error(t, r.Err(), name)
	}
}

// TestFaultDelayOverDCOM holds a call up on both sides of the CA's work.
func TestFaultDelayOverDCOM(t *testing.T) {
	s := newServer(t, nil)
	p, ipid := dcomRequester(t, s)
	entered, goOn := make(chan int), make(chan struct{})
	hold := func(ctx context.Context) {
		entered <- len(s.Requests())
		select {
		case <-goOn:
		case <-ctx.Done():
		}
	}
	s.InjectFault(adcstest.Fault{Before: hold, After: hold})
	p.callObject(0, dcom.OpRequest2, ipid, request2(s, newCSR(t, "slow")))
	assert.Equal(t, 0, <-entered)
	goOn <- struct{}{}
	assert.Equal(t, 1, <-entered)
	goOn <- struct{}{}
	assert.EqualValues(t, 3, p.answered().Disposition)
}

// TestFaultCallbackOverDCOM is told of every call with the name of its interface.
func TestFaultCallbackOverDCOM(t *testing.T) {
	var calls []adcstest.Call
	s := newServer(t, &adcstest.Options{Fault: func(c adcstest.Call) *adcstest.Fault {
		calls = append(calls, c)
		return nil
	}})
	p, ipid := dcomRequester(t, s)
	s.InjectFault(adcstest.Fault{Status: 0x6ba}) // not for the object that counts references
	unknown := s.RemUnknown()
	p.callObject(2, dcom.OpRemRelease, &unknown, orpc(&dcom.RemReferences{}))
	p.answer()
	p.callObject(0, dcom.OpPing2, ipid, orpc(&dcom.Authority{}))
	p.wantFault(0x6ba)
	p.callObject(0, dcom.OpPing2, ipid, orpc(&dcom.Authority{}))
	p.answer()
	u := s.User().Account()
	assert.Equal(t, []adcstest.Call{
		{N: 1, Interface: "IActivation", User: u, Level: adcstest.LevelIntegrity},
		{N: 1, Interface: "IRemUnknown", OpNum: dcom.OpRemRelease, User: u, Level: adcstest.LevelPrivacy},
		{N: 2, Interface: "ICertRequestD2", OpNum: dcom.OpPing2, User: u, Level: adcstest.LevelPrivacy},
	}, calls, "the call that took a queued fault was not asked about")
}

// TestDCOMOff is a CA whose objects are not there.
func TestDCOMOff(t *testing.T) {
	s := newServer(t, nil)
	p, ipid := dcomRequester(t, s)
	s.SetDCOM(false)
	p.callObject(0, dcom.OpPing2, ipid, orpc(&dcom.Authority{}))
	p.wantFault(rpc.StatusUnknownIf)
	assert.EqualValues(t, 0x80080005, activated(t, s, dcom.ClassCertRequest(), dcom.ICertRequestD2()).Result)
	q := loggedOn(t, s)
	q.request(submitStub(s.Name(), newCSR(t, "still")))
	assert.EqualValues(t, 3, disposition(t, q.answer()), "ICertPassage is another matter")
	s.SetDCOM(true)
	p.callObject(0, dcom.OpPing2, ipid, orpc(&dcom.Authority{}))
	p.answer()
}

// FuzzObjectCall calls every method of every interface with any bytes: it ends in an answer that begins as it should,
// or in a fault, and nothing is issued but to requests that can be read.
func FuzzObjectCall(f *testing.F) {
	s, err := adcstest.NewUnlistened(&adcstest.Options{Managers: []string{`CORP\manager`}, Now: func() time.Time {
		return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	}})
	require.NoError(f, err)
	seed := func(mapper bool, iface, opnum uint16, m writer) {
		w := &ndr.Writer{}
		m.Write(w)
		f.Add(mapper, iface, opnum, w.Stub())
	}
	name := s.Name()
	seed(true, 1, dcom.OpComplexPing, &dcom.ComplexPing{Add: []uint64{1}, Delete: []uint64{2}})
	seed(true, 1, dcom.OpResolveOxid2, &dcom.ResolveOxid{OXID: 1, Protseqs: []uint16{7}})
	this := dcom.This{Version: dcom.CurrentVersion()}
	seed(true, 2, dcom.OpRemoteActivation, &dcom.RemoteActivation{
		This: this, Class: csra.CLSID(), IIDs: []rpc.UUID{csra.ICertAdminD2()}, Protseqs: []uint16{7},
	})
	seed(true, 3, dcom.OpRemoteCreateInstance, &dcom.CreateInstance{
		This: this, Class: csra.CLSID(), IIDs: []rpc.UUID{csra.ICertAdminD2()}, Protseqs: []uint16{7},
	})
	object := func(iface, opnum uint16, m writer) { f.Add(false, iface, opnum, orpc(m)) }
	object(0, dcom.OpRemQueryInterface, &dcom.RemQueryInterface{Refs: 5, IIDs: []rpc.UUID{csra.ICertAdminD()}})
	object(1, dcom.OpRemAddRef, &dcom.RemReferences{Refs: []dcom.InterfaceRef{{PublicRefs: 1}}})
	object(2, dcom.OpRequest, &dcom.Request{Authority: name, Request: []byte{0x30, 0}})
	object(3, dcom.OpRequest2, &dcom.Request2{Authority: name, Serial: "00"})
	object(3, dcom.OpGetCAProperty, &dcom.GetCAProperty{Authority: name, ID: dcom.PropTemplates, Type: dcom.TypeString})
	object(5, uint16(csra.OpOpenView), &csra.OpenView{
		Authority: name, Restrictions: []csra.Restriction{csra.Restrict(0x1000, csra.SeekEqual, csra.Integer(0, 1))},
		Columns: []uint32{0x1000, 0x2001}, First: 1, Count: 10,
	})
	object(5, uint16(csra.OpEnumAttributesOrExtensions), &csra.Elements{Authority: name, RequestID: 1, Count: 5})
	object(5, uint16(csra.OpRevokeCertificate), &csra.Revoke{Authority: name, Serial: "00", Reason: 1})
	f.Fuzz(func(t *testing.T, mapper bool, iface, opnum uint16, stub []byte) {
		ipid := s.IPIDFor(mapper, iface)
		out, err := s.CallObject(mapper, iface, opnum, ipid, stub)
		if err != nil {
			assert.Nil(t, out)
			return
		}
		assert.LessOrEqual(t, len(out), 32<<20)
		if !mapper {
			var that dcom.That
			r := ndr.NewReader(out, false)
			that.Read(r)
			require.NoError(t, r.Err())
		}
	})
}
