package rpc_test

import (
	"bytes"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/rpc"
)

// FuzzPDU feeds every decoder of PDUs. What is decoded has to survive encoding and decoding.
func FuzzPDU(f *testing.F) {
	f.Add(unhex(f, bindHex))
	f.Add(rpc.EncodeBindNak(1, 9))
	h := rpc.Header{Flags: 3 | rpc.FlagObject, CallID: 2}
	object := rpc.UUID{1}
	auth := &rpc.Auth{Type: rpc.AuthNTLM, Level: rpc.LevelPrivacy, Value: make([]byte, 16)}
	for t, body := range map[rpc.PacketType][]byte{
		rpc.TypeBindAck: (&rpc.BindAck{SecondaryAddress: "135", Results: make([]rpc.Result, 2)}).Append(nil),
		rpc.TypeRequest: (&rpc.Request{Object: &object}).Append(nil),
		rpc.TypeFault:   (&rpc.Fault{Status: 5}).Append(nil),
		rpc.TypeAuth3:   make([]byte, 4), rpc.TypeResponse: make([]byte, 60),
	} {
		h.Type = t
		raw, err := rpc.Encode(h, body, auth)
		require.NoError(f, err)
		f.Add(raw)
	}
	client, _ := securities(f, rpc.LevelPrivacy, true)
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := rpc.ReadPDU(bytes.NewReader(raw), 1<<16)
		if err != nil {
			assert.Nil(t, p)
			return
		}
		auth, ok, err := p.Auth()
		assert.True(t, err == nil || !ok && auth.Value == nil)
		if m, err := rpc.ParseBind(p); err == nil {
			again, err := rpc.Encode(p.Header, m.Append(nil), nil)
			require.NoError(t, err)
			n, err := rpc.ParseBind(parse(t, again))
			require.NoError(t, err)
			assert.Equal(t, m, n)
		}
		if m, err := rpc.ParseBindAck(p); err == nil {
			m.SecondaryAddress = string(bytes.Trim([]byte(m.SecondaryAddress), "\x00"))
			again, err := rpc.Encode(p.Header, m.Append(nil), nil)
			require.NoError(t, err)
			n, err := rpc.ParseBindAck(parse(t, again))
			require.NoError(t, err)
			assert.Equal(t, m.Results, n.Results)
		}
		_, _ = rpc.ParseBindNak(p)
		_, _ = rpc.ParseRequest(p)
		_, _ = rpc.ParseResponse(p)
		_, _ = rpc.ParseFault(p)
		stub, err := p.Stub()
		whole := rpc.Reassembler{Max: 1 << 16, Header: true}
		if err == nil {
			_, _ = whole.Add(p, stub)
			_, _ = whole.Stub()
		}
		_, signed, err := client.OpenFault(parse(t, bytes.Clone(p.Raw)))
		assert.False(t, err == nil && signed, "a forged fault is taken for signed")
		_, err = client.Open(p)
		assert.Error(t, err, "a forged PDU is accepted")
	})
}

func FuzzTower(f *testing.F) {
	f.Add(unhex(f, towerHex))
	f.Add((&rpc.Tower{Pipe: `\pipe\cert`, Computer: "CA"}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		tower, err := rpc.ParseTower(b)
		if err != nil {
			assert.ErrorIs(t, err, rpc.ErrMalformed)
			return
		}
		again, err := rpc.ParseTower(tower.Append(nil))
		require.NoError(t, err)
		assert.Equal(t, tower, again)
	})
}

func FuzzMapResponse(f *testing.F) {
	f.Add(mapResponse(1, 16, 0, 1, 0, unhex(f, towerHex)))
	f.Add(mapResponse(0, 16, 0, 0, uint32(rpc.StatusNotRegistered)))
	f.Add(mapResponse(1<<31, 1<<31, 0, 1<<31, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		towers, err := rpc.ParseMapResponse(b)
		assert.True(t, err == nil || towers == nil)
		assert.LessOrEqual(t, len(towers), 16)
	})
}

func FuzzSPNEGO(f *testing.F) {
	state := rpc.NegAcceptIncomplete
	resp, err := (&rpc.NegTokenResp{State: &state, SupportedMech: rpc.OIDNTLM(), ResponseToken: []byte("t")}).Marshal()
	require.NoError(f, err)
	f.Add(resp)
	init, err := (&rpc.NegTokenInit{MechTypes: []asn1.ObjectIdentifier{rpc.OIDNTLM()}, MechToken: []byte("t")}).Marshal()
	require.NoError(f, err)
	f.Add(init)
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := rpc.ParseNegTokenInit(b); err == nil {
			again, err := m.Marshal()
			require.NoError(t, err)
			n, err := rpc.ParseNegTokenInit(again)
			require.NoError(t, err)
			assert.Equal(t, m, n)
		}
		if m, err := rpc.ParseNegTokenResp(b); err == nil {
			again, err := m.Marshal()
			require.NoError(t, err)
			n, err := rpc.ParseNegTokenResp(again)
			require.NoError(t, err)
			assert.Equal(t, m, n)
		}
	})
}

func FuzzVerificationTrailer(f *testing.F) {
	mask := uint32(1)
	v := &rpc.VerificationTrailer{Bitmask: &mask, Header: &rpc.VerifyHeader{CallID: 1}, Pcontext: &rpc.VerifyContext{}}
	f.Add(v.Append([]byte("stub")), 4)
	f.Fuzz(func(t *testing.T, stub []byte, consumed int) {
		v, err := rpc.ParseVerificationTrailer(stub, consumed)
		if err != nil || v == nil {
			assert.True(t, err == nil || v == nil)
			return
		}
		if *v == (rpc.VerificationTrailer{}) {
			return
		}
		again, err := rpc.ParseVerificationTrailer(v.Append(nil), 0)
		require.NoError(t, err)
		assert.Equal(t, v, again)
	})
}
