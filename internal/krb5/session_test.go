package krb5_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/oiweiwei/go-msrpc/ssp/krb5/crypto"
	krbcrypto "github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/crypto/common"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
)

func keys() []types.EncryptionKey {
	return []types.EncryptionKey{
		{KeyType: etypeID.AES256_CTS_HMAC_SHA1_96, KeyValue: bytes.Repeat([]byte("k"), 32)},
		{KeyType: etypeID.AES128_CTS_HMAC_SHA1_96, KeyValue: bytes.Repeat([]byte("k"), 16)},
		{KeyType: etypeID.RC4_HMAC, KeyValue: bytes.Repeat([]byte("k"), 16)},
	}
}

// pair is both sides of a security context.
func pair(t testing.TB, key types.EncryptionKey, subkey bool) (initiator, acceptor *krb5.Session) {
	t.Helper()
	initiator, err := krb5.NewSession(krb5.SessionConfig{Key: key, AcceptorSubkey: subkey, Send: 7, Receive: 1<<32 - 2})
	require.NoError(t, err)
	acceptor, err = krb5.NewSession(krb5.SessionConfig{
		Key: key, AcceptorSubkey: subkey, Acceptor: true, Send: 1<<32 - 2, Receive: 7,
	})
	require.NoError(t, err)
	return initiator, acceptor
}

func message(body string, sign, seal bool) *rpc.Message {
	return &rpc.Message{
		Header: []byte("header of the message 24"), Body: []byte(body), Trailer: []byte("trailer8"), SignHeader: sign, Seal: seal,
	}
}

// forms calls f with every kind of message.
func forms(t *testing.T, f func(t *testing.T, key types.EncryptionKey, sign, seal bool)) {
	for _, key := range keys() {
		for _, sign := range []bool{false, true} {
			for _, seal := range []bool{false, true} {
				t.Run(fmt.Sprintf("etype %d, header signing %v, seal %v", key.KeyType, sign, seal), func(t *testing.T) {
					f(t, key, sign, seal)
				})
			}
		}
	}
}

func TestSessionRoundTrip(t *testing.T) {
	forms(t, func(t *testing.T, key types.EncryptionKey, sign, seal bool) {
		initiator, acceptor := pair(t, key, true)
		for _, size := range []int{0, 1, 15, 16, 17, 32, 33, 5000} {
			for _, way := range [][2]*krb5.Session{{initiator, acceptor}, {acceptor, initiator}} {
				clear := string(bytes.Repeat([]byte("x"), size))
				m := message(clear, sign, seal)
				sig, err := way[0].Wrap(m)
				require.NoError(t, err)
				assert.Len(t, sig, way[0].SignatureSize(seal))
				if seal && size > 8 {
					assert.NotEqual(t, clear, string(m.Body), "it is not encrypted")
				}
				require.NoError(t, way[1].Unwrap(m, sig))
				assert.Equal(t, clear, string(m.Body))
			}
		}
	})
}

// TestSessionRefuses changes each bit of a signature and of everything that it covers.
func TestSessionRefuses(t *testing.T) {
	forms(t, func(t *testing.T, key types.EncryptionKey, sign, seal bool) {
		initiator, acceptor := pair(t, key, true)
		m := message("body of sixteen!", sign, seal)
		sig, err := acceptor.Wrap(m)
		require.NoError(t, err)
		fields := [][]byte{sig, m.Body}
		if sign {
			fields = append(fields, m.Header, m.Trailer)
		}
		for i, field := range fields {
			for bit := range len(field) * 8 {
				field[bit/8] ^= 1 << (bit % 8)
				body := bytes.Clone(m.Body)
				assert.Error(t, initiator.Unwrap(m, sig), "field %d, bit %d", i, bit)
				copy(m.Body, body)
				field[bit/8] ^= 1 << (bit % 8)
			}
		}
		for n := range len(sig) + 32 {
			if n != len(sig) {
				other := append(bytes.Clone(sig), make([]byte, 32)...)[:n]
				assert.Error(t, initiator.Unwrap(&rpc.Message{Body: bytes.Clone(m.Body), Seal: seal}, other), "signature of %d bytes", n)
			}
		}
		body := bytes.Clone(m.Body)
		require.NoError(t, initiator.Unwrap(m, sig), "failures move nothing")
		copy(m.Body, body)
		assert.Error(t, initiator.Unwrap(m, sig), "the same message twice")
		copy(m.Body, body)
		assert.Error(t, acceptor.Unwrap(m, sig), "a message that is sent back")
	})
}

