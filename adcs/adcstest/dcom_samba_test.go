//go:build integration

package adcstest_test

import (
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// sambaCall is a call that Samba sends.
type sambaCall struct {
	Interface string `json:"interface"`
	Opnum     int    `json:"opnum"`
	Object    string `json:"object"`
	Stub      string `json:"stub"`
}

// sambaCalls has Samba send calls on one connection and returns the stubs of the answers.
func sambaCalls(t *testing.T, s *adcstest.Server, addr, auth string, calls ...sambaCall) [][]byte {
	t.Helper()
	in, err := json.Marshal(calls)
	require.NoError(t, err)
	u := s.User()
	a := peer{password: u.Password}.runAt(t, addr, s, "samba_dcom.py", u.Domain+"/"+u.Name, in, auth)
	require.Empty(t, a.Error)
	var stubs [][]byte
	for _, text := range a.Stubs {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		stubs = append(stubs, b)
	}
	require.Len(t, stubs, len(calls))
	return stubs
}

func call(iid rpc.UUID, opnum int, object *rpc.UUID, stub []byte) sambaCall {
	c := sambaCall{Interface: iid.String(), Opnum: opnum, Stub: hex.EncodeToString(stub)}
	if object != nil {
		c.Object = object.String()
	}
	return c
}

// TestSambaOverDCOM has Samba carry calls to the resolver, an activation and calls on the object. It has no stubs of
// DCOM: binding, logon, protection, several interfaces on a connection and the object of a call are Samba's, the rest
// is not.
func TestSambaOverDCOM(t *testing.T) {
	requirePeer(t, "samba.dcerpc.base")
	s := newServer(t, nil)
	alive := sambaCalls(t, s, s.EndpointMapper(), "none", call(dcom.IObjectExporter(), dcom.OpServerAlive2, nil, nil))
	var answer dcom.ServerAlive2
	r := ndr.NewReader(alive[0], false)
	answer.Read(r)
	require.NoError(t, r.Done())
	assert.Equal(t, dcom.CurrentVersion(), answer.Version)

	w := &ndr.Writer{}
	(&dcom.RemoteActivation{
		This: dcom.This{Version: answer.Version}, Class: dcom.ClassCertRequest(), Protseqs: []uint16{dcom.TowerTCP},
		IIDs: []rpc.UUID{dcom.ICertRequestD2(), dcom.ICertRequestD()},
	}).Write(w)
	made := sambaCalls(t, s, s.EndpointMapper(), "ntlm,sign",
		call(dcom.IActivation(), dcom.OpRemoteActivation, nil, w.Stub()))
	var activated dcom.RemoteActivated
	r = ndr.NewReader(made[0], false)
	activated.Read(r)
	require.NoError(t, r.Done())
	require.Zero(t, activated.Result)

	two, one := activated.Interfaces[0].Ref.Std.IPID, activated.Interfaces[1].Ref.Std.IPID
	csr := newCSR(t, "samba")
	unknown := activated.RemUnknown
	for _, auth := range []string{"ntlm,seal", "spnego,seal"} {
		answers := sambaCalls(t, s, s.ObjectAddr(), auth,
			call(dcom.ICertRequestD2(), dcom.OpRequest2, &two, request2(s, csr)),
			call(dcom.ICertRequestD(), dcom.OpPing, &one, orpc(&dcom.Authority{Authority: s.Name()})),
			call(dcom.IRemUnknown(), dcom.OpRemRelease, &unknown, orpc(&dcom.RemReferences{
				Refs: []dcom.InterfaceRef{{IPID: two, PublicRefs: 1}, {IPID: one, PublicRefs: 1}},
			})))
		r = ndr.NewReader(answers[0], false)
		var that dcom.That
		that.Read(r)
		var out dcom.Answer
		out.Read(r)
		require.NoError(t, r.Err())
		require.EqualValues(t, 3, out.Disposition)
		checkLeaf(t, s, csr, out.Certificate)
	}
}
