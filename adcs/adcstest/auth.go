package adcstest

import (
	"errors"

	"github.com/adcskit/adcskit/internal/rpc"
)

// acceptor is the server's side of a logon, of any mechanism. It is used by one goroutine and does not outlive its
// connection.
type acceptor interface {
	// accept takes the client's next token. It returns the token to send back, if any, and whether the logon is
	// complete. With an error, after which the acceptor must not be used again, there may be a token too: it tells the
	// client why.
	accept(token []byte) (reply []byte, done bool, err error)
	// logon is valid when accept has said done.
	logon() logon
}

// logon is what is left of a complete exchange of tokens.
type logon struct {
	who       caller // without the level, which is the connection's
	protector rpc.Protector
	canSign   bool // both sides agreed on integrity
	canSeal   bool // and on confidentiality
	// afterMICs does what the mechanism has to do once SPNEGO has exchanged the MICs of its list; nil for nothing.
	afterMICs func() error
}

// supports says whether the logon is good for a level.
func (l logon) supports(level rpc.AuthLevel) bool {
	switch {
	case level <= rpc.LevelConnect:
		return true
	case level == rpc.LevelPrivacy:
		return l.canSeal
	}
	return l.canSign
}

// authState is how far a security context is.
type authState uint8

const (
	authPending authState = iota
	authEstablished
	authFailed
)

// authContext is a row of the connection's table of security contexts (MS-RPCE section 3.3.1.1.2). Level and identity
// of a call come from here and never from its PDUs.
type authContext struct {
	security rpc.Security // what every PDU is held to; its Protector is set when the context is established
	asked    rpc.AuthLevel
	state    authState
	acceptor acceptor
	who      caller // without a level
}

// newAcceptor returns the acceptor of a security provider, or nil if it is not one that this server has.
func (s *Server) newAcceptor(t rpc.AuthType) acceptor {
	switch {
	case t == rpc.AuthNTLM && s.opts.NTLM != NTLMAbsent:
		return s.newNTLMAcceptor()
	case t == rpc.AuthKerberos && !s.opts.Kerberos.Off:
		return &kerberosAcceptor{kerberos: s.kerberos}
	case t == rpc.AuthNegotiate:
		return &spnegoAcceptor{mechanisms: s.mechanisms()}
	}
	return nil
}

func (s *Server) newNTLMAcceptor() *ntlmAcceptor {
	return &ntlmAcceptor{accounts: s.accounts, now: s.opts.Now, blocked: s.opts.NTLM == NTLMBlocked}
}

var errNoProtection = errors.New("the security context cannot protect messages at this level")

// accept feeds the context one token. Any error leaves it failed for good.
func (a *authContext) accept(token []byte) (reply []byte, err error) {
	if a.state != authPending {
		return nil, errToken
	}
	a.state = authFailed
	reply, done, err := a.acceptor.accept(token)
	if err != nil {
		return reply, err
	}
	if !done {
		a.state = authPending
		return reply, nil
	}
	l := a.acceptor.logon()
	if !l.supports(a.security.Level) {
		return nil, errNoProtection
	}
	a.security.Protector = l.protector
	a.who, a.acceptor, a.state = l.who, nil, authEstablished
	return reply, nil
}

// effectiveLevel is the protection that a level stands for: call and packet are processed as integrity, which every
// stack does with NTLM, and default as connect (MS-RPCE section 2.2.1.1.8).
func effectiveLevel(l rpc.AuthLevel) (authLevel, bool) {
	switch l {
	case 0, rpc.LevelConnect:
		return levelConnect, true
	case rpc.LevelCall, rpc.LevelPacket, rpc.LevelIntegrity:
		return levelIntegrity, true
	case rpc.LevelPrivacy:
		return levelPrivacy, true
	}
	return levelNone, false
}