func TestSessionFlags(t *testing.T) {
	for _, key := range keys()[:2] {
		with, _ := pair(t, key, true)
		_, without := pair(t, key, false)
		for _, seal := range []bool{false, true} {
			m := message("body", true, seal)
			sig, err := with.Wrap(m)
			require.NoError(t, err)
			assert.Error(t, without.Unwrap(m, sig), "the other key")
		}
		mic, err := with.GetMIC([]byte("list"))
		require.NoError(t, err)
		assert.Error(t, without.VerifyMIC([]byte("list"), mic))
	}
}

func TestSessionMIC(t *testing.T) {
	for _, key := range keys() {
		initiator, acceptor := pair(t, key, true)
		mic, err := initiator.GetMIC([]byte("list"))
		require.NoError(t, err)
		assert.Error(t, acceptor.VerifyMIC([]byte("lost"), mic))
		assert.Error(t, initiator.VerifyMIC([]byte("list"), mic), "reflected")
		require.NoError(t, acceptor.VerifyMIC([]byte("list"), mic))
		assert.Error(t, acceptor.VerifyMIC([]byte("list"), mic), "replayed")
		m := message("the next message counts on", true, true)
		sig, err := initiator.Wrap(m)
		require.NoError(t, err)
		require.NoError(t, acceptor.Unwrap(m, sig))
	}
}

func TestSessionKeys(t *testing.T) {
	for _, key := range []types.EncryptionKey{
		{}, {KeyType: etypeID.DES3_CBC_SHA1_KD, KeyValue: make([]byte, 24)},
		{KeyType: etypeID.AES256_CTS_HMAC_SHA1_96, KeyValue: make([]byte, 16)}, {KeyType: etypeID.AES128_CTS_HMAC_SHA1_96},
		{KeyType: etypeID.RC4_HMAC, KeyValue: make([]byte, 17)},
	} {
		_, err := krb5.NewSession(krb5.SessionConfig{Key: key})
		assert.Error(t, err)
	}
}

// TestSessionReadsOthers opens what go-msrpc's ciphers have made, and the other way round.
func TestSessionReadsOthers(t *testing.T) {
	forms(t, func(t *testing.T, key types.EncryptionKey, sign, seal bool) {
		et, err := krbcrypto.GetEtype(key.KeyType)
		require.NoError(t, err)
		theirs, err := crypto.NewCipher(t.Context(), crypto.CipherSetting{
			Type: et, Key: key, IsSubKey: true, IsLocal: true, DCEStyle: true,
		})
		require.NoError(t, err)
		for _, size := range []int{16, 48, 1600, 7} {
			ours, acceptor := pair(t, key, true)
			clear := string(bytes.Repeat([]byte("x"), size))
			m := message(clear, sign, seal)
			covered, secret := [][]byte{m.Body}, [][]byte{m.Body}
			if sign {
				covered = [][]byte{m.Header, m.Body, m.Trailer}
			}
			if !seal {
				sig, err := theirs.MakeSignature(t.Context(), 7, covered)
				require.NoError(t, err)
				require.NoError(t, acceptor.Unwrap(m, sig))
				own, err := ours.Wrap(m)
				require.NoError(t, err)
				assert.Equal(t, hex.EncodeToString(sig), hex.EncodeToString(own))
				continue
			}
			sig, err := theirs.WrapEx(t.Context(), 7, covered, secret)
			require.NoError(t, err)
			assert.Len(t, sig, acceptor.SignatureSize(true))
			require.NoError(t, acceptor.Unwrap(m, sig))
			assert.Equal(t, clear, string(m.Body))
			sig, err = ours.Wrap(m)
			require.NoError(t, err)
			ok, err := theirs.UnwrapEx(t.Context(), 7, covered, secret, sig)
			require.NoError(t, err)
			assert.True(t, ok)
			assert.Equal(t, clear, string(m.Body))
		}
	})
}

