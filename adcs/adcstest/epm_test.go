package adcstest_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/dcetypes"
	"github.com/oiweiwei/go-msrpc/msrpc/dtyp"
	"github.com/oiweiwei/go-msrpc/msrpc/epm/epm/v3"
	icertpassage "github.com/oiweiwei/go-msrpc/msrpc/icpr/icertpassage/v0"
	"github.com/oiweiwei/go-msrpc/ssp"
	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// mapperClient is go-msrpc's client of the endpoint mapper.
func mapperClient(t testing.TB, s *adcstest.Server, opts ...dcerpc.Option) epm.EpmClient {
	t.Helper()
	_, port, err := net.SplitHostPort(s.EndpointMapper())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	conn, err := dcerpc.Dial(ctx, "127.0.0.1", dcerpc.WithEndpoint("ncacn_ip_tcp:["+port+"]"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	cli, err := epm.NewEpmClient(ctx, conn, append(opts, dcerpc.WithInsecure())...)
	require.NoError(t, err)
	return cli
}

func question(iface, transfer rpc.Syntax) *dcetypes.Tower {
	octets := (&rpc.Tower{Interface: iface, Transfer: transfer}).Append(nil)
	return &dcetypes.Tower{TowerLength: uint32(len(octets)), TowerOctetString: octets}
}

const nilUUID = "00000000-0000-0000-0000-000000000000"

func syntaxes() map[string]dcerpc.Option {
	return map[string]dcerpc.Option{"ndr": dcerpc.WithNDR20(), "ndr64": dcerpc.WithNDR64()}
}

func TestEndpointMap(t *testing.T) {
	s := newServer(t, nil)
	port := netip.MustParseAddrPort(s.Addr()).Port()
	newer := rpc.ICertPassage()
	newer.Minor = 1
	pipe := (&rpc.Tower{Interface: rpc.ICertPassage(), Transfer: rpc.NDR(), Pipe: `\pipe\cert`}).Append(nil)
	for name, syntax := range syntaxes() {
		t.Run(name, func(t *testing.T) {
			cli := mapperClient(t, s, syntax)
			for _, transfer := range []rpc.Syntax{rpc.NDR(), rpc.NDR64()} {
				r, err := cli.Map(t.Context(), &epm.MapRequest{MapTower: question(rpc.ICertPassage(), transfer), MaxTowers: 4})
				require.NoError(t, err)
				require.Zero(t, r.Status)
				require.Len(t, r.Towers, 1)
				tower, err := rpc.ParseTower(r.Towers[0].TowerOctetString)
				require.NoError(t, err)
				assert.Equal(t, &rpc.Tower{
					Interface: rpc.ICertPassage(), Transfer: transfer, Port: port, Addr: netip.MustParseAddr("127.0.0.1"),
				}, tower)
			}
			for what, tower := range map[string]*dcetypes.Tower{
				"another interface": question(rpc.EndpointMapper(), rpc.NDR()),
				"newer version":     question(newer, rpc.NDR()),
				"another syntax":    question(rpc.ICertPassage(), rpc.BindFeatures(0)),
				"pipe":              {TowerLength: uint32(len(pipe)), TowerOctetString: pipe},
				"garbage":           {TowerLength: 3, TowerOctetString: []byte{5, 0, 255}},
				"nothing":           nil,
			} {
				r, err := cli.Map(t.Context(), &epm.MapRequest{MapTower: tower, MaxTowers: 4})
				require.NoError(t, err, what)
				assert.EqualValues(t, rpc.StatusNotRegistered, r.Status, what)
				assert.Empty(t, r.Towers, what)
			}
		})
	}
}

// The whole map, one entry an answer; and what is found by interface and version.
func TestEndpointLookup(t *testing.T) {
	s := newServer(t, nil)
	for name, syntax := range syntaxes() {
		t.Run(name, func(t *testing.T) {
			cli := mapperClient(t, s, syntax)
			var found []rpc.Syntax
			handle := &epm.LookupHandle{}
			for i := 0; i == 0 || handle.UUID.String() != nilUUID && i < 10; i++ {
				r, err := cli.Lookup(t.Context(), &epm.LookupRequest{EntryHandle: handle, MaxEntries: 1})
				require.NoError(t, err)
				require.Zero(t, r.Status)
				require.Len(t, r.Entries, 1)
				assert.True(t, strings.HasPrefix(string(r.Entries[0].Annotation), "MS ICPR"), "%q", r.Entries[0].Annotation)
				tower, err := rpc.ParseTower(r.Entries[0].Tower.TowerOctetString)
				require.NoError(t, err)
				found = append(found, tower.Transfer)
				handle = r.EntryHandle
			}
			assert.Equal(t, []rpc.Syntax{rpc.NDR(), rpc.NDR64()}, found)

			iface := func(minor uint16) *dcetypes.InterfaceID {
				return &dcetypes.InterfaceID{UUID: dtyp.GUIDFromUUID(icertpassage.CertPassageSyntaxUUID), VersMinor: minor}
			}
			for _, c := range []struct {
				inquiry, version uint32
				minor            uint16
				want             int
			}{
				{1, 1, 9, 2}, {1, 2, 0, 2}, {1, 2, 1, 0}, {1, 3, 0, 2}, {1, 3, 1, 0}, {1, 4, 1, 2}, {1, 5, 1, 2}, {1, 6, 0, 0},
				{3, 3, 0, 2}, {2, 3, 0, 0}, {0, 0, 5, 2}, {4, 1, 0, 0},
			} {
				r, err := cli.Lookup(t.Context(), &epm.LookupRequest{
					InquiryType: c.inquiry, VersOption: c.version, InterfaceID: iface(c.minor), MaxEntries: 500,
				})
				require.NoError(t, err)
				assert.Len(t, r.Entries, c.want, "%+v", c)
				assert.Equal(t, c.want == 0, r.Status == uint32(rpc.StatusNotRegistered), "%+v", c)
			}
			r, err := cli.Lookup(t.Context(), &epm.LookupRequest{MaxEntries: 1})
			require.NoError(t, err)
			free, err := cli.LookupHandleFree(t.Context(), &epm.LookupHandleFreeRequest{EntryHandle: r.EntryHandle})
			require.NoError(t, err)
			assert.Zero(t, free.Status)
			assert.Equal(t, nilUUID, free.EntryHandle.UUID.String())
		})
	}
}

// Stubs that the mapper refuses, on one connection.
func TestHostileMapper(t *testing.T) {
	s := newServer(t, nil)
	le := binary.LittleEndian
	lookup := func(limit uint32, handle ...byte) []byte {
		b := append(make([]byte, 16), make([]byte, 20)...)
		copy(b[16:], handle)
		return le.AppendUint32(b, limit)
	}
	towerOf := func(conformance, length uint32) []byte {
		b := le.AppendUint32(make([]byte, 4), 1)
		b = le.AppendUint32(le.AppendUint32(b, conformance), length)
		return append(b, make([]byte, 2100)...)
	}
	p := dialRaw(t, s.EndpointMapper())
	m := rpc.Bind{MaxXmit: 5840, MaxRecv: 5840, Contexts: []rpc.Context{
		{Abstract: rpc.EndpointMapper(), Transfer: []rpc.Syntax{rpc.NDR()}},
	}}
	p.send(p.encode(rpc.TypeBind, whole, m.Append(nil), nil))
	require.Equal(t, rpc.VerdictAccept, p.bindAck().Results[0].Verdict)
	for name, c := range map[string]struct {
		opnum  uint16
		stub   []byte
		status rpc.Status
	}{
		"501 entries":              {2, lookup(501), rpc.StatusBadStubData},
		"foreign handle":           {2, lookup(1, 0, 0, 0, 0, 9, 9), rpc.StatusContextMismatch},
		"foreign handle freed":     {4, lookup(1, 0, 0, 0, 0, 9, 9)[16:36], rpc.StatusContextMismatch},
		"cut off":                  {2, lookup(1)[:39], rpc.StatusBadStubData},
		"tower of 4 GiB":           {3, towerOf(0xffffffff, 0xffffffff), rpc.StatusBadStubData},
		"tower of 2001 bytes":      {3, towerOf(2001, 2001), rpc.StatusBadStubData},
		"tower with other lengths": {3, towerOf(10, 11), rpc.StatusBadStubData},
		"nothing":                  {3, nil, rpc.StatusBadStubData},
		"ept_insert":               {0, nil, rpc.StatusOpRange},
		"ept_delete":               {1, nil, rpc.StatusOpRange},
		"opnum 5":                  {5, nil, rpc.StatusOpRange},
	} {
		p.call++
		call := rpc.Call{Type: rpc.TypeRequest, CallID: p.call, Opnum: c.opnum, Stub: c.stub}
		list, err := call.Fragments(5840, nil)
		require.NoError(t, err)
		p.send(list[0])
		t.Run(name, func(t *testing.T) { p.wantFault(c.status) })
	}
}

// noDNS resolves every name to an address that leads nowhere.
type noDNS struct{}

func (noDNS) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) {
	return []net.IPAddr{{IP: net.IPv4(192, 0, 2, 1)}}, nil
}

// The way of a client that knows no more than a host name: the mapper on port 135, then the port it names.
func TestDiscoveryUnderHostName(t *testing.T) {
	s := newServer(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx = gssapi.NewSecurityContext(ctx,
		gssapi.WithCredential(credential.NewFromPassword(s.User().Account(), s.User().Password)),
		gssapi.WithMechanismFactory(ssp.SPNEGO), gssapi.WithMechanismFactory(ssp.NTLM))
	conn, err := dcerpc.Dial(ctx, s.Host(), dcerpc.WithDialer(s), dcerpc.WithDNSResolver(noDNS{}),
		epm.EndpointMapper(ctx, s.Host(), dcerpc.WithDialer(s), dcerpc.WithDNSResolver(noDNS{}), dcerpc.WithInsecure()))
	require.NoError(t, err)
	defer conn.Close(ctx)
	cli, err := icertpassage.NewCertPassageClient(ctx, conn, dcerpc.WithSeal())
	require.NoError(t, err)
	callPadded(t, s, cli, 0)
}
