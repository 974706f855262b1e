package rpc_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/rpc"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	require.NoError(t, err)
	return b
}

func parse(t testing.TB, raw []byte) *rpc.PDU {
	t.Helper()
	p, err := rpc.ParsePDU(raw)
	require.NoError(t, err)
	return p
}

// bindHex is a bind of the endpoint mapper with NDR as Windows and Samba send it.
const bindHex = `
	05000b03 10000000 48000000 01000000
	d016d016 00000000 01000000 0000 01 00
	0883afe1 1f5dc911 91a408002b14a0fa 03000000
	045d888a eb1cc911 9fe808002b104860 02000000`

func bindOfMapper() *rpc.Bind {
	return &rpc.Bind{MaxXmit: 5840, MaxRecv: 5840, Contexts: []rpc.Context{
		{Abstract: rpc.EndpointMapper(), Transfer: []rpc.Syntax{rpc.NDR()}},
	}}
}

func TestBindBytes(t *testing.T) {
	h := rpc.Header{Type: rpc.TypeBind, Flags: rpc.FlagFirst | rpc.FlagLast, CallID: 1}
	raw, err := rpc.Encode(h, bindOfMapper().Append(nil), nil)
	require.NoError(t, err)
	assert.Equal(t, unhex(t, bindHex), raw)
	got, err := rpc.ParseBind(parse(t, raw))
	require.NoError(t, err)
	assert.Equal(t, bindOfMapper(), got)
}

func TestBindAckRoundTrip(t *testing.T) {
	for _, address := range []string{"", "135", "49700", `\pipe\cert`} {
		ack := &rpc.BindAck{MaxXmit: 5840, MaxRecv: 4280, AssocGroup: 7, SecondaryAddress: address, Results: []rpc.Result{
			{Verdict: rpc.VerdictAccept, Transfer: rpc.NDR()},
			{Verdict: rpc.VerdictReject, Reason: rpc.ReasonTransferSyntax},
			{Verdict: rpc.VerdictNegotiateAck, Reason: 3},
		}}
		auth := &rpc.Auth{Type: rpc.AuthNTLM, Level: rpc.LevelPrivacy, ContextID: 9, Value: []byte("token")}
		h := rpc.Header{Type: rpc.TypeBindAck, Flags: rpc.FlagFirst | rpc.FlagLast | rpc.FlagSignHeader, CallID: 3}
		raw, err := rpc.Encode(h, ack.Append(nil), auth)
		require.NoError(t, err)
		p := parse(t, raw)
		got, err := rpc.ParseBindAck(p)
		require.NoError(t, err)
		assert.Equal(t, ack, got)
		a, ok, err := p.Auth()
		require.NoError(t, err)
		require.True(t, ok)
		assert.Equal(t, auth.Value, a.Value)
		assert.Zero(t, (len(raw)-len(a.Value)-8)%4, "alignment of the security trailer")
	}
}

func TestBindNak(t *testing.T) {
	p := parse(t, rpc.EncodeBindNak(5, rpc.NakInvalidChecksum))
	assert.EqualValues(t, 5, p.CallID)
	reason, err := rpc.ParseBindNak(p)
	require.NoError(t, err)
	assert.EqualValues(t, rpc.NakInvalidChecksum, reason)
}

func TestFeatures(t *testing.T) {
	f, ok := rpc.BindFeatures(rpc.FeatureKeepOnOrphan | rpc.FeatureSecurityMultiplexing).Features()
	assert.True(t, ok)
	assert.EqualValues(t, 3, f)
	assert.Equal(t, "6cb71c2c-9812-4540-0300-000000000000", rpc.BindFeatures(3).UUID.String())
	_, ok = rpc.NDR().Features()
	assert.False(t, ok)
}

