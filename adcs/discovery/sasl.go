package discovery

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// The tags of the operations of RFC 4511 that are made here. Package ldap has them too, but it reads on while the
// protection of the connection changes, and would take for protected what was sent before.
const (
	tagBindRequest      = cbasn1.Tag(0x60)
	tagBindResponse     = 0x61
	tagExtendedRequest  = cbasn1.Tag(0x77)
	tagExtendedResponse = 0x78
	tagSASL             = cbasn1.Tag(0xa3)
	tagContext0         = cbasn1.Tag(0x80)
	tagServerCreds      = 0x87
)

// maxLegs bounds the tokens that are sent to log on.
const maxLegs = 8

// bindSASL logs on by GSS-SPNEGO (MS-ADTS 5.1.1.1.3) and returns the connection on which everything is sealed.
func bindSASL(nc net.Conn, i assoc.Initiator) (net.Conn, error) {
	var token []byte
	complete, done := false, false
	for leg := range maxLegs {
		var out []byte
		var err error
		if !complete {
			err = rpc.Guard(func() (e error) { out, complete, e = i.Step(token); return e })
			if err != nil {
				return nil, err
			}
		}
		if done {
			break
		}
		if token, done, err = bindStep(nc, int64(leg+1), out); errors.Is(err, adcs.ErrLogon) && i.ByTicket() {
			// The KDC gave a ticket, so nothing is wrong with the credential.
			return nil, &krb5.Error{Reason: krb5.ReasonServiceTicket, Err: errors.New(err.Error())}
		} else if err != nil {
			return nil, err
		}
		if complete {
			break
		}
	}
	if !complete || !done {
		return nil, fmt.Errorf("%w: server and client do not agree on the end of the logon", ErrMalformed)
	}
	return &sealed{Conn: nc, p: i.Protector()}, nil
}

// bindStep sends a token and returns the server's; done is true when the server has accepted.
func bindStep(nc net.Conn, id int64, token []byte) (answer []byte, done bool, err error) {
	op, err := exchange(nc, id, tagBindResponse, func(b *cryptobyte.Builder) {
		b.AddASN1(tagBindRequest, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(3) // version of LDAP
			b.AddASN1OctetString(nil)
			b.AddASN1(tagSASL, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString([]byte("GSS-SPNEGO"))
				b.AddASN1OctetString(token)
			})
		})
	})
	if err != nil {
		return nil, false, err
	}
	code, diagnostic, err := result(op)
	if err != nil {
		return nil, false, err
	}
	if code != ldap.LDAPResultSuccess && code != ldap.LDAPResultSaslBindInProgress {
		return nil, false, refused(code, diagnostic)
	}
	for _, c := range op.Children[3:] {
		if c.Identifier.ClassType == ber.ClassContext && c.Tag == tagServerCreds&0x1f {
			answer = c.Data.Bytes()
		}
	}
	return answer, code == ldap.LDAPResultSuccess, nil
}

// startTLS asks for TLS (RFC 4511 section 4.14). Nothing that the server sends before TLS is used after it.
func startTLS(nc net.Conn) error {
	op, err := exchange(nc, 1, tagExtendedResponse, func(b *cryptobyte.Builder) {
		b.AddASN1(tagExtendedRequest, func(b *cryptobyte.Builder) {
			b.AddASN1(tagContext0, func(b *cryptobyte.Builder) { b.AddBytes([]byte("1.3.6.1.4.1.1466.20037")) })
		})
	})
	if err != nil {
		return err
	}
	code, diagnostic, err := result(op)
	if err != nil {
		return err
	}
	if code != ldap.LDAPResultSuccess {
		return fmt.Errorf("discovery: the server does not start TLS: %w", &ldap.Error{ResultCode: code, Err: diagnostic})
	}
	return nil
}

// exchange sends a request and returns the operation of the answer, which must have a tag.
func exchange(nc net.Conn, id int64, tag byte, add func(*cryptobyte.Builder)) (op *ber.Packet, err error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(id)
		add(b)
	})
	request, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	if _, err := nc.Write(request); err != nil {
		return nil, err
	}
	m, err := readMessage(nc)
	if err != nil {
		return nil, err
	}
	err = rpc.Guard(func() error {
		p, err := ber.DecodePacketErr(m)
		if err != nil || len(p.Children) < 2 {
			return fmt.Errorf("%w: LDAP message", ErrMalformed)
		}
		op = p.Children[1]
		if n, ok := p.Children[0].Value.(int64); !ok || n != id || op.ClassType != ber.ClassApplication ||
			op.Tag != ber.Tag(tag&0x1f) {
			return fmt.Errorf("%w: LDAP answer to another request", ErrMalformed)
		}
		return nil
	})
	return op, err
}