// TestSessionShortFiller opens messages of a sender without filler, as impacket's are when the body is a multiple of
// 16.
func TestSessionShortFiller(t *testing.T) {
	for _, key := range keys()[:2] {
		for filler := range 17 {
			_, acceptor := pair(t, key, true)
			m := message("body of sixteen!", true, true)
			sig := wrapWithFiller(t, key, m, 7, filler)
			assert.True(t, acceptor.SignatureFits(len(sig), true))
			require.NoError(t, acceptor.Unwrap(m, sig), "filler of %d bytes", filler)
			assert.Equal(t, "body of sixteen!", string(m.Body))
		}
		_, acceptor := pair(t, key, true)
		assert.False(t, acceptor.SignatureFits(acceptor.SignatureSize(true)+1, true))
		assert.False(t, acceptor.SignatureFits(acceptor.SignatureSize(true)-17, true))
		assert.False(t, acceptor.SignatureFits(acceptor.SignatureSize(false)-1, false))
	}
}

// wrapWithFiller seals as the initiator, written from RFC 4121 section 4.2.4 a second time.
func wrapWithFiller(t *testing.T, key types.EncryptionKey, m *rpc.Message, seq byte, filler int) []byte {
	et, err := krbcrypto.GetEtype(key.KeyType)
	require.NoError(t, err)
	header := make([]byte, 16)
	copy(header, []byte{5, 4, 6, 0xff, 0, byte(filler)})
	header[15] = seq
	confounder := []byte("confounder of 16")
	end := append(bytes.Repeat([]byte("F"), filler), header...)
	sum, err := common.GetIntegrityHash(bytes.Join([][]byte{confounder, m.Header, m.Body, m.Trailer, end}, nil), key.KeyValue,
		keyusage.GSSAPI_INITIATOR_SEAL, et)
	require.NoError(t, err)
	ke, err := et.DeriveKey(key.KeyValue, common.GetUsageKe(keyusage.GSSAPI_INITIATOR_SEAL))
	require.NoError(t, err)
	_, ct, err := et.EncryptData(ke, bytes.Join([][]byte{confounder, m.Body, end}, nil))
	require.NoError(t, err)
	ct = append(ct, sum...)
	turn := len(ct) - filler - 28
	ct = append(bytes.Clone(ct[turn:]), ct[:turn]...)
	header[7] = 28
	at := len(ct) - len(m.Body)
	copy(m.Body, ct[at:])
	return append(header, ct[:at]...)
}

// TestSessionRC4Vector opens the message of MS-KILE section 4.5. It is not in DCE style: the frame's length has the
// body and its padding in it, which are 16 bytes.
func TestSessionRC4Vector(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		require.NoError(t, err)
		return b
	}
	key := types.EncryptionKey{KeyType: etypeID.RC4_HMAC, KeyValue: unhex("81a2cb90af7fc2d19554a150d8185359")}
	s, err := krb5.NewSession(krb5.SessionConfig{Key: key, Acceptor: true, Receive: 0x60cbacd3})
	require.NoError(t, err)
	m := &rpc.Message{Body: unhex("8ed63f0ac83815335b72e293bae1f660"), Seal: true}
	sig := unhex("603b06092a864886f71201020202011100 1000ffffe29e8bbc6348e740ebaa619244a156a13b5cf65e3c21b9aa")
	require.Error(t, s.Unwrap(&rpc.Message{Body: bytes.Clone(m.Body), Seal: true}, sig))
	sig[1] -= byte(len(m.Body))
	require.NoError(t, s.Unwrap(m, sig))
	assert.Equal(t, unhex("112233445566778899aabbccddeeff01"), m.Body)
}

func FuzzSessionUnwrap(f *testing.F) {
	for i, key := range keys() {
		_, acceptor := pair(f, key, true)
		f.Add(uint8(i), true, make([]byte, acceptor.SignatureSize(true)), []byte("body"))
		f.Add(uint8(i), false, make([]byte, acceptor.SignatureSize(false)), []byte("body"))
	}
	f.Fuzz(func(t *testing.T, key uint8, seal bool, sig, body []byte) {
		initiator, acceptor := pair(t, keys()[key%3], true)
		m := &rpc.Message{Body: body, Seal: seal}
		require.Error(t, acceptor.Unwrap(m, sig), "nobody can guess a signature")
		require.Error(t, initiator.VerifyMIC(body, sig))
	})
}