func TestUUID(t *testing.T) {
	for _, text := range []string{"91ae6020-9e3c-11cf-8d7c-00aa00c091be", "e1af8308-5d1f-11c9-91a4-08002b14a0fa"} {
		u, err := rpc.ParseUUID(text)
		require.NoError(t, err)
		assert.Equal(t, text, u.String())
	}
	assert.Equal(t, "91ae6020-9e3c-11cf-8d7c-00aa00c091be", rpc.ICertPassage().UUID.String())
	assert.Equal(t, "8a885d04-1ceb-11c9-9fe8-08002b104860", rpc.NDR().UUID.String())
	assert.Equal(t, "71710533-beba-4937-8319-b5dbef9ccc36", rpc.NDR64().UUID.String())
	for _, bad := range []string{"", "91ae6020", "{91ae6020-9e3c-11cf-8d7c-00aa00c091be}", "91ae6020-9e3c-11cf-8d7c-00aa00c091bx"} {
		_, err := rpc.ParseUUID(bad)
		assert.Error(t, err, bad)
	}
}

// TestHostilePDU has one case for each thing that a header or body can be wrong in.
func TestHostilePDU(t *testing.T) {
	good := unhex(t, bindHex)
	change := func(at int, b ...byte) []byte {
		return append(append(bytes.Clone(good[:at]), b...), good[at+len(b):]...)
	}
	for name, raw := range map[string][]byte{
		"version 4":                  change(0, 4),
		"minor version 1":            change(1, 1),
		"big-endian":                 change(4, 0),
		"EBCDIC":                     change(4, 0x11),
		"VAX floats":                 change(5, 1),
		"length below the header":    change(8, 15, 0),
		"token longer than PDU":      change(10, 0xff, 0xff),
		"trailer into the header":    change(10, 49, 0),
		"longer than it says":        append(bytes.Clone(good), 0),
		"shorter than it says":       good[:len(good)-1],
		"no contexts":                change(24, 0),
		"more contexts than there":   change(24, 2),
		"255 contexts":               change(24, 255),
		"no transfer syntaxes":       change(30, 0),
		"255 transfer syntaxes":      change(30, 255),
		"padding longer than body":   append(change(8, 82, 0, 2, 0), 10, 6, 57, 0, 0, 0, 0, 0, 1, 2),
		"trailer cut the contexts":   append(change(8, 82, 0, 2, 0), 10, 6, 40, 0, 0, 0, 0, 0, 1, 2),
		"context list cut to header": good[:16],
	} {
		p, err := rpc.ParsePDU(raw)
		if err == nil {
			_, err = rpc.ParseBind(p)
		}
		assert.ErrorIs(t, err, rpc.ErrMalformed, name)
	}
}

func TestReadPDU(t *testing.T) {
	good := unhex(t, bindHex)
	p, err := rpc.ReadPDU(bytes.NewReader(append(bytes.Clone(good), "next"...)), 1<<16)
	require.NoError(t, err)
	assert.Equal(t, good, p.Raw)

	_, err = rpc.ReadPDU(bytes.NewReader(nil), 1<<16)
	assert.Equal(t, io.EOF, err)
	for n := 1; n < len(good); n++ {
		_, err = rpc.ReadPDU(bytes.NewReader(good[:n]), 1<<16)
		assert.Equal(t, io.ErrUnexpectedEOF, err, "%d bytes", n)
	}
	_, err = rpc.ReadPDU(bytes.NewReader(good), len(good)-1)
	assert.ErrorIs(t, err, rpc.ErrMalformed)
}

func TestFault(t *testing.T) {
	f := &rpc.Fault{Response: rpc.Response{AllocHint: 32, ContextID: 1}, Status: rpc.StatusUnknownIf}
	raw, err := rpc.Encode(rpc.Header{Type: rpc.TypeFault, Flags: 3, CallID: 2}, f.Append(nil), nil)
	require.NoError(t, err)
	got, err := rpc.ParseFault(parse(t, raw))
	require.NoError(t, err)
	assert.Equal(t, f, got)

	raw, err = rpc.Encode(rpc.Header{Type: rpc.TypeFault, Flags: 3}, f.Append(nil)[:12], nil)
	require.NoError(t, err)
	got, err = rpc.ParseFault(parse(t, raw))
	require.NoError(t, err, "a fault without the reserved field")
	assert.Equal(t, rpc.StatusUnknownIf, got.Status)

	raw, err = rpc.Encode(rpc.Header{Type: rpc.TypeFault, Flags: 3}, f.Append(nil)[:11], nil)
	require.NoError(t, err)
	_, err = rpc.ParseFault(parse(t, raw))
	assert.ErrorIs(t, err, rpc.ErrMalformed)
}

