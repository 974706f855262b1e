package adcstest

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/adcskit/adcskit/internal/rpc"
)

const ntlmSignatureSize = 16

// ntlmSession protects messages with an established NTLM session (MS-NLMP section 3.4), as the server.
//
// With extended session security each direction has its own keys, cipher and counter. Without it there is one cipher
// and one counter for both, as the stacks that still speak it (Samba, impacket) have it.
type ntlmSession struct {
	flags    uint32
	in, out  *ntlmDirection
	exported []byte
}

type ntlmDirection struct {
	signKey, sealKey []byte
	cipher           *rc4.Cipher
	seq              uint32
}

func newNTLMSession(flags uint32, exported []byte) (*ntlmSession, error) {
	s := &ntlmSession{flags: flags, exported: exported}
	if flags&ntlmESS == 0 {
		both := &ntlmDirection{sealKey: exported}
		s.in, s.out = both, both
		return s, s.resetCiphers()
	}
	derive := func(key []byte, text string) []byte {
		sum := md5.Sum(append(append([]byte(nil), key...), text...))
		return sum[:]
	}
	weak := exported[:5]
	switch {
	case flags&ntlm128 != 0:
		weak = exported
	case flags&ntlm56 != 0:
		weak = exported[:7]
	}
	s.in = &ntlmDirection{
		signKey: derive(exported, "session key to client-to-server signing key magic constant\x00"),
		sealKey: derive(weak, "session key to client-to-server sealing key magic constant\x00"),
	}
	s.out = &ntlmDirection{
		signKey: derive(exported, "session key to server-to-client signing key magic constant\x00"),
		sealKey: derive(weak, "session key to server-to-client sealing key magic constant\x00"),
	}
	return s, s.resetCiphers()
}

// resetCiphers starts the key streams anew but not the counters, as after the exchange of mechListMICs
// (MS-SPNG section 3.2.5.1).
func (s *ntlmSession) resetCiphers() error {
	for _, d := range []*ntlmDirection{s.in, s.out} {
		c, err := rc4.NewCipher(d.sealKey)
		if err != nil {
			return err
		}
		d.cipher = c
	}
	return nil
}

// canSign says whether both sides agreed on integrity; without it signatures are dummies that protect nothing.
func (s *ntlmSession) canSign() bool { return s.flags&(ntlmSign|ntlmSeal) != 0 }

// signature makes the next signature of one direction from a checksum (MS-NLMP section 3.4.4).
func (s *ntlmSession) signature(d *ntlmDirection, sum []byte) []byte {
	sig := make([]byte, ntlmSignatureSize)
	sig[0] = 1
	if !s.canSign() {
		return sig // MS-NLMP section 3.4.4: only NTLMSSP_NEGOTIATE_ALWAYS_SIGN
	}
	copy(sig[12-len(sum):], sum)
	if s.flags&ntlmESS == 0 {
		binary.LittleEndian.PutUint32(sig[12:], d.seq)
		d.cipher.XORKeyStream(sig[4:], sig[4:])
		clear(sig[4:8])
	} else {
		if s.flags&ntlmKeyExchange != 0 {
			d.cipher.XORKeyStream(sig[4:12], sig[4:12])
		}
		binary.LittleEndian.PutUint32(sig[12:], d.seq)
	}
	d.seq++
	return sig
}

// checksum is the part of the signature that depends on the message. With extended session security it covers
// everything that is given, whether header signing was negotiated or not; without, the body alone.
func (s *ntlmSession) checksum(d *ntlmDirection, header, body, trailer []byte) []byte {
	if s.flags&ntlmESS == 0 {
		return binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	}
	h := hmac.New(md5.New, d.signKey)
	h.Write(binary.LittleEndian.AppendUint32(nil, d.seq))
	h.Write(header)
	h.Write(body)
	h.Write(trailer)
	return h.Sum(nil)[:8]
}

// protect signs a message and, if seal is set, encrypts body in place. It returns the signature.
func (s *ntlmSession) protect(seal bool, header, body, trailer []byte) []byte {
	sum := s.checksum(s.out, header, body, trailer)
	if seal {
		s.out.cipher.XORKeyStream(body, body)
	}
	return s.signature(s.out, sum)
}

// verify decrypts body in place if seal is set, and compares the signature.
func (s *ntlmSession) verify(seal bool, header, body, trailer, sig []byte) bool {
	if seal {
		s.in.cipher.XORKeyStream(body, body)
	}
	want := s.signature(s.in, s.checksum(s.in, header, body, trailer))
	if s.canSign() && s.flags&ntlmESS == 0 {
		// The random pad is not compared: stacks differ in what they leave in it.
		return len(sig) == ntlmSignatureSize && bytes.Equal(sig[:4], want[:4]) && hmac.Equal(sig[8:], want[8:])
	}
	return hmac.Equal(sig, want)
}

var errSignature = errors.New("wrong signature")

// SignatureSize implements [rpc.Protector].
func (s *ntlmSession) SignatureSize(bool) int { return ntlmSignatureSize }

// Wrap implements [rpc.Protector].
func (s *ntlmSession) Wrap(m *rpc.Message) ([]byte, error) {
	return s.protect(m.Seal, m.Header, m.Body, m.Trailer), nil
}

// Unwrap implements [rpc.Protector].
func (s *ntlmSession) Unwrap(m *rpc.Message, signature []byte) error {
	if !s.verify(m.Seal, m.Header, m.Body, m.Trailer, signature) {
		return errSignature
	}
	return nil
}
