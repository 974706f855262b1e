package krb5

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/asn1"
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/internal/rpc"
)

// tokenWrap is the token identifier of RFC 4757's sealed messages.
const tokenWrap = 0x0201

// tokens protects messages of other protocols than DCE/RPC: a token holds the message.
type tokens interface {
	wrapToken(seq uint64, data []byte) ([]byte, error)
	unwrapToken(seq uint64, token []byte) ([]byte, error)
}

// WrapToken seals data in a token of GSS_Wrap, as LDAP has them (RFC 4121 section 4.2.6.2, RFC 4757 section 7.3). The
// context must not be in DCE style.
func (s *Session) WrapToken(data []byte) ([]byte, error) {
	token, err := s.per.wrapToken(s.send, data)
	s.send++
	return token, err
}

// UnwrapToken verifies a token of the other side, its sequence number included, and returns what is sealed in it. A
// token that is signed only is refused.
func (s *Session) UnwrapToken(token []byte) ([]byte, error) {
	data, err := s.per.unwrapToken(s.recv, token)
	if err == nil {
		s.recv++
	}
	return data, err
}

// wrapToken makes { header | E(confounder | data | header) | checksum }, with neither filler nor rotation.
func (p *cfx) wrapToken(seq uint64, data []byte) ([]byte, error) {
	head := p.out.header(seq, 0)
	plain := make([]byte, cfxConfounder, cfxConfounder+len(data)+cfxHeader)
	_, _ = rand.Read(plain) // it never fails
	plain = append(append(plain, data...), head...)
	sum := cfxSum(p.out.checksum, plain, nil, nil)
	_, ct, err := p.etype.EncryptData(p.out.seal, plain)
	if err != nil {
		return nil, err
	}
	return append(append(head, ct...), sum...), nil
}

// unwrapToken undoes the rotation, by whatever the sender chose.
func (p *cfx) unwrapToken(seq uint64, token []byte) ([]byte, error) {
	const least = cfxHeader + cfxConfounder + cfxHeader + cfxChecksum
	if len(token) < least {
		return nil, errSignature
	}
	filler := int(binary.BigEndian.Uint16(token[4:]))
	rotation := int(binary.BigEndian.Uint16(token[6:]))
	head := p.in.header(seq, filler)
	binary.BigEndian.PutUint16(head[6:], uint16(rotation))
	if !hmac.Equal(head, token[:cfxHeader]) || len(token)-least < filler {
		return nil, errSignature
	}
	clear(head[6:8]) // as it was encrypted
	body := token[cfxHeader:]
	rotation %= len(body)
	body = append(bytes.Clone(body[rotation:]), body[:rotation]...)
	ct, sum := body[:len(body)-cfxChecksum], body[len(body)-cfxChecksum:]
	plain, err := p.etype.DecryptData(p.in.seal, ct)
	if err != nil || len(plain) != len(ct) {
		return nil, errSignature
	}
	end := len(plain) - cfxHeader
	if !hmac.Equal(sum, cfxSum(p.in.checksum, plain, nil, nil)) || !hmac.Equal(head, plain[end:]) {
		return nil, errSignature
	}
	return plain[cfxConfounder : end-filler], nil
}

// wrapToken pads with one byte, as RFC 4757 section 7.3 has it for a stream cipher.
func (p *rc4HMAC) wrapToken(seq uint64, data []byte) ([]byte, error) {
	confounder := make([]byte, rc4Confounder, rc4Confounder+len(data)+1)
	_, _ = rand.Read(confounder) // it never fails
	sealed := append(append(confounder, data...), 1)
	snd := sequence(seq, p.acceptor)
	sum := p.checksum(rc4SaltWrap, rc4WrapHeader(), nil, [][]byte{sealed})
	if err := crypt(p.sealing(), snd[:4], sealed); err != nil {
		return nil, err
	}
	if err := crypt(p.key, sum, snd); err != nil {
		return nil, err
	}
	inner := append(append(rc4WrapHeader()[2:], snd...), sum...)
	return frameToken(tokenWrap, append(inner, sealed...))
}

func (p *rc4HMAC) unwrapToken(seq uint64, token []byte) ([]byte, error) {
	s := cryptobyte.String(token)
	var frame cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&frame, cbasn1.Tag(0x60)) || !s.Empty() || !frame.ReadASN1ObjectIdentifier(&oid) ||
		!oid.Equal(rpc.OIDKerberos()) || len(frame) < rc4Header+rc4Sequence+rc4Checksum+rc4Confounder+1 ||
		!bytes.Equal(frame[:rc4Header], rc4WrapHeader()) {
		return nil, errSignature
	}
	const proofEnd = rc4Header + rc4Sequence + rc4Checksum
	proof, sealed := frame[rc4Header:proofEnd], bytes.Clone(frame[proofEnd:])
	snd := sequence(seq, !p.acceptor)
	if err := crypt(p.sealing(), snd[:4], sealed); err != nil {
		return nil, err
	}
	sum := p.checksum(rc4SaltWrap, rc4WrapHeader(), nil, [][]byte{sealed})
	if err := crypt(p.key, sum, snd); err != nil {
		return nil, err
	}
	if !hmac.Equal(proof, append(snd, sum...)) || sealed[len(sealed)-1] != 1 {
		return nil, errSignature
	}
	return sealed[rc4Confounder : len(sealed)-1], nil
}
