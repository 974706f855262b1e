package smbpipe

import "crypto/cipher"

// cmac is AES-CMAC (RFC 4493), the signature of SMB 3.
func cmac(block cipher.Block, data []byte) [16]byte {
	var key, last, sum [16]byte
	block.Encrypt(key[:], key[:])
	double(&key)
	n := max(0, (len(data)-1)/16) * 16 // everything before the last block
	if rest := copy(last[:], data[n:]); rest < 16 {
		last[rest] = 0x80
		double(&key)
	}
	for ; len(data) > 16; data = data[16:] {
		for i := range sum {
			sum[i] ^= data[i]
		}
		block.Encrypt(sum[:], sum[:])
	}
	for i := range sum {
		sum[i] ^= last[i] ^ key[i]
	}
	block.Encrypt(sum[:], sum[:])
	return sum
}

// double multiplies by x in the field of RFC 4493.
func double(b *[16]byte) {
	carry := b[0] >> 7
	for i := range 15 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	b[15] = b[15]<<1 ^ carry*0x87
}
