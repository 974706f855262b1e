package krb5

import (
	"errors"
	"fmt"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/adcskit/adcskit/internal/rpc"
)

// SessionConfig is what the two sides of a security context agreed upon by AP-REQ and AP-REP.
type SessionConfig struct {
	// Key protects the messages: the acceptor's subkey if it sent one, else the initiator's, else that of the ticket. Its
	// type is AES128 or AES256 with CTS and HMAC-SHA1-96, or RC4-HMAC.
	Key types.EncryptionKey
	// AcceptorSubkey is true if Key is the acceptor's subkey. Every message says so (RFC 4121 section 4.2.2).
	AcceptorSubkey bool
	// Acceptor is true on the server's side.
	Acceptor bool
	// NoFiller leaves the filler out of messages sealed with AES. A context that is not in DCE style needs that: there the
	// filler would count into the rotation (RFC 4121 section 4.2.5), and without one it makes no difference.
	NoFiller bool
	// Send and Receive are the sequence numbers of the first message in either direction. The initiator's is the one of
	// its authenticator, the acceptor's that of its AP-REP.
	Send, Receive uint32
}

// Session protects the messages of an established security context, in the DCE style of MS-KILE section 3.4.5.4: a
// message keeps its length, and everything that is added goes into the signature. It is a [rpc.Protector] of either
// side, and makes the MICs of SPNEGO. It is for one goroutine at a time.
type Session struct {
	per  perMessage
	send uint64
	recv uint64
}

// perMessage is the protection of an encryption type. Parts are in their order and are covered by the checksum; secret,
// which may be nil, is the one among them that is encrypted.
type perMessage interface {
	size(seal bool) int
	fits(n int, seal bool) bool
	wrap(seq uint64, parts [][]byte, secret []byte) ([]byte, error)
	unwrap(seq uint64, parts [][]byte, secret, signature []byte) error
	mic(seq uint64, parts [][]byte) ([]byte, error)
	verify(seq uint64, parts [][]byte, signature []byte) error
	tokens
}

// errSignature says no more: what exactly is wrong with a message is nothing that its sender should learn.
var errSignature = errors.New("krb5: signature is wrong")

// NewSession makes the protection of a security context. It fails for a key that is not of a supported type.
func NewSession(c SessionConfig) (*Session, error) {
	s := &Session{send: uint64(c.Send), recv: uint64(c.Receive)}
	var err error
	switch c.Key.KeyType {
	case etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.AES256_CTS_HMAC_SHA1_96:
		s.per, err = newCFX(c)
	case etypeID.RC4_HMAC:
		s.per, err = newRC4(c)
	default:
		err = fmt.Errorf("krb5: encryption type %d cannot protect messages", c.Key.KeyType)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// SignatureSize implements [rpc.Protector].
func (s *Session) SignatureSize(seal bool) int { return s.per.size(seal) }

// SignatureFits reports whether the other side may send a signature of n bytes. Those of AES have a filler that a
// sender may make shorter than [Session.SignatureSize] tells.
func (s *Session) SignatureFits(n int, seal bool) bool { return s.per.fits(n, seal) }

// parts are what the checksum of a message covers.
func parts(m *rpc.Message) [][]byte {
	if m.SignHeader {
		return [][]byte{m.Header, m.Body, m.Trailer}
	}
	return [][]byte{m.Body}
}

// Wrap implements [rpc.Protector].
func (s *Session) Wrap(m *rpc.Message) (signature []byte, err error) {
	if m.Seal {
		signature, err = s.per.wrap(s.send, parts(m), m.Body)
	} else {
		signature, err = s.per.mic(s.send, parts(m))
	}
	s.send++
	return signature, err
}

// Unwrap implements [rpc.Protector].
func (s *Session) Unwrap(m *rpc.Message, signature []byte) (err error) {
	if m.Seal {
		err = s.per.unwrap(s.recv, parts(m), m.Body, signature)
	} else {
		err = s.per.verify(s.recv, parts(m), signature)
	}
	if err == nil {
		s.recv++
	}
	return err
}

// GetMIC signs data, as SPNEGO does with its list of mechanisms. It takes a sequence number, as every message does.
func (s *Session) GetMIC(data []byte) ([]byte, error) {
	mic, err := s.per.mic(s.send, [][]byte{data})
	s.send++
	return mic, err
}

// VerifyMIC checks what the other side's GetMIC made.
func (s *Session) VerifyMIC(data, mic []byte) error {
	err := s.per.verify(s.recv, [][]byte{data}, mic)
	if err == nil {
		s.recv++
	}
	return err
}
