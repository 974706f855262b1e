package assoc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/ntlm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

func password() assoc.Password {
	return assoc.Password{User: "alice", Domain: "CORP", Password: "secret", Target: "host/ca.corp.test"}
}

// verifier accepts the user of password.
type verifier struct{ cfg *ntlm.Config }

func (v verifier) VerifyChallenge(ctx context.Context, s *ntlm.SecurityParameters, _ ntlm.Credential, nonce []byte,
	am *ntlm.AuthenticateMessage) (*ntlm.ChallengeResponse, error) {
	cred := credential.NewFromPassword("alice", "secret", credential.Domain("CORP"))
	return v.cfg.NewNTLMVersion(ctx, v.cfg, s).AuthenticateResponse(ctx, cred, am, nonce)
}

// acceptor is go-msrpc's NTLM as a server.
func acceptor() *ntlm.Authentifier {
	cfg := ntlm.NewConfig()
	cfg.IsServer, cfg.NetBIOSDomainName = true, "CORP"
	cfg.Verifier = verifier{cfg}
	return &ntlm.Authentifier{Config: cfg}
}

// server is one end of a connection, whose steps a test writes down.
type server struct {
	t   testing.TB
	nc  net.Conn
	sec *rpc.Security
}

func (s *server) read(want rpc.PacketType) *rpc.PDU {
	p, err := rpc.ReadPDU(s.nc, 1<<16)
	if assert.NoError(s.t, err) {
		assert.Equal(s.t, want, p.Type)
		return p
	}
	return &rpc.PDU{}
}

func (s *server) write(b []byte, err error) {
	assert.NoError(s.t, err)
	_, err = s.nc.Write(b)
	assert.NoError(s.t, err)
}

// accept answers a bind with NTLM of the given kind of header signing.
func (s *server) accept(signHeader bool) {
	a := acceptor()
	ctx := s.t.Context()
	p := s.read(rpc.TypeBind)
	token, ok, err := p.Auth()
	assert.True(s.t, ok && err == nil)
	challenge, err := a.Challenge(ctx, token.Value)
	assert.NoError(s.t, err)
	token.Value = challenge
	h := rpc.Header{Type: rpc.TypeBindAck, Flags: rpc.FlagFirst | rpc.FlagLast, CallID: p.CallID}
	if signHeader {
		h.Flags |= rpc.FlagSignHeader
	}
	ack := rpc.BindAck{MaxXmit: 2000, MaxRecv: 2000, Results: []rpc.Result{{Transfer: rpc.NDR()}}}
	s.write(rpc.Encode(h, ack.Append(nil), &token))
	last, _, err := s.read(rpc.TypeAuth3).Auth()
	assert.NoError(s.t, err)
	assert.NoError(s.t, a.VerifyAuthenticate(ctx, last.Value))
	s.sec = &rpc.Security{
		Type: token.Type, Level: token.Level, ContextID: token.ContextID, SignHeader: signHeader, Protector: rpc.NTLM(a),
	}
}

// request reads one request of any number of fragments.
func (s *server) request() (*rpc.PDU, []byte) {
	whole := rpc.Reassembler{Max: 1 << 20}
	for {
		p := s.read(rpc.TypeRequest)
		stub, err := s.sec.Open(p)
		assert.NoError(s.t, err)
		done, err := whole.Add(p, stub)
		if !assert.NoError(s.t, err) || done {
			stub, err := whole.Stub()
			assert.NoError(s.t, err)
			return p, stub
		}
	}
}

func (s *server) respond(callID uint32, stub []byte) {
	list, err := (&rpc.Call{Type: rpc.TypeResponse, CallID: callID, Stub: stub}).Fragments(2000, s.sec)
	assert.NoError(s.t, err)
	for _, b := range list {
		s.write(b, nil)
	}
}

// serve runs a server's part and opens the client's end.
func serve(t testing.TB, part func(*server)) (*assoc.Conn, error) {
	t.Helper()
	client, nc := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer nc.Close()
		part(&server{t: t, nc: nc})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := assoc.Open(ctx, client, assoc.Config{Interface: rpc.ICertPassage(), Initiator: assoc.NTLM(password())})
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	return conn, err
}

