package assoc_test

import (
	"encoding/asn1"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

func oid(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, n} }

// The first mechanism has two names, as Kerberos has.
func fakeA() *assoc.Fake {
	return &assoc.Fake{Name: "a", Legs: 2, OIDs: []asn1.ObjectIdentifier{oid(1), oid(2)}, Ticket: true}
}
func fakeB() *assoc.Fake {
	return &assoc.Fake{Name: "b", Legs: 3, OIDs: []asn1.ObjectIdentifier{oid(3)}, Sends: true, Needs: true}
}

// mic is the signature of a fake mechanism over a list of mechanisms.
func mic(t *testing.T, name string, list ...int) []byte {
	var oids []asn1.ObjectIdentifier
	for _, n := range list {
		oids = append(oids, oid(n))
	}
	der, err := rpc.MechTypeList(oids)
	require.NoError(t, err)
	return fmt.Appendf(nil, "%s(%x)", name, der)
}

const (
	completed  = rpc.NegAcceptCompleted
	incomplete = rpc.NegAcceptIncomplete
	rejected   = rpc.NegReject
	wantsMIC   = rpc.NegRequestMIC
)

// said is an answer of the server: state, mechanism (0 for none), token and MIC.
func said(state rpc.NegState, mech int, token string, mic []byte) *rpc.NegTokenResp {
	r := &rpc.NegTokenResp{State: &state, MechListMIC: mic}
	if mech != 0 {
		r.SupportedMech = oid(mech)
	}
	if token != "" {
		r.ResponseToken = []byte(token)
	}
	return r
}

// TestSPNEGO runs negotiations: what the server says, and what the client answers.
func TestSPNEGO(t *testing.T) {
	type turn struct {
		server *rpc.NegTokenResp
		token  string // the client's; empty with mic nil when it is complete
		mic    []byte
	}
	a, b, both := mic(t, "a", 1, 2), mic(t, "b", 1, 2, 3), mic(t, "a", 1, 2, 3)
	modern := fakeA()
	modern.Sends = true
	long := fakeA()
	long.Legs, long.Sends = 3, true
	three := func() *assoc.Fake {
		f := fakeA()
		f.Legs = 3
		return f
	}
	for name, tc := range map[string]struct {
		mechs  []assoc.Mechanism
		turns  []turn
		mutual bool
	}{
		"the shortest":        {[]assoc.Mechanism{fakeA()}, []turn{{said(completed, 1, "a2", nil), "", nil}}, false},
		"no name":             {[]assoc.Mechanism{fakeA()}, []turn{{said(completed, 0, "a2", nil), "", nil}}, false},
		"with their MIC":      {[]assoc.Mechanism{fakeA()}, []turn{{said(completed, 1, "a2", a), "", nil}}, true},
		"the token as MIC":    {[]assoc.Mechanism{fakeA()}, []turn{{said(completed, 1, "a2", []byte("a2")), "", nil}}, false},
		"they wait for ours":  {[]assoc.Mechanism{modern}, []turn{{said(incomplete, 1, "a2", a), "", a}, {said(completed, 0, "", nil), "", nil}}, true},
		"they ask for ours":   {[]assoc.Mechanism{fakeA()}, []turn{{said(wantsMIC, 1, "a2", nil), "", a}, {said(completed, 0, "", a), "", nil}}, true},
		"three legs":          {[]assoc.Mechanism{three()}, []turn{{said(incomplete, 1, "a2", nil), "a3", nil}, {said(completed, 0, "", nil), "", nil}}, false},
		"three legs and MICs": {[]assoc.Mechanism{long}, []turn{{said(incomplete, 1, "a2", nil), "a3", a}, {said(completed, 0, "", a), "", nil}}, true},
		"the second name":     {[]assoc.Mechanism{fakeA()}, []turn{{said(incomplete, 2, "a2", nil), "", a}, {said(completed, 0, "", a), "", nil}}, true},
		"more were offered":   {[]assoc.Mechanism{fakeA(), fakeB()}, []turn{{said(completed, 1, "a2", both), "", nil}}, true},
		"three legs, and they ask": {[]assoc.Mechanism{three()}, []turn{
			{said(wantsMIC, 1, "a2", nil), "a3", a}, {said(completed, 0, "", a), "", nil},
		}, true},
		"three legs, second name": {[]assoc.Mechanism{three()}, []turn{
			{said(incomplete, 2, "a2", nil), "a3", a}, {said(completed, 0, "", a), "", nil},
		}, true},
		"the second mechanism": {[]assoc.Mechanism{fakeA(), fakeB()}, []turn{
			{said(wantsMIC, 3, "", nil), "b1", nil}, {said(incomplete, 0, "b2", nil), "b3", b}, {said(completed, 0, "", b), "", nil},
		}, true},
		"the second, named again": {[]assoc.Mechanism{fakeA(), fakeB()}, []turn{
			{said(incomplete, 3, "", nil), "b1", nil}, {said(incomplete, 3, "b2", nil), "b3", b}, {said(completed, 3, "", b), "", nil},
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			i := assoc.SPNEGO(tc.mechs[0], tc.mechs[1:]...)
			first, complete, err := i.Step(nil)
			require.NoError(t, err)
			require.False(t, complete)
			init, err := rpc.ParseNegTokenInit(first)
			require.NoError(t, err)
			assert.Equal(t, "a1", string(init.MechToken))
			for n, turn := range tc.turns {
				token, err := turn.server.Marshal()
				require.NoError(t, err)
				out, complete, err := i.Step(token)
				require.NoError(t, err, "turn %d", n)
				require.Equal(t, n == len(tc.turns)-1, complete, "turn %d", n)
				if complete {
					assert.Empty(t, out)
					continue
				}
				answer, err := rpc.ParseNegTokenResp(out)
				require.NoError(t, err)
				assert.Equal(t, turn.token, string(answer.ResponseToken), "turn %d", n)
				assert.Equal(t, string(turn.mic), string(answer.MechListMIC), "turn %d", n)
			}
			assert.Equal(t, tc.mutual, i.Mutual())
			token, err := tc.turns[len(tc.turns)-1].server.Marshal()
			require.NoError(t, err)
			_, _, err = i.Step(token)
			require.Error(t, err, "after the end")
			second := tc.turns[0].server.SupportedMech.Equal(oid(3))
			assert.Equal(t, !second, i.ByTicket())
			assert.Equal(t, map[bool]string{false: "a", true: "b"}[second], string(i.SessionKey()))
		})
	}
}

