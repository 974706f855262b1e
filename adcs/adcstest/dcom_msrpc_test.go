package adcstest_test

import (
	"context"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom"
	iactivation "github.com/oiweiwei/go-msrpc/msrpc/dcom/iactivation/v0"
	iobjectexporter "github.com/oiweiwei/go-msrpc/msrpc/dcom/iobjectexporter/v0"
	iremunknown "github.com/oiweiwei/go-msrpc/msrpc/dcom/iremunknown/v0"
	iremunknown2 "github.com/oiweiwei/go-msrpc/msrpc/dcom/iremunknown2/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce"
	wcceclient "github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce/client"
	icertrequestd "github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce/icertrequestd/v0"
	icertrequestd2 "github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce/icertrequestd2/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dtyp"
	"github.com/oiweiwei/go-msrpc/ssp"
	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	wire "github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/rpc"
)

// comPeer is go-msrpc as a DCOM client: an implementation that is not ours.
type comPeer struct {
	t       testing.TB
	s       *adcstest.Server
	ctx     context.Context
	user    adcstest.User
	version *dcom.COMVersion
	act     *iactivation.RemoteActivationResponse
}

func guidOf(u rpc.UUID) *dtyp.GUID {
	return &dtyp.GUID{
		Data1: uint32(u[0]) | uint32(u[1])<<8 | uint32(u[2])<<16 | uint32(u[3])<<24,
		Data2: uint16(u[4]) | uint16(u[5])<<8, Data3: uint16(u[6]) | uint16(u[7])<<8, Data4: u[8:],
	}
}

func iidOf(u rpc.UUID) *dcom.IID { return (*dcom.IID)(guidOf(u)) }

func portOf(t testing.TB, addr string) dcerpc.Option {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	return dcerpc.WithEndpoint("ncacn_ip_tcp:[" + port + "]")
}

func newCOMPeer(t testing.TB, s *adcstest.Server, u adcstest.User) *comPeer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return &comPeer{t: t, s: s, ctx: ctx, user: u}
}

