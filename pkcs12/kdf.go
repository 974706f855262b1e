package pkcs12

import (
	"hash"
	"unicode/utf16"
)

// Purposes of the key derivation of RFC 7292, B.3.
const (
	forKey byte = 1
	forIV  byte = 2
	forMAC byte = 3
)

// blockSize is that of SHA-1 and SHA-256 (v in RFC 7292, B.2), in bytes.
const blockSize = 64

// derive is the key derivation of RFC 7292, B.2, for hashes with blocks of 64 bytes. The password is in the form of
// [bmpPassword], the result has n bytes.
func derive(newHash func() hash.Hash, purpose byte, password, salt []byte, iterations, n int) []byte {
	input := append(filled(salt), filled(password)...) // I
	defer clear(input)
	var diversifier, repeated [blockSize]byte // D, B
	for i := range diversifier {
		diversifier[i] = purpose
	}
	defer clear(repeated[:])
	h := newHash()
	digest := make([]byte, 0, h.Size())
	out := make([]byte, 0, n+h.Size()) // not moved while it grows, which would leave copies
	for {
		h.Reset()
		h.Write(diversifier[:])
		h.Write(input)
		digest = h.Sum(digest[:0])
		for range iterations - 1 {
			h.Reset()
			h.Write(digest)
			digest = h.Sum(digest[:0])
		}
		if out = append(out, digest...); len(out) >= n {
			clear(digest)
			clear(out[n:])
			return out[:n]
		}
		for i := range repeated {
			repeated[i] = digest[i%len(digest)]
		}
		for block := input; len(block) > 0; block = block[blockSize:] {
			addOne(block[:blockSize], &repeated)
		}
	}
}

// filled repeats b to a whole number of blocks; nothing stays nothing.
func filled(b []byte) []byte {
	out := make([]byte, (len(b)+blockSize-1)/blockSize*blockSize)
	for i := range out {
		out[i] = b[i%len(b)]
	}
	return out
}

// addOne sets block to block + b + 1, both as big numbers, and loses what does not fit.
func addOne(block []byte, b *[blockSize]byte) {
	carry := 1
	for i := blockSize - 1; i >= 0; i-- {
		sum := int(block[i]) + int(b[i]) + carry
		block[i], carry = byte(sum), sum>>8
	}
}

// bmpPassword is the form of a password for derive: a BMPString with two zero bytes at its end (RFC 7292, B.1). Callers
// have seen to it that every character has a place in one.
func bmpPassword(password string) []byte { return append(bmpString(password), 0, 0) }

func bmpString(s string) []byte {
	units := utf16.Encode([]rune(s))
	out := make([]byte, 0, 2*len(units)+2)
	for _, u := range units {
		out = append(out, byte(u>>8), byte(u))
	}
	return out
}
