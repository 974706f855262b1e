package assoc_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// altered answers an alter_context.
func (s *server) altered(answer rpc.BindAck) *rpc.Bind {
	p := s.read(rpc.TypeAlterContext)
	m, err := rpc.ParseBind(p)
	assert.NoError(s.t, err)
	_, signed, err := p.Auth()
	assert.NoError(s.t, err)
	assert.False(s.t, signed, "no second logon")
	h := rpc.Header{Type: rpc.TypeAlterResp, Flags: rpc.FlagFirst | rpc.FlagLast, CallID: p.CallID}
	answer.MaxXmit, answer.MaxRecv = 2000, 2000
	s.write(rpc.Encode(h, answer.Append(nil), nil))
	return m
}

// respondIn answers a call in a presentation context.
func (s *server) respondIn(context uint16, callID uint32, stub []byte) {
	list, err := (&rpc.Call{
		Type: rpc.TypeResponse, CallID: callID, ContextID: context, Stub: stub,
	}).Fragments(2000, s.sec)
	assert.NoError(s.t, err)
	for _, b := range list {
		s.write(b, nil)
	}
}

// trailer is the interface that the verification trailer of a stub names, if there is one.
func (s *server) trailer(stub []byte) *rpc.Syntax {
	v, err := rpc.ParseVerificationTrailer(stub, 4)
	assert.NoError(s.t, err)
	if v == nil {
		return nil
	}
	return &v.Pcontext.Interface
}

func TestAlter(t *testing.T) {
	other := rpc.Syntax{UUID: rpc.UUID{7}}
	accepted := rpc.BindAck{Results: []rpc.Result{{Transfer: rpc.NDR()}}}
	conn, err := serve(t, func(s *server) {
		s.accept(true)
		p, _ := s.request()
		s.respond(p.CallID, nil)
		m := s.altered(accepted)
		assert.Equal(t, []rpc.Context{{ID: 1, Abstract: other, Transfer: []rpc.Syntax{rpc.NDR()}}}, m.Contexts)
		p, stub := s.request()
		r, err := rpc.ParseRequest(p)
		assert.NoError(t, err)
		assert.EqualValues(t, 1, r.ContextID)
		assert.Equal(t, &rpc.UUID{9}, r.Object)
		assert.Equal(t, &other, s.trailer(stub), "the first call in the context says which it is")
		s.respondIn(1, p.CallID, []byte("other"))
		p, stub = s.request()
		assert.Nil(t, s.trailer(stub))
		s.respondIn(1, p.CallID, nil)
		p, stub = s.request()
		assert.Nil(t, s.trailer(stub))
		s.respondIn(1, p.CallID, nil) // in the wrong context
	})
	require.NoError(t, err)
	_, err = conn.Call(t.Context(), assoc.Request{Stub: []byte("data")})
	require.NoError(t, err)
	context, err := conn.Alter(t.Context(), other)
	require.NoError(t, err)
	got, err := conn.Call(t.Context(), assoc.Request{Context: context, Object: &rpc.UUID{9}, Stub: []byte("data")})
	require.NoError(t, err)
	assert.Equal(t, "other", string(got))
	_, err = conn.Call(t.Context(), assoc.Request{Context: context, Stub: []byte("data")})
	require.NoError(t, err)
	_, err = conn.Call(t.Context(), assoc.Request{Stub: []byte("data")})
	require.ErrorIs(t, err, rpc.ErrMalformed, "an answer of another presentation context")
	_, err = conn.Alter(t.Context(), other)
	call, ok := errors.AsType[*assoc.CallError](err)
	require.True(t, ok, "after an error the association is of no use")
	assert.False(t, call.Sent)
}

// TestAlterRefused has a server that does not know the other interface: what there was before still works.
func TestAlterRefused(t *testing.T) {
	conn, err := serve(t, func(s *server) {
		s.accept(true)
		s.altered(rpc.BindAck{Results: []rpc.Result{{Verdict: rpc.VerdictReject, Reason: rpc.ReasonAbstractSyntax}}})
		p, _ := s.request()
		s.respond(p.CallID, []byte("answer"))
	})
	require.NoError(t, err)
	_, err = conn.Alter(t.Context(), rpc.Syntax{})
	rejected, ok := errors.AsType[*assoc.RejectError](err)
	require.True(t, ok, "%v", err)
	assert.EqualValues(t, rpc.ReasonAbstractSyntax, rejected.Reason)
	got, err := conn.Call(t.Context(), assoc.Request{Stub: []byte("data")})
	require.NoError(t, err)
	assert.Equal(t, "answer", string(got))
	_, err = conn.Call(t.Context(), assoc.Request{Context: 1})
	require.ErrorContains(t, err, "not negotiated")
}

func TestAlterMalformed(t *testing.T) {
	for name, answer := range map[string]func(*server){
		"no result":   func(s *server) { s.altered(rpc.BindAck{}) },
		"two results": func(s *server) { s.altered(rpc.BindAck{Results: make([]rpc.Result, 2)}) },
		"transfer":    func(s *server) { s.altered(rpc.BindAck{Results: []rpc.Result{{Transfer: rpc.NDR64()}}}) },
		"bind_ack": func(s *server) {
			h := rpc.Header{Type: rpc.TypeBindAck, Flags: 3, CallID: s.read(rpc.TypeAlterContext).CallID}
			s.write(rpc.Encode(h, (&rpc.BindAck{}).Append(nil), nil))
		},
		"another call": func(s *server) {
			h := rpc.Header{Type: rpc.TypeAlterResp, Flags: 3, CallID: s.read(rpc.TypeAlterContext).CallID + 1}
			s.write(rpc.Encode(h, (&rpc.BindAck{}).Append(nil), nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := serve(t, func(s *server) {
				s.accept(true)
				answer(s)
			})
			require.NoError(t, err)
			_, err = conn.Alter(t.Context(), rpc.Syntax{UUID: rpc.UUID{7}})
			require.ErrorIs(t, err, rpc.ErrMalformed)
		})
	}
}
