package adcstest_test

import (
	"context"
	"encoding/asn1"
	"testing"

	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/oiweiwei/go-msrpc/ssp/ntlm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

func spnegoMechs(before ...asn1.ObjectIdentifier) []asn1.ObjectIdentifier {
	return append(before, rpc.OIDNTLM())
}

// negotiator is the initiator's side of SPNEGO around go-msrpc's NTLM, step by step.
type negotiator struct {
	t     testing.TB
	p     *rawPeer
	l     *logOn
	mechs []asn1.ObjectIdentifier
}

func newNegotiator(t testing.TB, s *adcstest.Server, mechs ...asn1.ObjectIdentifier) *negotiator {
	return &negotiator{
		t: t, p: dialRaw(t, s.Addr()), l: newLogOn(s.User(), s.User().Password, rpc.LevelPrivacy, 7), mechs: mechs,
	}
}

func (n *negotiator) send(pduType rpc.PacketType, token []byte) {
	n.p.send(n.p.encode(pduType, whole|rpc.FlagSignHeader, bindBody(), &rpc.Auth{
		Type: rpc.AuthNegotiate, Level: rpc.LevelPrivacy, ContextID: 7, Value: token,
	}))
}

// reply reads an answer with a NegTokenResp in it.
func (n *negotiator) reply() *rpc.NegTokenResp {
	n.t.Helper()
	a, ok, err := n.p.recv().Auth()
	require.NoError(n.t, err)
	require.True(n.t, ok)
	resp, err := rpc.ParseNegTokenResp(a.Value)
	require.NoError(n.t, err)
	return resp
}

// begin sends the first token; optimistic says whether NTLM's is in it.
func (n *negotiator) begin(optimistic bool) *rpc.NegTokenResp {
	n.t.Helper()
	init := rpc.NegTokenInit{MechTypes: n.mechs}
	if optimistic {
		init.MechToken = n.l.negotiate(n.t).Value
	}
	token, err := init.Marshal()
	require.NoError(n.t, err)
	n.send(rpc.TypeBind, token)
	return n.reply()
}

// finish answers the challenge. The MIC is over these mechanisms; nil sends none.
func (n *negotiator) finish(challenge []byte, mic []asn1.ObjectIdentifier) {
	n.t.Helper()
	ctx := gssapi.NewSecurityContext(context.Background())
	token, err := n.l.ntlm.Authenticate(ctx, challenge)
	require.NoError(n.t, err)
	resp := rpc.NegTokenResp{ResponseToken: token}
	if mic != nil {
		list, err := rpc.MechTypeList(mic)
		require.NoError(n.t, err)
		m := &ntlm.Mechanism{Authentifier: n.l.ntlm}
		sig, err := m.MakeSignature(ctx, &gssapi.MessageToken{Payload: list})
		require.NoError(n.t, err)
		resp.MechListMIC = sig.Signature
	}
	b, err := resp.Marshal()
	require.NoError(n.t, err)
	n.send(rpc.TypeAlterContext, b)
}

// verify checks the server's MIC and makes a call.
func (n *negotiator) verify(s *adcstest.Server, resp *rpc.NegTokenResp, mic bool) {
	n.t.Helper()
	require.NotNil(n.t, resp.State)
	require.Equal(n.t, rpc.NegAcceptCompleted, *resp.State)
	require.Equal(n.t, mic, resp.MechListMIC != nil)
	if mic {
		ctx := gssapi.NewSecurityContext(context.Background())
		list, err := rpc.MechTypeList(n.mechs)
		require.NoError(n.t, err)
		m := &ntlm.Mechanism{Authentifier: n.l.ntlm}
		require.NoError(n.t, m.VerifySignature(ctx, &gssapi.MessageToken{Payload: list, Signature: resp.MechListMIC}))
		require.NoError(n.t, n.l.ntlm.ResetSecurityService(ctx))
	}
	n.p.sec = n.l.security()
	n.p.sec.Type = rpc.AuthNegotiate
	n.p.request(submitStub(s.Name(), newCSR(n.t, "spnego")))
	assert.EqualValues(n.t, 3, disposition(n.t, n.p.answer()))
}

// NTLM as the first choice: with MICs or, as older stacks do, without.
func TestSPNEGOFirstChoice(t *testing.T) {
	s := newServer(t, nil)
	for _, mic := range []bool{true, false} {
		n := newNegotiator(t, s, spnegoMechs()...)
		r := n.begin(true)
		require.Equal(t, rpc.NegAcceptIncomplete, *r.State)
		require.Equal(t, rpc.OIDNTLM(), r.SupportedMech)
		require.NotEmpty(t, r.ResponseToken)
		if mic {
			n.finish(r.ResponseToken, n.mechs)
		} else {
			n.finish(r.ResponseToken, nil)
		}
		r = n.reply()
		require.Nil(t, r.SupportedMech, "RFC 4178 section 4.2.2: only in the first reply")
		n.verify(s, r, mic)
	}
}

// NTLM as another choice than the first: the optimistic token is for somebody else, and the MICs are required.
func TestSPNEGOOtherChoice(t *testing.T) {
	s := newServer(t, &adcstest.Options{Kerberos: adcstest.Kerberos{Off: true}})
	start := func() (*negotiator, []byte) {
		n := newNegotiator(t, s, spnegoMechs(rpc.OIDMSKerberos(), rpc.OIDKerberos())...)
		r := n.begin(true)
		require.Equal(t, rpc.NegRequestMIC, *r.State)
		require.Equal(t, rpc.OIDNTLM(), r.SupportedMech)
		require.Empty(t, r.ResponseToken)
		n.l = newLogOn(s.User(), s.User().Password, rpc.LevelPrivacy, 7)
		token, err := (&rpc.NegTokenResp{ResponseToken: n.l.negotiate(t).Value}).Marshal()
		require.NoError(t, err)
		n.send(rpc.TypeAlterContext, token)
		r = n.reply()
		require.Equal(t, rpc.NegAcceptIncomplete, *r.State)
		return n, r.ResponseToken
	}
	n, challenge := start()
	n.finish(challenge, n.mechs)
	n.verify(s, n.reply(), true)

	n, challenge = start()
	n.finish(challenge, nil)
	n.p.wantFault(rpc.StatusSecPkgError)
	n.p.wantClosed()
}

// A list of mechanisms that somebody shortened on the way.
func TestSPNEGODowngrade(t *testing.T) {
	s := newServer(t, nil)
	n := newNegotiator(t, s, spnegoMechs()...)
	r := n.begin(true)
	n.finish(r.ResponseToken, spnegoMechs(rpc.OIDKerberos()))
	n.p.wantFault(rpc.StatusSecPkgError)
	n.p.wantClosed()
}

// NTLM without SPNEGO under SPNEGO's number, which Windows takes too; and what is not taken.
func TestSPNEGORawAndRefused(t *testing.T) {
	s := newServer(t, &adcstest.Options{Kerberos: adcstest.Kerberos{Off: true}})
	n := newNegotiator(t, s)
	n.send(rpc.TypeBind, n.l.negotiate(t).Value)
	challenge, ok, err := n.p.recv().Auth()
	require.NoError(t, err)
	require.True(t, ok)
	token, err := n.l.ntlm.Authenticate(gssapi.NewSecurityContext(context.Background()), challenge.Value)
	require.NoError(t, err)
	n.send(rpc.TypeAlterContext, token)
	require.Equal(t, rpc.TypeAlterResp, n.p.recv().Type)
	n.p.sec = n.l.security()
	n.p.sec.Type = rpc.AuthNegotiate
	n.p.request(submitStub(s.Name(), newCSR(t, "raw")))
	assert.EqualValues(t, 3, disposition(t, n.p.answer()))

	kerberos, err := (&rpc.NegTokenInit{MechTypes: []asn1.ObjectIdentifier{rpc.OIDKerberos()}}).Marshal()
	require.NoError(t, err)
	n = newNegotiator(t, s)
	n.send(rpc.TypeBind, kerberos)
	n.p.wantNak(rpc.NakInvalidChecksum)
}
