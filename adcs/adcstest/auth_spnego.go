package adcstest

import (
	"encoding/asn1"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/internal/rpc"
)

// mechanism is one that SPNEGO can choose.
type mechanism struct {
	oids []asn1.ObjectIdentifier // its names
	raw  func(token []byte) bool // the token is one of its first ones without SPNEGO around it
	new  func() acceptor
}

func (m *mechanism) named(oid asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(m.oids, oid.Equal)
}

// mechanisms are those that the server has.
func (s *Server) mechanisms() (list []*mechanism) {
	if !s.opts.Kerberos.Off {
		list = append(list, &mechanism{
			oids: []asn1.ObjectIdentifier{rpc.OIDKerberos(), rpc.OIDMSKerberos()},
			raw:  startsKerberos,
			new:  func() acceptor { return &kerberosAcceptor{kerberos: s.kerberos} },
		})
	}
	if s.opts.NTLM != NTLMAbsent {
		list = append(list, &mechanism{
			oids: []asn1.ObjectIdentifier{rpc.OIDNTLM()},
			raw:  func(token []byte) bool { return strings.HasPrefix(string(token), ntlmSignature) },
			new:  func() acceptor { return s.newNTLMAcceptor() },
		})
	}
	return list
}

// spnegoAcceptor accepts an SPNEGO negotiation (RFC 4178, MS-SPNG): of what the initiator lists, the first that the
// server has. As Windows does, it also takes the tokens of a mechanism without SPNEGO around them.
type spnegoAcceptor struct {
	mechanisms []*mechanism
	inner      acceptor // of the chosen mechanism; nil before the first token
	bare       bool     // no SPNEGO around the tokens
	done       bool     // the inner logon is complete, the negotiation may not be
	mechList   []byte   // the initiator's list of mechanisms, DER: what the MICs cover
	wantMIC    bool     // the choice is not the initiator's first one, so that the list has to be verified
	micSent    bool     // ours is sent, theirs is due
}

func (a *spnegoAcceptor) logon() logon { return a.inner.logon() }

func (a *spnegoAcceptor) accept(token []byte) (reply []byte, done bool, err error) {
	if a.inner == nil {
		i := slices.IndexFunc(a.mechanisms, func(m *mechanism) bool { return m.raw(token) })
		if i < 0 {
			return a.first(token)
		}
		a.inner, a.bare = a.mechanisms[i].new(), true
	}
	if a.bare {
		return a.inner.accept(token)
	}
	in, err := rpc.ParseNegTokenResp(token)
	if err != nil || in.State != nil && *in.State == rpc.NegReject {
		return nil, false, errToken
	}
	return a.step(&rpc.NegTokenResp{}, in.ResponseToken, in.MechListMIC)
}

// first answers a NegTokenInit: it chooses a mechanism, and feeds it the optimistic token if that is for it.
func (a *spnegoAcceptor) first(token []byte) ([]byte, bool, error) {
	init, err := rpc.ParseNegTokenInit(token)
	if err != nil {
		return nil, false, errToken
	}
	chosen := a.choose(init.MechTypes)
	if chosen < 0 {
		return nil, false, errToken
	}
	if a.mechList, err = rpc.MechTypeList(init.MechTypes); err != nil {
		return nil, false, errToken
	}
	// The name that the initiator used comes back: it may be the one of Kerberos that Windows 2000 truncated.
	resp := &rpc.NegTokenResp{SupportedMech: init.MechTypes[chosen]}
	if a.wantMIC = chosen > 0; a.wantMIC || len(init.MechToken) == 0 {
		return a.marshal(resp, false)
	}
	return a.step(resp, init.MechToken, nil)
}

// choose takes the first mechanism of the list that the server has; it returns its place, or -1.
func (a *spnegoAcceptor) choose(list []asn1.ObjectIdentifier) int {
	for i, oid := range list {
		if j := slices.IndexFunc(a.mechanisms, func(m *mechanism) bool { return m.named(oid) }); j >= 0 {
			a.inner = a.mechanisms[j].new()
			return i
		}
	}
	return -1
}

// step feeds the mechanism a token, if it is not complete yet, and answers.
func (a *spnegoAcceptor) step(out *rpc.NegTokenResp, token, mic []byte) ([]byte, bool, error) {
	if a.done == (len(token) > 0) {
		return nil, false, errToken // a token too many, or none where one is due
	}
	var err error
	if !a.done {
		if out.ResponseToken, a.done, err = a.inner.accept(token); err != nil {
			return a.refusal(out), false, err
		}
	}
	if !a.done {
		return a.marshal(out, false)
	}
	complete, err := a.exchangeMICs(out, mic)
	if err != nil {
		return nil, false, err
	}
	return a.marshal(out, complete)
}

// marshal encodes an answer with its state.
func (a *spnegoAcceptor) marshal(out *rpc.NegTokenResp, complete bool) ([]byte, bool, error) {
	state := rpc.NegAcceptIncomplete
	switch {
	case complete:
		state = rpc.NegAcceptCompleted
	case out.SupportedMech != nil && a.wantMIC:
		state = rpc.NegRequestMIC
	}
	out.State = &state
	b, err := out.Marshal()
	return b, complete, err
}

// refusal carries what the mechanism has to say about its refusal. The state does not say that it is one, as Windows
// has it: the initiators that Windows talks to look into the token only then.
func (a *spnegoAcceptor) refusal(out *rpc.NegTokenResp) []byte {
	if len(out.ResponseToken) == 0 {
		return nil
	}
	b, _, err := a.marshal(out, false)
	if err != nil {
		return nil
	}
	return b
}

// exchangeMICs verifies the initiator's MIC of the list of mechanisms and puts ours into the answer. The list could
// have been shortened on the way otherwise. It is not complete if the last token of the mechanism is ours, so that the
// initiator can make its MIC only now (RFC 4178 section 5). A context without integrity has none to exchange.
func (a *spnegoAcceptor) exchangeMICs(out *rpc.NegTokenResp, theirs []byte) (complete bool, err error) {
	l := a.logon()
	later := len(out.ResponseToken) > 0
	switch {
	case theirs == nil && (!a.wantMIC || !l.canSign):
		return true, nil
	case theirs == nil && !later, theirs != nil && !l.canSign:
		return false, errLogon
	case theirs != nil && l.protector.Unwrap(&rpc.Message{Body: a.mechList}, theirs) != nil:
		return false, errLogon
	}
	if !a.micSent {
		a.micSent = true
		if out.MechListMIC, err = l.protector.Wrap(&rpc.Message{Body: a.mechList}); err != nil {
			return false, err
		}
	}
	if theirs == nil || l.afterMICs == nil {
		return theirs != nil, nil
	}
	return true, l.afterMICs()
}

// gssFrame takes the frame of a first GSS-API token away (RFC 2743 section 3.1): what is left begins with whatever the
// mechanism puts there.
func gssFrame(token []byte) (oid asn1.ObjectIdentifier, rest []byte, ok bool) {
	s := cryptobyte.String(token)
	var frame cryptobyte.String
	ok = s.ReadASN1(&frame, cbasn1.Tag(0x60)) && s.Empty() && frame.ReadASN1ObjectIdentifier(&oid)
	return oid, frame, ok
}
