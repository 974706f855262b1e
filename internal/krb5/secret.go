package krb5

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"unicode/utf16"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	//lint:ignore SA1019 the NT hash is defined with MD4 (RFC 4757 section 2)
	"golang.org/x/crypto/md4"
)

// Secret is what a user proves to be the user with.
type Secret interface {
	// types are the encryption types of the user's keys.
	types(p Principal) ([]int32, error)
	// key is the key of a type. Salt and parameters are the KDC's; params is nil for the default.
	key(p Principal, etype int32, salt string, params []byte) (types.EncryptionKey, error)
}

// Password is a password.
func Password(password string) Secret { return passwordSecret(func() string { return password }) }

// passwordSecret is a function, which is printed as an address only.
type passwordSecret func() string

func (passwordSecret) types(Principal) ([]int32, error) { return encryptionTypes(), nil }

// The iterations that a KDC may ask for. Windows and Samba use the fewest; fewer would make it easy to guess the
// password for somebody who plays the KDC, and the most take about a second.
const (
	minIterations = 4096
	maxIterations = 1 << 20
)

func (s passwordSecret) key(_ Principal, etype int32, salt string, params []byte) (types.EncryptionKey, error) {
	if etype == etypeID.RC4_HMAC {
		return types.EncryptionKey{KeyType: etype, KeyValue: ntHash(s())}, nil
	}
	et, err := crypto.GetEtype(etype)
	if err != nil || !isAES(etype) {
		return types.EncryptionKey{}, fail(ReasonEncryption, "type %d", etype)
	}
	text := et.GetDefaultStringToKeyParams()
	if len(params) > 0 {
		if len(params) != 4 {
			return types.EncryptionKey{}, malformed("string-to-key parameters of the KDC")
		}
		if n := binary.BigEndian.Uint32(params); n < minIterations || n > maxIterations {
			return types.EncryptionKey{}, malformed("string-to-key parameters of the KDC")
		}
		text = hex.EncodeToString(params)
	}
	k, err := et.StringToKey(s(), salt, text)
	return types.EncryptionKey{KeyType: etype, KeyValue: k}, err
}

// ntHash is MD4 of a password in UTF-16. gokrb5's takes ASCII only.
func ntHash(password string) []byte {
	h := md4.New() // #nosec G406 -- RFC 4757
	for _, u := range utf16.Encode([]rune(password)) {
		h.Write([]byte{byte(u), byte(u >> 8)})
	}
	return h.Sum(nil)
}

// Hash is an NT hash of 16 bytes, which is an RC4 key.
func Hash(hash []byte) Secret { return hashSecret(func() []byte { return slices.Clone(hash) }) }

type hashSecret func() []byte

func (hashSecret) types(Principal) ([]int32, error) { return []int32{etypeID.RC4_HMAC}, nil }

func (s hashSecret) key(_ Principal, etype int32, _ string, _ []byte) (types.EncryptionKey, error) {
	if etype != etypeID.RC4_HMAC {
		return types.EncryptionKey{}, fail(ReasonEncryption, "an NT hash is an RC4 key, and the KDC wants type %d", etype)
	}
	return types.EncryptionKey{KeyType: etype, KeyValue: s()}, nil
}

// KeytabFile is a keytab, which is read again for every logon: its keys are changed with the password.
func KeytabFile(path string) Secret {
	return keytabSecret(func() ([]byte, error) { return readFile(path) })
}

// KeytabBytes is a keytab.
func KeytabBytes(b []byte) Secret {
	return keytabSecret(func() ([]byte, error) { return b, nil })
}

type keytabSecret func() ([]byte, error)

func (s keytabSecret) keys(p Principal) ([]types.EncryptionKey, error) {
	b, err := s()
	if err != nil {
		return nil, &Error{Reason: ReasonNoCredential, Detail: "reading the keytab", Err: err}
	}
	entries, err := ParseKeytab(b)
	if err != nil {
		return nil, &Error{Reason: ReasonNoCredential, Detail: "reading the keytab", Err: err}
	}
	keys := keysOf(entries, p)
	if len(keys) == 0 {
		return nil, fail(ReasonNoCredential, "the keytab has no AES or RC4 key of %s", p)
	}
	return keys, nil
}

func (s keytabSecret) types(p Principal) ([]int32, error) {
	keys, err := s.keys(p)
	var all []int32
	for _, k := range keys {
		all = append(all, k.KeyType)
	}
	return all, err
}

func (s keytabSecret) key(p Principal, etype int32, _ string, _ []byte) (types.EncryptionKey, error) {
	keys, err := s.keys(p)
	if err != nil {
		return types.EncryptionKey{}, err
	}
	for _, k := range keys {
		if k.KeyType == etype {
			return k, nil
		}
	}
	return types.EncryptionKey{}, fail(ReasonEncryption, "the KDC wants a key of type %d, and the keytab has none", etype)
}
