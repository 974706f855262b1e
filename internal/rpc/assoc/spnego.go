package assoc

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Mechanism is an [Initiator] that SPNEGO can negotiate. [NTLM] and [Kerberos] are the ones that there are.
type Mechanism interface {
	Initiator
	// oids are its names, the preferred one first.
	oids() []asn1.ObjectIdentifier
	// sendsMIC reports whether the mechanism's peers are used to a MIC of the list of mechanisms where RFC 4178 section 5
	// can do without; needsMIC, whether it is nothing without the server's.
	sendsMIC() bool
	needsMIC() bool
	// afterMICs is called when the MICs of both sides have been exchanged.
	afterMICs() error
}

// spnegoInitiator is SPNEGO (RFC 4178, MS-SPNG) over several mechanisms.
type spnegoInitiator struct {
	mechs    []Mechanism
	current  Mechanism
	list     []byte // DER of the list of mechanisms
	answered bool   // the server has chosen
	done     bool   // the mechanism is complete, the negotiation may not be
	named    bool   // the server chose by another name than the first of the list
	switched bool   // the server chose another mechanism than the first: somebody may have cut the list
	sent     bool   // our MIC is sent
	verified bool   // their MIC was right
	over     bool
	signed   bool // what is around SPNEGO proves the server
}

// SPNEGO negotiates one of several mechanisms. The first is the preferred one; its first token goes along with the
// list. Without more mechanisms there is nothing to downgrade to.
func SPNEGO(first Mechanism, more ...Mechanism) Initiator {
	return &spnegoInitiator{mechs: append([]Mechanism{first}, more...), current: first}
}

// InSMB adapts an initiator of SPNEGO to the session setup of SMB, whose end the server signs with the session key.
// There it may leave out its MIC of the list wherever RFC 4178 section 5 allows it, whatever the mechanism is: servers
// exist that know nothing of it.
func InSMB(i Initiator) Initiator {
	if s, ok := i.(*spnegoInitiator); ok {
		s.signed = true
	}
	return i
}

func (s *spnegoInitiator) Type() rpc.AuthType { return rpc.AuthNegotiate }

func (s *spnegoInitiator) Protector() rpc.Protector { return s.current.Protector() }

func (s *spnegoInitiator) SessionKey() []byte { return s.current.SessionKey() }

func (s *spnegoInitiator) ByTicket() bool { return s.current.ByTicket() }

// Mutual is true after the server's MIC, which is made with the session key, too.
func (s *spnegoInitiator) Mutual() bool { return s.verified || s.current.Mutual() }

func (s *spnegoInitiator) Step(token []byte) (out []byte, complete bool, err error) {
	switch {
	case s.over:
		return nil, false, errors.New("SPNEGO goes on after its end")
	case s.list == nil:
		out, err = s.begin()
		return out, false, err
	}
	t, err := rpc.ParseNegTokenResp(token)
	if err != nil {
		return nil, false, err
	}
	return s.next(t)
}

// begin makes the first token, with the first one of the preferred mechanism in it.
func (s *spnegoInitiator) begin() ([]byte, error) {
	mechs := s.offered()
	list, err := rpc.MechTypeList(mechs)
	if err != nil {
		return nil, err
	}
	first, _, err := s.current.Step(nil)
	if err != nil {
		return nil, err
	}
	s.list = list
	return (&rpc.NegTokenInit{MechTypes: mechs, MechToken: first}).Marshal()
}

func (s *spnegoInitiator) offered() []asn1.ObjectIdentifier {
	var all []asn1.ObjectIdentifier
	for _, m := range s.mechs {
		all = append(all, m.oids()...)
	}
	return all
}

// next answers a token of the server.
func (s *spnegoInitiator) next(t *rpc.NegTokenResp) ([]byte, bool, error) {
	if t.State != nil && *t.State == rpc.NegReject {
		return nil, false, s.rejected(t)
	}
	if err := s.choose(t); err != nil {
		return nil, false, err
	}
	completed := t.State != nil && *t.State == rpc.NegAcceptCompleted
	out, err := s.inner(t, completed)
	if err != nil {
		return nil, false, err
	}
	if err := s.verify(t); err != nil {
		return nil, false, err
	}
	if completed {
		return nil, true, s.finish()
	}
	out, err = s.respond(t, out)
	return out, false, err
}

