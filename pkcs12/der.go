package pkcs12

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The object identifiers of RFC 7292, RFC 8018 and RFC 5652, dotted.
const (
	oidData           = "1.2.840.113549.1.7.1"
	oidEncryptedData  = "1.2.840.113549.1.7.6"
	oidX509           = "1.2.840.113549.1.9.22.1"
	oidShroudedKeyBag = "1.2.840.113549.1.12.10.1.2"
	oidCertBag        = "1.2.840.113549.1.12.10.1.3"

	oidTripleDES = "1.2.840.113549.1.12.1.3"
	oidPBES2     = "1.2.840.113549.1.5.13"
	oidPBKDF2    = "1.2.840.113549.1.5.12"

	oidSHA1       = "1.3.14.3.2.26"
	oidSHA256     = "2.16.840.1.101.3.4.2.1"
	oidSHA384     = "2.16.840.1.101.3.4.2.2"
	oidSHA512     = "2.16.840.1.101.3.4.2.3"
	oidHMACSHA1   = "1.2.840.113549.2.7"
	oidHMACSHA256 = "1.2.840.113549.2.9"
	oidHMACSHA384 = "1.2.840.113549.2.10"
	oidHMACSHA512 = "1.2.840.113549.2.11"

	oidAES128 = "2.16.840.1.101.3.4.1.2"
	oidAES192 = "2.16.840.1.101.3.4.1.22"
	oidAES256 = "2.16.840.1.101.3.4.1.42"
)

// tag0 is an explicit [0].
const tag0 = cbasn1.Tag(0xa0)

// maxOID bounds the bytes of an object identifier before its arcs are allocated.
const maxOID = 32

// readOID reads an object identifier of reasonable length, dotted.
func readOID(s *cryptobyte.String) (string, bool) {
	peek := *s
	var body cryptobyte.String
	if !peek.ReadASN1(&body, cbasn1.OBJECT_IDENTIFIER) || len(body) > maxOID {
		return "", false
	}
	var oid asn1.ObjectIdentifier
	ok := s.ReadASN1ObjectIdentifier(&oid)
	return oid.String(), ok
}

// readAlgorithm reads an AlgorithmIdentifier: its identifier, and the DER of its parameters.
func readAlgorithm(s *cryptobyte.String) (oid string, params cryptobyte.String, ok bool) {
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return "", nil, false
	}
	oid, ok = readOID(&seq)
	return oid, seq, ok
}

// readContentInfo reads a ContentInfo (RFC 5652, section 3): its type, and its content without the explicit tag.
func readContentInfo(s *cryptobyte.String) (kind string, content cryptobyte.String, ok bool) {
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return "", nil, false
	}
	kind, ok = readOID(&seq)
	return kind, content, ok && seq.ReadASN1(&content, tag0) && seq.Empty()
}

func isNullOrAbsent(params cryptobyte.String) bool {
	return len(params) == 0 || bytes.Equal(params, []byte{5, 0})
}

// macHash takes hashes only, not the HMACs that hashByOID also knows.
func macHash(oid string) (digest, bool) {
	switch oid {
	case oidSHA1, oidSHA256, oidSHA384, oidSHA512:
		return hashByOID(oid)
	}
	return digest{}, false
}

// decrypt decrypts with a password-based scheme and removes the padding.
func (d *decoder) decrypt(oid string, params cryptobyte.String, encrypted []byte) ([]byte, error) {
	var mode cipher.BlockMode
	var err error
	switch oid {
	case oidTripleDES:
		mode, err = d.tripleDES(params)
	case oidPBES2:
		mode, err = d.pbes2(params)
	default:
		return nil, unsupported("the encryption", oid)
	}
	if err != nil {
		return nil, err
	}
	n := mode.BlockSize()
	if len(encrypted) == 0 || len(encrypted)%n != 0 {
		return nil, malformed("length of encrypted data")
	}
	plain := make([]byte, len(encrypted))
	mode.CryptBlocks(plain, encrypted)
	// The MAC was right, so this is a damaged file and no oracle.
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > n || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, malformed("padding of encrypted data")
	}
	return plain[:len(plain)-pad], nil
}

