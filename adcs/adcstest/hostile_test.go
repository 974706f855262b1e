package adcstest_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// patched returns a copy of b with bytes replaced at an offset.
func patched(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}

// Binds that cannot be accepted, each with the reason of its bind_nak.
func TestHostileBind(t *testing.T) {
	s := newServer(t, nil)
	p := &rawPeer{t: t}
	good := p.encode(rpc.TypeBind, whole, bindBody(), nil)
	withAuth := func(a rpc.Auth) []byte { return p.encode(rpc.TypeBind, whole, bindBody(), &a) }
	negotiate := newLogOn(s.User(), "x", rpc.LevelPrivacy, 1).negotiate(t).Value
	cases := map[string]struct {
		pdu    []byte
		reason uint16
	}{
		"version 4":             {patched(good, 0, 4), rpc.NakProtocolVersion},
		"minor version 1":       {patched(good, 1, 1), rpc.NakProtocolVersion},
		"big-endian":            {patched(good, 4, 0), rpc.NakProtocolVersion},
		"EBCDIC":                {patched(good, 4, 0x11), rpc.NakProtocolVersion},
		"VAX floats":            {patched(good, 5, 1), rpc.NakProtocolVersion},
		"not the last":          {patched(good, 3, 1), rpc.NakProtocolVersion},
		"not the first":         {patched(good, 3, 2), rpc.NakProtocolVersion},
		"frag_length 0":         {patched(good, 8, 0, 0), rpc.NakProtocolVersion},
		"frag_length 15":        {patched(good, 8, 15, 0), rpc.NakProtocolVersion},
		"header only":           {patched(good[:16], 8, 16, 0), rpc.NakProtocolVersion},
		"auth_length too long":  {patched(good, 10, 0xff, 0xff), rpc.NakProtocolVersion},
		"max_xmit 0":            {patched(good, 16, 0, 0), rpc.NakProtocolVersion},
		"max_recv 1431":         {patched(good, 18, 0x97, 5), rpc.NakProtocolVersion},
		"no contexts":           {patched(good, 24, 0), rpc.NakProtocolVersion},
		"255 contexts":          {patched(good, 24, 255), rpc.NakProtocolVersion},
		"no transfer syntax":    {patched(good, 30, 0), rpc.NakProtocolVersion},
		"200 transfer syntaxes": {patched(good, 30, 200), rpc.NakProtocolVersion},
		"cut off":               {patched(good[:40], 8, 40, 0), rpc.NakProtocolVersion},
		"auth type 11":          {withAuth(rpc.Auth{Type: 11, Level: 6, Value: negotiate}), rpc.NakAuthTypeNotRecognized},
		"NTLM as Kerberos":      {withAuth(rpc.Auth{Type: 16, Level: 6, Value: negotiate}), rpc.NakInvalidChecksum},
		"level 7":               {withAuth(rpc.Auth{Type: 10, Level: 7, Value: negotiate}), rpc.NakReasonNotSpecified},
		"level 1":               {withAuth(rpc.Auth{Type: 10, Level: 1, Value: negotiate}), rpc.NakReasonNotSpecified},
		"garbage token":         {withAuth(rpc.Auth{Type: 10, Level: 6, Value: []byte("garbage")}), rpc.NakInvalidChecksum},
		"garbage in SPNEGO":     {withAuth(rpc.Auth{Type: 9, Level: 6, Value: []byte("garbage")}), rpc.NakInvalidChecksum},
		"AUTHENTICATE first":    {withAuth(rpc.Auth{Type: 10, Level: 6, Value: patched(negotiate, 8, 3)}), rpc.NakInvalidChecksum},
		"padding too long": {
			patched(withAuth(rpc.Auth{Type: 10, Level: 6, Value: negotiate}), len(good)+2, 255), rpc.NakProtocolVersion,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := dialRaw(t, s.Addr())
			p.send(c.pdu)
			p.wantNak(c.reason)
		})
	}
	p = dialRaw(t, s.Addr()) // and the one that they were made from is fine
	p.send(good)
	assert.Equal(t, rpc.VerdictAccept, p.bindAck().Results[0].Verdict)
}

