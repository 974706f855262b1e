package krb5_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