// rejected says what the server rejects: it may have put the reason into the mechanism's token.
func (s *spnegoInitiator) rejected(t *rpc.NegTokenResp) error {
	if len(t.ResponseToken) > 0 && !s.done {
		if _, _, err := s.current.Step(t.ResponseToken); err != nil {
			return fmt.Errorf("SPNEGO reject: %w", err)
		}
	}
	if !s.answered && !s.ByTicket() {
		return errRejected // it has not seen a proof of the password yet
	}
	return refusal(s.current, errRejected)
}

var errRejected = errors.New("SPNEGO reject: the server takes none of the mechanisms offered, or not their tokens")

// choose follows the server's choice, which its first answer has. One that has none means the first of the list.
func (s *spnegoInitiator) choose(t *rpc.NegTokenResp) error {
	first := !s.answered
	s.answered = true
	if t.SupportedMech == nil || !first && slices.ContainsFunc(s.current.oids(), t.SupportedMech.Equal) {
		return nil
	}
	i := slices.IndexFunc(s.mechs, func(m Mechanism) bool { return slices.ContainsFunc(m.oids(), t.SupportedMech.Equal) })
	switch {
	case i < 0:
		return fmt.Errorf("%w: server chose mechanism %v, which was not offered", rpc.ErrMalformed, t.SupportedMech)
	case !first:
		return fmt.Errorf("%w: server chose another mechanism, %v, later", rpc.ErrMalformed, t.SupportedMech)
	case i > 0 && (len(t.ResponseToken) > 0 || len(t.MechListMIC) > 0):
		return fmt.Errorf("%w: server has a token for a mechanism that has not begun", rpc.ErrMalformed)
	}
	s.named = !t.SupportedMech.Equal(s.mechs[0].oids()[0])
	s.switched = i > 0
	s.current = s.mechs[i]
	return nil
}

// inner feeds the mechanism.
func (s *spnegoInitiator) inner(t *rpc.NegTokenResp, completed bool) (out []byte, err error) {
	begins := s.switched && !s.done && len(t.ResponseToken) == 0
	if s.done || len(t.ResponseToken) == 0 && !begins {
		if s.done == (len(t.ResponseToken) > 0) {
			return nil, fmt.Errorf("%w: SPNEGO does not keep step with its mechanism", rpc.ErrMalformed)
		}
		return nil, nil
	}
	out, s.done, err = s.current.Step(t.ResponseToken)
	if err == nil && completed && (!s.done || len(out) > 0) {
		err = fmt.Errorf("%w: SPNEGO ends before its mechanism does", rpc.ErrMalformed)
	}
	return out, err
}

// verify checks the server's MIC of the list, if it has come. Old servers send the token a second time in its place.
func (s *spnegoInitiator) verify(t *rpc.NegTokenResp) error {
	if len(t.MechListMIC) == 0 || bytes.Equal(t.MechListMIC, t.ResponseToken) {
		return nil
	}
	if !s.done || s.verified {
		return fmt.Errorf("%w: mechListMIC out of its place", rpc.ErrMalformed)
	}
	err := s.Protector().Unwrap(&rpc.Message{Body: bytes.Clone(s.list)}, t.MechListMIC)
	if err != nil {
		return fmt.Errorf("%w: mechListMIC: %v", rpc.ErrIntegrity, err)
	}
	s.verified = true
	return nil
}

// respond makes the next token. A server that goes on when the mechanism is complete waits for our MIC.
func (s *spnegoInitiator) respond(t *rpc.NegTokenResp, out []byte) ([]byte, error) {
	state := rpc.NegAcceptIncomplete
	answer := &rpc.NegTokenResp{State: &state, ResponseToken: out}
	asked := t.State != nil && *t.State == rpc.NegRequestMIC
	if s.done && !s.sent && (len(out) == 0 || asked || s.named || s.verified || s.current.sendsMIC()) {
		mic, err := s.Protector().Wrap(&rpc.Message{Body: bytes.Clone(s.list)})
		if err != nil {
			return nil, err
		}
		answer.MechListMIC, s.sent = mic, true
	}
	if len(out) == 0 && answer.MechListMIC == nil {
		return nil, fmt.Errorf("%w: SPNEGO does not come to an end", rpc.ErrMalformed)
	}
	return answer.Marshal()
}

// finish checks what must have been exchanged.
func (s *spnegoInitiator) finish() error {
	s.over = true
	switch {
	case !s.done:
		return fmt.Errorf("%w: SPNEGO ends before its mechanism does", rpc.ErrMalformed)
	case !s.verified && (s.switched || s.current.needsMIC() && !s.signed):
		return fmt.Errorf("%w: the server has not signed the list of mechanisms", rpc.ErrIntegrity)
	case s.verified && s.sent:
		return s.current.afterMICs()
	}
	return nil
}
