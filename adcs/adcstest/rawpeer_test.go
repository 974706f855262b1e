package adcstest_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/oiweiwei/go-msrpc/ssp/ntlm"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// rawPeer is a client that speaks PDUs, so that it can send wrong ones.
type rawPeer struct {
	t    testing.TB
	nc   net.Conn
	call uint32
	sec  *rpc.Security
}

// dialRaw connects to a port of the server.
func dialRaw(t testing.TB, addr string) *rawPeer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	return newRawPeer(t, nc)
}

func newRawPeer(t testing.TB, nc net.Conn) *rawPeer {
	t.Cleanup(func() { _ = nc.Close() })
	return &rawPeer{t: t, nc: nc}
}

func (p *rawPeer) send(b []byte) {
	p.t.Helper()
	require.NoError(p.t, p.nc.SetDeadline(time.Now().Add(20*time.Second)))
	_, err := p.nc.Write(b)
	require.NoError(p.t, err)
}

// recv reads one PDU.
func (p *rawPeer) recv() *rpc.PDU {
	p.t.Helper()
	pdu, err := rpc.ReadPDU(p.nc, rpc.MaxFragment)
	require.NoError(p.t, err)
	return pdu
}

// wantClosed requires that the server says nothing more and closes the connection.
func (p *rawPeer) wantClosed() {
	p.t.Helper()
	require.NoError(p.t, p.nc.SetReadDeadline(time.Now().Add(20*time.Second)))
	n, err := p.nc.Read(make([]byte, 1))
	require.Zero(p.t, n)
	var timeout net.Error
	require.False(p.t, errors.As(err, &timeout) && timeout.Timeout(), "the connection is still open")
	require.Error(p.t, err)
}

// wantFault requires a fault with this status.
func (p *rawPeer) wantFault(status rpc.Status) *rpc.PDU {
	p.t.Helper()
	pdu := p.recv()
	require.Equal(p.t, rpc.TypeFault, pdu.Type)
	f, err := rpc.ParseFault(pdu)
	require.NoError(p.t, err)
	require.Equal(p.t, status, f.Status)
	return pdu
}

// wantNak requires a bind_nak with this reason, and the end.
func (p *rawPeer) wantNak(reason uint16) {
	p.t.Helper()
	pdu := p.recv()
	require.Equal(p.t, rpc.TypeBindNak, pdu.Type)
	got, err := rpc.ParseBindNak(pdu)
	require.NoError(p.t, err)
	require.Equal(p.t, reason, got)
	p.wantClosed()
}

const whole = rpc.FlagFirst | rpc.FlagLast

// encode puts a PDU together.
func (p *rawPeer) encode(t rpc.PacketType, flags rpc.Flags, body []byte, auth *rpc.Auth) []byte {
	p.t.Helper()
	p.call++
	b, err := rpc.Encode(rpc.Header{Type: t, Flags: flags, CallID: p.call}, body, auth)
	require.NoError(p.t, err)
	return b
}

// bindBody is the body of a bind for one interface.
func bindBody(transfer ...rpc.Syntax) []byte {
	if transfer == nil {
		transfer = []rpc.Syntax{rpc.NDR()}
	}
	m := rpc.Bind{MaxXmit: 5840, MaxRecv: 5840}
	for i, t := range transfer {
		m.Contexts = append(m.Contexts, rpc.Context{
			ID: uint16(i), Abstract: rpc.ICertPassage(), Transfer: []rpc.Syntax{t},
		})
	}
	return m.Append(nil)
}

// bind binds without authentication.
func (p *rawPeer) bind() *rpc.BindAck {
	p.t.Helper()
	p.send(p.encode(rpc.TypeBind, whole, bindBody(), nil))
	return p.bindAck()
}

func (p *rawPeer) bindAck() *rpc.BindAck {
	p.t.Helper()
	ack, err := rpc.ParseBindAck(p.recv())
	require.NoError(p.t, err)
	return ack
}

// logOn is one logon with go-msrpc's NTLM, which is not the server's implementation.
type logOn struct {
	ntlm  *ntlm.Authentifier
	level rpc.AuthLevel
	id    uint32
}