// TestSPNEGOHostile has servers, or somebody between, that do not keep to it.
func TestSPNEGOHostile(t *testing.T) {
	b := mic(t, "b", 1, 2, 3)
	for name, tc := range map[string]struct {
		turns []*rpc.NegTokenResp
		err   error
	}{
		"not offered":       {[]*rpc.NegTokenResp{said(incomplete, 9, "a2", nil)}, rpc.ErrMalformed},
		"another one later": {[]*rpc.NegTokenResp{said(incomplete, 3, "", nil), said(incomplete, 1, "b2", nil)}, rpc.ErrMalformed},
		"a token too early": {[]*rpc.NegTokenResp{said(incomplete, 3, "b1", nil)}, rpc.ErrMalformed},
		"a MIC too early":   {[]*rpc.NegTokenResp{said(incomplete, 3, "", b)}, rpc.ErrMalformed},
		"nothing":           {[]*rpc.NegTokenResp{said(incomplete, 1, "", nil)}, rpc.ErrMalformed},
		"the end too early": {[]*rpc.NegTokenResp{said(completed, 1, "", nil)}, rpc.ErrMalformed},
		"wrong MIC":         {[]*rpc.NegTokenResp{said(completed, 1, "a2", mic(t, "a", 1, 2))}, rpc.ErrIntegrity},
		"end before b3":     {[]*rpc.NegTokenResp{said(wantsMIC, 3, "", nil), said(completed, 0, "b2", nil)}, rpc.ErrMalformed},
		"no MIC at the end": {[]*rpc.NegTokenResp{said(wantsMIC, 3, "", nil), said(incomplete, 0, "b2", nil), said(completed, 0, "", nil)}, rpc.ErrIntegrity},
		"wrong one at the end": {[]*rpc.NegTokenResp{said(wantsMIC, 3, "", nil), said(incomplete, 0, "b2", nil),
			said(completed, 0, "", mic(t, "b", 3))}, rpc.ErrIntegrity},
		"a token at the end": {[]*rpc.NegTokenResp{said(wantsMIC, 3, "", nil), said(incomplete, 0, "b2", nil), said(completed, 0, "b4", b)},
			rpc.ErrMalformed},
		"no end":                 {[]*rpc.NegTokenResp{said(wantsMIC, 3, "", nil), said(incomplete, 0, "b2", nil), said(incomplete, 0, "", b)}, rpc.ErrMalformed},
		"rejected at once":       {[]*rpc.NegTokenResp{said(rejected, 0, "", nil)}, nil},
		"rejected with a reason": {[]*rpc.NegTokenResp{said(rejected, 1, "why", nil)}, nil},
		"rejected b":             {[]*rpc.NegTokenResp{said(wantsMIC, 3, "", nil), said(incomplete, 0, "b2", nil), said(rejected, 0, "", nil)}, assoc.ErrLogon},
	} {
		t.Run(name, func(t *testing.T) {
			i := assoc.SPNEGO(fakeA(), fakeB())
			_, _, err := i.Step(nil)
			require.NoError(t, err)
			var complete bool
			for n, turn := range tc.turns {
				require.NoError(t, err, "turn %d", n)
				token, marshalErr := turn.Marshal()
				require.NoError(t, marshalErr)
				_, complete, err = i.Step(token)
			}
			require.Error(t, err)
			_ = complete
			if tc.err != nil {
				require.ErrorIs(t, err, tc.err)
			} else {
				require.NotErrorIs(t, err, assoc.ErrLogon, "a ticket is no password")
			}
		})
	}
	long := fakeA()
	long.Legs = 4
	early := assoc.SPNEGO(long)
	_, _, err := early.Step(nil)
	require.NoError(t, err)
	token, err := said(incomplete, 1, "a2", mic(t, "a", 1, 2)).Marshal()
	require.NoError(t, err)
	_, _, err = early.Step(token)
	require.ErrorIs(t, err, rpc.ErrMalformed, "a MIC before there is a key")

	only := assoc.SPNEGO(fakeB())
	_, _, err = only.Step(nil)
	require.NoError(t, err)
	token, err = said(rejected, 0, "", nil).Marshal()
	require.NoError(t, err)
	_, _, err = only.Step(token)
	require.Error(t, err)
	require.NotErrorIs(t, err, assoc.ErrLogon, "the password was not shown yet")
	require.Empty(t, krb5.ReasonOf(err))
}

