package krb5

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" // #nosec G501 -- the one of RFC 4757
	"crypto/rand"
	"crypto/rc4" // #nosec G503 -- the one of RFC 4757
	"encoding/binary"
	"fmt"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto/rfc4757"
)

// Sizes of RFC 4757's tokens, in bytes.
const (
	rc4Frame      = 13 // GSS-API's frame: tag, length, object identifier
	rc4Header     = 8
	rc4Sequence   = 8
	rc4Checksum   = 8
	rc4Confounder = 8
)

// The salts of the checksums (RFC 4757 sections 7.2 and 7.3).
const (
	rc4SaltWrap = 13
	rc4SaltMIC  = 15
)

// rc4HMAC protects with RC4: RFC 4757 section 7, in DCE style, where the frame's length leaves the message out.
type rc4HMAC struct {
	key      []byte
	acceptor bool
}

func newRC4(c SessionConfig) (*rc4HMAC, error) {
	if len(c.Key.KeyValue) != md5.Size {
		return nil, fmt.Errorf("krb5: RC4 key of %d bytes", len(c.Key.KeyValue))
	}
	return &rc4HMAC{key: bytes.Clone(c.Key.KeyValue), acceptor: c.Acceptor}, nil
}

func (p *rc4HMAC) size(seal bool) int {
	n := rc4Frame + rc4Header + rc4Sequence + rc4Checksum
	if seal {
		n += rc4Confounder
	}
	return n
}

func (p *rc4HMAC) fits(n int, seal bool) bool { return n == p.size(seal) }

// frame is GSS-API's frame around n bytes, fewer than 128 with the object identifier.
func frame(n int) []byte {
	const oid = "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
	return append([]byte{0x60, byte(len(oid) + n)}, oid...)
}

// sequence is the SND_SEQ of a message before it is encrypted.
func sequence(seq uint64, acceptor bool) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, rc4Sequence), uint32(seq))
	if acceptor {
		return append(b, 0xff, 0xff, 0xff, 0xff)
	}
	return append(b, 0, 0, 0, 0)
}

// checksum is SGN_CKSUM.
func (p *rc4HMAC) checksum(salt uint32, header, confounder []byte, parts [][]byte) []byte {
	h := md5.New() // #nosec G401 -- the one of RFC 4757
	h.Write(binary.LittleEndian.AppendUint32(nil, salt))
	h.Write(header)
	h.Write(confounder)
	for _, b := range parts {
		h.Write(b)
	}
	return rfc4757.HMAC(rfc4757.HMAC(p.key, []byte("signaturekey\x00")), h.Sum(nil))[:rc4Checksum]
}

// crypt encrypts or decrypts buffers, one after the other, in place, with a key made of a base and a salt.
func crypt(base, salt []byte, buffers ...[]byte) error {
	c, err := rc4.NewCipher(rfc4757.HMAC(rfc4757.HMAC(base, make([]byte, 4)), salt)) // #nosec G405 -- RFC 4757
	if err != nil {
		return err
	}
	for _, b := range buffers {
		c.XORKeyStream(b, b)
	}
	return nil
}

// sealing is the base of the key that encrypts messages.
func (p *rc4HMAC) sealing() []byte {
	k := bytes.Clone(p.key)
	for i := range k {
		k[i] ^= 0xf0
	}
	return k
}

// The fixed part of the tokens: TOK_ID, SGN_ALG, SEAL_ALG and filler.
func rc4WrapHeader() []byte { return []byte{0x02, 0x01, 0x11, 0x00, 0x10, 0x00, 0xff, 0xff} }
func rc4MICHeader() []byte  { return []byte{0x01, 0x01, 0x11, 0x00, 0xff, 0xff, 0xff, 0xff} }

func (p *rc4HMAC) wrap(seq uint64, parts [][]byte, secret []byte) ([]byte, error) {
	confounder := make([]byte, rc4Confounder)
	_, _ = rand.Read(confounder) // it never fails
	sum := p.checksum(rc4SaltWrap, rc4WrapHeader(), confounder, parts)
	snd := sequence(seq, p.acceptor)
	if err := crypt(p.sealing(), snd[:4], confounder, secret); err != nil {
		return nil, err
	}
	return p.token(rc4WrapHeader(), snd, sum, confounder)
}

// token puts a token together. It encrypts the sequence number.
func (p *rc4HMAC) token(header, snd, sum, confounder []byte) ([]byte, error) {
	if err := crypt(p.key, sum, snd); err != nil {
		return nil, err
	}
	t := append(frame(len(header)+len(snd)+len(sum)+len(confounder)), header...)
	return append(append(append(t, snd...), sum...), confounder...), nil
}

func (p *rc4HMAC) unwrap(seq uint64, parts [][]byte, secret, signature []byte) error {
	if len(signature) != p.size(true) {
		return errSignature
	}
	confounder := bytes.Clone(signature[len(signature)-rc4Confounder:])
	snd := sequence(seq, !p.acceptor)
	if err := crypt(p.sealing(), snd[:4], confounder, secret); err != nil {
		return err
	}
	sum := p.checksum(rc4SaltWrap, rc4WrapHeader(), confounder, parts)
	// The confounder of the received token is compared with itself: it is in the checksum.
	return p.compare(rc4WrapHeader(), snd, sum, signature[len(signature)-rc4Confounder:], signature)
}

// compare compares a token with the one that the other side must have made.
func (p *rc4HMAC) compare(header, snd, sum, confounder, signature []byte) error {
	want, err := p.token(header, snd, sum, confounder)
	if err != nil || !hmac.Equal(want, signature) {
		return errSignature
	}
	return nil
}

func (p *rc4HMAC) mic(seq uint64, parts [][]byte) ([]byte, error) {
	return p.token(rc4MICHeader(), sequence(seq, p.acceptor), p.checksum(rc4SaltMIC, rc4MICHeader(), nil, parts), nil)
}

func (p *rc4HMAC) verify(seq uint64, parts [][]byte, signature []byte) error {
	sum := p.checksum(rc4SaltMIC, rc4MICHeader(), nil, parts)
	return p.compare(rc4MICHeader(), sequence(seq, !p.acceptor), sum, nil, signature)
}
