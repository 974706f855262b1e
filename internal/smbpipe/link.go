package smbpipe

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"net"
)

// link is a connection to a server: requests and their responses, protected once there are keys.
type link struct {
	nc      net.Conn
	in      frames
	dialect dialect
	cipher  uint16 // agreed on by dialect 3.1.1; 0 is none
	maxIO   int    // smaller than maxIO, if the server wants it so

	nextID  uint64
	credits int
	session uint64
	tree    uint32

	preauth [sha512.Size]byte // hash over negotiation and session setup (MS-SMB2 section 3.2.5.2)
	hashing bool              // preauth still grows
	keys    *keys             // nil until the logon is complete
	sealed  bool              // everything is encrypted

	reading uint64  // message id of the read that is under way, if isReading
	early   message // its response, which came while another one was awaited

	isReading bool
}

// maxCredits bounds what a server can make of the count of credits.
const maxCredits = 1 << 16

// request sends a request whose body is given and returns its message id. Sent says whether anything of it may have
// left.
func (l *link) request(c command, body []byte) (id uint64, sent bool, err error) {
	if l.credits < 1 {
		return 0, false, malformed("server grants no credits")
	}
	charge := uint16(1)
	if l.dialect == 0 || l.dialect == smb202 {
		charge = 0 // reserved there
	}
	id = l.nextID
	l.nextID++
	l.credits--
	b := append(appendHeader(make([]byte, 0, headerSize+len(body)), c, charge, id, l.tree, l.session), body...)
	switch {
	case l.keys != nil && l.sealed:
		b = l.keys.encrypt(b, l.session)
	case l.keys != nil:
		l.keys.signMessage(b)
	case l.hashing:
		l.absorb(b)
	}
	n, err := l.nc.Write(frame(b))
	return id, n > 0, err
}

// absorb continues the hash over the messages of negotiation and session setup.
func (l *link) absorb(b []byte) {
	h := sha512.New()
	h.Write(l.preauth[:])
	h.Write(b)
	h.Sum(l.preauth[:0])
}

// exchange sends a request and returns the response, whatever its status is.
func (l *link) exchange(c command, body []byte) (message, error) {
	id, _, err := l.request(c, body)
	if err != nil {
		return nil, err
	}
	return l.await(id, c)
}

// await returns the response to a request. That of a read that is under way is kept for who wants it.
func (l *link) await(id uint64, c command) (message, error) {
	for {
		m, err := l.receive()
		switch {
		case err != nil:
			return nil, err
		case m.messageID() == id && m.command() == c:
			return m, nil
		case l.isReading && l.early == nil && m.messageID() == l.reading && m.command() == cmdRead:
			l.early = m
		default:
			return nil, malformed("response %d to command %d, where that of request %d to command %d is due",
				m.messageID(), m.command(), id, c)
		}
	}
}

// receive returns the next response that is not interim. Interim ones only say that the server thinks, and are not
// signed by all (MS-SMB2 section 3.2.5.1.3).
func (l *link) receive() (message, error) {
	for {
		b, err := l.in.next()
		if err != nil {
			return nil, err
		}
		encrypted := len(b) >= 4 && string(b[:4]) == "\xfdSMB"
		if encrypted {
			if l.keys == nil || l.keys.open == nil {
				return nil, malformed("encrypted message without keys")
			}
			if b, err = l.keys.decrypt(b, l.session); err != nil {
				return nil, err
			}
		}
		m, err := parseMessage(b)
		if err != nil {
			return nil, err
		}
		l.credits = min(l.credits+int(m.credits()), maxCredits)
		if m.status() == statusPending && m.flags()&flagAsync != 0 {
			continue
		}
		if err := l.check(m, encrypted); err != nil {
			return nil, err
		}
		return m, nil
	}
}

// check requires the protection that was agreed on. Before the logon is complete there is none.
func (l *link) check(m message, encrypted bool) error {
	switch {
	case l.keys == nil || encrypted:
		return nil
	case l.sealed:
		return fmt.Errorf("%w: not encrypted", ErrIntegrity)
	case m.session() != l.session || !l.keys.verify(m):
		return fmt.Errorf("%w: signature of the response to command %d", ErrIntegrity, m.command())
	}
	return nil
}

// refused makes an error of a status.
func (l *link) refused(step Step, m message) error {
	return &StatusError{Step: step, Status: m.status(), Signed: l.keys != nil}
}

var errClosed = errors.New("pipe was closed after an error")
