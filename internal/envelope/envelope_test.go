package envelope_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/envelope"
)

func newKey(t testing.TB, curve ecdh.Curve) *ecdh.PrivateKey {
	t.Helper()
	key, err := curve.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key
}

// opaque is a key that can only agree, like one in hardware.
type opaque struct{ ecdh.KeyExchanger }

// failing is a key whose hardware fails.
type failing struct{ ecdh.KeyExchanger }

var errHardware = errors.New("hardware is gone")

func (failing) ECDH(*ecdh.PublicKey) ([]byte, error) { return nil, errHardware }

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	for curve, size := range map[ecdh.Curve]int{
		ecdh.P256(): envelope.EncapsulationSize, ecdh.X25519(): envelope.EncapsulationSizeX25519,
	} {
		key := newKey(t, curve)
		for _, plaintext := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("y"), envelope.MaxPlaintext)} {
			enc, ciphertext, err := envelope.Seal(key.PublicKey(), []byte("info"), plaintext)
			require.NoError(t, err)
			assert.Len(t, enc, size)
			assert.Len(t, ciphertext, len(plaintext)+envelope.Overhead)
			for _, k := range []ecdh.KeyExchanger{key, opaque{key}} {
				got, err := envelope.Open(k, []byte("info"), enc, ciphertext)
				require.NoError(t, err)
				assert.True(t, bytes.Equal(plaintext, got))
			}
		}
	}
}

func TestSealIsNeverTheSameTwice(t *testing.T) {
	key := newKey(t, ecdh.P256())
	enc1, text1, err := envelope.Seal(key.PublicKey(), nil, []byte("same"))
	require.NoError(t, err)
	enc2, text2, err := envelope.Seal(key.PublicKey(), nil, []byte("same"))
	require.NoError(t, err)
	assert.NotEqual(t, enc1, enc2)
	assert.NotEqual(t, text1, text2)
}

func TestOpenRefuses(t *testing.T) {
	key := newKey(t, ecdh.P256())
	enc, ciphertext, err := envelope.Seal(key.PublicKey(), []byte("info"), []byte("plaintext"))
	require.NoError(t, err)
	flip := func(b []byte, i int) []byte { b = bytes.Clone(b); b[i] ^= 1; return b }
	for name, test := range map[string]struct {
		key             ecdh.KeyExchanger
		info, enc, text []byte
		want            error
	}{
		"another key":           {newKey(t, ecdh.P256()), []byte("info"), enc, ciphertext, envelope.ErrOpen},
		"another info":          {key, []byte("infO"), enc, ciphertext, envelope.ErrOpen},
		"no info":               {key, nil, enc, ciphertext, envelope.ErrOpen},
		"no point":              {key, []byte("info"), flip(enc, 64), ciphertext, envelope.ErrOpen},
		"another point form":    {key, []byte("info"), flip(enc, 0), ciphertext, envelope.ErrOpen},
		"changed text":          {key, []byte("info"), enc, flip(ciphertext, 0), envelope.ErrOpen},
		"changed tag":           {key, []byte("info"), enc, flip(ciphertext, len(ciphertext)-1), envelope.ErrOpen},
		"cut text":              {key, []byte("info"), enc, ciphertext[1:], envelope.ErrOpen},
		"short encapsulation":   {key, []byte("info"), enc[1:], ciphertext, envelope.ErrSize},
		"long encapsulation":    {key, []byte("info"), append(bytes.Clone(enc), 0), ciphertext, envelope.ErrSize},
		"less than a tag":       {key, []byte("info"), enc, ciphertext[:envelope.Overhead-1], envelope.ErrSize},
		"too much":              {key, []byte("info"), enc, make([]byte, envelope.MaxPlaintext+envelope.Overhead+1), envelope.ErrSize},
		"no key":                {nil, []byte("info"), enc, ciphertext, envelope.ErrKey},
		"a key of another kind": {newKey(t, ecdh.X25519()), []byte("info"), enc, ciphertext, envelope.ErrSize},
		"a curve without suite": {newKey(t, ecdh.P384()), []byte("info"), enc, ciphertext, envelope.ErrKey},
		"a failing key":         {failing{key}, []byte("info"), enc, ciphertext, &envelope.KeyError{Err: errHardware}},
		"no point for it":       {failing{key}, []byte("info"), flip(enc, 64), ciphertext, envelope.ErrOpen},
	} {
		got, err := envelope.Open(test.key, test.info, test.enc, test.text)
		assert.Equal(t, test.want, err, name)
		assert.Nil(t, got, name)
	}
}