// security is a logon of its own, which every connection needs.
func (p *comPeer) security() context.Context {
	return gssapi.NewSecurityContext(p.ctx, gssapi.WithMechanismFactory(ssp.SPNEGO), gssapi.WithMechanismFactory(ssp.NTLM),
		gssapi.WithCredential(credential.NewFromPassword(p.s.User().Domain+`\`+p.user.Name, p.user.Password)))
}

func (p *comPeer) dial(option dcerpc.Option) dcerpc.Conn { return p.dialAs(p.ctx, option) }

func (p *comPeer) dialAs(ctx context.Context, option dcerpc.Option) dcerpc.Conn {
	p.t.Helper()
	conn, err := dcerpc.Dial(ctx, "127.0.0.1", option, dcerpc.WithTimeout(20*time.Second))
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// activate asks who is there and makes an object.
func (p *comPeer) activate(class rpc.UUID, iids ...rpc.UUID) {
	p.t.Helper()
	mapper := portOf(p.t, p.s.EndpointMapper())
	resolver, err := iobjectexporter.NewObjectExporterClient(p.ctx, p.dial(mapper), dcerpc.WithInsecure())
	require.NoError(p.t, err)
	alive, err := resolver.ServerAlive2(p.ctx, &iobjectexporter.ServerAlive2Request{})
	require.NoError(p.t, err)
	p.version = alive.COMVersion
	assert.Equal(p.t, "CA", alive.ObjectResolverBindings.GetStringBindings()[0].NetworkAddr)
	ctx := p.security()
	activator, err := iactivation.NewActivationClient(ctx, p.dialAs(ctx, mapper), dcerpc.WithSeal())
	require.NoError(p.t, err)
	var list []*dcom.IID
	for _, i := range iids {
		list = append(list, iidOf(i))
	}
	p.act, err = activator.RemoteActivation(p.ctx, &iactivation.RemoteActivationRequest{
		ORPCThis: p.this(), ClassID: guidOf(class), IIDs: list, RequestedProtocolSequences: []uint16{7, 15},
	})
	require.NoError(p.t, err)
}

func (p *comPeer) this() *dcom.ORPCThis { return &dcom.ORPCThis{Version: p.version} }

// object connects to the port of the objects.
func (p *comPeer) object(ctx context.Context) dcerpc.Conn {
	p.t.Helper()
	require.Zero(p.t, p.act.HResult)
	endpoints := p.act.OXIDBindings.EndpointsByProtocol("ncacn_ip_tcp")
	require.NotEmpty(p.t, endpoints)
	return p.dialAs(ctx, portOf(p.t, p.s.ObjectAddr()))
}

func checkLeaf(t testing.TB, s *adcstest.Server, csr, leaf []byte) {
	t.Helper()
	request, err := x509.ParseCertificateRequest(csr)
	require.NoError(t, err)
	cert := parse(t, leaf)
	assert.Equal(t, request.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo)
	assert.NoError(t, cert.CheckSignatureFrom(s.Certificate()))
}

// requestPeer is go-msrpc as a client of ICertRequestD2.
type requestPeer struct {
	*comPeer
	two icertrequestd2.CertRequestD2Client
}

func newRequestPeer(t testing.TB, s *adcstest.Server, u adcstest.User) *requestPeer {
	t.Helper()
	p := newCOMPeer(t, s, u)
	p.activate(wire.ClassCertRequest(), wire.ICertRequestD2())
	ctx := p.security()
	cli, err := wcceclient.NewClient(ctx, p.object(ctx), dcerpc.WithSeal())
	require.NoError(t, err)
	return &requestPeer{p, cli.IPID(p.ctx, p.act.InterfaceData[0].IPID()).CertRequestD2()}
}

func (p *requestPeer) submit(t testing.TB, csr []byte, attributes string) *icertrequestd2.Request2Response {
	t.Helper()
	out, err := p.two.Request2(p.ctx, &icertrequestd2.Request2Request{
		This: p.this(), Authority: p.s.Name(), Attributes: attributes, Request: &wcce.CertTransportBlob{Buffer: csr},
	})
	require.NoError(t, err)
	return out
}

// TestMSRPCOverDCOM has go-msrpc submit, retrieve, ping and release over DCOM.
func TestMSRPCOverDCOM(t *testing.T) {
	// DCOM is NDR 2.0 alone, also for a client that offers NDR64 first.
	for name, syntax := range map[string][]dcerpc.Option{
		"ndr": {dcerpc.WithNDR20()}, "either": {dcerpc.WithNDR64(), dcerpc.WithNDR20()},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			p := newCOMPeer(t, s, s.User())
			p.activate(wire.ClassCertRequest(), wire.ICertRequestD2(), wire.ICertRequestD(), wire.IRemUnknown())
			assert.Equal(t, []int32{0, 0, -0x7fffbffe}, p.act.Results, "no object of the CA counts references")
			ctx := p.security()
			cli, err := wcceclient.NewClient(ctx, p.object(ctx), append(syntax, dcerpc.WithSeal())...)
			require.NoError(t, err)
			one := cli.IPID(p.ctx, p.act.InterfaceData[1].IPID()).CertRequestD()
			two := cli.IPID(p.ctx, p.act.InterfaceData[0].IPID()).CertRequestD2()

			_, err = two.Ping2(p.ctx, &icertrequestd2.Ping2Request{This: p.this(), Authority: s.Name()})
			require.NoError(t, err)
			csr := newCSR(t, "dcom")
			out, err := two.Request2(p.ctx, &icertrequestd2.Request2Request{
				This: p.this(), Authority: s.Name(), Attributes: "CertificateTemplate:User",
				Request: &wcce.CertTransportBlob{Buffer: csr},
			})
			require.NoError(t, err)
			require.EqualValues(t, 3, out.Disposition)
			checkLeaf(t, s, csr, out.EncodedCert.Buffer)

			serial := s.Requests()[0].Serial
			again, err := two.Request2(p.ctx, &icertrequestd2.Request2Request{
				This: p.this(), Authority: s.Name(), SerialNumber: serial, Request: &wcce.CertTransportBlob{},
			})
			require.NoError(t, err)
			assert.Equal(t, out.EncodedCert.Buffer, again.EncodedCert.Buffer)

			first, err := one.Request(p.ctx, &icertrequestd.RequestRequest{
				This: p.this(), Authority: s.Name(), Attributes: "CertificateTemplate:User",
				Request: &wcce.CertTransportBlob{Buffer: csr},
			})
			require.NoError(t, err)
			checkLeaf(t, s, csr, first.EncodedCert.Buffer)
			_, err = one.Ping(p.ctx, &icertrequestd.PingRequest{This: p.this(), Authority: "Another CA"})
			require.ErrorContains(t, err, "-2147024809", "E_INVALIDARG")

			queried, err := cli.IPID(p.ctx, p.act.RemoteUnknown).RemoteUnknown2().RemoteQueryInterface2(p.ctx,
				&iremunknown2.RemoteQueryInterface2Request{
					This: p.this(), IPID: (*dtyp.GUID)(p.act.InterfaceData[0].IPID()), IIDs: []*dcom.IID{iidOf(wire.ICertRequestD())},
				})
			require.NoError(t, err)
			assert.Equal(t, p.act.InterfaceData[1].IPID(), queried.Interface[0].IPID())

			require.Equal(t, 1, s.Objects())
			unknown := cli.IPID(p.ctx, p.act.RemoteUnknown).RemoteUnknown()
			_, err = unknown.RemoteRelease(p.ctx, &iremunknown.RemoteReleaseRequest{
				This: p.this(), InterfaceReferences: []*dcom.RemoteInterfaceReference{
					{IPID: p.act.InterfaceData[0].IPID(), PublicReferencesCount: 5},
					{IPID: p.act.InterfaceData[1].IPID(), PublicReferencesCount: 10},
				},
			})
			require.NoError(t, err)
			assert.Zero(t, s.Objects())
			_, err = two.Ping2(p.ctx, &icertrequestd2.Ping2Request{This: p.this(), Authority: s.Name()})
			require.ErrorContains(t, err, "0x80010108", "the object is gone")
		})
	}
}

// TestMSRPCProperties has go-msrpc read the properties of a CA.
func TestMSRPCProperties(t *testing.T) {
	s := newServer(t, nil)
	p := newCOMPeer(t, s, s.User())
	p.activate(wire.ClassCertRequest(), wire.ICertRequestD2(), wire.ICertRequestD())
	ctx := p.security()
	cli, err := wcceclient.NewClient(ctx, p.object(ctx), dcerpc.WithSeal())
	require.NoError(t, err)
	two := cli.IPID(p.ctx, p.act.InterfaceData[0].IPID()).CertRequestD2()
	value, err := two.GetCAProperty(p.ctx, &icertrequestd2.GetCAPropertyRequest{
		This: p.this(), Authority: s.Name(), PropertyID: wire.PropCASigCert, PropertyIndex: -1, PropertyType: wire.TypeBinary,
	})
	require.NoError(t, err)
	assert.Equal(t, s.Certificate().Raw, value.PropertyValue.Buffer)
	info, err := two.GetCAPropertyInfo(p.ctx,
		&icertrequestd2.GetCAPropertyInfoRequest{This: p.this(), Authority: s.Name()})
	require.NoError(t, err)
	list, err := wire.ParseProperties(info.PropertyInfo.Buffer, info.PropertyCount)
	require.NoError(t, err)
	assert.Greater(t, len(list), 40)
	_, err = two.GetCAProperty(p.ctx, &icertrequestd2.GetCAPropertyRequest{
		This: p.this(), PropertyID: wire.PropCAName, PropertyType: wire.TypeString,
	})
	require.Error(t, err, "a property is asked of a CA by name")

	one := cli.IPID(p.ctx, p.act.InterfaceData[1].IPID()).CertRequestD()
	name, err := one.GetCACert(p.ctx, &icertrequestd.GetCACertRequest{This: p.this(), Chain: wire.CACertName})
	require.NoError(t, err, "its name can be asked without it")
	assert.Equal(t, s.Name(), text(t, name.Out.Buffer))
}