// tripleDES reads a pkcs-12PbeParams (RFC 7292, appendix C).
func (d *decoder) tripleDES(params cryptobyte.String) (cipher.BlockMode, error) {
	var seq, salt cryptobyte.String
	var iterations int
	ok := params.ReadASN1(&seq, cbasn1.SEQUENCE) && params.Empty() &&
		seq.ReadASN1(&salt, cbasn1.OCTET_STRING) && seq.ReadASN1Integer(&iterations) && seq.Empty()
	if !ok {
		return nil, malformed("encryption parameters")
	}
	// 24 bytes of key are two blocks of SHA-1, the IV is another one.
	if err := d.spend(salt, iterations, (24+19)/20+(des.BlockSize+19)/20); err != nil {
		return nil, err
	}
	return tripleDES(d.bmp, salt, iterations)
}

// pbes2 reads a PBES2-params (RFC 8018, appendix A.4).
func (d *decoder) pbes2(params cryptobyte.String) (cipher.BlockMode, error) {
	var seq, iv cryptobyte.String
	ok := params.ReadASN1(&seq, cbasn1.SEQUENCE) && params.Empty()
	kdf, kdfParams, okKDF := readAlgorithm(&seq)
	enc, encParams, okEnc := readAlgorithm(&seq)
	if !ok || !okKDF || !okEnc || !seq.Empty() {
		return nil, malformed("encryption parameters")
	}
	keyLength := aesKeyLength(enc)
	if kdf != oidPBKDF2 || keyLength == 0 {
		return nil, fmt.Errorf("%w: the encryption %s with the derivation %s", ErrUnsupported, enc, kdf)
	}
	if !encParams.ReadASN1(&iv, cbasn1.OCTET_STRING) || !encParams.Empty() || len(iv) != aes.BlockSize {
		return nil, malformed("initialization vector")
	}
	return d.pbkdf2(kdfParams, keyLength, iv)
}

// pbkdf2 reads a PBKDF2-params (RFC 8018, appendix A.2).
func (d *decoder) pbkdf2(params cryptobyte.String, keyLength int, iv []byte) (cipher.BlockMode, error) {
	var seq, salt cryptobyte.String
	var iterations int
	given := keyLength
	ok := params.ReadASN1(&seq, cbasn1.SEQUENCE) && params.Empty() &&
		seq.ReadASN1(&salt, cbasn1.OCTET_STRING) && seq.ReadASN1Integer(&iterations)
	if ok && seq.PeekASN1Tag(cbasn1.INTEGER) {
		ok = seq.ReadASN1Integer(&given)
	}
	prf := oidHMACSHA1 // the default of the RFC
	if ok && !seq.Empty() {
		var prfParams cryptobyte.String
		prf, prfParams, ok = readAlgorithm(&seq)
		ok = ok && isNullOrAbsent(prfParams) && seq.Empty()
	}
	if !ok || given != keyLength {
		return nil, malformed("derivation parameters")
	}
	hash, known := prfHash(prf)
	if !known {
		return nil, unsupported("the derivation with", prf)
	}
	size := hash.new().Size()
	if err := d.spend(salt, iterations, (keyLength+size-1)/size); err != nil {
		return nil, err
	}
	return aesCBC(hash, d.text, salt, iterations, keyLength, iv)
}

// prfHash takes HMACs only.
func prfHash(oid string) (digest, bool) {
	switch oid {
	case oidHMACSHA1, oidHMACSHA256, oidHMACSHA384, oidHMACSHA512:
		return hashByOID(oid)
	}
	return digest{}, false
}

func aesKeyLength(oid string) int {
	switch oid {
	case oidAES128:
		return 16
	case oidAES192:
		return 24
	case oidAES256:
		return 32
	}
	return 0
}