func TestCall(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789"), 1000)
	for _, sign := range []bool{false, true} {
		conn, err := serve(t, func(s *server) {
			s.accept(sign)
			p, stub := s.request()
			v, err := rpc.ParseVerificationTrailer(stub, 4)
			assert.NoError(t, err)
			if assert.NotNil(t, v, "the first request carries a verification trailer") {
				assert.Equal(t, &rpc.VerifyContext{Interface: rpc.ICertPassage(), Transfer: rpc.NDR()}, v.Pcontext)
				assert.EqualValues(t, 1, *v.Bitmask)
			}
			s.respond(p.CallID, big)
			p, stub = s.request()
			assert.Equal(t, big, stub, "and the second one does not")
			s.respond(p.CallID, nil)
		})
		require.NoError(t, err)
		got, err := conn.Call(t.Context(), assoc.Request{Stub: []byte("data")})
		require.NoError(t, err)
		assert.Equal(t, big, got)
		got, err = conn.Call(t.Context(), assoc.Request{Stub: big})
		require.NoError(t, err)
		assert.Empty(t, got)
		require.NoError(t, conn.Close())
	}
}

// TestHostileAnswers has answers of a server that knows the key and does not keep to the protocol, and of one that does
// not know it.
func TestHostileAnswers(t *testing.T) {
	header := rpc.Header{Type: rpc.TypeResponse, Flags: rpc.FlagFirst | rpc.FlagLast}
	fixed := (&rpc.Response{}).Append(nil)
	sealed := func(s *server, h rpc.Header, fixed []byte) { s.write(s.sec.Seal(h, fixed, []byte("data"))) }
	for name, c := range map[string]struct {
		want   error
		answer func(*server, rpc.Header)
	}{
		"another call": {assoc.ErrOutOfStep, func(s *server, h rpc.Header) { h.CallID++; sealed(s, h, fixed) }},
		"odd flags":    {rpc.ErrMalformed, func(s *server, h rpc.Header) { h.Flags |= rpc.FlagMaybe; sealed(s, h, fixed) }},
		"no first":     {rpc.ErrMalformed, func(s *server, h rpc.Header) { h.Flags = rpc.FlagLast; sealed(s, h, fixed) }},
		"another context": {rpc.ErrMalformed, func(s *server, h rpc.Header) {
			sealed(s, h, (&rpc.Response{ContextID: 1}).Append(nil))
		}},
		"a cancel": {rpc.ErrMalformed, func(s *server, h rpc.Header) {
			sealed(s, h, (&rpc.Response{CancelCount: 1}).Append(nil))
		}},
		"a request": {rpc.ErrMalformed, func(s *server, h rpc.Header) { h.Type = rpc.TypeRequest; sealed(s, h, fixed) }},
		"a shutdown": {rpc.ErrMalformed, func(s *server, h rpc.Header) {
			h.Type = rpc.TypeShutdown
			s.write(rpc.Encode(h, nil, nil))
		}},
		"not protected": {rpc.ErrIntegrity, func(s *server, h rpc.Header) { s.write(rpc.Encode(h, fixed, nil)) }},
		"protected by nobody": {rpc.ErrIntegrity, func(s *server, h rpc.Header) {
			s.write(rpc.Encode(h, fixed, &rpc.Auth{
				Type: rpc.AuthNTLM, Level: rpc.LevelPrivacy, ContextID: s.sec.ContextID, Value: make([]byte, 16),
			}))
		}},
		"only signed": {rpc.ErrIntegrity, func(s *server, h rpc.Header) {
			s.sec.Level = rpc.LevelIntegrity
			sealed(s, h, fixed)
		}},
		"a forged fault": {rpc.ErrIntegrity, func(s *server, h rpc.Header) {
			h.Type = rpc.TypeFault
			s.write(rpc.Encode(h, (&rpc.Fault{Status: 5}).Append(nil), &rpc.Auth{
				Type: rpc.AuthNTLM, Level: rpc.LevelPrivacy, ContextID: s.sec.ContextID, Value: make([]byte, 16),
			}))
		}},
		"bind_nak": {assoc.ErrLogon, func(s *server, h rpc.Header) {
			s.write(rpc.EncodeBindNak(h.CallID, rpc.NakInvalidChecksum), nil)
		}},
		"bind_nak for AUTH3": {assoc.ErrLogon, func(s *server, h rpc.Header) {
			s.write(rpc.EncodeBindNak(h.CallID-1, rpc.NakInvalidChecksum), nil)
		}},
		"fault for AUTH3": {assoc.ErrLogon, func(s *server, h rpc.Header) {
			h.Type, h.CallID = rpc.TypeFault, h.CallID-1
			s.write(rpc.Encode(h, (&rpc.Fault{Status: rpc.StatusAccessDenied}).Append(nil), nil))
		}},
		"fault 0x52e": {assoc.ErrLogon, func(s *server, h rpc.Header) {
			h.Type = rpc.TypeFault
			s.write(rpc.Encode(h, (&rpc.Fault{Status: 0x52e}).Append(nil), nil))
		}},
		"fault 0x721": {assoc.ErrLogon, func(s *server, h rpc.Header) {
			h.Type = rpc.TypeFault
			s.write(rpc.Encode(h, (&rpc.Fault{Status: rpc.StatusSecPkgError}).Append(nil), nil))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := serve(t, func(s *server) {
				s.accept(true)
				p, _ := s.request()
				h := header
				h.CallID = p.CallID
				c.answer(s, h)
			})
			require.NoError(t, err)
			_, err = conn.Call(t.Context(), assoc.Request{Stub: []byte("data")})
			require.ErrorIs(t, err, c.want)
			call, ok := errors.AsType[*assoc.CallError](err)
			require.True(t, ok)
			assert.True(t, call.Sent)
			_, err = conn.Call(t.Context(), assoc.Request{})
			call, ok = errors.AsType[*assoc.CallError](err)
			require.True(t, ok, "an association is of no use after an error")
			assert.False(t, call.Sent)
		})
	}
}

