package smbpipe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// dialect is a version of SMB.
type dialect uint16

const (
	smb202 dialect = 0x0202
	smb210 dialect = 0x0210
	smb300 dialect = 0x0300
	smb302 dialect = 0x0302
	smb311 dialect = 0x0311
)

// The ciphers (MS-SMB2 section 2.2.3.1.2).
const (
	aes128CCM = 1
	aes128GCM = 2
	aes256CCM = 3
	aes256GCM = 4
)

// keys protect the messages of a session.
type keys struct {
	sign     func(m []byte) [16]byte
	seal     cipher.AEAD // nil when the dialect knows no encryption, or no cipher was agreed on
	open     cipher.AEAD
	sequence uint64 // the last nonce
}

// newKeys derives the keys of a session (MS-SMB2 section 3.2.5.3.1). Session key is that of the authentication;
// preauth is the hash over negotiation and session setup, of dialect 3.1.1 only.
func newKeys(d dialect, chosen uint16, sessionKey []byte, preauth []byte) (*keys, error) {
	if len(sessionKey) == 0 {
		return nil, fmt.Errorf("the authentication of the SMB session has no session key")
	}
	short := make([]byte, 16)
	copy(short, sessionKey)
	if d < smb300 {
		return &keys{sign: func(m []byte) (sum [16]byte) {
			h := hmac.New(sha256.New, short)
			h.Write(m)
			copy(sum[:], h.Sum(nil))
			return sum
		}}, nil
	}
	names := [6]string{
		"SMB2AESCMAC\x00", "SmbSign\x00", "SMB2AESCCM\x00", "ServerIn \x00", "SMB2AESCCM\x00", "ServerOut\x00",
	}
	if d == smb311 {
		h := string(preauth)
		names = [6]string{"SMBSigningKey\x00", h, "SMBC2SCipherKey\x00", h, "SMBS2CCipherKey\x00", h}
	} else {
		chosen = aes128CCM
	}
	block, err := aes.NewCipher(derive(short, names[0], names[1], 16))
	if err != nil {
		return nil, err
	}
	k := &keys{sign: func(m []byte) [16]byte { return cmac(block, m) }}
	if chosen == 0 {
		return k, nil
	}
	size := 16
	if chosen == aes256CCM || chosen == aes256GCM { // of the whole session key (MS-SMB2 section 3.2.5.3.1)
		size, short = 32, sessionKey
	}
	if k.seal, err = newAEAD(chosen, derive(short, names[2], names[3], size)); err != nil {
		return nil, err
	}
	k.open, err = newAEAD(chosen, derive(short, names[4], names[5], size))
	return k, err
}

func newAEAD(chosen uint16, key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if chosen == aes128GCM || chosen == aes256GCM {
		return cipher.NewGCM(block)
	}
	return ccm{block}, nil
}

// derive is the key derivation of SP800-108 in counter mode with HMAC-SHA256 (MS-SMB2 section 3.1.4.2), for at most 32
// bytes.
func derive(key []byte, label, context string, size int) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte{0, 0, 0, 1})
	h.Write([]byte(label))
	h.Write([]byte{0})
	h.Write([]byte(context))
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(size)*8))
	return h.Sum(nil)[:size]
}

// signMessage signs m in place.
func (k *keys) signMessage(m []byte) {
	le := binary.LittleEndian
	le.PutUint32(m[atFlags:], le.Uint32(m[atFlags:])|flagSigned)
	sum := k.signature(m)
	copy(m[atSignature:headerSize], sum[:])
}

// verify reports whether m carries the right signature.
func (k *keys) verify(m message) bool {
	if m.flags()&flagSigned == 0 {
		return false
	}
	sum := k.signature(m)
	return subtle.ConstantTimeCompare(sum[:], m[atSignature:headerSize]) == 1
}

// signature is that of m, whose signature field counts as zero.
func (k *keys) signature(m []byte) [16]byte {
	c := append([]byte(nil), m...)
	clear(c[atSignature:headerSize])
	return k.sign(c)
}

// Offsets in the header of an encrypted message (MS-SMB2 section 2.2.41).
const (
	transformSize = 52

	atTag         = 4
	atNonce       = 20 // what is authenticated begins here
	atOriginal    = 36
	atEncrypted   = 42
	atSealSession = 44
)

// encrypt makes an encrypted message of m.
func (k *keys) encrypt(m []byte, session uint64) []byte {
	le := binary.LittleEndian
	k.sequence++ // a key lives as long as its session, so that no nonce comes twice
	b := make([]byte, transformSize, transformSize+len(m)+k.seal.Overhead())
	copy(b, "\xfdSMB")
	le.PutUint64(b[atNonce:], k.sequence)
	le.PutUint32(b[atOriginal:], uint32(len(m)))
	le.PutUint16(b[atEncrypted:], 1)
	le.PutUint64(b[atSealSession:], session)
	b = k.seal.Seal(b, b[atNonce:atNonce+k.seal.NonceSize()], m, b[atNonce:transformSize])
	tag := len(b) - k.seal.Overhead()
	copy(b[atTag:atNonce], b[tag:])
	return b[:tag]
}

// decrypt opens an encrypted message.
func (k *keys) decrypt(b []byte, session uint64) ([]byte, error) {
	le := binary.LittleEndian
	if len(b) < transformSize || le.Uint16(b[atEncrypted:]) != 1 || le.Uint64(b[atSealSession:]) != session ||
		int64(le.Uint32(b[atOriginal:])) != int64(len(b)-transformSize) {
		return nil, malformed("header of an encrypted message")
	}
	sealed := append(append([]byte(nil), b[transformSize:]...), b[atTag:atNonce]...)
	m, err := k.open.Open(nil, b[atNonce:atNonce+k.open.NonceSize()], sealed, b[atNonce:transformSize])
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrIntegrity, err)
	}
	return m, nil
}
