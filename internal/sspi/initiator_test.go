package sspi_test

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
	"github.com/adcskit/adcskit/internal/sspi"
)

var _ assoc.Initiator = (*sspi.Initiator)(nil)

const all = 0x1001e // mutual, replay and sequence detection, confidentiality, integrity

// script is a system that answers as it is told.
type script struct {
	legs    []sspi.Leg
	chosen  sspi.Package
	sizes   [2]int
	failing error

	flags    uint32
	noNTLM   bool
	tokens   [][]byte
	op       sspi.Operation
	parts    []sspi.Part
	released atomic.Int32
}

func (s *script) Acquire(_ sspi.Package, noNTLM bool) (sspi.Credential, error) {
	s.noNTLM = noNTLM
	return scripted{s}, s.failing
}

type scripted struct{ *script }

func (s scripted) Begin(_ string, flags uint32) (sspi.Context, sspi.Leg) {
	s.flags = flags
	return s, s.Continue(nil)
}

func (s scripted) Continue(token []byte) sspi.Leg {
	s.tokens = append(s.tokens, token)
	leg := s.legs[0]
	s.legs = s.legs[1:]
	return leg
}

func (s scripted) Sizes() (signature, trailer int, err error) {
	return s.sizes[0], s.sizes[1], s.failing
}
func (s scripted) Package() sspi.Package       { return s.chosen }
func (s scripted) SessionKey() ([]byte, error) { return []byte("key"), nil }
func (s scripted) Free()                       { s.released.Add(1) }
func (s scripted) Protect(op sspi.Operation, parts []sspi.Part) (int, error) {
	s.op, s.parts = op, parts
	copy(parts[3].Data, "signature")
	return 9, s.failing
}

func kerberosScript() *script {
	return &script{
		legs:   []sspi.Leg{{Token: []byte("AP-REQ"), Flags: 0x10}, {Token: []byte("third"), Done: true, Flags: all}},
		chosen: sspi.Kerberos, sizes: [2]int{60, 76},
	}
}

func TestInitiator(t *testing.T) {
	s := kerberosScript()
	i := sspi.NewInitiator(s, sspi.Config{Package: sspi.Negotiate, Target: "host/ca.corp.test", DCEStyle: true})
	assert.Equal(t, rpc.AuthNegotiate, i.Type())
	assert.True(t, i.ByTicket())
	out, done, err := i.Step(nil)
	require.NoError(t, err)
	assert.Equal(t, "AP-REQ", string(out))
	assert.False(t, done || i.Mutual())
	out, done, err = i.Step([]byte("AP-REP"))
	require.NoError(t, err)
	assert.Equal(t, "third", string(out))
	assert.True(t, done && i.Mutual() && i.ByTicket())
	assert.Equal(t, "key", string(i.SessionKey()))
	assert.Equal(t, [][]byte{nil, []byte("AP-REP")}, s.tokens)
	assert.True(t, s.noNTLM)
	assert.Equal(t, uint32(0x10a1e), s.flags, "mutual, replay, sequence, confidentiality, DCE style, connection, integrity")
	_, _, err = i.Step([]byte("more"))
	assert.Error(t, err)
}

// TestProtector: the parts of a PDU, and what is said about them.
func TestProtector(t *testing.T) {
	s := kerberosScript()
	i := sspi.NewInitiator(s, sspi.Config{Package: sspi.Kerberos, DCEStyle: true})
	for range 2 {
		_, _, err := i.Step([]byte("x"))
		require.NoError(t, err)
	}
	p := i.Protector()
	assert.Equal(t, 76, p.SignatureSize(true))
	assert.Equal(t, 60, p.SignatureSize(false))
	for _, signHeader := range []bool{false, true} {
		frame := map[bool]uint32{false: 0x80000001, true: 0x10000001}[signHeader]
		m := &rpc.Message{
			Header: []byte("h"), Body: []byte("b"), Trailer: []byte("t"), SignHeader: signHeader, Seal: true,
		}
		signature, err := p.Wrap(m)
		require.NoError(t, err)
		assert.Equal(t, "signature", string(signature))
		assert.Equal(t, sspi.Encrypt, s.op)
		want := []sspi.Part{{Type: frame, Data: m.Header}, {Type: 1, Data: m.Body}, {Type: frame, Data: m.Trailer}}
		assert.Equal(t, want, s.parts[:3])
		assert.Equal(t, uint32(2), s.parts[3].Type)
		assert.Len(t, s.parts[3].Data, 76)
		received := []byte("12345")
		require.NoError(t, p.Unwrap(m, received))
		assert.Equal(t, sspi.Decrypt, s.op)
		assert.Equal(t, "12345", string(received), "it is the PDU's")
		m.Seal = false
		_, err = p.Wrap(m)
		require.NoError(t, err)
		assert.Equal(t, sspi.Sign, s.op)
		require.NoError(t, p.Unwrap(m, received))
		assert.Equal(t, sspi.Verify, s.op)
	}
	s.failing = sspi.Status(0x8009030F)
	assert.ErrorContains(t, p.Unwrap(&rpc.Message{Seal: true}, []byte("x")), "SEC_E_MESSAGE_ALTERED")
	_, err := p.Wrap(&rpc.Message{Seal: true})
	assert.Error(t, err)
}