func TestSignedFault(t *testing.T) {
	conn, err := serve(t, func(s *server) {
		s.accept(true)
		p, _ := s.request()
		h := rpc.Header{Type: rpc.TypeFault, Flags: rpc.FlagFirst | rpc.FlagLast | rpc.FlagDidNotExecute, CallID: p.CallID}
		s.write(s.sec.Seal(h, (&rpc.Fault{Status: rpc.StatusAccessDenied}).Append(nil), nil))
	})
	require.NoError(t, err)
	_, err = conn.Call(t.Context(), assoc.Request{Stub: []byte("data")})
	fault, ok := errors.AsType[*assoc.FaultError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, &assoc.FaultError{Status: rpc.StatusAccessDenied, DidNotExecute: true, Signed: true}, fault)
	assert.NotErrorIs(t, err, assoc.ErrLogon, "a server that can sign has taken the logon")
}

// TestLateRefusal has a server that has taken the credential and refuses it afterwards: anybody can send that, and it
// says nothing about the call.
func TestLateRefusal(t *testing.T) {
	for _, call := range []uint32{1, 3} {
		conn, err := serve(t, func(s *server) {
			s.accept(true)
			p, _ := s.request()
			s.respond(p.CallID, nil)
			s.request()
			s.write(rpc.EncodeBindNak(call, rpc.NakInvalidChecksum), nil)
		})
		require.NoError(t, err)
		_, err = conn.Call(t.Context(), assoc.Request{Stub: []byte("data")})
		require.NoError(t, err)
		_, err = conn.Call(t.Context(), assoc.Request{Stub: []byte("data")})
		require.Error(t, err)
		assert.NotErrorIs(t, err, assoc.ErrLogon, "call %d", call)
	}
}

// challenge is an NTLM challenge as go-msrpc's server makes it.
func challenge(t testing.TB) []byte {
	t.Helper()
	first, _, err := assoc.NTLM(password()).Step(nil)
	require.NoError(t, err)
	c, err := acceptor().Challenge(t.Context(), first)
	require.NoError(t, err)
	return c
}