// result is the code of an LDAPResult and the server's text (RFC 4511 section 4.1.9).
func result(op *ber.Packet) (code uint16, diagnostic error, err error) {
	if len(op.Children) < 3 {
		return 0, nil, fmt.Errorf("%w: LDAP result", ErrMalformed)
	}
	n, ok := op.Children[0].Value.(int64)
	text, isText := op.Children[2].Value.(string)
	if !ok || n < 0 || n > 0xffff || !isText {
		return 0, nil, fmt.Errorf("%w: LDAP result", ErrMalformed)
	}
	return uint16(n), diagnosis(text), nil
}

// maxSealed bounds a sealed buffer, in bytes: messages, which may come several at once.
const maxSealed = maxMessage + 1<<16

// sealed is a connection behind a SASL security layer: buffers of four bytes of length and a token (RFC 4422 section
// 3.7). Reading and writing may go on at once.
type sealed struct {
	net.Conn
	mu    sync.Mutex // p is for one goroutine at a time
	p     rpc.Protector
	plain []byte // of a token that was read, what Read has not returned
}

// tokens is what Kerberos makes, whose tokens differ from those of DCE/RPC.
type tokens interface {
	WrapToken(data []byte) ([]byte, error)
	UnwrapToken(token []byte) ([]byte, error)
}

func (s *sealed) Read(b []byte) (int, error) {
	for len(s.plain) == 0 {
		var size [4]byte
		if _, err := io.ReadFull(s.Conn, size[:]); err != nil {
			return 0, err
		}
		n := binary.BigEndian.Uint32(size[:])
		if n > maxSealed {
			return 0, fmt.Errorf("%w: sealed buffer of %d bytes", ErrTooLarge, n)
		}
		var token bytes.Buffer
		if _, err := io.CopyN(&token, s.Conn, int64(n)); err != nil {
			return 0, unexpected(err)
		}
		plain, err := s.unwrap(token.Bytes())
		if err != nil {
			return 0, fmt.Errorf("discovery: %w: %v", rpc.ErrIntegrity, err)
		}
		s.plain = plain
	}
	n := copy(b, s.plain)
	s.plain = s.plain[n:]
	return n, nil
}

func (s *sealed) unwrap(token []byte) (plain []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.p.(tokens); ok {
		err = rpc.Guard(func() error { plain, err = t.UnwrapToken(token); return err })
		return plain, err
	}
	n := s.p.SignatureSize(true)
	if len(token) < n {
		return nil, fmt.Errorf("%w: token of %d bytes", ErrMalformed, len(token))
	}
	body := token[n:]
	err = rpc.Guard(func() error { return s.p.Unwrap(&rpc.Message{Body: body, Seal: true}, token[:n]) })
	return body, err
}

// maxPlain is the most that is sealed at once, in bytes: less than any server's limit.
const maxPlain = 32 << 10

func (s *sealed) Write(b []byte) (n int, err error) {
	for n < len(b) {
		part := b[n:min(len(b), n+maxPlain)]
		token, err := s.wrap(part)
		if err != nil {
			return n, err
		}
		buffer := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(token)), uint32(len(token)))
		if _, err := s.Conn.Write(append(buffer, token...)); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

func (s *sealed) wrap(data []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.p.(tokens); ok {
		return t.WrapToken(data)
	}
	body := bytes.Clone(data)
	signature, err := s.p.Wrap(&rpc.Message{Body: body, Seal: true})
	if err != nil {
		return nil, err
	}
	return append(signature, body...), nil
}

// logonData are the codes that Active Directory adds to a refusal, in hexadecimal, and what they mean.
func logonData(code string) string {
	switch code {
	case "525":
		return "no such user"
	case "52e":
		return "wrong user or password"
	case "530", "531":
		return "the account may not log on at this time or from this host"
	case "532", "773":
		return "the password has expired or must be changed"
	case "533":
		return "the account is disabled"
	case "701":
		return "the account has expired"
	case "775":
		return "the account is locked out"
	case "80090346":
		return "the server wants channel bindings"
	}
	return ""
}

// refused is the error of a bind that a server does not accept.
func refused(code uint16, diagnostic error) error {
	err := &ldap.Error{ResultCode: code, Err: diagnostic}
	switch code {
	case ldap.LDAPResultInvalidCredentials:
		return fmt.Errorf("%w: %w", adcs.ErrLogon, err)
	case ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired:
		return fmt.Errorf("the server wants more protection: %w", err)
	}
	return err
}

// ended is the reason why a context has ended, in the place of the error of the connection that was closed for it.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("discovery: %w (%v)", context.Cause(ctx), err)
	}
	return err
}
