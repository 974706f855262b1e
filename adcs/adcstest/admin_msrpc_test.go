package adcstest_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/csra"
	csraclient "github.com/oiweiwei/go-msrpc/msrpc/dcom/csra/client"
	icertadmind "github.com/oiweiwei/go-msrpc/msrpc/dcom/csra/icertadmind/v0"
	icertadmind2 "github.com/oiweiwei/go-msrpc/msrpc/dcom/csra/icertadmind2/v0"
	icertrequestd "github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce/icertrequestd/v0"
	icertrequestd2 "github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce/icertrequestd2/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dtyp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	wire "github.com/adcskit/adcskit/internal/csra"
)

// adminPeer is go-msrpc as a client of ICertAdminD2.
type adminPeer struct {
	*comPeer
	one icertadmind.CertAdminDClient
	two icertadmind2.CertAdminD2Client
}

func newAdminPeer(t testing.TB, s *adcstest.Server, u adcstest.User) *adminPeer {
	t.Helper()
	p := newCOMPeer(t, s, u)
	p.activate(wire.CLSID(), wire.ICertAdminD2())
	ctx := p.security()
	cli, err := csraclient.NewClient(ctx, p.object(ctx), dcerpc.WithSeal())
	require.NoError(t, err)
	cli = cli.IPID(p.ctx, p.act.InterfaceData[0].IPID())
	return &adminPeer{p, cli.CertAdminD2().CertAdminD(), cli.CertAdminD2()}
}

// newAdministered is a server with an account for every role.
func newAdministered(t testing.TB) *adcstest.Server {
	t.Helper()
	users := []adcstest.User{{Name: "alice", Password: "pw"}}
	for _, name := range []string{"manager", "officer", "reader"} {
		users = append(users, adcstest.User{Name: name, Password: "pw"})
	}
	return newServer(t, &adcstest.Options{
		Users: users, Managers: []string{`CORP\manager`}, Officers: []string{`CORP\officer`},
		Readers: []string{`CORP\reader`},
	})
}

// submitAs has an account submit over DCOM.
func submitAs(t testing.TB, s *adcstest.Server, name, template string) adcstest.RequestInfo {
	t.Helper()
	csr := newCSR(t, name)
	p := newRequestPeer(t, s, adcstest.User{Name: name, Password: "pw"})
	p.submit(t, csr, "CertificateTemplate:"+template+"\nccm:desk.corp.test")
	rows := s.Requests()
	return rows[len(rows)-1]
}

// TestMSRPCAdministration has go-msrpc approve, deny, revoke and publish.
func TestMSRPCAdministration(t *testing.T) {
	s := newAdministered(t)
	p := newAdminPeer(t, s, adcstest.User{Name: "manager", Password: "pw"})
	_, err := p.two.Ping2(p.ctx, &icertadmind2.Ping2Request{This: p.this()})
	require.NoError(t, err)

	held := submitAs(t, s, "alice", "DeviceHeld")
	out, err := p.one.ResubmitRequest(p.ctx, &icertadmind.ResubmitRequestRequest{
		This: p.this(), Authority: s.Name(), RequestID: held.ID,
	})
	require.NoError(t, err)
	assert.EqualValues(t, 3, out.Disposition)
	second := submitAs(t, s, "alice", "DeviceHeld")
	_, err = p.one.DenyRequest(p.ctx, &icertadmind.DenyRequestRequest{
		This: p.this(), Authority: s.Name(), RequestID: second.ID,
	})
	require.NoError(t, err)
	assert.EqualValues(t, 2, s.Requests()[1].Disposition)
	assert.Equal(t, `Denied by CORP\manager`, s.Requests()[1].Message)

	serial := s.Requests()[0].Serial
	effective := time.Now().Add(-time.Hour).Truncate(time.Second)
	_, err = p.one.RevokeCertificate(p.ctx, &icertadmind.RevokeCertificateRequest{
		This: p.this(), Authority: s.Name(), SerialNumber: serial, Reason: 1, FileTime: filetime(effective),
	})
	require.NoError(t, err)
	require.NotNil(t, s.Requests()[0].Revocation)
	assert.True(t, effective.Equal(s.Requests()[0].Revocation.Effective))
	valid, err := p.one.IsValidCertificate(p.ctx, &icertadmind.IsValidCertificateRequest{
		This: p.this(), Authority: s.Name(), SerialNumber: serial,
	})
	require.NoError(t, err)
	assert.Equal(t, [2]int32{1, 2}, [2]int32{valid.RevocationReason, valid.Disposition})
	_, err = p.two.PublishCRLs(p.ctx, &icertadmind2.PublishCRLsRequest{
		This: p.this(), Authority: s.Name(), FileTime: &dtyp.Filetime{}, Flags: 1,
	})
	require.NoError(t, err)
	lists, err := s.CRLs()
	require.NoError(t, err)
	assert.Equal(t, map[string]int{serial: 1}, reasons(lists[0]))

	roles, err := p.two.GetMyRoles(p.ctx, &icertadmind2.GetMyRolesRequest{This: p.this(), Authority: s.Name()})
	require.NoError(t, err)
	assert.EqualValues(t, 0x303, roles.Roles)
	elements, err := p.one.EnumAttributesOrExtensions(p.ctx, &icertadmind.EnumAttributesOrExtensionsRequest{
		This: p.this(), Authority: s.Name(), RowID: 1, Count: 2,
	})
	require.NoError(t, err)
	list, err := wire.DecodeAttributes(elements.Out.Buffer, elements.Fetched)
	require.NoError(t, err)
	assert.Equal(t, []wire.Attribute{
		{Name: "ccm", Value: "desk.corp.test"}, {Name: "CertificateTemplate", Value: "DeviceHeld"},
	}, list)
	_, err = p.one.EnumAttributesOrExtensions(p.ctx, &icertadmind.EnumAttributesOrExtensionsRequest{
		This: p.this(), Authority: s.Name(), RowID: 1, Count: 2, Flags: 2,
	})
	assert.ErrorContains(t, err, "-2147024809", "neither attributes nor extensions")
}

