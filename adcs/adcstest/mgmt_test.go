package adcstest_test

import (
	"context"
	"net"
	"testing"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/mgmt/mgmt/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/rpc"
)

// Each port says which interfaces it has.
func TestManagement(t *testing.T) {
	s := newServer(t, nil)
	const itself = "afa8bd80-7d8a-11c9-bef4-08002b102989"
	for addr, served := range map[string][]string{
		s.Addr(): {rpc.ICertPassage().UUID.String()},
		s.EndpointMapper(): {
			rpc.EndpointMapper().UUID.String(), dcom.IObjectExporter().String(), dcom.IActivation().String(),
			dcom.IRemoteSCMActivator().String(),
		},
		s.ObjectAddr(): {
			dcom.IRemUnknown().String(), dcom.IRemUnknown2().String(), dcom.ICertRequestD().String(),
			dcom.ICertRequestD2().String(), csra.ICertAdminD().String(), csra.ICertAdminD2().String(),
		},
	} {
		for name, syntax := range syntaxes() {
			_, port, err := net.SplitHostPort(addr)
			require.NoError(t, err)
			conn, err := dcerpc.Dial(t.Context(), "127.0.0.1", dcerpc.WithEndpoint("ncacn_ip_tcp:["+port+"]"))
			require.NoError(t, err)
			defer conn.Close(context.Background())
			cli, err := mgmt.NewManagementClient(t.Context(), conn, syntax, dcerpc.WithInsecure())
			require.NoError(t, err)
			ids, err := cli.InquireInterfaceIDs(t.Context(), &mgmt.InquireInterfaceIDsRequest{})
			require.NoError(t, err, name)
			var found []string
			for _, id := range ids.InterfaceIDVector.InterfaceID {
				found = append(found, id.UUID.String())
			}
			assert.Equal(t, append([]string{itself}, served...), found, name)
			up, _ := cli.IsServerListening(t.Context(), &mgmt.IsServerListeningRequest{}) // it takes TRUE for an error
			require.NotNil(t, up, name)
			assert.True(t, up.Return, name)
			assert.Zero(t, up.Status, name)
		}
	}
}

// Nobody stops the server from outside.
func TestManagementRefused(t *testing.T) {
	s := newServer(t, nil)
	p := dialRaw(t, s.Addr())
	id, err := rpc.ParseUUID("afa8bd80-7d8a-11c9-bef4-08002b102989")
	require.NoError(t, err)
	m := rpc.Bind{MaxXmit: 5840, MaxRecv: 5840, Contexts: []rpc.Context{
		{Abstract: rpc.Syntax{UUID: id, Major: 1}, Transfer: []rpc.Syntax{rpc.NDR()}},
	}}
	p.send(p.encode(rpc.TypeBind, whole, m.Append(nil), nil))
	require.Equal(t, rpc.VerdictAccept, p.bindAck().Results[0].Verdict)
	for _, opnum := range []uint16{1, 3, 4, 5} {
		p.send(p.encode(rpc.TypeRequest, whole, (&rpc.Request{Opnum: opnum}).Append(nil), nil))
		p.wantFault(rpc.StatusOpRange)
	}
}
