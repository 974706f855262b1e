package pkcs12

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
)

// digest is a hash function with its block size.
type digest struct {
	new   func() hash.Hash
	block int
}

// The purposes of derived bytes (RFC 7292, appendix B.3).
const (
	purposeKey = 1
	purposeIV  = 2
	purposeMAC = 3
)

// derive is the derivation of RFC 7292, appendix B.2. The letters are those of the RFC.
func (d digest) derive(purpose byte, password, salt []byte, iterations, size int) []byte {
	h, v := d.new(), d.block
	diversifier := make([]byte, v)
	for i := range diversifier {
		diversifier[i] = purpose
	}
	input := append(repeatTo(salt, v), repeatTo(password, v)...) // I = S || P
	var out []byte
	a := make([]byte, 0, h.Size())
	for len(out) < size {
		h.Reset()
		h.Write(diversifier)
		h.Write(input)
		a = h.Sum(a[:0])
		for range iterations - 1 {
			h.Reset()
			h.Write(a)
			a = h.Sum(a[:0])
		}
		out = append(out, a...)
		b := repeatTo(a, v)[:v]
		for block := input; len(block) > 0; block = block[v:] {
			addOne(block[:v], b)
		}
	}
	return out[:size]
}

// repeatTo repeats a pattern to the next multiple of n bytes; nothing stays nothing.
func repeatTo(pattern []byte, n int) []byte {
	out := make([]byte, (len(pattern)+n-1)/n*n)
	for i := range out {
		out[i] = pattern[i%len(pattern)]
	}
	return out
}

// addOne sets x to x + y + 1, both big-endian numbers of the same length, and drops the carry.
func addOne(x, y []byte) {
	carry := 1
	for i := len(x) - 1; i >= 0; i-- {
		carry += int(x[i]) + int(y[i])
		x[i] = byte(carry)
		carry >>= 8
	}
}

// mac returns the MAC of a message under a password (RFC 7292, section 5.1).
func (d digest) mac(password, salt []byte, iterations int, message []byte) []byte {
	h := hmac.New(d.new, d.derive(purposeMAC, password, salt, iterations, d.new().Size()))
	h.Write(message)
	return h.Sum(nil)
}

// tripleDES returns the cipher of pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, appendix C).
func tripleDES(password, salt []byte, iterations int) (cipher.BlockMode, error) {
	d := digest{sha1.New, sha1.BlockSize}
	block, err := des.NewTripleDESCipher(d.derive(purposeKey, password, salt, iterations, 24))
	if err != nil {
		return nil, err
	}
	return cipher.NewCBCDecrypter(block, d.derive(purposeIV, password, salt, iterations, des.BlockSize)), nil
}

// aesCBC returns the cipher of PBES2 with PBKDF2 (RFC 8018, section 6.2). iv has the length of a block.
func aesCBC(prf digest, password string, salt []byte, iterations, keyLength int, iv []byte) (cipher.BlockMode, error) {
	key, err := pbkdf2.Key(prf.new, password, salt, iterations, keyLength)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewCBCDecrypter(block, iv), nil
}

// hashByOID returns the function of a hash, or of an HMAC, by its object identifier.
func hashByOID(oid string) (digest, bool) {
	switch oid {
	case oidSHA1, oidHMACSHA1:
		return digest{sha1.New, sha1.BlockSize}, true
	case oidSHA256, oidHMACSHA256:
		return digest{sha256.New, sha256.BlockSize}, true
	case oidSHA384, oidHMACSHA384:
		return digest{sha512.New384, sha512.BlockSize}, true
	case oidSHA512, oidHMACSHA512:
		return digest{sha512.New, sha512.BlockSize}, true
	}
	return digest{}, false
}
