package assoc

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/rpc"
)

// spnegoInitiator is SPNEGO (RFC 4178, MS-SPNG) with NTLM as its only mechanism. With one mechanism there is nothing to
// downgrade to; the MICs over the list of mechanisms are exchanged all the same, as Windows and RFC 4178 section 5 want.
type spnegoInitiator struct {
	ntlm  *ntlmInitiator
	mechs []byte // DER of the list of mechanisms
	step  int
}

// SPNEGO authenticates with a password over SPNEGO with NTLM inside.
func SPNEGO(p Password) Initiator { return &spnegoInitiator{ntlm: NTLM(p).(*ntlmInitiator)} }

func (s *spnegoInitiator) Type() rpc.AuthType { return rpc.AuthNegotiate }

func (s *spnegoInitiator) Protector() rpc.Protector { return s.ntlm.Protector() }

// Mutual is true: the server's mechListMIC is made with the session key.
func (s *spnegoInitiator) Mutual() bool { return true }

func (s *spnegoInitiator) Step(token []byte) ([]byte, bool, error) {
	s.step++
	if s.step == 1 {
		out, err := s.begin()
		return out, false, err
	}
	t, err := rpc.ParseNegTokenResp(token)
	if err != nil {
		return nil, false, err
	}
	if t.State != nil && *t.State == rpc.NegReject {
		if s.step == 2 {
			return nil, false, errors.New("server rejects NTLM inside of SPNEGO")
		}
		return nil, false, fmt.Errorf("%w: SPNEGO reject", ErrLogon)
	}
	switch s.step {
	case 2:
		out, err := s.respond(t)
		return out, false, err
	case 3:
		return nil, true, s.finish(t)
	default:
		return nil, false, errors.New("SPNEGO goes on after its end")
	}
}

// begin makes the first token, with NTLM's first message in it.
func (s *spnegoInitiator) begin() ([]byte, error) {
	list := []asn1.ObjectIdentifier{rpc.OIDNTLM()}
	mechs, err := rpc.MechTypeList(list)
	if err != nil {
		return nil, err
	}
	first, _, err := s.ntlm.Step(nil)
	if err != nil {
		return nil, err
	}
	s.mechs = mechs
	return (&rpc.NegTokenInit{MechTypes: list, MechToken: first}).Marshal()
}

// respond answers the challenge.
func (s *spnegoInitiator) respond(t *rpc.NegTokenResp) ([]byte, error) {
	if t.SupportedMech != nil && !t.SupportedMech.Equal(rpc.OIDNTLM()) {
		return nil, fmt.Errorf("%w: server chose mechanism %v, which was not offered", rpc.ErrMalformed, t.SupportedMech)
	}
	if t.State == nil || *t.State == rpc.NegAcceptCompleted {
		return nil, fmt.Errorf("%w: SPNEGO ends before NTLM does", rpc.ErrMalformed)
	}
	last, _, err := s.ntlm.Step(t.ResponseToken)
	if err != nil {
		return nil, err
	}
	mic, err := s.Protector().Wrap(&rpc.Message{Body: append([]byte(nil), s.mechs...)})
	if err != nil {
		return nil, err
	}
	state := rpc.NegAcceptIncomplete
	return (&rpc.NegTokenResp{State: &state, ResponseToken: last, MechListMIC: mic}).Marshal()
}

// finish checks the server's last token.
func (s *spnegoInitiator) finish(t *rpc.NegTokenResp) error {
	if t.State == nil || *t.State != rpc.NegAcceptCompleted || len(t.ResponseToken) != 0 {
		return fmt.Errorf("%w: SPNEGO does not end when NTLM has", rpc.ErrMalformed)
	}
	err := s.Protector().Unwrap(&rpc.Message{Body: append([]byte(nil), s.mechs...)}, t.MechListMIC)
	if err != nil {
		return fmt.Errorf("%w: mechListMIC: %v", rpc.ErrIntegrity, err)
	}
	return s.ntlm.resetCiphers()
}
