package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/adcskit/adcskit/keygen"
)

// keyPoolConfig says which keys are made ahead: none if it is left out.
type keyPoolConfig struct {
	Ready      map[string]int `json:"ready"`      // how many of each algorithm
	Workers    int            `json:"workers"`    // keys made at once for orders that wait; 0 means one for each processor
	Background int            `json:"background"` // keys made ahead at once; 0 means 1
}

// keyPool is where orders get their keys from, whether any are made ahead or not.
func (c *config) keyPool() (*keygen.Pool, error) {
	pool := keygen.PoolConfig{
		Ready: map[keygen.Algorithm]int{}, Workers: c.KeyPool.Workers, Background: c.KeyPool.Background,
	}
	for name, n := range c.KeyPool.Ready {
		pool.Ready[keygen.Algorithm(name)] = n
	}
	p, err := keygen.NewPool(pool)
	if err != nil {
		return nil, fmt.Errorf("keyPool: %w", err)
	}
	return p, nil
}

// keyPoolWarnings are about keys that are made and that no order may ask for.
func (c *config) keyPoolWarnings() []string {
	var out []string
	for _, alg := range keygen.Algorithms() {
		allowed := slices.ContainsFunc(c.Policy.Keys, func(k string) bool { return strings.EqualFold(k, string(alg)) })
		if c.KeyPool.Ready[string(alg)] > 0 && !allowed {
			out = append(out, fmt.Sprintf("keyPool.ready: %s is not in policy.keys: its keys are never used", alg))
		}
	}
	return out
}

// shown is the line of check.
func (k *keyPoolConfig) shown() string {
	var parts []string
	for _, alg := range keygen.Algorithms() {
		if n := k.Ready[string(alg)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, alg))
		}
	}
	if len(parts) == 0 {
		return "none made ahead"
	}
	return strings.Join(parts, ", ") + " made ahead"
}

// figuresEvery is how often the figures of the pool are logged, if keys are made ahead.
const figuresEvery = time.Hour

// makeKeys makes keys ahead, and logs how that goes, until stop is called, which wipes those that are left.
func (s *service) makeKeys(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var making sync.WaitGroup
	making.Go(func() { _ = s.pool.Run(ctx) }) // it ends with ctx, and for nothing else
	making.Go(func() {
		ticker := time.NewTicker(figuresEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.figures()
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		making.Wait()
		s.figures()
		_ = s.pool.Close() // always nil
	}
}

// figures logs those of each algorithm of which keys are made ahead.
func (s *service) figures() {
	all := s.pool.Stats()
	for _, alg := range keygen.Algorithms() {
		f := all[alg]
		if s.config.KeyPool.Ready[string(alg)] == 0 {
			continue
		}
		mean := time.Duration(0)
		if f.Waited > 0 {
			mean = (f.WaitTime / time.Duration(f.Waited)).Round(time.Millisecond)
		}
		s.log.Info("key pool", "key", alg, "ready", f.Ready, "made", f.Made, "taken", f.Taken,
			"waited", f.Waited, "meanWait", mean, "waiting", f.Waiting, "failed", f.Failed)
	}
}
