package adcstest_test

import (
	"testing"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom"
	iremotescmactivator "github.com/oiweiwei/go-msrpc/msrpc/dcom/iremotescmactivator/v0"
	wcceclient "github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce/client"
	icertrequestd2 "github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce/icertrequestd2/v0"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	wire "github.com/adcskit/adcskit/internal/dcom"
)

// TestMSRPCCreateInstance has go-msrpc make an object with RemoteCreateInstance, by its own coding of activation
// properties, and call it.
func TestMSRPCCreateInstance(t *testing.T) {
	s := newServer(t, nil)
	p := newCOMPeer(t, s, s.User())
	p.version = &dcom.COMVersion{MajorVersion: 5, MinorVersion: 7}
	asked := dcom.ActivationProperties{DestinationContext: 2, Properties: []dcom.ActivationProperty{
		&dcom.InstantiationInfoData{
			ClassID: (*dcom.ClassID)(guidOf(wire.ClassCertRequest())), ClassContext: 0x10,
			IID:              []*dcom.IID{iidOf(wire.ICertRequestD2()), iidOf(wire.IRemUnknown())},
			ClientCOMVersion: p.version,
		},
		&dcom.ActivationContextInfoData{},
		&dcom.LocationInfoData{},
		&dcom.SCMRequestInfoData{RemoteRequest: &dcom.CustomRemoteRequestSCMInfo{RequestedProtocolSequences: []uint16{7}}},
	}}
	in, err := asked.ActivationPropertiesIn()
	require.NoError(t, err)
	ctx := p.security()
	activator, err := iremotescmactivator.NewRemoteSCMActivatorClient(ctx,
		p.dialAs(ctx, portOf(t, s.EndpointMapper())), dcerpc.WithSeal())
	require.NoError(t, err)
	out, err := activator.RemoteCreateInstance(p.ctx, &iremotescmactivator.RemoteCreateInstanceRequest{
		ORPCThis: p.this(), ActPropertiesIn: in,
	})
	require.NoError(t, err)
	var made dcom.ActivationProperties
	require.NoError(t, made.Parse(out.ActPropertiesOut))
	interfaces, reply := made.PropertiesOutInfo(), made.SCMReplyInfoData()
	require.NotNil(t, interfaces)
	require.NotNil(t, reply)
	assert.Equal(t, []int32{0, -0x7fffbffe}, interfaces.HResults)
	assert.Equal(t, "CA", reply.RemoteReply.OXIDBindings.GetStringBindings()[0].NetworkAddr[:2])

	ctx = p.security()
	cli, err := wcceclient.NewClient(ctx, p.dialAs(ctx, portOf(t, s.ObjectAddr())), dcerpc.WithSeal())
	require.NoError(t, err)
	_, err = cli.IPID(p.ctx, interfaces.InterfaceData[0].IPID()).CertRequestD2().Ping2(p.ctx,
		&icertrequestd2.Ping2Request{This: p.this(), Authority: s.Name()})
	require.NoError(t, err)
}