// TestMSRPCPropertyRoles: a CA is silent to those who may neither enroll nor read.
func TestMSRPCPropertyRoles(t *testing.T) {
	s := newServer(t, &adcstest.Options{
		Users:     []adcstest.User{{Name: "alice", Password: "pw"}, {Name: "reader", Password: "pw"}, {Name: "bob", Password: "pw"}},
		Enrollers: []string{`CORP\alice`}, Readers: []string{`CORP\reader`},
	})
	for name, may := range map[string]bool{"alice": true, "reader": true, "bob": false} {
		p := newRequestPeer(t, s, adcstest.User{Name: name, Password: "pw"})
		_, property := p.two.GetCAProperty(p.ctx, &icertrequestd2.GetCAPropertyRequest{
			This: p.this(), Authority: s.Name(), PropertyID: 6, PropertyType: 4,
		})
		_, info := p.two.GetCAPropertyInfo(p.ctx, &icertrequestd2.GetCAPropertyInfoRequest{
			This: p.this(), Authority: s.Name(),
		})
		_, cert := p.two.CertRequestD().GetCACert(p.ctx, &icertrequestd.GetCACertRequest{This: p.this(), Authority: s.Name()})
		_, ping := p.two.Ping2(p.ctx, &icertrequestd2.Ping2Request{This: p.this(), Authority: s.Name()})
		assert.NoError(t, ping, name)
		for what, err := range map[string]error{"GetCAProperty": property, "GetCAPropertyInfo": info, "GetCACert": cert} {
			if may {
				assert.NoError(t, err, "%s: %s", name, what)
				continue
			}
			assert.ErrorContains(t, err, "-2147024891", "%s: %s", name, what)
		}
	}
}

func filetime(t time.Time) *dtyp.Filetime {
	v := wire.FileTime(t)
	return &dtyp.Filetime{LowDateTime: uint32(v), HighDateTime: uint32(v >> 32)}
}