func TestStatusNames(t *testing.T) {
	assert.Equal(t, "RPC status 0x00000005 (access denied)", rpc.StatusAccessDenied.Error())
	assert.Equal(t, "RPC status 0x00123456", rpc.Status(0x123456).Error())
}

func TestFragmentsAndReassembly(t *testing.T) {
	object := rpc.UUID{1, 2, 3}
	for _, size := range []int{0, 1, 15, 16, 17, 1000, 1400, 1408, 1409, 100_000} {
		stub := make([]byte, size)
		for i := range stub {
			stub[i] = byte(i * 7)
		}
		for _, c := range []rpc.Call{
			{Type: rpc.TypeRequest, CallID: 4, ContextID: 1, Opnum: 6, Stub: stub},
			{Type: rpc.TypeRequest, CallID: 5, Object: &object, Stub: stub},
			{Type: rpc.TypeResponse, CallID: 6, ContextID: 2, Stub: stub},
		} {
			list, err := c.Fragments(rpc.MinFragment, nil)
			require.NoError(t, err)
			whole := rpc.Reassembler{Max: size, Header: true}
			left := uint32(size)
			for i, raw := range list {
				assert.LessOrEqual(t, len(raw), rpc.MinFragment)
				p := parse(t, raw)
				part, err := p.Stub()
				require.NoError(t, err)
				assert.Equal(t, left, binary.LittleEndian.Uint32(raw[16:]), "alloc_hint")
				left -= uint32(len(part))
				if c.Type == rpc.TypeRequest {
					m, err := rpc.ParseRequest(p)
					require.NoError(t, err)
					assert.Equal(t, c.Object, m.Object)
					assert.Equal(t, c.Opnum, m.Opnum)
				}
				done, err := whole.Add(p, part)
				require.NoError(t, err)
				assert.Equal(t, i == len(list)-1, done)
			}
			got, err := whole.Stub()
			require.NoError(t, err)
			assert.True(t, bytes.Equal(stub, got))
		}
	}
	_, err := (&rpc.Call{Type: rpc.TypeBind}).Fragments(rpc.MinFragment, nil)
	assert.Error(t, err)
	_, err = (&rpc.Call{Type: rpc.TypeRequest}).Fragments(30, nil)
	assert.Error(t, err)
}

// fragment is one response fragment with a stub.
func fragment(t testing.TB, callID uint32, flags rpc.Flags, r rpc.Response, stub []byte) *rpc.PDU {
	t.Helper()
	raw, err := (*rpc.Security)(nil).Seal(rpc.Header{Type: rpc.TypeResponse, Flags: flags, CallID: callID}, r.Append(nil), stub)
	require.NoError(t, err)
	return parse(t, raw)
}

func TestReassemblerRefuses(t *testing.T) {
	const first, last = rpc.FlagFirst, rpc.FlagLast
	type part struct {
		flags rpc.Flags
		call  uint32
		head  rpc.Response
		size  int
	}
	for name, parts := range map[string][]part{
		"no first fragment":     {{0, 1, rpc.Response{}, 4}},
		"two first fragments":   {{first, 1, rpc.Response{}, 4}, {first, 1, rpc.Response{}, 4}},
		"one after the last":    {{first | last, 1, rpc.Response{}, 4}, {last, 1, rpc.Response{}, 4}},
		"first after the last":  {{first | last, 1, rpc.Response{}, 4}, {first, 1, rpc.Response{}, 4}},
		"another call":          {{first, 1, rpc.Response{}, 4}, {last, 2, rpc.Response{}, 4}},
		"another context":       {{first, 1, rpc.Response{}, 4}, {last, 1, rpc.Response{ContextID: 1}, 4}},
		"another cancel count":  {{first, 1, rpc.Response{}, 4}, {last, 1, rpc.Response{CancelCount: 1}, 4}},
		"empty fragment":        {{first, 1, rpc.Response{}, 0}},
		"too long":              {{first, 1, rpc.Response{}, 60}, {last, 1, rpc.Response{}, 41}},
		"not finished":          {{first, 1, rpc.Response{}, 4}},
		"wrong hint":            {{first | last, 1, rpc.Response{AllocHint: 9}, 4}},
		"huge hint":             {{first | last, 1, rpc.Response{AllocHint: 1 << 31}, 4}},
		"reserved field":        {{first | last, 1, rpc.Response{Reserved: 1}, 4}},
		"hint of the next part": {{first, 1, rpc.Response{AllocHint: 8}, 4}, {last, 1, rpc.Response{AllocHint: 5}, 4}},
	} {
		whole := rpc.Reassembler{Max: 100, Header: true}
		var err error
		for _, p := range parts {
			pdu := fragment(t, p.call, p.flags, p.head, make([]byte, p.size))
			stub, e := pdu.Stub()
			require.NoError(t, e)
			if _, err = whole.Add(pdu, stub); err != nil {
				break
			}
		}
		if err == nil {
			_, err = whole.Stub()
		}
		assert.Error(t, err, name)
	}
}

