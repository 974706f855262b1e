package keygen_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// factory makes keys that are none, numbered, in a second each (4 seconds for RSA-4096), and counts how many it makes
// at the same time.
type factory struct {
	mu        sync.Mutex
	made      int
	now, most int
	keys      []crypto.Signer
	fail      error
}

func (f *factory) generate(alg keygen.Algorithm) (crypto.Signer, error) {
	f.mu.Lock()
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	if alg == keygen.RSA4096 {
		time.Sleep(3 * time.Second)
	}
	time.Sleep(time.Second)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now--
	if f.fail != nil {
		return nil, f.fail
	}
	f.made++
	number := big.NewInt(int64(f.made))
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: number, E: f.made}, D: new(big.Int).Set(number)}
	f.keys = append(f.keys, key)
	return key, nil
}

// count is how many keys it made, peak how many at the same time since the last call.
func (f *factory) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}

func (f *factory) peak() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	most := f.most
	f.most = f.now
	return most
}

// number is the number of a key, and secret what is left of the private part.
func number(key crypto.Signer) int      { return key.(*rsa.PrivateKey).E }
func secret(key crypto.Signer) *big.Int { return key.(*rsa.PrivateKey).D }

// newPool returns a pool that is closed at the end of the test.
func newPool(t *testing.T, config keygen.PoolConfig) (*keygen.Pool, *factory) {
	t.Helper()
	pool, err := keygen.NewPool(config)
	require.NoError(t, err)
	f := &factory{}
	pool.SetGenerator(f.generate)
	t.Cleanup(func() { assert.NoError(t, pool.Close()) })
	return pool, f
}

// runPool runs a pool until the returned function is called, which returns what Run did.
func runPool(t *testing.T, pool *keygen.Pool) func() error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- pool.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

func TestPoolOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f := newPool(t, keygen.PoolConfig{Workers: 3})
		stop := runPool(t, pool)
		time.Sleep(time.Hour)
		assert.Zero(t, f.count(), "nothing is made ahead")
		key, err := pool.Get(t.Context(), keygen.RSA2048)
		require.NoError(t, err)
		assert.Equal(t, 1, number(key))
		time.Sleep(time.Hour)
		assert.Equal(t, 1, f.count())
		assert.ErrorIs(t, stop(), context.Canceled)
	})
}

func TestPoolFills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f := newPool(t, keygen.PoolConfig{Ready: map[keygen.Algorithm]int{keygen.RSA2048: 4, keygen.RSA4096: 2}})
		time.Sleep(time.Hour)
		assert.Zero(t, f.count(), "not without Run")
		stop := runPool(t, pool)
		time.Sleep(time.Hour)
		assert.Equal(t, 6, f.count())
		assert.Equal(t, 1, f.peak(), "one at a time")
		stats := pool.Stats()
		assert.Equal(t, keygen.PoolStats{Ready: 4, Made: 4}, stats[keygen.RSA2048])
		assert.Equal(t, keygen.PoolStats{Ready: 2, Made: 2}, stats[keygen.RSA4096])

		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			assert.Equal(t, "keygen.Pool{6 ready}", fmt.Sprintf(verb, pool))
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for _, alg := range keygen.Algorithms() {
			_, err := pool.Get(over, alg)
			assert.ErrorIs(t, err, context.Canceled, "also where a key is ready")
		}
		seen := map[int]bool{}
		for range 4 {
			start := time.Now()
			key, err := pool.Get(t.Context(), keygen.RSA2048)
			require.NoError(t, err)
			assert.Zero(t, time.Since(start), "ready")
			assert.False(t, seen[number(key)], "handed out once")
			seen[number(key)] = true
		}
		time.Sleep(10*time.Millisecond - 1)
		assert.Zero(t, pool.Stats()[keygen.RSA2048].Making, "a burst is over first")
		time.Sleep(time.Hour)
		assert.Equal(t, keygen.PoolStats{Ready: 4, Made: 8, Taken: 4}, pool.Stats()[keygen.RSA2048])
		assert.ErrorIs(t, stop(), context.Canceled)
		_, err := pool.Get(t.Context(), keygen.RSA2048)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		assert.Equal(t, 3, pool.Stats()[keygen.RSA2048].Ready, "what is ready stays, nothing is added")
	})
}

func TestPoolBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f := newPool(t, keygen.PoolConfig{
			Ready: map[keygen.Algorithm]int{keygen.RSA2048: 5}, Workers: 3, Background: 2,
		})
		stop := runPool(t, pool)
		time.Sleep(time.Hour)
		assert.Equal(t, 2, f.peak())

		var wg sync.WaitGroup
		start := time.Now()
		waits := make([]time.Duration, 50)
		for i := range waits {
			wg.Go(func() {
				_, err := pool.Get(t.Context(), keygen.RSA2048)
				assert.NoError(t, err)
				waits[i] = time.Since(start)
			})
			synctest.Wait() // one after the other
		}
		stats := pool.Stats()[keygen.RSA2048]
		assert.Equal(t, 45, stats.Waiting)
		time.Sleep(1500 * time.Millisecond)
		assert.Equal(t, 3, f.peak(), "none is begun ahead in a burst")
		time.Sleep(8 * time.Second)
		assert.Equal(t, 3, f.peak(), "none is begun ahead while anybody waits")
		wg.Wait()
		for i, wait := range waits {
			switch {
			case i < 5:
				assert.Zero(t, wait)
			case i > 5:
				assert.GreaterOrEqual(t, wait, waits[i-1], "first come, first served")
			}
		}
		assert.Equal(t, 15*time.Second, time.Since(start))
		stats = pool.Stats()[keygen.RSA2048]
		assert.Equal(t, uint64(45), stats.Waited)
		assert.Equal(t, uint64(50), stats.Taken)
		assert.Zero(t, stats.Waiting)
		assert.Positive(t, stats.WaitTime)
		time.Sleep(time.Hour)
		assert.Equal(t, 5, pool.Stats()[keygen.RSA2048].Ready)
		assert.ErrorIs(t, stop(), context.Canceled)
	})
}

// TestPoolRefillsUnderLoad asks so often that the pool is never left alone, and still it makes keys ahead.
func TestPoolRefillsUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f := newPool(t, keygen.PoolConfig{Ready: map[keygen.Algorithm]int{keygen.RSA2048: 100}, Background: 4})
		stop := runPool(t, pool)
		time.Sleep(time.Hour)
		for range 50 {
			time.Sleep(9 * time.Millisecond)
			_, err := pool.Get(t.Context(), keygen.RSA2048)
			require.NoError(t, err)
		}
		synctest.Wait()
		assert.Equal(t, 4, f.peak())
		assert.Equal(t, 4, pool.Stats()[keygen.RSA2048].Making)
		assert.ErrorIs(t, stop(), context.Canceled)
	})
}

// TestPoolIsFair lets callers of a small size wait behind those of a large one no longer than their turn.
func TestPoolIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f := newPool(t, keygen.PoolConfig{Workers: 1})
		start := time.Now()
		var wg sync.WaitGroup
		var mu sync.Mutex
		var order []keygen.Algorithm
		asked := []keygen.Algorithm{keygen.RSA2048, keygen.RSA4096, keygen.RSA2048, keygen.RSA4096, keygen.RSA2048}
		for _, alg := range asked {
			wg.Go(func() {
				_, err := pool.Get(t.Context(), alg)
				assert.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				order = append(order, alg)
			})
			synctest.Wait()
		}
		// Elliptic curves do not queue.
		began := time.Now()
		_, err := pool.Get(t.Context(), keygen.ECDSAP256)
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(began), "a second is what the factory takes")
		wg.Wait()
		assert.Equal(t, asked, order)
		assert.Equal(t, 11*time.Second, time.Since(start))
		assert.Equal(t, 2, f.peak())
		assert.Equal(t, keygen.PoolStats{Made: 1, Taken: 1}, pool.Stats()[keygen.ECDSAP256])
	})
}

func TestPoolGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f := newPool(t, keygen.PoolConfig{Workers: 1, Ready: map[keygen.Algorithm]int{keygen.RSA4096: 1}})
		cause := errors.New("no longer wanted")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, cause)
		defer cancel()
		start := time.Now()
		_, err := pool.Get(ctx, keygen.RSA2048)
		assert.ErrorIs(t, err, cause)
		assert.Equal(t, time.Millisecond, time.Since(start), "not when the key is made")
		_, err = pool.Get(ctx, keygen.RSA2048)
		assert.ErrorIs(t, err, cause, "at once")
		assert.Zero(t, pool.Stats()[keygen.RSA2048].Waiting)

		// The next one gets the key that was begun.
		_, err = pool.Get(t.Context(), keygen.RSA2048)
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, 1, f.count())

		// Nobody is there: of one algorithm it is kept, as there is room, of the other it is not.
		for _, alg := range []keygen.Algorithm{keygen.RSA2048, keygen.RSA4096} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, err = pool.Get(ctx, alg)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
			time.Sleep(time.Hour)
		}
		assert.Equal(t, 0, pool.Stats()[keygen.RSA2048].Ready)
		assert.Equal(t, 1, pool.Stats()[keygen.RSA4096].Ready)
	})
}

// TestPoolKeyInTheLastMoment has callers give up in the moment in which their keys come: they have arrived, or become
// those of others.
func TestPoolKeyInTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f := newPool(t, keygen.PoolConfig{Ready: map[keygen.Algorithm]int{keygen.RSA2048: 400}})
		var giveUp context.CancelFunc
		pool.SetGenerator(func(alg keygen.Algorithm) (crypto.Signer, error) {
			key, err := f.generate(alg)
			giveUp()
			return key, err
		})
		got := uint64(0)
		for range 400 {
			ctx, cancel := context.WithCancel(t.Context())
			giveUp = cancel
			if key, err := pool.Get(ctx, keygen.RSA2048); err == nil {
				assert.NotZero(t, secret(key).Sign())
				got++
			} else {
				assert.ErrorIs(t, err, context.Canceled)
			}
			cancel()
			synctest.Wait()
		}
		stats := pool.Stats()[keygen.RSA2048]
		assert.Equal(t, got, stats.Taken, "what was handed out has arrived")
		assert.Equal(t, stats.Made, stats.Taken+uint64(stats.Ready))
		assert.Zero(t, stats.Waiting)
	})
}

// TestPoolCloseWaits for a key that is being made ahead, which is then wiped.
func TestPoolCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f := newPool(t, keygen.PoolConfig{Ready: map[keygen.Algorithm]int{keygen.RSA2048: 1}})
		stop := runPool(t, pool)
		time.Sleep(time.Second / 4)
		start := time.Now()
		require.NoError(t, pool.Close())
		assert.Equal(t, 3*time.Second/4, time.Since(start))
		require.Len(t, f.keys, 1)
		assert.Zero(t, secret(f.keys[0]).Sign())
		assert.ErrorIs(t, stop(), net.ErrClosed)
	})
}

func TestPoolFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f := newPool(t, keygen.PoolConfig{Workers: 1, Ready: map[keygen.Algorithm]int{keygen.RSA2048: 1}})
		f.fail = errBroken
		stop := runPool(t, pool)
		time.Sleep(time.Hour)
		assert.Equal(t, uint64(1), pool.Stats()[keygen.RSA2048].Failed, "it is not tried again and again")
		for range 2 {
			_, err := pool.Get(t.Context(), keygen.RSA2048)
			assert.ErrorIs(t, err, errBroken)
		}
		_, err := pool.Get(t.Context(), keygen.ECDSAP256)
		assert.ErrorIs(t, err, errBroken)
		f.fail = nil
		_, err = pool.Get(t.Context(), keygen.RSA2048)
		assert.NoError(t, err)
		time.Sleep(time.Hour)
		assert.Equal(t, 1, pool.Stats()[keygen.RSA2048].Ready)
		assert.ErrorIs(t, stop(), context.Canceled)
	})
}

func TestPoolClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f := newPool(t, keygen.PoolConfig{Ready: map[keygen.Algorithm]int{keygen.RSA2048: 3}, Workers: 1})
		done := make(chan error, 2)
		go func() { done <- pool.Run(t.Context()) }()
		time.Sleep(time.Hour)
		mine, err := pool.Get(t.Context(), keygen.RSA2048)
		require.NoError(t, err)
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, 1, pool.Stats()[keygen.RSA2048].Making, "another one ahead")
		go func() {
			_, err := pool.Get(t.Context(), keygen.RSA4096)
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { assert.NoError(t, pool.Close()) })
		}
		wg.Wait()
		assert.Equal(t, 4*time.Second, time.Since(start), "the one that is being made is waited for")
		assert.ErrorIs(t, <-done, net.ErrClosed)
		assert.ErrorIs(t, <-done, net.ErrClosed)
		require.Len(t, f.keys, 5)
		for _, key := range f.keys {
			assert.Equal(t, key == mine, secret(key).Sign() != 0, "wiped, but for the one handed out")
		}
		for _, alg := range keygen.Algorithms() {
			_, err := pool.Get(t.Context(), alg)
			assert.ErrorIs(t, err, net.ErrClosed)
			assert.Zero(t, pool.Stats()[alg].Ready)
			assert.Zero(t, pool.Stats()[alg].Waiting)
		}
		assert.ErrorIs(t, pool.Run(t.Context()), net.ErrClosed)
		assert.NoError(t, pool.Close())
	})
}

func TestPoolRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, _ := newPool(t, keygen.PoolConfig{Ready: map[keygen.Algorithm]int{keygen.RSA2048: 9}})
		for range 2 {
			stop := runPool(t, pool)
			synctest.Wait()
			assert.ErrorContains(t, pool.Run(t.Context()), "running already")
			start := time.Now()
			assert.ErrorIs(t, stop(), context.Canceled)
			assert.Equal(t, time.Second, time.Since(start), "the key that was begun is waited for")
		}
		assert.Equal(t, 2, pool.Stats()[keygen.RSA2048].Ready)
	})
}

func TestPoolRefuses(t *testing.T) {
	for label, config := range map[string]keygen.PoolConfig{
		"workers":    {Workers: -1},
		"background": {Background: -1},
		"algorithm":  {Ready: map[keygen.Algorithm]int{"rsa1024": 1}},
		"negative":   {Ready: map[keygen.Algorithm]int{keygen.RSA2048: -1}},
		"too many":   {Ready: map[keygen.Algorithm]int{keygen.RSA2048: 4097}},
	} {
		pool, err := keygen.NewPool(config)
		assert.Error(t, err, label)
		assert.Nil(t, pool)
	}
	pool, err := keygen.NewPool(keygen.PoolConfig{})
	require.NoError(t, err)
	_, err = pool.Get(t.Context(), "rsa1024")
	assert.ErrorIs(t, err, keygen.ErrAlgorithm)
	require.NoError(t, pool.Close())
}

// TestPoolKeys takes real keys from many goroutines, some of which give up.
func TestPoolKeys(t *testing.T) {
	pool, err := keygen.NewPool(keygen.PoolConfig{Ready: map[keygen.Algorithm]int{keygen.ECDSAP256: 8, keygen.RSA2048: 2}})
	require.NoError(t, err)
	stop := runPool(t, pool)
	var wg sync.WaitGroup
	var seen sync.Map
	for i := range 32 {
		wg.Go(func() {
			alg, ctx := keygen.ECDSAP256, t.Context()
			if i%4 == 0 {
				alg = keygen.RSA2048
			}
			if i%8 == 0 {
				var cancel func()
				ctx, cancel = context.WithTimeout(ctx, 10*time.Millisecond)
				defer cancel()
			}
			key, err := pool.Get(ctx, alg)
			if err != nil {
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				return
			}
			_, twice := seen.LoadOrStore(key, true)
			assert.False(t, twice)
			_, err = keygen.CreateRequest(key, &keygen.Request{Subject: "CN=a"})
			assert.NoError(t, err)
			keygen.Wipe(key)
		})
	}
	wg.Wait()
	assert.ErrorIs(t, stop(), context.Canceled)
	assert.NoError(t, pool.Close())
}
