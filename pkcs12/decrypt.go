package pkcs12

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"hash"
)

// decrypt opens a safe of a file that [Decode] has opened before, so that the iterations are known to be bearable. It
// returns nil for a cipher that it does not know, such as RC2.
func decrypt(a pkix.AlgorithmIdentifier, ciphertext []byte, password string) ([]byte, error) {
	block, iv, err := cipherFor(a, password)
	if err != nil || block == nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(iv) != size || len(ciphertext) == 0 || len(ciphertext)%size != 0 {
		return nil, fmt.Errorf("%w: an encryption with parts of a wrong size", ErrMalformed)
	}
	plain := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > size {
		return nil, ErrIncorrectPassword
	}
	return plain[:len(plain)-padding], nil
}

func cipherFor(a pkix.AlgorithmIdentifier, password string) (cipher.Block, []byte, error) {
	switch a.Algorithm.String() {
	case oid3DES:
		var p pbeParams
		if err := unmarshal(a.Parameters.FullBytes, &p); err != nil {
			return nil, nil, err
		}
		bmp := bmpPassword(password)
		block, err := des.NewTripleDESCipher(derive(sha1.New, forKey, bmp, p.Salt, p.Iterations, 24))
		return block, derive(sha1.New, forIV, bmp, p.Salt, p.Iterations, des.BlockSize), err
	case oidPBES2:
		return pbes2Cipher(a, password)
	}
	return nil, nil, nil
}

func pbes2Cipher(a pkix.AlgorithmIdentifier, password string) (cipher.Block, []byte, error) {
	p, kdf, err := passwordBased(a)
	if err != nil {
		return nil, nil, err
	}
	length := map[string]int{oidAES128CBC: 16, oidAES192CBC: 24, oidAES256CBC: 32}[p.Scheme.Algorithm.String()]
	prf := map[string]func() hash.Hash{
		"": sha1.New, oidHMACSHA1: sha1.New, oidHMACSHA256: sha256.New, oidHMACSHA512: sha512.New,
	}[kdf.PRF.Algorithm.String()]
	if length == 0 || prf == nil || kdf.Salt.Tag != asn1.TagOctetString {
		return nil, nil, nil
	}
	key, err := pbkdf2.Key(prf, password, kdf.Salt.Bytes, kdf.Iterations, length)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: PBKDF2: %v", ErrMalformed, err)
	}
	block, err := aes.NewCipher(key)
	return block, p.Scheme.Parameters.Bytes, err
}