// TestReassemblerBoundsFragments has fragments of a byte each, for which bookkeeping costs more than what they bring.
func TestReassemblerBoundsFragments(t *testing.T) {
	whole := rpc.Reassembler{Max: 1 << 20}
	flags := rpc.FlagFirst
	for n := range 1 << 20 {
		_, err := whole.Add(fragment(t, 1, flags, rpc.Response{}, []byte{1}), []byte{1})
		if flags = 0; err != nil {
			require.ErrorIs(t, err, rpc.ErrMalformed)
			assert.Equal(t, 1<<14, n)
			return
		}
	}
	t.Fatal("no bound")
}

func TestPlausibleHints(t *testing.T) {
	stub := make([]byte, 37)
	for _, hint := range []uint32{0, 37, 40, 48} {
		whole := rpc.Reassembler{Max: 100, Header: true}
		_, err := whole.Add(fragment(t, 1, 3, rpc.Response{AllocHint: hint}, stub), stub)
		require.NoError(t, err)
		_, err = whole.Stub()
		assert.NoError(t, err, "hint %d", hint)
	}
}

// towerHex is the tower of ICertPassage at 10.0.0.1:49700, as Windows' endpoint mapper sends it.
const towerHex = `0500
	1300 0d 2060ae91 3c9e cf11 8d7c00aa00c091be 0000  0200 0000
	1300 0d 045d888a eb1c c911 9fe808002b104860 0200  0200 0000
	0100 0b 0200 0000
	0100 07 0200 c224
	0100 09 0400 0a000001`

func TestTower(t *testing.T) {
	tcp := rpc.Tower{
		Interface: rpc.ICertPassage(), Transfer: rpc.NDR(), Port: 49700, Addr: netip.MustParseAddr("10.0.0.1"),
	}
	assert.Equal(t, unhex(t, towerHex), tcp.Append(nil))
	got, err := rpc.ParseTower(unhex(t, towerHex))
	require.NoError(t, err)
	assert.Equal(t, &tcp, got)

	pipe := rpc.Tower{Interface: rpc.ICertPassage(), Transfer: rpc.NDR(), Pipe: `\pipe\cert`, Computer: "CA"}
	got, err = rpc.ParseTower(pipe.Append(nil))
	require.NoError(t, err)
	assert.Equal(t, &pipe, got)
}

func TestHostileTower(t *testing.T) {
	good := unhex(t, towerHex)
	for n := range good {
		_, err := rpc.ParseTower(good[:n])
		assert.ErrorIs(t, err, rpc.ErrMalformed, "%d bytes", n)
	}
	_, err := rpc.ParseTower(append(bytes.Clone(good), 0))
	assert.ErrorIs(t, err, rpc.ErrMalformed)
	_, err = rpc.ParseTower(make([]byte, 4096))
	assert.ErrorIs(t, err, rpc.ErrMalformed)
	for at, b := range map[int]byte{0: 4, 2: 0, 4: 0x0c, 23: 1, 52: 0x0a, 59: 0x08, 62: 1} {
		bad := bytes.Clone(good)
		bad[at] = b
		_, err := rpc.ParseTower(bad)
		assert.ErrorIs(t, err, rpc.ErrMalformed, "byte %d", at)
	}
}

