//go:build unix

package keygen_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// burst asks for n RSA-2048 keys at once and returns how long the callers waited since the beginning, in order.
func burst(b *testing.B, pool *keygen.Pool, n int) []time.Duration {
	b.Helper()
	waits := make([]time.Duration, n)
	errs := make([]error, n)
	var wg, there sync.WaitGroup
	var start time.Time
	begin := make(chan struct{})
	for i := range n {
		there.Add(1)
		wg.Go(func() {
			there.Done()
			<-begin
			_, errs[i] = pool.Get(b.Context(), keygen.RSA2048)
			waits[i] = time.Since(start)
		})
	}
	there.Wait()
	start = time.Now()
	close(begin)
	wg.Wait()
	for _, err := range errs {
		require.NoError(b, err)
	}
	slices.Sort(waits)
	return waits
}

// single makes n RSA-2048 keys with the standard library alone, one after the other.
func single(b *testing.B, n int) {
	b.Helper()
	for range n {
		_, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(b, err)
	}
}

// timed returns how long f took, and the processor time that this program used meanwhile.
func timed(b *testing.B, f func()) (all, cpu time.Duration) {
	b.Helper()
	used := func() time.Duration {
		var usage syscall.Rusage
		require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	start, before := time.Now(), used()
	f()
	return time.Since(start), used() - before
}

// BenchmarkPoolCold has 1,000 callers (100 with -short) ask a pool at once that has nothing ready. One goroutine with the
// standard library alone makes as many, half of them before and half after.
//
// The ratio is keys in a second to those of the one goroutine times the number of processors. Whatever else runs on the
// machine takes more from all processors than from one, so two more figures leave that out: busy is the share of the
// processors in which the pool was making keys, from beginning to end, and cpu-ratio is busy times the processor time of
// the one goroutine to that of the pool.
func BenchmarkPoolCold(b *testing.B) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	cpus := float64(runtime.GOMAXPROCS(0))
	for b.Loop() {
		pool, err := keygen.NewPool(keygen.PoolConfig{})
		require.NoError(b, err)
		var making atomic.Int64
		pool.SetGenerator(func(alg keygen.Algorithm) (crypto.Signer, error) {
			start := time.Now()
			defer func() { making.Add(int64(time.Since(start))) }()
			return keygen.Generate(alg)
		})
		var waits []time.Duration
		before, cpuBefore := timed(b, func() { single(b, n/2) })
		all, cpu := timed(b, func() { waits = burst(b, pool, n) })
		after, cpuAfter := timed(b, func() { single(b, n/2) })
		require.NoError(b, pool.Close())

		busy := time.Duration(making.Load()).Seconds() / all.Seconds() / cpus
		b.ReportMetric(float64(n)/all.Seconds(), "keys/s")
		b.ReportMetric(float64(n)/(before+after).Seconds(), "single-keys/s")
		b.ReportMetric((before+after).Seconds()/all.Seconds()/cpus, "ratio")
		b.ReportMetric(busy, "busy")
		b.ReportMetric(busy*(cpuBefore+cpuAfter).Seconds()/cpu.Seconds(), "cpu-ratio")
		b.ReportMetric(waits[n/2].Seconds()*1e3, "median-ms")
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkPoolWarm has as many callers ask at once as keys are ready, 200 (20 with -short), and makes others ahead with
// one processor, or all.
func BenchmarkPoolWarm(b *testing.B) {
	n := 200
	if testing.Short() {
		n = 20
	}
	for _, background := range []int{1, runtime.GOMAXPROCS(0)} {
		b.Run(fmt.Sprintf("background=%d", background), func(b *testing.B) {
			pool, err := keygen.NewPool(keygen.PoolConfig{
				Ready: map[keygen.Algorithm]int{keygen.RSA2048: n}, Background: background,
			})
			require.NoError(b, err)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- pool.Run(ctx) }()
			for b.Loop() {
				for pool.Stats()[keygen.RSA2048].Ready < n {
					time.Sleep(10 * time.Millisecond)
				}
				waits := burst(b, pool, n)
				b.ReportMetric(waits[n/2].Seconds()*1e6, "median-µs")
				b.ReportMetric(waits[n-1].Seconds()*1e6, "max-µs")
				b.ReportMetric(0, "ns/op")
			}
			cancel()
			<-done
			require.NoError(b, pool.Close())
		})
	}
}
