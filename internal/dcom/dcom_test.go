package dcom_test

import (
	"testing"

	msdcom "github.com/oiweiwei/go-msrpc/msrpc/dcom"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/iactivation/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/iobjectexporter/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/iremotescmactivator/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/iremunknown/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/iremunknown2/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce/icertrequestd/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce/icertrequestd2/v0"
	msndr "github.com/oiweiwei/go-msrpc/ndr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// message is what every type of the package is.
type message interface {
	Write(*ndr.Writer)
	Read(*ndr.Reader)
}

// generated is a message of go-msrpc, whose code was generated from the IDL.
type generated interface {
	msndr.Marshaler
	msndr.Unmarshaler
}

// pair is two messages, one behind the other.
type pair[A, B message] struct {
	First  A
	Second B
}

func (p *pair[A, B]) Write(w *ndr.Writer) { p.First.Write(w); p.Second.Write(w) }
func (p *pair[A, B]) Read(r *ndr.Reader)  { p.First.Read(r); p.Second.Read(r) }

func call[M message](m M) message {
	return &pair[*dcom.This, M]{&dcom.This{Version: dcom.CurrentVersion(), CID: id(1)}, m}
}

func answer[M message](m M) message {
	return &pair[*dcom.That, M]{&dcom.That{Extensions: []dcom.Extent{
		{ID: id(2), Data: []byte("five!")}, {ID: id(3), Data: []byte("eight by")}, {ID: id(4), Data: []byte{}},
	}}, m}
}

func id(n byte) (u rpc.UUID) {
	for i := range u {
		u[i] = n + byte(i)
	}
	return u
}

func bindings() *dcom.Bindings {
	return &dcom.Bindings{
		Strings: []dcom.StringBinding{
			{Tower: dcom.TowerPipe, Address: `CA[\pipe\epmapper]`}, {Tower: dcom.TowerTCP, Address: "CA[49701]"},
			{Tower: dcom.TowerTCP, Address: "fe80::1[49702]"},
		},
		Security: []dcom.SecurityBinding{{Service: 9}, {Service: 10, Principal: "host/größe"}},
	}
}

func ref(n byte) *dcom.ObjRef {
	return &dcom.ObjRef{
		IID: id(n), Resolver: *bindings(),
		Std: dcom.StdObjRef{Flags: dcom.NoPing, PublicRefs: 5, OXID: 6, OID: 7, IPID: id(n + 1)},
	}
}

func activated() dcom.Activated {
	return dcom.Activated{
		OXID: 1 << 40, Bindings: bindings(), RemUnknown: id(8), AuthnHint: 6, Version: dcom.CurrentVersion(),
		Interfaces: []dcom.Interfaced{{Ref: ref(10)}, {Result: 0x80004002}, {Ref: ref(20)}},
	}
}

// sample has one message of each kind, what go-msrpc has for it, and an empty one.
type sample struct {
	ours   message
	theirs generated
	empty  func() message
}

func samples() map[string]sample {
	this := dcom.This{Version: dcom.CurrentVersion(), CID: id(1)}
	made := activated()
	return map[string]sample{
		"ServerAlive2": {
			&dcom.ServerAlive2{Version: dcom.CurrentVersion(), Bindings: bindings(), Status: 5},
			&iobjectexporter.ServerAlive2Response{}, func() message { return &dcom.ServerAlive2{} },
		},
		"ResolveOxid": {
			&dcom.ResolveOxid{OXID: 1 << 50, Protseqs: []uint16{7, 15}},
			&iobjectexporter.ResolveOXIDRequest{}, func() message { return &dcom.ResolveOxid{} },
		},
		"ResolveOxid2": {
			&dcom.ResolveOxid{OXID: 1 << 50, Protseqs: []uint16{7, 15, 8}},
			&iobjectexporter.ResolveOxid2Request{}, func() message { return &dcom.ResolveOxid{} },
		},
		"ResolvedOxid": {
			&dcom.ResolvedOxid{Bindings: bindings(), RemUnknown: id(4), AuthnHint: 6, Status: 7},
			&iobjectexporter.ResolveOXIDResponse{}, func() message { return &dcom.ResolvedOxid{} },
		},
		"ResolvedOxid2": {
			&dcom.ResolvedOxid{Two: true, Bindings: bindings(), RemUnknown: id(4), AuthnHint: 6, Version: dcom.Version{5, 6}},
			&iobjectexporter.ResolveOxid2Response{}, func() message { return &dcom.ResolvedOxid{Two: true} },
		},
		"SimplePing": {
			&dcom.SimplePing{Set: 1 << 60}, &iobjectexporter.SimplePingRequest{}, func() message { return &dcom.SimplePing{} },
		},
		"Status": {
			&dcom.Status{Status: 0x778}, &iobjectexporter.SimplePingResponse{}, func() message { return &dcom.Status{} },
		},
		"ComplexPing": {
			&dcom.ComplexPing{Set: 1 << 60, Sequence: 3, Add: []uint64{1, 2}, Delete: []uint64{3}},
			&iobjectexporter.ComplexPingRequest{}, func() message { return &dcom.ComplexPing{} },
		},
		"ComplexPing of none": {
			&dcom.ComplexPing{Sequence: 3}, &iobjectexporter.ComplexPingRequest{}, func() message { return &dcom.ComplexPing{} },
		},
		"ComplexPinged": {
			&dcom.ComplexPinged{Set: 1 << 60, Backoff: 3, Status: 4},
			&iobjectexporter.ComplexPingResponse{}, func() message { return &dcom.ComplexPinged{} },
		},
		"RemoteActivation": {
			&dcom.RemoteActivation{
				This: this, Class: id(3), ImpLevel: 2, IIDs: []rpc.UUID{id(5), id(6)}, Protseqs: []uint16{7},
			},
			&iactivation.RemoteActivationRequest{}, func() message { return &dcom.RemoteActivation{} },
		},
		"RemoteActivation of something persistent": {
			&dcom.RemoteActivation{
				This: this, Class: id(3), Name: "name", Storage: []byte("any"), Mode: 1 << 31, IIDs: []rpc.UUID{id(5)},
				Protseqs: []uint16{7, 15},
			},
			&iactivation.RemoteActivationRequest{}, func() message { return &dcom.RemoteActivation{} },
		},
		"RemoteActivated": {
			&dcom.RemoteActivated{Activated: made, Status: 5},
			&iactivation.RemoteActivationResponse{}, func() message { return &dcom.RemoteActivated{} },
		},
		"RemoteActivated, refused": {
			&dcom.RemoteActivated{
				Result:    0x80070005,
				Activated: dcom.Activated{Interfaces: []dcom.Interfaced{{}, {}}, Version: dcom.CurrentVersion()},
			},
			&iactivation.RemoteActivationResponse{}, func() message { return &dcom.RemoteActivated{} },
		},
		"CreateInstance": {
			&dcom.CreateInstance{This: this, Class: id(3), IIDs: []rpc.UUID{id(5), id(6)}, Protseqs: []uint16{7, 15}},
			&iremotescmactivator.RemoteCreateInstanceRequest{}, func() message { return &dcom.CreateInstance{} },
		},
		"CreatedInstance": {
			&dcom.CreatedInstance{Activated: &made, IIDs: []rpc.UUID{id(10), id(30), id(20)}},
			&iremotescmactivator.RemoteCreateInstanceResponse{}, func() message { return &dcom.CreatedInstance{} },
		},
		"CreatedInstance, refused": {
			&dcom.CreatedInstance{Status: 0x80040154},
			&iremotescmactivator.RemoteCreateInstanceResponse{}, func() message { return &dcom.CreatedInstance{} },
		},
		"RemQueryInterface": {
			call(&dcom.RemQueryInterface{IPID: id(7), Refs: 5, IIDs: []rpc.UUID{id(8), id(9)}}),
			&iremunknown.RemoteQueryInterfaceRequest{}, func() message { return call(&dcom.RemQueryInterface{}) },
		},
		"RemQueriedInterface": {
			answer(&dcom.RemQueriedInterface{Results: []dcom.QueriedInterface{
				{Ref: ref(1).Std}, {Result: 0x80004002}, {Ref: ref(2).Std},
			}, Return: 1}),
			&iremunknown.RemoteQueryInterfaceResponse{},
			func() message { return empty(&dcom.RemQueriedInterface{}) },
		},
		"RemQueryInterface2": {
			call(&dcom.RemQueryInterface2{IPID: id(7), IIDs: []rpc.UUID{id(8), id(9)}}),
			&iremunknown2.RemoteQueryInterface2Request{}, func() message { return call(&dcom.RemQueryInterface2{}) },
		},
		"RemQueriedInterface2": {
			answer(&dcom.RemQueriedInterface2{Interfaces: []dcom.Interfaced{
				{Ref: ref(1)}, {Result: 0x80004002}, {Ref: ref(2)},
			}, Return: 1}),
			&iremunknown2.RemoteQueryInterface2Response{},
			func() message { return empty(&dcom.RemQueriedInterface2{}) },
		},
		"RemAddRef": {
			call(&dcom.RemReferences{Refs: []dcom.InterfaceRef{{id(7), 5, 0}, {id(8), 4, 1}}}),
			&iremunknown.RemoteAddReferenceRequest{}, func() message { return call(&dcom.RemReferences{}) },
		},
		"RemAddedRef": {
			answer(&dcom.RemAddedRef{Results: []uint32{0, 0x800401fd}, Return: 4}),
			&iremunknown.RemoteAddReferenceResponse{},
			func() message { return empty(&dcom.RemAddedRef{}) },
		},
		"RemRelease": {
			call(&dcom.RemReferences{Refs: []dcom.InterfaceRef{{id(7), 5, 0}}}),
			&iremunknown.RemoteReleaseRequest{}, func() message { return call(&dcom.RemReferences{}) },
		},
		"RemReleased": {
			answer(&dcom.Status{Status: 9}),
			&iremunknown.RemoteReleaseResponse{}, func() message { return empty(&dcom.Status{}) },
		},
		"Request": {
			call(&dcom.Request{
				Flags: 0x100, Authority: "Some CA", RequestID: 8, Attributes: "A:B\nC:D", Request: []byte("request"),
			}),
			&icertrequestd.RequestRequest{}, func() message { return call(&dcom.Request{}) },
		},
		"Request2": {
			call(&dcom.Request2{
				Authority: "Some CA", Flags: 0x100, Serial: "0102", RequestID: 8, Attributes: "A:B", Request: []byte("request"),
			}),
			&icertrequestd2.Request2Request{}, func() message { return call(&dcom.Request2{}) },
		},
		"Request2 of nothing": {
			call(&dcom.Request2{RequestID: 8}),
			&icertrequestd2.Request2Request{}, func() message { return call(&dcom.Request2{}) },
		},
		"Answer": {
			answer(&dcom.Answer{
				RequestID: 7, Disposition: 3, Chain: []byte("chain"), Certificate: []byte("certificate"), Message: []byte("ok"),
				Return: 8,
			}),
			&icertrequestd.RequestResponse{}, func() message { return empty(&dcom.Answer{}) },
		},
		"Answer2": {
			answer(&dcom.Answer{RequestID: 7, Disposition: 2}),
			&icertrequestd2.Request2Response{}, func() message { return empty(&dcom.Answer{}) },
		},
		"GetCACert": {
			call(&dcom.GetCACert{What: dcom.CACertName, Authority: "CA"}),
			&icertrequestd.GetCACertRequest{}, func() message { return call(&dcom.GetCACert{}) },
		},
		"Value of GetCACert": {
			answer(&dcom.Value{Value: []byte("abc"), Return: 0x80070057}),
			&icertrequestd.GetCACertResponse{}, func() message { return empty(&dcom.Value{}) },
		},
		"Ping": {
			call(&dcom.Authority{Authority: "CA"}),
			&icertrequestd.PingRequest{}, func() message { return call(&dcom.Authority{}) },
		},
		"Ping2": {
			call(&dcom.Authority{}),
			&icertrequestd2.Ping2Request{}, func() message { return call(&dcom.Authority{}) },
		},
		"GetCAProperty": {
			call(&dcom.GetCAProperty{Authority: "CA", ID: dcom.PropTemplates, Index: -1, Type: dcom.TypeString}),
			&icertrequestd2.GetCAPropertyRequest{}, func() message { return call(&dcom.GetCAProperty{}) },
		},
		"Value": {
			answer(&dcom.Value{Value: []byte("abc"), Return: 5}),
			&icertrequestd2.GetCAPropertyResponse{}, func() message { return empty(&dcom.Value{}) },
		},
		"GetCAPropertyInfo": {
			call(&dcom.Authority{Authority: "CA"}),
			&icertrequestd2.GetCAPropertyInfoRequest{}, func() message { return call(&dcom.Authority{}) },
		},
		"PropertyInfo": {
			answer(&dcom.PropertyInfo{Count: 3, Info: []byte("abc"), Return: 5}),
			&icertrequestd2.GetCAPropertyInfoResponse{}, func() message { return empty(&dcom.PropertyInfo{}) },
		},
	}
}

func empty[M message](m M) message { return &pair[*dcom.That, M]{&dcom.That{}, m} }

func write(m message) []byte {
	w := &ndr.Writer{}
	m.Write(w)
	return w.Stub()
}

func read(t testing.TB, stub []byte, into message) message {
	t.Helper()
	r := ndr.NewReader(stub, false)
	into.Read(r)
	require.NoError(t, r.Done())
	return into
}

// TestAgreesWithGenerated has every message read and written again by the code that go-msrpc generated from the IDL.
func TestAgreesWithGenerated(t *testing.T) {
	for name, s := range samples() {
		t.Run(name, func(t *testing.T) {
			stub := write(s.ours)
			assert.Equal(t, s.ours, read(t, stub, s.empty()), "by itself")
			codec := msndr.NDR20(stub)
			require.NoError(t, s.theirs.UnmarshalNDR(t.Context(), codec))
			count(s.theirs)
			back := msndr.NDR20(nil)
			require.NoError(t, s.theirs.MarshalNDR(t.Context(), back))
			assert.Len(t, back.Bytes(), len(stub))
			assert.Equal(t, s.ours, read(t, back.Bytes(), s.empty()), "and by go-msrpc")
		})
	}
}

// count gives go-msrpc the number of elements of its answers, which it takes from the request.
func count(m generated) {
	switch m := m.(type) {
	case *iactivation.RemoteActivationResponse:
		m.Interfaces = uint32(len(m.Results))
	case *iremunknown.RemoteQueryInterfaceResponse:
		m.IIDsCount = uint16(len(m.QueryInterfaceResults))
	case *iremunknown2.RemoteQueryInterface2Response:
		m.IIDsCount = uint16(len(m.HResult))
	case *iremunknown.RemoteAddReferenceResponse:
		m.InterfaceReferencesCount = uint16(len(m.Results))
	}
}

// TestMembers looks at members that could be confused with one another, in what go-msrpc has read.
func TestMembers(t *testing.T) {
	read := func(m message, into generated) {
		require.NoError(t, into.UnmarshalNDR(t.Context(), msndr.NDR20(write(m))))
	}
	var activation iactivation.RemoteActivationRequest
	read(samples()["RemoteActivation"].ours, &activation)
	assert.EqualValues(t, 0x08070605, activation.IIDs[0].Data1)
	assert.Equal(t, []uint16{7}, activation.RequestedProtocolSequences)
	assert.EqualValues(t, 7, activation.ORPCThis.Version.MinorVersion)

	var request icertrequestd2.Request2Request
	read(samples()["Request2"].ours, &request)
	assert.Equal(t, "Some CA", request.Authority)
	assert.Equal(t, "0102", request.SerialNumber)
	assert.EqualValues(t, 0x100, request.Flags)

	var answered icertrequestd.RequestResponse
	read(samples()["Answer"].ours, &answered)
	assert.EqualValues(t, 3, answered.Disposition)
	assert.Equal(t, []byte("certificate"), answered.EncodedCert.Buffer)
	assert.Equal(t, []byte("five!\x00\x00\x00"), answered.That.Extensions.Extent[0].Data)

	var alive iobjectexporter.ServerAlive2Response
	read(samples()["ServerAlive2"].ours, &alive)
	assert.Equal(t, "CA[49701]", alive.ObjectResolverBindings.GetStringBindings()[1].NetworkAddr)
}

// TestActivationProperties has go-msrpc read what RemoteCreateInstance sends, and answer it.
func TestActivationProperties(t *testing.T) {
	var request iremotescmactivator.RemoteCreateInstanceRequest
	stub := write(samples()["CreateInstance"].ours)
	require.NoError(t, request.UnmarshalNDR(t.Context(), msndr.NDR20(stub)))
	var properties msdcom.ActivationProperties
	require.NoError(t, properties.Parse(request.ActPropertiesIn))
	require.Len(t, properties.Properties, 4)
	in := properties.Properties[0].(*msdcom.InstantiationInfoData)
	assert.Len(t, in.IID, 2)
	assert.EqualValues(t, 7, properties.Properties[3].(*msdcom.SCMRequestInfoData).RemoteRequest.RequestedProtocolSequences[0])
	assert.NotNil(t, properties.ActivationContextInfoData().IfdClientContext)

	var theirs iremotescmactivator.RemoteCreateInstanceResponse
	require.NoError(t, theirs.UnmarshalNDR(t.Context(), msndr.NDR20(write(samples()["CreatedInstance"].ours))))
	var out msdcom.ActivationProperties
	require.NoError(t, out.Parse(theirs.ActPropertiesOut))
	reply := out.SCMReplyInfoData().RemoteReply
	assert.EqualValues(t, uint64(1<<40), reply.OXID)
	assert.EqualValues(t, 6, reply.AuthnHint)
	assert.Equal(t, "CA[49701]", reply.OXIDBindings.GetStringBindings()[1].NetworkAddr)
	results := out.PropertiesOutInfo()
	assert.Equal(t, []int32{0, -0x7fffbffe, 0}, results.HResults)
	assert.Nil(t, results.InterfaceData[1])

	// and what go-msrpc makes of the same, which pads in its own way, is read here
	again, err := out.Marshal()
	require.NoError(t, err)
	theirs.ActPropertiesOut.Data = append(theirs.ActPropertiesOut.Data[:48:48], again...)
	back := msndr.NDR20(nil)
	require.NoError(t, theirs.MarshalNDR(t.Context(), back))
	assert.Equal(t, samples()["CreatedInstance"].ours, read(t, back.Bytes(), &dcom.CreatedInstance{}))
}