// PDUs that a client has no business to send, before and after a bind.
func TestHostilePDU(t *testing.T) {
	s := newServer(t, nil)
	request := func(p *rawPeer) []byte {
		return p.encode(rpc.TypeRequest, whole, (&rpc.Request{}).Append(nil), nil)
	}
	bind := func(p *rawPeer) []byte { return p.encode(rpc.TypeBind, whole, bindBody(), nil) }
	alter := func(p *rawPeer) []byte { return p.encode(rpc.TypeAlterContext, whole, bindBody(), nil) }
	ofType := func(n rpc.PacketType) func(*rawPeer) []byte {
		return func(p *rawPeer) []byte { return p.encode(n, whole, make([]byte, 24), nil) }
	}
	fault := func(p *rawPeer) { p.wantFault(rpc.StatusProtocol); p.wantClosed() }
	nak := func(p *rawPeer) { p.wantNak(rpc.NakProtocolVersion) }
	closed := func(p *rawPeer) { p.wantClosed() }
	for name, c := range map[string]struct {
		bound bool
		pdu   func(*rawPeer) []byte
		want  func(*rawPeer)
	}{
		"request before bind":  {false, request, fault},
		"alter before bind":    {false, alter, fault},
		"auth3 before bind":    {false, ofType(rpc.TypeAuth3), closed},
		"response before bind": {false, ofType(rpc.TypeResponse), fault},
		"type 200 before bind": {false, ofType(200), fault},
		"second bind":          {true, bind, nak},
		"bind_ack":             {true, ofType(rpc.TypeBindAck), fault},
		"response":             {true, ofType(rpc.TypeResponse), fault},
		"fault":                {true, ofType(rpc.TypeFault), fault},
		"shutdown":             {true, ofType(rpc.TypeShutdown), fault},
		"type 1":               {true, ofType(1), fault},
		"auth3 without token":  {true, ofType(rpc.TypeAuth3), closed},
		"alter cut off":        {true, func(p *rawPeer) []byte { return p.encode(rpc.TypeAlterContext, whole, nil, nil) }, fault},
		"request cut off": {true, func(p *rawPeer) []byte {
			return p.encode(rpc.TypeRequest, whole, make([]byte, 7), nil)
		}, fault},
		"request without its object": {true, func(p *rawPeer) []byte {
			return p.encode(rpc.TypeRequest, whole|rpc.FlagObject, make([]byte, 9), nil)
		}, fault},
		"big-endian request": {true, func(p *rawPeer) []byte { return patched(request(p), 4, 0) }, fault},
		"longer than agreed": {true, func(p *rawPeer) []byte { return patched(request(p), 8, 0xd1, 0x16) }, fault},
		"last fragment of nothing": {true, func(p *rawPeer) []byte {
			return patched(p.encode(rpc.TypeRequest, rpc.FlagLast, (&rpc.Request{}).Append(nil), nil), 12, 0xff, 0xff)
		}, fault},
		"AUTH3 of an unknown context": {true, func(p *rawPeer) []byte {
			return p.encode(rpc.TypeAuth3, whole, make([]byte, 4), &rpc.Auth{Type: 10, Level: 6, Value: []byte("x")})
		}, closed},
	} {
		t.Run(name, func(t *testing.T) {
			p := dialRaw(t, s.Addr())
			if c.bound {
				p.bind()
			}
			p.send(c.pdu(p))
			c.want(p)
		})
	}
}

// What a client may send and the server passes over.
func TestPassedOver(t *testing.T) {
	s := newServer(t, nil)
	p := dialRaw(t, s.Addr())
	p.logOn(s.User(), s.User().Password, rpc.LevelPrivacy)
	p.send(p.encode(rpc.TypeCancel, whole, nil, nil))
	p.send(p.encode(rpc.TypeOrphaned, whole, nil, nil))
	p.request(submitStub(s.Name(), newCSR(t, "one")))
	assert.EqualValues(t, 3, disposition(t, p.answer()))

	// A call that is given up in the middle, and the next one.
	h := rpc.Header{Type: rpc.TypeRequest, Flags: rpc.FlagFirst, CallID: p.call + 1}
	first, err := p.sec.Seal(h, (&rpc.Request{}).Append(nil), make([]byte, 160))
	require.NoError(t, err)
	p.send(first)
	p.send(p.encode(rpc.TypeOrphaned, whole, nil, nil))
	p.request(submitStub(s.Name(), newCSR(t, "two")))
	assert.EqualValues(t, 3, disposition(t, p.answer()))
	assert.Len(t, s.Requests(), 2)
}

// Everything that a call can name wrongly.
func TestHostileCall(t *testing.T) {
	s := newServer(t, nil)
	good := submitStub(s.Name(), newCSR(t, "hostile"))
	for name, c := range map[string]struct {
		call   rpc.Call
		status rpc.Status
	}{
		"opnum 1":             {rpc.Call{Opnum: 1, Stub: good}, rpc.StatusOpRange},
		"opnum 65535":         {rpc.Call{Opnum: 0xffff, Stub: good}, rpc.StatusOpRange},
		"context 1":           {rpc.Call{ContextID: 1, Stub: good}, rpc.StatusUnknownIf},
		"empty stub":          {rpc.Call{}, rpc.StatusBadStubData},
		"stub cut off":        {rpc.Call{Stub: good[:len(good)-1]}, rpc.StatusBadStubData},
		"stub of flags":       {rpc.Call{Stub: good[:4]}, rpc.StatusBadStubData},
		"string count":        {rpc.Call{Stub: patched(good, 16, 0xff, 0xff, 0xff, 0xff)}, rpc.StatusBadStubData},
		"string offset":       {rpc.Call{Stub: patched(good, 12, 1)}, rpc.StatusBadStubData},
		"string of nothing":   {rpc.Call{Stub: patched(good, 16, 0)}, rpc.StatusBadStubData},
		"string without NUL":  {rpc.Call{Stub: patched(good, 20+2*len(s.Name()), 'x')}, rpc.StatusBadStubData},
		"string NUL too soon": {rpc.Call{Stub: patched(good, 20, 0, 0)}, rpc.StatusBadStubData},
		"blob count":          {rpc.Call{Stub: patched(good, 40, 0xff)}, rpc.StatusBadStubData},
		"blob conformance":    {rpc.Call{Stub: patched(good, 48, 0xff)}, rpc.StatusBadStubData},
		"blob NULL with size": {rpc.Call{Stub: patched(good, 44, 0)}, rpc.StatusBadStubData},
	} {
		t.Run(name, func(t *testing.T) {
			p := dialRaw(t, s.Addr())
			p.logOn(s.User(), s.User().Password, rpc.LevelPrivacy)
			p.call++
			c.call.Type, c.call.CallID = rpc.TypeRequest, p.call
			list, err := c.call.Fragments(5840, p.sec)
			require.NoError(t, err)
			for _, b := range list {
				p.send(b)
			}
			pdu := p.wantFault(c.status)
			assert.NotZero(t, pdu.Flags&rpc.FlagDidNotExecute)
			// The connection goes on, and so do the sequence numbers.
			p.request(submitStub(s.Name(), nil))
			p.answer()
		})
	}
	for _, r := range s.Requests() {
		assert.Empty(t, r.Raw, "a refused call got to the CA")
	}
}