// TestMSRPCView has go-msrpc read the database, by its own decoder of rows and columns.
func TestMSRPCView(t *testing.T) {
	s := newAdministered(t)
	for range 5 {
		submitAs(t, s, "alice", "Device")
	}
	p := newAdminPeer(t, s, adcstest.User{Name: "reader", Password: "pw"})
	columns, err := p.two.EnumViewColumnTable(p.ctx, &icertadmind2.EnumViewColumnTableRequest{
		This: p.this(), Authority: s.Name(), ColumnCount: 1000,
	})
	require.NoError(t, err)
	schema, err := columns.ColumnInfo.Columns(int(columns.ColumnOutCount))
	require.NoError(t, err)
	byName := map[string]uint32{}
	var all []uint32
	for _, c := range schema {
		byName[c.Name] = c.Index
		all = append(all, c.Index)
	}
	require.Len(t, all, 81)

	two := binary.LittleEndian.AppendUint32(nil, 2)
	view, err := p.one.OpenView(p.ctx, &icertadmind.OpenViewRequest{
		This: p.this(), Authority: s.Name(), ColumnsOut: all, ID: 1, Count: 2,
		CertViewRestrictions: []*csra.CertViewRestriction{
			{ColumnIndex: byName["Request.RequestID"], SeekOperator: 16, SortOrder: 2, Value: two},
		},
	})
	require.NoError(t, err)
	rows, _, err := view.ResultRows.Rows()
	require.NoError(t, err)
	require.Len(t, rows, 2)
	assert.Equal(t, [2]uint32{5, 4}, [2]uint32{rows[0].ID, rows[1].ID})
	found := map[uint32]any{}
	for _, c := range rows[0].Columns {
		found[c.Index], err = c.Value()
		require.NoError(t, err)
	}
	info := s.Requests()[4]
	assert.Equal(t, info.Serial, found[byName["SerialNumber"]])
	assert.Equal(t, `CORP\alice`, found[byName["Request.RequesterName"]])
	assert.Equal(t, info.Raw, found[byName["Request.RawRequest"]])
	assert.Equal(t, info.Certificate, found[byName["RawCertificate"]])
	assert.EqualValues(t, 20, found[byName["Request.Disposition"]])

	next, err := p.one.EnumView(p.ctx, &icertadmind.EnumViewRequest{This: p.this(), Authority: s.Name(), ID: 3, Count: 2})
	require.Error(t, err, "S_FALSE, which go-msrpc takes for an error")
	require.EqualValues(t, 1, next.Return)
	left, total, end, err := wire.DecodeRows(next.ResultRows.Buffer, next.Fetched)
	require.NoError(t, err)
	assert.Equal(t, []any{1, uint32(3), true}, []any{len(left), total, end})
	_, err = p.one.OpenView(p.ctx, &icertadmind.OpenViewRequest{This: p.this(), Authority: s.Name(), ColumnsOut: all})
	require.ErrorContains(t, err, "-2147418113", "there is one open already")
	_, err = p.one.CloseView(p.ctx, &icertadmind.CloseViewRequest{This: p.this(), Authority: s.Name()})
	require.NoError(t, err)
	_, err = p.one.CloseView(p.ctx, &icertadmind.CloseViewRequest{This: p.this(), Authority: s.Name()})
	require.ErrorContains(t, err, "-2147024890", "ERROR_INVALID_HANDLE")
}

// TestMSRPCRoles is who may do what, and that others get E_ACCESSDENIED.
func TestMSRPCRoles(t *testing.T) {
	s := newAdministered(t)
	submitAs(t, s, "alice", "DeviceHeld")
	issued := submitAs(t, s, "alice", "Device")
	const yes, no = true, false
	for name, may := range map[string]struct{ read, decide, publish bool }{
		"manager": {yes, yes, yes}, "officer": {yes, yes, no}, "reader": {yes, no, no}, "alice": {no, no, no},
	} {
		t.Run(name, func(t *testing.T) {
			p := newAdminPeer(t, s, adcstest.User{Name: name, Password: "pw"})
			check := func(allowed bool, what string, err error) {
				t.Helper()
				if allowed {
					assert.NoError(t, err, what)
					return
				}
				assert.ErrorContains(t, err, "-2147024891", what)
			}
			_, err := p.one.OpenView(p.ctx, &icertadmind.OpenViewRequest{
				This: p.this(), Authority: s.Name(), ColumnsOut: []uint32{0x1000}, ID: 1, Count: 1,
			})
			check(may.read, "OpenView", err)
			_, err = p.one.RevokeCertificate(p.ctx, &icertadmind.RevokeCertificateRequest{
				This: p.this(), Authority: s.Name(), SerialNumber: issued.Serial, Reason: 0, FileTime: filetime(time.Now()),
			})
			check(may.decide, "RevokeCertificate", err)
			_, err = p.two.PublishCRLs(p.ctx, &icertadmind2.PublishCRLsRequest{
				This: p.this(), Authority: s.Name(), FileTime: &dtyp.Filetime{}, Flags: 1,
			})
			check(may.publish, "PublishCRLs", err)
			_, err = p.two.Ping2(p.ctx, &icertadmind2.Ping2Request{This: p.this(), Authority: s.Name()})
			check(may.publish, "Ping2", err)
			_, err = p.two.GetMyRoles(p.ctx, &icertadmind2.GetMyRolesRequest{This: p.this(), Authority: s.Name()})
			check(may.read, "GetMyRoles", err)
			state, err := p.one.GetServerState(p.ctx, &icertadmind.GetServerStateRequest{This: p.this(), Authority: s.Name()})
			require.NoError(t, err)
			assert.Equal(t, may.read, state.State == 1)
			if may.read {
				_, err = p.two.GetMyRoles(p.ctx, &icertadmind2.GetMyRolesRequest{This: p.this(), Authority: "Another CA"})
				assert.ErrorContains(t, err, "-2147024809", "the wrong CA")
			}
		})
	}
}