func TestOpenRefusesOnX25519(t *testing.T) {
	key := newKey(t, ecdh.X25519())
	enc, ciphertext, err := envelope.Seal(key.PublicKey(), []byte("info"), []byte("plaintext"))
	require.NoError(t, err)
	changed := bytes.Clone(ciphertext)
	changed[0] ^= 1
	for name, test := range map[string]struct {
		key             ecdh.KeyExchanger
		info, enc, text []byte
		want            error
	}{
		"another key":           {newKey(t, ecdh.X25519()), []byte("info"), enc, ciphertext, envelope.ErrOpen},
		"another info":          {key, []byte("infO"), enc, ciphertext, envelope.ErrOpen},
		"changed":               {key, []byte("info"), enc, changed, envelope.ErrOpen},
		"a point of low order":  {key, []byte("info"), make([]byte, len(enc)), ciphertext, envelope.ErrOpen},
		"low order, hardware":   {opaque{key}, []byte("info"), make([]byte, len(enc)), ciphertext, envelope.ErrOpen},
		"a failing key":         {failing{key}, []byte("info"), enc, ciphertext, &envelope.KeyError{Err: errHardware}},
		"a key of another kind": {newKey(t, ecdh.P256()), []byte("info"), enc, ciphertext, envelope.ErrSize},
		"a P-256 point":         {key, []byte("info"), newKey(t, ecdh.P256()).PublicKey().Bytes(), ciphertext, envelope.ErrSize},
	} {
		got, err := envelope.Open(test.key, test.info, test.enc, test.text)
		assert.Equal(t, test.want, err, name)
		assert.Nil(t, got, name)
	}
}

func TestSealRefuses(t *testing.T) {
	_, _, err := envelope.Seal(nil, nil, nil)
	assert.Equal(t, envelope.ErrKey, err)
	_, _, err = envelope.Seal(newKey(t, ecdh.P384()).PublicKey(), nil, nil)
	assert.Equal(t, envelope.ErrKey, err)
	low, err := ecdh.X25519().NewPublicKey(make([]byte, 32))
	require.NoError(t, err)
	_, _, err = envelope.Seal(low, nil, []byte("x"))
	assert.Error(t, err, "everybody agrees on the same secret with it")
	_, _, err = envelope.Seal(newKey(t, ecdh.P256()).PublicKey(), nil, make([]byte, envelope.MaxPlaintext+1))
	assert.Equal(t, envelope.ErrSize, err)
}

func TestFields(t *testing.T) {
	b := envelope.AppendString(nil, "ab")
	b = envelope.AppendField(b, nil)
	b = envelope.AppendUint64(b, 258)
	assert.Equal(t, []byte{0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2}, b)
	field, rest, err := envelope.CutField(b)
	require.NoError(t, err)
	assert.Equal(t, "ab", string(field))
	field, rest, err = envelope.CutField(rest)
	require.NoError(t, err)
	assert.Empty(t, field)
	_, rest, err = envelope.CutField(rest)
	require.NoError(t, err)
	assert.Empty(t, rest)
	for _, bad := range [][]byte{nil, {0, 0, 0}, {0, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff, 0}} {
		_, _, err := envelope.CutField(bad)
		assert.Equal(t, envelope.ErrSize, err)
	}
}

func FuzzOpen(f *testing.F) {
	keys := []*ecdh.PrivateKey{newKey(f, ecdh.P256()), newKey(f, ecdh.X25519())}
	var made [][]byte
	for _, key := range keys {
		enc, ciphertext, err := envelope.Seal(key.PublicKey(), []byte("info"), []byte("plaintext"))
		require.NoError(f, err)
		made = append(made, enc)
		f.Add([]byte("info"), enc, ciphertext)
		f.Add([]byte(nil), make([]byte, len(enc)), make([]byte, envelope.Overhead))
	}
	f.Fuzz(func(t *testing.T, info, enc, ciphertext []byte) {
		for i, key := range keys {
			got, err := envelope.Open(key, info, enc, ciphertext)
			again, failed := envelope.Open(opaque{key}, info, enc, ciphertext)
			require.Equal(t, err, failed, "a key in hardware is no other key")
			require.Equal(t, got, again)
			if err == nil && bytes.Equal(enc, made[i]) {
				require.Equal(t, "plaintext", string(got))
			}
		}
	})
}
