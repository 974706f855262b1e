package keygen_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// burst asks for n RSA-2048 keys at once and returns how long each caller waited, and all of them together.
func burst(b *testing.B, pool *keygen.Pool, n int) (waits []time.Duration, all time.Duration) {
	b.Helper()
	waits = make([]time.Duration, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range n {
		wg.Go(func() {
			began := time.Now()
			_, errs[i] = pool.Get(b.Context(), keygen.RSA2048)
			waits[i] = time.Since(began)
		})
	}
	wg.Wait()
	all = time.Since(start)
	for _, err := range errs {
		require.NoError(b, err)
	}
	slices.Sort(waits)
	return waits, all
}

// single returns how many RSA-2048 keys one goroutine makes in a second with the standard library alone.
func single(b *testing.B, n int) float64 {
	b.Helper()
	start := time.Now()
	for range n {
		_, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(b, err)
	}
	return float64(n) / time.Since(start).Seconds()
}

// BenchmarkPoolCold has 1,000 callers (100 with -short) ask a pool at once that has nothing ready. The ratio is that of
// its keys in a second to what crypto/rsa makes on one processor, before and after, times the number of processors.
func BenchmarkPoolCold(b *testing.B) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	for b.Loop() {
		before := single(b, n/4)
		pool, err := keygen.NewPool(keygen.PoolConfig{})
		require.NoError(b, err)
		waits, all := burst(b, pool, n)
		require.NoError(b, pool.Close())
		after := single(b, n/4)

		one := 2 / (1/before + 1/after)
		rate := float64(n) / all.Seconds()
		b.ReportMetric(rate, "keys/s")
		b.ReportMetric(one, "single-keys/s")
		b.ReportMetric(rate/one/float64(runtime.GOMAXPROCS(0)), "ratio")
		b.ReportMetric(waits[n/2].Seconds()*1e3, "median-ms")
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkPoolWarm has as many callers ask at once as keys are ready: 200 (20 with -short).
func BenchmarkPoolWarm(b *testing.B) {
	n := 200
	if testing.Short() {
		n = 20
	}
	for b.Loop() {
		pool, err := keygen.NewPool(keygen.PoolConfig{
			Ready: map[keygen.Algorithm]int{keygen.RSA2048: n}, Background: runtime.GOMAXPROCS(0),
		})
		require.NoError(b, err)
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- pool.Run(ctx) }()
		for pool.Stats()[keygen.RSA2048].Ready < n {
			time.Sleep(10 * time.Millisecond)
		}
		waits, _ := burst(b, pool, n)
		cancel()
		<-done
		require.NoError(b, pool.Close())
		b.ReportMetric(waits[n/2].Seconds()*1e6, "median-µs")
		b.ReportMetric(waits[n-1].Seconds()*1e6, "max-µs")
		b.ReportMetric(0, "ns/op")
	}
}
