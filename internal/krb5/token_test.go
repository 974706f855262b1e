package krb5_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	krbcrypto "github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/krb5"
)

func eachKey(t *testing.T, f func(t *testing.T, key types.EncryptionKey)) {
	for _, key := range keys() {
		t.Run(fmt.Sprintf("etype %d", key.KeyType), func(t *testing.T) { f(t, key) })
	}
}

func TestTokenRoundTrip(t *testing.T) {
	eachKey(t, func(t *testing.T, key types.EncryptionKey) {
		initiator, acceptor := pair(t, key, true)
		for _, n := range []int{0, 1, 15, 16, 17, 100, 70_000} {
			data := bytes.Repeat([]byte("x"), n)
			token, err := initiator.WrapToken(data)
			require.NoError(t, err)
			if n > 8 {
				assert.NotContains(t, string(token), string(data[:8]))
			}
			got, err := acceptor.UnwrapToken(token)
			require.NoError(t, err, n)
			assert.Equal(t, data, append([]byte{}, got...))

			token, err = acceptor.WrapToken(data)
			require.NoError(t, err)
			got, err = initiator.UnwrapToken(token)
			require.NoError(t, err, n)
			assert.Equal(t, data, append([]byte{}, got...))
		}
	})
}

// TestTokenRefuses changes every byte, shortens the token, and sends it twice, in another order and back.
func TestTokenRefuses(t *testing.T) {
	eachKey(t, func(t *testing.T, key types.EncryptionKey) {
		initiator, acceptor := pair(t, key, false)
		first, err := initiator.WrapToken([]byte("a message"))
		require.NoError(t, err)
		second, err := initiator.WrapToken([]byte("a message"))
		require.NoError(t, err)
		refuse := func(token []byte, why string, args ...any) {
			t.Helper()
			_, err := acceptor.UnwrapToken(token)
			require.Error(t, err, fmt.Sprintf(why, args...))
		}
		refuse(nil, "empty")
		refuse(second, "ahead of its turn")
		for i := range first {
			bad := bytes.Clone(first)
			bad[i] ^= 0x40
			refuse(bad, "byte %d", i)
			refuse(first[:i], "%d bytes", i)
		}
		refuse(append(bytes.Clone(first), 0), "a byte more")
		mic, err := initiator.GetMIC([]byte("a message"))
		require.NoError(t, err)
		refuse(mic, "a MIC")
		_, err = initiator.UnwrapToken(first)
		require.Error(t, err, "sent back")
		_, err = acceptor.UnwrapToken(first)
		require.NoError(t, err)
		refuse(first, "twice")
	})
}

// TestTokenRotation reads what others make, who turn the token right by what suits them (RFC 4121 section 4.2.5).
func TestTokenRotation(t *testing.T) {
	for _, rotation := range []int{1, 12, 28, 44, 1000, 65535} {
		initiator, acceptor := pair(t, keys()[0], true)
		token, err := initiator.WrapToken([]byte("a message of the directory"))
		require.NoError(t, err)
		body := token[16:]
		n := rotation % len(body)
		turned := append(bytes.Clone(token[:16]), body[len(body)-n:]...)
		turned = append(turned, body[:len(body)-n]...)
		binary.BigEndian.PutUint16(turned[6:], uint16(rotation))
		got, err := acceptor.UnwrapToken(turned)
		require.NoError(t, err, rotation)
		assert.Equal(t, "a message of the directory", string(got))
	}
}

func FuzzUnwrapToken(f *testing.F) {
	for _, key := range keys() {
		initiator, _ := pair(f, key, true)
		token, err := initiator.WrapToken([]byte("a message"))
		require.NoError(f, err)
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		for _, key := range keys() {
			_, acceptor := pair(t, key, true)
			if data, err := acceptor.UnwrapToken(token); err == nil {
				assert.LessOrEqual(t, len(data), len(token))
			}
		}
	})
}

// sealToken seals as the initiator, written from RFC 4121 section 4.2.4 a second time. Claimed is what EC says of the
// filler.
func sealToken(t *testing.T, key types.EncryptionKey, data string, filler int, claimed uint16) []byte {
	t.Helper()
	et, err := krbcrypto.GetEtype(key.KeyType)
	require.NoError(t, err)
	header := []byte{5, 4, 6, 0xff, byte(claimed >> 8), byte(claimed), 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}
	plain := slices.Concat([]byte(data), bytes.Repeat([]byte("F"), filler), header)
	_, ct, err := et.EncryptMessage(key.KeyValue, plain, keyusage.GSSAPI_INITIATOR_SEAL)
	require.NoError(t, err)
	return append(header, ct...)
}

// TestTokenFiller takes a filler away, and refuses one that is longer than the message, or that somebody has added to
// the part that is not sealed.
func TestTokenFiller(t *testing.T) {
	for _, key := range keys()[:2] {
		for _, filler := range []int{0, 1, 16, 300} {
			_, acceptor := pair(t, key, true)
			got, err := acceptor.UnwrapToken(sealToken(t, key, "a message", filler, uint16(filler)))
			require.NoError(t, err, filler)
			assert.Equal(t, "a message", string(got))
		}
		_, acceptor := pair(t, key, true)
		for _, claimed := range []uint16{10, 26, 1000, 65535} {
			_, err := acceptor.UnwrapToken(sealToken(t, key, "a message", 0, claimed))
			require.Error(t, err, claimed)
		}
		token := sealToken(t, key, "a message", 0, 0)
		token[5] = 1
		_, err := acceptor.UnwrapToken(token)
		require.Error(t, err)
	}
}

// TestTokenRC4Vector opens the message of MS-KILE section 4.5.
func TestTokenRC4Vector(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	key := types.EncryptionKey{KeyType: etypeID.RC4_HMAC, KeyValue: unhex("81a2cb90af7fc2d19554a150d8185359")}
	s, err := krb5.NewSession(krb5.SessionConfig{Key: key, Acceptor: true, Receive: 0x60cbacd3})
	require.NoError(t, err)
	got, err := s.UnwrapToken(unhex("603b06092a864886f712010202020111001000ffff" +
		"e29e8bbc6348e740ebaa619244a156a13b5cf65e3c21b9aa8ed63f0ac83815335b72e293bae1f660"))
	require.NoError(t, err)
	assert.Equal(t, unhex("112233445566778899aabbccddeeff"), got)
}