// A call of more than 4 MiB is refused at the fragment that is too much.
func TestStubLimit(t *testing.T) {
	s := newServer(t, &adcstest.Options{Wire: adcstest.Wire{MaxFragment: 65528}})
	p := dialRaw(t, s.Addr())
	m := rpc.Bind{MaxXmit: 65528, MaxRecv: 65528, Contexts: []rpc.Context{
		{Abstract: rpc.ICertPassage(), Transfer: []rpc.Syntax{rpc.NDR()}},
	}}
	l := newLogOn(s.User(), s.User().Password, rpc.LevelPrivacy, 7)
	p.send(p.encode(rpc.TypeBind, whole, m.Append(nil), l.negotiate(t)))
	p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), l.authenticate(t, p.recv())))
	p.sec = l.security()
	p.sec.SignHeader = false

	fits := submitStub(s.Name(), make([]byte, 4<<20-200))
	for _, b := range p.fragments(65528, fits) {
		p.send(b)
	}
	assert.EqualValues(t, 0x8009310b, disposition(t, p.answer()))
	list := p.fragments(65528, make([]byte, 4<<20+1))
	for _, b := range list {
		if _, err := p.nc.Write(b); err != nil {
			break // the server may have hung up already
		}
	}
	p.wantFault(rpc.StatusAccessDenied)
	p.wantClosed()
}

// Fragments that do not belong together.
func TestHostileFragments(t *testing.T) {
	s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
	first := func(p *rawPeer) []byte {
		return p.encode(rpc.TypeRequest, rpc.FlagFirst, append((&rpc.Request{}).Append(nil), make([]byte, 16)...), nil)
	}
	next := func(p *rawPeer, call uint32, flags rpc.Flags, m rpc.Request, stub int) []byte {
		p.call = call - 1
		return p.encode(rpc.TypeRequest, flags, append(m.Append(nil), make([]byte, stub)...), nil)
	}
	for name, second := range map[string]func(p *rawPeer) []byte{
		"first again":     first,
		"another call":    func(p *rawPeer) []byte { return next(p, p.call+1, rpc.FlagLast, rpc.Request{}, 16) },
		"another context": func(p *rawPeer) []byte { return next(p, p.call, rpc.FlagLast, rpc.Request{ContextID: 1}, 16) },
		"another opnum":   func(p *rawPeer) []byte { return next(p, p.call, rpc.FlagLast, rpc.Request{Opnum: 1}, 16) },
		"nothing in it":   func(p *rawPeer) []byte { return next(p, p.call, 0, rpc.Request{}, 0) },
		"alter_context":   func(p *rawPeer) []byte { return p.encode(rpc.TypeAlterContext, whole, bindBody(), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			p := dialRaw(t, s.Addr())
			p.logOn(s.User(), s.User().Password, rpc.LevelConnect)
			p.send(first(p))
			p.send(second(p))
			p.wantFault(rpc.StatusProtocol)
			p.wantClosed()
		})
	}
}

// The rest of a call that was refused at its first fragment is passed over, and the next call is served.
func TestRestOfRefusedCall(t *testing.T) {
	s := newServer(t, nil)
	p := dialRaw(t, s.Addr())
	p.logOn(s.User(), s.User().Password, rpc.LevelPrivacy)
	p.call++
	c := rpc.Call{Type: rpc.TypeRequest, CallID: p.call, Opnum: 9, Stub: make([]byte, 20000)}
	list, err := c.Fragments(5840, p.sec)
	require.NoError(t, err)
	for _, b := range list {
		p.send(b)
	}
	p.wantFault(rpc.StatusOpRange)
	p.request(submitStub(s.Name(), newCSR(t, "next")))
	assert.EqualValues(t, 3, disposition(t, p.answer()))
}
