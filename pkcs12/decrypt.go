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

// decrypt opens an encryption whose iterations were checked. It is as lenient as go-pkcs12 or more so, in order to see
// whatever go-pkcs12 would see. It returns false for a cipher that go-pkcs12 does not know either, and mostly for a
// wrong password; now and then what that makes looks like a result.
func decrypt(a pkix.AlgorithmIdentifier, ciphertext []byte, password string) ([]byte, bool) {
	block, iv, err := cipherFor(a, password)
	if err != nil || block == nil {
		return nil, false
	}
	size := block.BlockSize()
	if len(iv) != size || len(ciphertext) == 0 || len(ciphertext)%size != 0 {
		return nil, false
	}
	plain := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > size {
		return nil, false
	}
	return plain[:len(plain)-padding], true
}

// cipherFor returns a cipher and its initialization vector, or nil for one that is not known.
func cipherFor(a pkix.AlgorithmIdentifier, password string) (cipher.Block, []byte, error) {
	oid := a.Algorithm.String()
	if oid == oidPBES2 {
		return pbes2Cipher(a, password)
	}
	length := map[string]int{oid3DES: 24, oidRC2: 16, oidRC2x40: 5}[oid]
	if length == 0 {
		return nil, nil, nil
	}
	var p pbeParams
	if err := unmarshal(a.Parameters.FullBytes, &p); err != nil {
		return nil, nil, err
	}
	bmp := bmpPassword(password)
	key := derive(sha1.New, forKey, bmp, p.Salt, p.Iterations, length)
	iv := derive(sha1.New, forIV, bmp, p.Salt, p.Iterations, des.BlockSize) // RC2 has blocks of the same size
	if oid != oid3DES {
		return newRC2(key, 8*length), iv, nil
	}
	block, err := des.NewTripleDESCipher(key)
	return block, iv, err
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