// TestInSMB does without the server's MIC where SMB proves the server, but not where the server has chosen.
func TestInSMB(t *testing.T) {
	negotiate := func(i assoc.Initiator, turns ...*rpc.NegTokenResp) error {
		_, _, err := i.Step(nil)
		for _, turn := range turns {
			require.NoError(t, err)
			token, marshalErr := turn.Marshal()
			require.NoError(t, marshalErr)
			_, _, err = i.Step(token)
		}
		return err
	}
	end := []*rpc.NegTokenResp{said(incomplete, 3, "b2", nil), said(completed, 0, "", nil)}
	require.ErrorIs(t, negotiate(assoc.SPNEGO(fakeB()), end...), rpc.ErrIntegrity)
	require.NoError(t, negotiate(assoc.InSMB(assoc.SPNEGO(fakeB())), end...))
	end[1].MechListMIC = mic(t, "b", 1)
	require.ErrorIs(t, negotiate(assoc.InSMB(assoc.SPNEGO(fakeB())), end...), rpc.ErrIntegrity, "a wrong one")
	chosen := []*rpc.NegTokenResp{said(wantsMIC, 3, "", nil), said(incomplete, 0, "b2", nil), said(completed, 0, "", nil)}
	require.ErrorIs(t, negotiate(assoc.InSMB(assoc.SPNEGO(fakeA(), fakeB())), chosen...), rpc.ErrIntegrity)
}

func FuzzSPNEGO(f *testing.F) {
	for _, r := range []*rpc.NegTokenResp{
		said(completed, 1, "a2", nil), said(wantsMIC, 3, "", nil), said(incomplete, 0, "b2", nil), said(rejected, 2, "x", []byte("x")),
	} {
		b, err := r.Marshal()
		require.NoError(f, err)
		f.Add(b, b, b)
	}
	f.Fuzz(func(t *testing.T, one, two, three []byte) {
		i := assoc.SPNEGO(fakeA(), fakeB())
		_, _, err := i.Step(nil)
		require.NoError(t, err)
		for _, token := range [][]byte{one, two, three} {
			out, complete, err := i.Step(token)
			if err != nil {
				return
			}
			require.NotEqual(t, complete, len(out) > 0)
			if complete {
				require.True(t, i.ByTicket() || i.Mutual(), "the second mechanism needs a MIC, which nobody can guess")
			}
		}
	})
}
