package smbpipe

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Authenticator is the client's side of a logon, for one session.
type Authenticator interface {
	// Step takes the server's token, nil at first, and returns the next one to send. Complete says that no token of the
	// server is awaited any more; the token that is returned with it, if any, is the last.
	Step(token []byte) (out []byte, complete bool, err error)
	// SessionKey is the key that both sides share once Step has said complete: for NTLM the exported session key, for
	// Kerberos the subkey of the acceptor.
	SessionKey() []byte
}

// ErrAnonymous is in the chain when the server made the caller a guest, or nobody.
var ErrAnonymous = errors.New("server accepts the logon as guest or anonymous only")

const (
	sessionGuest   = 1 // MS-SMB2 section 2.2.6
	sessionNull    = 2
	sessionEncrypt = 4

	maxLegs  = 8 // of a logon; three is what there is
	maxToken = 1<<16 - 1
)

// logon runs the session setup (MS-SMB2 section 3.2.4.2.3) until both sides are done.
func (l *link) logon(a Authenticator) error {
	var token []byte
	for range maxLegs {
		out, complete, err := a.Step(token)
		if err != nil {
			return err
		}
		if len(out) == 0 {
			return errors.New("SMB session: server wants more of a logon that has nothing to send")
		}
		m, err := l.setup(out)
		if err != nil {
			return err
		}
		switch m.status() {
		case statusMoreProcessing:
			if complete {
				return malformed("server goes on with a logon that is complete")
			}
			l.absorbSetup(m)
			if token, err = sessionToken(m); err != nil {
				return err
			}
		case statusSuccess:
			return l.established(a, m, complete)
		default:
			return l.refused(StepSession, m)
		}
	}
	return errors.New("SMB session: the logon does not come to an end")
}

// setup sends a token.
func (l *link) setup(token []byte) (message, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("SMB session: a token of %d bytes is too long", len(token))
	}
	le := binary.LittleEndian
	b := make([]byte, 24, 24+len(token))
	le.PutUint16(b, 25)
	b[3] = signingRequired
	le.PutUint16(b[12:], headerSize+24)
	le.PutUint16(b[14:], uint16(len(token)))
	m, err := l.exchange(cmdSessionSetup, append(b, token...))
	if err != nil {
		return nil, err
	}
	switch {
	case m.status() != statusSuccess && m.status() != statusMoreProcessing:
	case l.session == 0:
		l.session = m.session()
	case l.session != m.session():
		return nil, malformed("the session changes its number")
	}
	return m, nil
}

// absorbSetup continues the hash with a response; the last one is not part of it.
func (l *link) absorbSetup(m message) {
	if l.hashing {
		l.absorb(m)
	}
}

// sessionToken is the token of a response (MS-SMB2 section 2.2.6).
func sessionToken(m message) ([]byte, error) {
	b, err := m.fixed(9)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	return m.buffer(uint32(le.Uint16(b[4:])), uint32(le.Uint16(b[6:])))
}

// established ends the logon: with the server's last token and its first signature, by which it shows that it has the
// session key.
func (l *link) established(a Authenticator, m message, complete bool) error {
	token, err := sessionToken(m)
	if err != nil {
		return err
	}
	flags := binary.LittleEndian.Uint16(m.body()[2:])
	if flags&(sessionGuest|sessionNull) != 0 {
		return ErrAnonymous
	}
	if !complete {
		out, done, err := a.Step(token)
		switch {
		case err != nil:
			return err
		case !done || len(out) != 0:
			return malformed("the server ends a logon that is not complete")
		}
	}
	l.hashing = false
	k, err := newKeys(l.dialect, l.cipher, a.SessionKey(), l.preauth[:])
	if err != nil {
		return err
	}
	if !k.verify(m) {
		return fmt.Errorf("%w: signature of the end of the logon", ErrIntegrity)
	}
	l.keys = k
	if flags&sessionEncrypt != 0 {
		return l.seal()
	}
	return nil
}

// seal encrypts everything from now on.
func (l *link) seal() error {
	if l.keys.seal == nil {
		return malformed("server demands encryption without a cipher")
	}
	l.sealed = true
	return nil
}