// TestWeakChallenge takes each flag away that the protection depends on.
func TestWeakChallenge(t *testing.T) {
	good := challenge(t)
	step := func(b []byte) error {
		n := assoc.NTLM(password())
		_, _, err := n.Step(nil)
		require.NoError(t, err)
		_, complete, err := n.Step(b)
		assert.True(t, complete == (err == nil))
		return err
	}
	require.NoError(t, step(good))
	for _, flag := range []ntlm.Flag{
		ntlm.NegotiateUnicode, ntlm.Negotiate128, ntlm.NegotiateExtendedSessionSecurity, ntlm.NegotiateTargetInfo,
		ntlm.NegotiateDatagram, ntlm.Anonymous,
	} {
		weak := bytes.Clone(good)
		binary.LittleEndian.PutUint32(weak[20:], binary.LittleEndian.Uint32(weak[20:])^uint32(flag))
		assert.Error(t, step(weak), "flag %#x", uint32(flag))
	}
	for n := range good {
		assert.Error(t, step(good[:n]), "%d bytes", n)
	}
}

// TestChallengeLayouts takes challenges of other servers: MS-NLMP leaves them the order of the payload, gaps in it, the
// version and the exchange of keys. impacket checks the MICs of the answers in the integration tests.
func TestChallengeLayouts(t *testing.T) {
	good := challenge(t)
	le := binary.LittleEndian
	part := func(at int) []byte {
		size, offset := int(le.Uint16(good[at:])), int(le.Uint32(good[at+4:]))
		return good[offset : offset+size]
	}
	name, info := part(12), part(40)
	build := func(nameAt, infoAt, size int) []byte {
		b := append(bytes.Clone(good[:48]), bytes.Repeat([]byte{0xee}, size-48)...)
		le.PutUint32(b[16:], uint32(nameAt))
		le.PutUint32(b[44:], uint32(infoAt))
		copy(b[nameAt:], name)
		copy(b[infoAt:], info)
		return b
	}
	flags := func(b []byte, without ntlm.Flag) []byte {
		le.PutUint32(b[20:], le.Uint32(b[20:])&^uint32(without))
		return b
	}
	both := len(name) + len(info)
	for title, c := range map[string][]byte{
		"no version":        flags(build(48, 48+len(name), 48+both), ntlm.NegotiateVersion),
		"another order":     build(56+len(info), 56, 56+both),
		"gaps":              build(60, 70+len(name), 80+both),
		"no key exchange":   flags(bytes.Clone(good), ntlm.NegotiateKeyExchange),
		"nothing but flags": flags(build(48, 48+len(name), 48+both), ntlm.NegotiateVersion|ntlm.NegotiateKeyExchange),
	} {
		n := assoc.NTLM(password())
		_, _, err := n.Step(nil)
		require.NoError(t, err)
		out, complete, err := n.Step(c)
		require.NoError(t, err, title)
		assert.True(t, complete, title)
		assert.NotEqual(t, make([]byte, 16), out[ntlm.MICOffset:ntlm.MICOffset+16], title)
	}
}

// FuzzTokens feeds both mechanisms with tokens of a hostile server: errors only, and no panic.
func FuzzTokens(f *testing.F) {
	good := challenge(f)
	f.Add(good, []byte(nil))
	state := rpc.NegAcceptIncomplete
	in, err := (&rpc.NegTokenResp{State: &state, SupportedMech: rpc.OIDNTLM(), ResponseToken: good}).Marshal()
	require.NoError(f, err)
	state = rpc.NegAcceptCompleted
	end, err := (&rpc.NegTokenResp{State: &state, MechListMIC: make([]byte, 16)}).Marshal()
	require.NoError(f, err)
	f.Add(in, end)
	f.Fuzz(func(t *testing.T, second, third []byte) {
		n := assoc.NTLM(password())
		_, _, err := n.Step(nil)
		require.NoError(t, err)
		if _, complete, err := n.Step(second); complete && err == nil {
			assert.False(t, n.Mutual())
		}
		s := assoc.SPNEGO(assoc.NTLM(password()))
		_, _, err = s.Step(nil)
		require.NoError(t, err)
		if _, _, err := s.Step(second); err != nil {
			return
		}
		_, _, err = s.Step(third)
		assert.Error(t, err, "a server without the password is taken for one that has it")
	})
}