// mapResponse is the stub of an answer of ept_map.
func mapResponse(num, max, offset, actual uint32, status uint32, towers ...[]byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, 20)
	for _, v := range []uint32{num, max, offset, actual} {
		b = le.AppendUint32(b, v)
	}
	for i := range towers {
		b = le.AppendUint32(b, uint32(i+3))
	}
	for _, t := range towers {
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		b = le.AppendUint32(b, uint32(len(t)))
		b = append(le.AppendUint32(b, uint32(len(t))), t...)
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return le.AppendUint32(b, status)
}

func TestParseMapResponse(t *testing.T) {
	tower := unhex(t, towerHex)
	udp := bytes.Clone(tower)
	udp[52] = 0x0a
	got, err := rpc.ParseMapResponse(mapResponse(2, 16, 0, 2, 0, udp, tower))
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.EqualValues(t, 49700, got[0].Port)

	_, err = rpc.ParseMapResponse(mapResponse(0, 16, 0, 0, uint32(rpc.StatusNotRegistered)))
	assert.ErrorIs(t, err, rpc.StatusNotRegistered)

	good := mapResponse(1, 16, 0, 1, 0, tower)
	for n := range good {
		_, err := rpc.ParseMapResponse(good[:n])
		assert.ErrorIs(t, err, rpc.ErrMalformed, "%d bytes", n)
	}
	for name, bad := range map[string][]byte{
		"more than asked for": mapResponse(17, 17, 0, 17, 0, tower),
		"offset":              mapResponse(1, 16, 1, 1, 0, tower),
		"count":               mapResponse(2, 16, 0, 1, 0, tower),
		"beyond the maximum":  mapResponse(1, 0, 0, 1, 0, tower),
		"long tower":          mapResponse(1, 16, 0, 1, 0, make([]byte, 2000)),
	} {
		_, err := rpc.ParseMapResponse(bad)
		assert.ErrorIs(t, err, rpc.ErrMalformed, name)
	}
}

func TestVerificationTrailer(t *testing.T) {
	mask := uint32(1)
	v := &rpc.VerificationTrailer{
		Bitmask:  &mask,
		Pcontext: &rpc.VerifyContext{Interface: rpc.ICertPassage(), Transfer: rpc.NDR()},
		Header:   &rpc.VerifyHeader{CallID: 9, ContextID: 1, Opnum: 2},
	}
	for n := range 9 {
		stub := v.Append(make([]byte, n))
		got, err := rpc.ParseVerificationTrailer(stub, n)
		require.NoError(t, err)
		assert.Equal(t, v, got)
		for cut := n + 11; cut < len(stub); cut++ {
			_, err := rpc.ParseVerificationTrailer(stub[:cut], n)
			if cut >= (n+3)&^3+8 {
				assert.ErrorIs(t, err, rpc.ErrMalformed, "cut at %d", cut)
			}
		}
	}
	got, err := rpc.ParseVerificationTrailer([]byte("no trailer in here, only text"), 0)
	assert.NoError(t, err)
	assert.Nil(t, got)
	assert.Equal(t, []byte{1, 2}, (&rpc.VerificationTrailer{}).Append([]byte{1, 2}))

	must := append((&rpc.VerificationTrailer{Bitmask: &mask}).Append(nil)[:8], 0x09, 0xc0, 0, 0)
	_, err = rpc.ParseVerificationTrailer(must, 0)
	assert.ErrorIs(t, err, rpc.ErrMalformed, "an unknown command that must be processed")
	may := append(bytes.Clone(must[:8]), 0x09, 0x40, 0, 0)
	got, err = rpc.ParseVerificationTrailer(may, 0)
	assert.NoError(t, err)
	assert.Equal(t, &rpc.VerificationTrailer{}, got)
	_, err = rpc.ParseVerificationTrailer(nil, 1)
	assert.ErrorIs(t, err, rpc.ErrMalformed)
}
