package wipe_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/wipe"
)

// wiped looks at the memory that the numbers had, which must hold something before.
func wiped(t *testing.T, numbers ...*big.Int) func() {
	t.Helper()
	var memory [][]big.Word
	for _, n := range numbers {
		words := n.Bits()
		require.NotEmpty(t, words)
		memory = append(memory, words[:cap(words)])
	}
	return func() {
		t.Helper()
		for i, words := range memory {
			assert.Equal(t, make([]big.Word, len(words)), words, "number %d", i)
			assert.Zero(t, numbers[i].Sign())
		}
	}
}

func TestKey(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		public := key.PublicKey
		//lint:ignore SA1019 the words of the number itself are overwritten
		check := wiped(t, key.D)
		wipe.Key(key)
		check()
		assert.True(t, public.Equal(key.Public()), "the public key stays")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p := &key.Precomputed
	check := wiped(t, key.D, key.Primes[0], key.Primes[1], p.Dp, p.Dq, p.Qinv)
	modulus := new(big.Int).Set(key.N)
	wipe.Key(key)
	check()
	assert.Equal(t, modulus, key.N)
}

func TestOtherKeysAreLeftAlone(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	before := append(ed25519.PrivateKey(nil), key...)
	for _, k := range []any{nil, key, (*ecdsa.PrivateKey)(nil), (*rsa.PrivateKey)(nil), &ecdsa.PrivateKey{}, &rsa.PrivateKey{}} {
		wipe.Key(k)
	}
	assert.Equal(t, before, key)
}
