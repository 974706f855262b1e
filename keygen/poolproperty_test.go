package keygen_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// TestPoolProperties lets callers come, give up and be served in random ways, while keys fail, Run comes and goes and the
// pool is closed, and holds every answer against what a pool promises.
func TestPoolProperties(t *testing.T) {
	seeds := 150
	if os.Getenv("ADCSKIT_LONG") != "" {
		seeds = 5000
	}
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) { newPoolModel(t, seed).play() })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// poolModel is a pool with what happened to it.
type poolModel struct {
	t       *testing.T
	pool    *keygen.Pool
	random  *rand.Rand
	config  keygen.PoolConfig
	failing int // in a hundred

	mu      sync.Mutex
	now     int // RSA keys being made
	keys    map[crypto.Signer]keygen.Algorithm
	taken   map[crypto.Signer]bool
	failed  map[keygen.Algorithm]uint64
	waiting map[int]keygen.Algorithm               // RSA callers, by the order of their arrival
	served  map[keygen.Algorithm]map[int]time.Time // RSA callers who got a key, and when
	closed  bool
	callers sync.WaitGroup
}

func newPoolModel(t *testing.T, seed uint64) *poolModel {
	r := rand.New(rand.NewPCG(seed, 0))
	m := &poolModel{
		t: t, random: r, failing: []int{0, 0, 10, 50}[r.IntN(4)],
		config: keygen.PoolConfig{
			Ready:   map[keygen.Algorithm]int{keygen.RSA2048: r.IntN(6), keygen.RSA4096: r.IntN(3), keygen.ECDSAP256: r.IntN(4)},
			Workers: 1 + r.IntN(4), Background: 1 + r.IntN(3),
		},
		keys: map[crypto.Signer]keygen.Algorithm{}, taken: map[crypto.Signer]bool{}, failed: map[keygen.Algorithm]uint64{},
		waiting: map[int]keygen.Algorithm{},
		served:  map[keygen.Algorithm]map[int]time.Time{keygen.RSA2048: {}, keygen.RSA4096: {}},
	}
	var err error
	m.pool, err = keygen.NewPool(m.config)
	require.NoError(t, err)
	m.pool.SetGenerator(m.generate)
	return m
}

// takes is how long a key takes to make.
func takes(alg keygen.Algorithm) time.Duration {
	switch alg {
	case keygen.RSA4096:
		return 4 * time.Second
	case keygen.RSA2048:
		return time.Second
	}
	return time.Millisecond
}

func (m *poolModel) generate(alg keygen.Algorithm) (crypto.Signer, error) {
	m.mu.Lock()
	if alg != keygen.ECDSAP256 { // those are made by callers, too
		m.now++
		assert.LessOrEqual(m.t, m.now, m.config.Workers+m.config.Background)
	}
	m.mu.Unlock()
	time.Sleep(takes(alg))
	m.mu.Lock()
	defer m.mu.Unlock()
	if alg != keygen.ECDSAP256 {
		m.now--
	}
	if m.random.IntN(100) < m.failing {
		m.failed[alg]++
		return nil, errBroken
	}
	key := &rsa.PrivateKey{D: big.NewInt(int64(len(m.keys) + 1))}
	m.keys[key] = alg
	return key, nil
}

// play lets 60 callers come, and the rest happen between them.
func (m *poolModel) play() {
	ctx, cancel := context.WithCancel(m.t.Context())
	defer cancel()
	var runs sync.WaitGroup
	for i := range 60 {
		m.chance(60, func() { time.Sleep(time.Duration(m.draw(1500)) * time.Millisecond) })
		m.chance(1, func() { time.Sleep(time.Hour) })
		m.chance(10, func() {
			runCtx, stop := context.WithTimeout(ctx, time.Duration(m.draw(20_000))*time.Millisecond)
			runs.Go(func() {
				defer stop()
				assert.Error(m.t, m.pool.Run(runCtx)) // also if another one is running
			})
		})
		m.callers.Go(func() { m.call(i) })
		synctest.Wait() // callers come one after the other
		m.checkFigures()
	}
	m.chance(50, func() { time.Sleep(time.Hour) })
	m.chance(50, func() { m.fills(ctx) })
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	assert.NoError(m.t, m.pool.Close())
	m.mu.Lock()
	assert.Zero(m.t, m.now, "none is being made any more")
	m.mu.Unlock()
	m.callers.Wait()
	cancel()
	runs.Wait()
	m.checkFigures()
	for key := range m.keys {
		assert.Equal(m.t, m.taken[key], secret(key).Sign() != 0, "what nobody got is wiped, and nothing else")
	}
}

