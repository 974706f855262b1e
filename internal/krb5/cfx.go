package krb5

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- the one of RFC 3962
	"encoding/binary"
	"fmt"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto/common"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto/etype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
)

// Sizes of RFC 4121's tokens with the encryption types of RFC 3962, in bytes.
const (
	cfxHeader     = 16
	cfxChecksum   = 12
	cfxConfounder = 16
	// cfxFiller is the EC of a sealed message (MS-KILE section 3.4.5.4.1).
	cfxFiller = 16
	// cfxRotation is the RRC of a sealed message. In DCE style, EC is rotated along with it: what remains in the place of
	// the plaintext is its ciphertext.
	cfxRotation = cfxHeader + cfxChecksum
)

// The flags of a token (RFC 4121 section 4.2.2).
const (
	cfxSentByAcceptor = 0x01
	cfxSealed         = 0x02
	cfxAcceptorSubkey = 0x04
)

// cfx protects with AES: RFC 4121, in DCE style.
type cfx struct {
	etype   etype.EType
	out, in cfxDirection
	filler  int // the EC of the messages that we seal
}

// cfxDirection has the keys of the messages that one side sends. They are derived once.
type cfxDirection struct {
	flags                byte
	seal, checksum, sign []byte // Ke, Ki of sealed messages and Kc of MICs (RFC 3961 section 5.3)
}

func newCFX(c SessionConfig) (*cfx, error) {
	et, err := crypto.GetEtype(c.Key.KeyType)
	if err != nil {
		return nil, err
	}
	if len(c.Key.KeyValue) != et.GetKeyByteSize() {
		return nil, fmt.Errorf("krb5: key of %d bytes for encryption type %d", len(c.Key.KeyValue), c.Key.KeyType)
	}
	p := &cfx{etype: et, filler: cfxFiller}
	if c.NoFiller {
		p.filler = 0
	}
	initiator, err := p.direction(c, 0, keyusage.GSSAPI_INITIATOR_SEAL, keyusage.GSSAPI_INITIATOR_SIGN)
	if err != nil {
		return nil, err
	}
	acceptor, err := p.direction(c, cfxSentByAcceptor, keyusage.GSSAPI_ACCEPTOR_SEAL, keyusage.GSSAPI_ACCEPTOR_SIGN)
	if err != nil {
		return nil, err
	}
	p.out, p.in = initiator, acceptor
	if c.Acceptor {
		p.out, p.in = acceptor, initiator
	}
	return p, nil
}

func (p *cfx) direction(c SessionConfig, flags byte, seal, sign uint32) (d cfxDirection, err error) {
	if d.flags = flags; c.AcceptorSubkey {
		d.flags |= cfxAcceptorSubkey
	}
	if d.seal, err = p.etype.DeriveKey(c.Key.KeyValue, common.GetUsageKe(seal)); err != nil {
		return d, err
	}
	if d.checksum, err = p.etype.DeriveKey(c.Key.KeyValue, common.GetUsageKi(seal)); err != nil {
		return d, err
	}
	d.sign, err = p.etype.DeriveKey(c.Key.KeyValue, common.GetUsageKc(sign))
	return d, err
}

func (p *cfx) size(seal bool) int {
	if seal {
		return cfxHeader + p.filler + cfxRotation + cfxConfounder
	}
	return cfxHeader + cfxChecksum
}

// fits allows senders that leave the filler out, or pad to blocks, which some do.
func (p *cfx) fits(n int, seal bool) bool {
	if !seal {
		return n == p.size(false)
	}
	const least = cfxHeader + cfxRotation + cfxConfounder
	return n >= least && n <= least+cfxFiller
}

// header is the header of a sealed message, with RRC zero, as it is encrypted.
func (d cfxDirection) header(seq uint64, filler int) []byte {
	h := make([]byte, cfxHeader, cfxHeader+cfxFiller+cfxRotation+cfxConfounder)
	h[0], h[1], h[2], h[3] = 0x05, 0x04, d.flags|cfxSealed, 0xff
	binary.BigEndian.PutUint16(h[4:], uint16(filler))
	binary.BigEndian.PutUint64(h[8:], seq)
	return h
}