// TestInitiatorRefuses: nothing is sent under a context that lacks something.
func TestInitiatorRefuses(t *testing.T) {
	done := func(flags uint32) []sspi.Leg { return []sspi.Leg{{Token: []byte("x"), Done: true, Flags: flags}} }
	fail := func(status sspi.Status) []sspi.Leg { return []sspi.Leg{{Status: status}} }
	for name, tc := range map[string]struct {
		s      *script
		cfg    sspi.Config
		is     error
		reason krb5.Reason
	}{
		"no credential": {s: &script{failing: errors.New("none")}},
		"NTLM that is not allowed": {
			s: &script{legs: done(all), chosen: sspi.NTLM, sizes: [2]int{16, 16}}, cfg: sspi.Config{Package: sspi.Negotiate}},
		"no mutual authentication": {s: &script{legs: done(all &^ 2), chosen: sspi.Kerberos, sizes: [2]int{60, 76}}},
		"no encryption":            {s: &script{legs: done(all &^ 0x10), chosen: sspi.Kerberos, sizes: [2]int{60, 76}}},
		"no signatures":            {s: &script{legs: done(all &^ 0x10000), chosen: sspi.Kerberos, sizes: [2]int{60, 76}}},
		"no sequence":              {s: &script{legs: done(all &^ 8), chosen: sspi.Kerberos, sizes: [2]int{60, 76}}},
		"no encryption with NTLM": {
			s: &script{legs: done(all &^ 0x10), sizes: [2]int{16, 16}}, cfg: sspi.Config{Package: sspi.NTLM, AllowNTLM: true}},
		"a signature of nothing": {s: &script{legs: done(all), chosen: sspi.Kerberos}},
		"a huge signature":       {s: &script{legs: done(all), chosen: sspi.Kerberos, sizes: [2]int{16, 5000}}},
		"denied":                 {s: &script{legs: fail(0x8009030C)}, is: assoc.ErrLogon},
		"an unknown name":        {s: &script{legs: fail(0x80090303)}, reason: krb5.ReasonService},
		"another clock":          {s: &script{legs: fail(0x80090324)}, reason: krb5.ReasonClock},
		"no domain controller":   {s: &script{legs: fail(0x80090311)}, reason: krb5.ReasonNoKDC},
		"the wrong key":          {s: &script{legs: fail(0x80090322)}, reason: krb5.ReasonServiceTicket},
		"an unheard-of status":   {s: &script{legs: fail(0x8009ffff)}},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.cfg.Package == "" {
				tc.cfg.Package = sspi.Kerberos
			}
			i := sspi.NewInitiator(tc.s, tc.cfg)
			_, ready, err := i.Step(nil)
			require.Error(t, err)
			assert.False(t, ready || i.Mutual())
			if tc.is != nil {
				assert.ErrorIs(t, err, tc.is)
			}
			assert.Equal(t, tc.reason, krb5.ReasonOf(err))
		})
	}
	_, _, err := sspi.NewInitiator(kerberosScript(), sspi.Config{Package: sspi.Kerberos}).Step(make([]byte, 1<<17))
	assert.ErrorIs(t, err, rpc.ErrMalformed)
}

func TestNTLMIsNotMutual(t *testing.T) {
	s := &script{legs: []sspi.Leg{{Token: []byte("x"), Done: true, Flags: all}}, sizes: [2]int{16, 16}}
	i := sspi.NewInitiator(s, sspi.Config{Package: sspi.NTLM, AllowNTLM: true})
	_, _, err := i.Step(nil)
	require.NoError(t, err)
	assert.False(t, i.Mutual() || i.ByTicket())
	assert.True(t, i.Protector().(interface{ CoversHeader() bool }).CoversHeader())
	assert.Equal(t, rpc.AuthNTLM, i.Type())
}

// TestHandlesAreReleased: whoever drops an initiator drops the system's handles too.
func TestHandlesAreReleased(t *testing.T) {
	s := kerberosScript()
	func() {
		i := sspi.NewInitiator(s, sspi.Config{Package: sspi.Kerberos})
		for range 2 {
			_, _, err := i.Step([]byte("x"))
			require.NoError(t, err)
		}
		runtime.KeepAlive(i)
	}()
	for deadline := time.Now().Add(5 * time.Second); s.released.Load() < 2 && time.Now().Before(deadline); runtime.Gosched() {
		runtime.GC()
	}
	assert.Equal(t, int32(2), s.released.Load(), "context and credential")
}
