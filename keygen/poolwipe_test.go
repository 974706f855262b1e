package keygen_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// remember returns what looks at the memory that holds the secret numbers of a key, and says whether all of it is zero.
func remember(t *testing.T, key crypto.Signer) (zero func() bool) {
	t.Helper()
	var numbers []*big.Int
	switch key := key.(type) {
	case *rsa.PrivateKey:
		p := &key.Precomputed
		numbers = append(numbers, key.D, key.Primes[0], key.Primes[1], p.Dp, p.Dq, p.Qinv)
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 the words of the number itself are looked at
		numbers = append(numbers, key.D)
	}
	var all [][]big.Word
	for _, n := range numbers {
		require.NotZero(t, n.Sign())
		all = append(all, n.Bits())
	}
	require.NotEmpty(t, all)
	return func() bool {
		return !slices.ContainsFunc(slices.Concat(all...), func(w big.Word) bool { return w != 0 })
	}
}

// TestPoolWipesRealKeys looks at the memory of the keys that a closed pool held, and of those that it handed out before.
func TestPoolWipesRealKeys(t *testing.T) {
	pool, err := keygen.NewPool(keygen.PoolConfig{Ready: map[keygen.Algorithm]int{keygen.RSA2048: 2, keygen.ECDSAP256: 3}})
	require.NoError(t, err)
	var mu sync.Mutex
	var keys []crypto.Signer
	pool.SetGenerator(func(alg keygen.Algorithm) (crypto.Signer, error) {
		key, err := keygen.Generate(alg)
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, key)
		return key, err
	})
	stop := runPool(t, pool)
	require.Eventually(t, func() bool {
		stats := pool.Stats()
		return stats[keygen.RSA2048].Ready == 2 && stats[keygen.ECDSAP256].Ready == 3
	}, time.Minute, time.Millisecond)
	require.Error(t, stop())
	mine := map[crypto.Signer]bool{}
	for _, alg := range []keygen.Algorithm{keygen.RSA2048, keygen.ECDSAP256} {
		key, err := pool.Get(t.Context(), alg)
		require.NoError(t, err)
		mine[key] = true
	}
	require.Len(t, keys, 5)
	memory := make([]func() bool, len(keys))
	for i, key := range keys {
		memory[i] = remember(t, key)
	}
	require.NoError(t, pool.Close())
	for i, key := range keys {
		assert.Equal(t, !mine[key], memory[i](), "key %d", i)
	}
	for key := range mine {
		_, err := keygen.CreateRequest(key, nil)
		assert.NoError(t, err, "what was handed out works")
	}
}
