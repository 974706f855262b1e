package adcstest

import (
	"errors"

	"github.com/adcskit/adcskit/internal/rpc"
)

// acceptor is the server's side of a logon. It is used by one goroutine and does not outlive its connection.
type acceptor interface {
	// accept takes the client's next token. It returns the token to send back, if any, and whether the logon is
	// complete. After an error the acceptor must not be used again.
	accept(token []byte) (reply []byte, done bool, err error)
	// user and protection are valid when accept has said done.
	user() User
	protection() *ntlmSession
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
	who      User
}

// newAcceptor returns the acceptor of a security provider, or nil if it is not one of ours.
func (s *Server) newAcceptor(t rpc.AuthType) acceptor {
	switch t {
	case rpc.AuthNTLM:
		return newNTLMAcceptor(s.accounts, s.opts.Now)
	case rpc.AuthNegotiate:
		return &spnegoAcceptor{inner: newNTLMAcceptor(s.accounts, s.opts.Now)}
	}
	return nil
}

var errNoProtection = errors.New("the security context cannot sign")

// accept feeds the context one token. Any error leaves it failed for good.
func (a *authContext) accept(token []byte) (reply []byte, err error) {
	if a.state != authPending {
		return nil, errToken
	}
	a.state = authFailed
	reply, done, err := a.acceptor.accept(token)
	if err != nil {
		return nil, err
	}
	if !done {
		a.state = authPending
		return reply, nil
	}
	session := a.acceptor.protection()
	if a.security.Level > rpc.LevelConnect && !session.canSign() {
		return nil, errNoProtection
	}
	a.security.Protector = session
	a.who, a.acceptor, a.state = a.acceptor.user(), nil, authEstablished
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