// wrap makes { header | E(filler | header) | checksum | E(confounder) }, and puts E(secret) in the place of secret: the
// token { header | E(confounder | secret | filler | header) | checksum } turned right by EC + RRC.
func (p *cfx) wrap(seq uint64, parts [][]byte, secret []byte) ([]byte, error) {
	head := p.out.header(seq, p.filler)
	plain := make([]byte, cfxConfounder, cfxConfounder+len(secret)+p.filler+cfxHeader)
	_, _ = rand.Read(plain) // it never fails
	tail := append(make([]byte, p.filler, p.filler+cfxHeader), head...)
	sum := cfxSum(p.out.checksum, plain, parts, tail)
	plain = append(append(plain, secret...), tail...)
	_, ct, err := p.etype.EncryptData(p.out.seal, plain)
	if err != nil {
		return nil, err
	}
	if len(ct) != len(plain) {
		return nil, fmt.Errorf("krb5: ciphertext of %d bytes for %d", len(ct), len(plain))
	}
	end := cfxConfounder + copy(secret, ct[cfxConfounder:])
	binary.BigEndian.PutUint16(head[6:], cfxRotation)
	return append(append(append(head, ct[end:]...), sum...), ct[:cfxConfounder]...), nil
}

func (p *cfx) unwrap(seq uint64, parts [][]byte, secret, signature []byte) error {
	if !p.fits(len(signature), true) {
		return errSignature
	}
	filler := len(signature) - p.size(true) + p.filler
	head := p.in.header(seq, filler)
	binary.BigEndian.PutUint16(head[6:], cfxRotation)
	if !hmac.Equal(head, signature[:cfxHeader]) {
		return errSignature
	}
	clear(head[6:8]) // as it was encrypted
	sumAt := len(signature) - cfxConfounder - cfxChecksum
	ct := make([]byte, 0, cfxConfounder+len(secret)+filler+cfxHeader)
	ct = append(append(ct, signature[sumAt+cfxChecksum:]...), secret...)
	ct = append(ct, signature[cfxHeader:sumAt]...)
	plain, err := p.etype.DecryptData(p.in.seal, ct)
	if err != nil || len(plain) != len(ct) {
		return errSignature
	}
	end := cfxConfounder + copy(secret, plain[cfxConfounder:])
	sum := cfxSum(p.in.checksum, plain[:cfxConfounder], parts, plain[end:])
	if !hmac.Equal(sum, signature[sumAt:sumAt+cfxChecksum]) || !hmac.Equal(head, plain[end+filler:]) {
		return errSignature
	}
	return nil
}

func (p *cfx) mic(seq uint64, parts [][]byte) ([]byte, error) { return p.out.mic(seq, parts), nil }

func (p *cfx) verify(seq uint64, parts [][]byte, signature []byte) error {
	if !hmac.Equal(p.in.mic(seq, parts), signature) {
		return errSignature
	}
	return nil
}

// mic is the whole MIC token, which has nothing random in it.
func (d cfxDirection) mic(seq uint64, parts [][]byte) []byte {
	h := make([]byte, cfxHeader, cfxHeader+cfxChecksum)
	copy(h, []byte{0x04, 0x04, d.flags, 0xff, 0xff, 0xff, 0xff, 0xff})
	binary.BigEndian.PutUint64(h[8:], seq)
	return append(h, cfxSum(d.sign, nil, parts, h)...)
}

// cfxSum is the checksum over everything, in order.
func cfxSum(key, before []byte, parts [][]byte, after []byte) []byte {
	h := hmac.New(sha1.New, key)
	h.Write(before)
	for _, p := range parts {
		h.Write(p)
	}
	h.Write(after)
	return h.Sum(nil)[:cfxChecksum]
}