// fills has all keys made ahead that there should be, now that nobody comes any more and nothing fails.
func (m *poolModel) fills(ctx context.Context) {
	time.Sleep(time.Hour)
	m.mu.Lock()
	m.failing = 0
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	assert.ErrorIs(m.t, m.pool.Run(ctx), context.DeadlineExceeded)
	for alg, f := range m.pool.Stats() {
		assert.Equal(m.t, m.config.Ready[alg], f.Ready)
	}
}

// draw returns a number below n, chance does something in so many of a hundred cases.
func (m *poolModel) draw(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.IntN(n)
}

func (m *poolModel) chance(percent int, f func()) {
	if m.draw(100) < percent {
		f()
	}
}

// call is the caller number i: it asks for a key, with more or less patience, and checks what comes.
func (m *poolModel) call(i int) {
	ctx, patience := m.t.Context(), time.Duration(0)
	m.chance(40, func() { patience = time.Duration(1+m.draw(8000)) * time.Millisecond })
	m.chance(20, func() { patience = time.Duration(1+m.draw(8)) * time.Second }) // to the moment when keys are ready
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	alg := []keygen.Algorithm{keygen.RSA2048, keygen.RSA2048, keygen.RSA4096, keygen.ECDSAP256}[m.draw(4)]
	limit := m.arrive(i, alg)
	start := time.Now()
	key, err := m.pool.Get(ctx, alg)
	waited := time.Since(start)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.waiting, i)
	assert.LessOrEqual(m.t, waited, limit, "%s: nobody waits for who came later", alg)
	if err != nil {
		m.checkError(ctx, err, waited, patience)
		return
	}
	assert.Equal(m.t, alg, m.keys[key])
	assert.False(m.t, m.taken[key], "handed out once")
	assert.NotZero(m.t, secret(key).Sign(), "and not wiped")
	m.taken[key] = true
	if alg == keygen.ECDSAP256 {
		return
	}
	for later, when := range m.served[alg] {
		assert.False(m.t, later > i && when.Before(time.Now()), "%s: in the order of arrival", alg)
	}
	m.served[alg][i] = time.Now()
}

// arrive returns how long the caller may have to wait: for the keys that are being made, for those of the callers before
// it, on all workers, and for its own.
func (m *poolModel) arrive(i int, alg keygen.Algorithm) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if alg == keygen.ECDSAP256 {
		return takes(alg)
	}
	before := time.Duration(0)
	for _, other := range m.waiting {
		before += takes(other)
	}
	m.waiting[i] = alg
	return before/time.Duration(m.config.Workers) + takes(keygen.RSA4096) + takes(alg)
}

func (m *poolModel) checkError(ctx context.Context, err error, waited, patience time.Duration) {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		assert.Error(m.t, ctx.Err())
		assert.Equal(m.t, patience, waited, "not later")
	case errors.Is(err, net.ErrClosed):
		assert.True(m.t, m.closed)
	default:
		assert.ErrorIs(m.t, err, errBroken)
	}
}

// checkFigures counts keys and callers, while nothing happens.
func (m *poolModel) checkFigures() {
	m.mu.Lock()
	defer m.mu.Unlock()
	made, taken, waiting, wiped := map[keygen.Algorithm]uint64{}, map[keygen.Algorithm]uint64{}, map[keygen.Algorithm]int{}, map[keygen.Algorithm]int{}
	for key, alg := range m.keys {
		made[alg]++
		if m.taken[key] {
			taken[alg]++
		} else if secret(key).Sign() == 0 {
			wiped[alg]++
		}
	}
	for _, alg := range m.waiting {
		waiting[alg]++
	}
	all, ready := m.pool.Stats(), 0
	for _, alg := range keygen.Algorithms() {
		f := all[alg]
		ready += f.Ready
		assert.Equal(m.t, made[alg], f.Made, "%s made", alg)
		assert.Equal(m.t, taken[alg], f.Taken, "%s taken", alg)
		assert.Equal(m.t, m.failed[alg], f.Failed, "%s failed", alg)
		assert.Equal(m.t, waiting[alg], f.Waiting, "%s waiting", alg)
		assert.LessOrEqual(m.t, f.Ready, m.config.Ready[alg])
		assert.Equal(m.t, int(made[alg]-taken[alg]), f.Ready+wiped[alg], "%s: ready or wiped", alg)
	}
	if m.closed {
		assert.Zero(m.t, ready)
	}
}
