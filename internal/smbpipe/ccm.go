package smbpipe

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// Sizes of CCM as SMB 3 uses it (MS-SMB2 section 2.2.41), in bytes.
const (
	ccmNonce = 11
	ccmTag   = 16
	ccmWidth = 15 - ccmNonce // of the counter and of the length
)

// ccm is AES-CCM (RFC 3610) with a nonce of 11 bytes and a tag of 16, one of the two ciphers of SMB 3.
type ccm struct{ block cipher.Block }

var errOpen = errors.New("message authentication failed")

func (ccm) NonceSize() int { return ccmNonce }
func (ccm) Overhead() int  { return ccmTag }

// Seal appends the ciphertext and the tag of plain.
func (c ccm) Seal(dst, nonce, plain, data []byte) []byte {
	tag := c.tag(nonce, plain, data)
	at := len(dst)
	dst = append(dst, plain...)
	c.stream(nonce, tag[:], dst[at:])
	return append(dst, tag[:]...)
}

// Open appends what sealed contains, if its tag is right.
func (c ccm) Open(dst, nonce, sealed, data []byte) ([]byte, error) {
	if len(sealed) < ccmTag {
		return nil, errOpen
	}
	n := len(sealed) - ccmTag
	var sent [ccmTag]byte
	copy(sent[:], sealed[n:])
	plain := append([]byte(nil), sealed[:n]...)
	c.stream(nonce, sent[:], plain)
	if tag := c.tag(nonce, plain, data); subtle.ConstantTimeCompare(tag[:], sent[:]) != 1 {
		return nil, errOpen
	}
	return append(dst, plain...), nil
}

// stream encrypts or decrypts the tag with the first block of the key stream and the text with what follows.
func (c ccm) stream(nonce, tag, text []byte) {
	var counter [16]byte
	counter[0] = ccmWidth - 1
	copy(counter[1:], nonce)
	s := cipher.NewCTR(c.block, counter[:])
	s.XORKeyStream(tag, tag)
	s.XORKeyStream(text, text)
}

// tag is the authentication value before its encryption.
func (c ccm) tag(nonce, plain, data []byte) (sum [16]byte) {
	first := make([]byte, 16, 64)
	first[0] = 1<<6 | (ccmTag-2)/2<<3 | (ccmWidth - 1)
	copy(first[1:], nonce)
	binary.BigEndian.PutUint32(first[1+ccmNonce:], uint32(len(plain)))
	first = binary.BigEndian.AppendUint16(first, uint16(len(data))) // SMB's has 32 bytes
	for _, part := range [][]byte{append(first, data...), plain} {
		for len(part) > 0 {
			n := min(16, len(part))
			for i := range n {
				sum[i] ^= part[i]
			}
			c.block.Encrypt(sum[:], sum[:])
			part = part[n:]
		}
	}
	return sum
}