func newLogOn(u adcstest.User, password string, level rpc.AuthLevel, id uint32) *logOn {
	cfg := ntlm.NewConfig()
	cfg.Integrity, cfg.Confidentiality = level > rpc.LevelConnect, level == rpc.LevelPrivacy
	cfg.Credential = credential.NewFromPassword(u.Account(), password)
	return &logOn{ntlm: &ntlm.Authentifier{Config: cfg}, level: level, id: id}
}

func (l *logOn) auth(token []byte) *rpc.Auth {
	return &rpc.Auth{Type: rpc.AuthNTLM, Level: l.level, ContextID: l.id, Value: token}
}

func (l *logOn) negotiate(t testing.TB) *rpc.Auth {
	token, err := l.ntlm.Negotiate(gssapi.NewSecurityContext(context.Background()))
	require.NoError(t, err)
	return l.auth(token)
}

func (l *logOn) authenticate(t testing.TB, challenge *rpc.PDU) *rpc.Auth {
	a, ok, err := challenge.Auth()
	require.NoError(t, err)
	require.True(t, ok, "no challenge")
	token, err := l.ntlm.Authenticate(gssapi.NewSecurityContext(context.Background()), a.Value)
	require.NoError(t, err)
	return l.auth(token)
}

func (l *logOn) security() *rpc.Security {
	return &rpc.Security{
		Type: rpc.AuthNTLM, Level: l.level, ContextID: l.id, SignHeader: true, Protector: rpc.NTLM(l.ntlm),
	}
}

// logOn binds with NTLM: bind, AUTH3.
func (p *rawPeer) logOn(u adcstest.User, password string, level rpc.AuthLevel) {
	p.t.Helper()
	l := newLogOn(u, password, level, 7)
	p.send(p.encode(rpc.TypeBind, whole|rpc.FlagSignHeader, bindBody(), l.negotiate(p.t)))
	p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), l.authenticate(p.t, p.recv())))
	p.sec = l.security()
}

// fragments encodes a request.
func (p *rawPeer) fragments(max int, stub []byte) [][]byte {
	p.t.Helper()
	p.call++
	c := rpc.Call{Type: rpc.TypeRequest, CallID: p.call, Stub: stub}
	list, err := c.Fragments(max, p.sec)
	require.NoError(p.t, err)
	return list
}

// request sends a request that is whole and right.
func (p *rawPeer) request(stub []byte) {
	p.t.Helper()
	for _, b := range p.fragments(5840, stub) {
		p.send(b)
	}
}

// answer reads a response and returns its stub.
func (p *rawPeer) answer() []byte {
	p.t.Helper()
	var stub []byte
	for {
		pdu := p.recv()
		require.Equal(p.t, rpc.TypeResponse, pdu.Type)
		part, err := p.sec.Open(pdu)
		require.NoError(p.t, err)
		stub = append(stub, part...)
		if pdu.Flags&rpc.FlagLast != 0 {
			return stub
		}
	}
}

// submitStub is a CertServerRequest in NDR, written by hand.
func submitStub(ca string, der []byte) []byte {
	le := binary.LittleEndian
	name, attributes := utf16z(ca), utf16z("CertificateTemplate:User")
	b := le.AppendUint32(nil, 0x100)
	b = le.AppendUint32(b, 1)
	for _, n := range []int{len(name) / 2, 0, len(name) / 2} {
		b = le.AppendUint32(b, uint32(n))
	}
	align := func() { b = append(b, make([]byte, -len(b)&3)...) }
	b = append(b, name...)
	align()
	b = le.AppendUint32(b, 0)
	for i, blob := range [][]byte{attributes, der} {
		align()
		b = le.AppendUint32(b, uint32(len(blob)))
		b = le.AppendUint32(b, uint32(2+i))
		b = le.AppendUint32(b, uint32(len(blob)))
		b = append(b, blob...)
	}
	return b
}

// disposition is the disposition in an answer to a submitStub.
func disposition(t testing.TB, stub []byte) uint32 {
	t.Helper()
	require.GreaterOrEqual(t, len(stub), 8)
	return binary.LittleEndian.Uint32(stub[4:])
}
