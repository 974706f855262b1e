package adcstest

import (
	"strings"

	"github.com/adcskit/adcskit/internal/rpc"
)

// spnegoAcceptor accepts an SPNEGO negotiation (RFC 4178, MS-SPNG) of which NTLM is the only mechanism it knows. As
// Windows does, it also takes NTLM tokens without SPNEGO around them.
type spnegoAcceptor struct {
	inner    *ntlmAcceptor
	started  bool
	raw      bool   // no SPNEGO around the tokens
	mechList []byte // the initiator's list of mechanisms, DER: what the MICs cover
	wantMIC  bool   // NTLM was not the initiator's first choice, so that the list has to be verified
}

func (a *spnegoAcceptor) user() User               { return a.inner.user() }
func (a *spnegoAcceptor) protection() *ntlmSession { return a.inner.protection() }

func (a *spnegoAcceptor) accept(token []byte) (reply []byte, done bool, err error) {
	if !a.started {
		a.started = true
		a.raw = strings.HasPrefix(string(token), ntlmSignature)
		if !a.raw {
			reply, err = a.first(token)
			return reply, false, err
		}
	}
	if a.raw {
		return a.inner.accept(token)
	}
	return a.next(token)
}

// first answers a NegTokenInit: it chooses NTLM, and feeds it the optimistic token if that is for NTLM.
func (a *spnegoAcceptor) first(token []byte) ([]byte, error) {
	init, err := rpc.ParseNegTokenInit(token)
	if err != nil {
		return nil, errToken
	}
	chosen := -1
	for i, m := range init.MechTypes {
		if chosen < 0 && m.Equal(rpc.OIDNTLM()) {
			chosen = i
		}
	}
	if chosen < 0 {
		return nil, errToken
	}
	if a.mechList, err = rpc.MechTypeList(init.MechTypes); err != nil {
		return nil, errToken
	}
	state := rpc.NegAcceptIncomplete
	if a.wantMIC = chosen > 0; a.wantMIC {
		state = rpc.NegRequestMIC
	}
	resp := rpc.NegTokenResp{State: &state, SupportedMech: rpc.OIDNTLM()}
	if chosen == 0 && len(init.MechToken) > 0 {
		if resp.ResponseToken, _, err = a.inner.accept(init.MechToken); err != nil {
			return nil, err
		}
	}
	return resp.Marshal()
}

// next answers a NegTokenResp.
func (a *spnegoAcceptor) next(token []byte) ([]byte, bool, error) {
	in, err := rpc.ParseNegTokenResp(token)
	if err != nil || in.State != nil && *in.State == rpc.NegReject {
		return nil, false, errToken
	}
	reply, done, err := a.inner.accept(in.ResponseToken)
	if err != nil {
		return nil, false, err
	}
	state := rpc.NegAcceptIncomplete
	out := rpc.NegTokenResp{State: &state, ResponseToken: reply}
	if done {
		state = rpc.NegAcceptCompleted
		if out.MechListMIC, err = a.exchangeMICs(in.MechListMIC); err != nil {
			return nil, false, err
		}
	}
	b, err := out.Marshal()
	return b, done, err
}

// exchangeMICs verifies the initiator's MIC of the list of mechanisms and returns ours. The list could have been
// shortened on the way otherwise. A context without integrity has none to exchange.
func (a *spnegoAcceptor) exchangeMICs(theirs []byte) ([]byte, error) {
	s := a.protection()
	if theirs == nil {
		if a.wantMIC && s.canSign() {
			return nil, errLogon
		}
		return nil, nil
	}
	if !s.verify(false, nil, a.mechList, nil, theirs) {
		return nil, errLogon
	}
	ours := s.protect(false, nil, a.mechList, nil)
	return ours, s.resetCiphers()
}
