package keygen

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"
)

// maxReady bounds the keys that a pool holds ready of one algorithm.
const maxReady = 4096

// pause is how long after a key was handed out others are made ahead. A goroutine that makes an RSA key holds a processor
// for 10 ms at a time: if each of them had one, the next callers would wait as long for keys that are ready.
const pause = 10 * time.Millisecond

// PoolConfig says what a pool makes ahead, and with how much of the machine. The zero value makes nothing ahead.
type PoolConfig struct {
	// Ready is the number of key pairs to hold ready by algorithm, at most 4096 each. Each is a private key in memory.
	Ready map[Algorithm]int
	// Workers bounds the keys that are made at the same time for those who wait; 0 means one for each processor
	// (GOMAXPROCS).
	Workers int
	// Background bounds the keys that are made ahead at the same time; 0 means 1. None is begun while anybody waits, and it
	// begins 10 ms after a key was handed out, so that a burst has the processors to itself. Fewer than there are processors
	// leave some free for whoever comes while keys are made.
	Background int
}

// Pool hands out key pairs: one that is ready, or else one that it makes. Elliptic-curve keys that are not ready are
// made by the caller's own goroutine, since that takes less than a millisecond; for RSA keys callers wait in the order
// in which they came, whatever the size, and as many keys are made at once as Workers allows.
//
// Without [Pool.Run] nothing is made ahead. Each key is handed out once, and the pool does not keep it. All methods are
// safe for concurrent use.
type Pool struct {
	ready               map[Algorithm]int // how many there should be
	workers, background int
	generate            func(Algorithm) (crypto.Signer, error)

	mu      sync.Mutex
	changed sync.Cond // a maker ended
	stock   map[Algorithm][]crypto.Signer
	coming  map[Algorithm]int // being made
	waiting []*waiter         // in the order of arrival
	figures map[Algorithm]*PoolStats
	making  int  // for those who wait
	filling int  // ahead
	running bool // Run is under way
	ahead   bool // it wants keys
	closed  bool
	stop    chan struct{} // closed by Close
	calm    chan struct{} // of length 1: nobody waits, and keys were handed out
}

// waiter is a call of Get that waits for a key.
type waiter struct {
	alg   Algorithm
	since time.Time
	got   chan made // of length 1
}

// made is a key, or why there is none.
type made struct {
	key crypto.Signer
	err error
}

// PoolStats are the figures of one algorithm. Ready, Making and Waiting are those of now, the others count from the
// beginning.
type PoolStats struct {
	Ready   int // keys that the next callers get at once
	Making  int // keys that are being made, for callers or ahead
	Waiting int // callers that wait

	Made     uint64        // keys made
	Taken    uint64        // keys handed out
	Waited   uint64        // of them, those whose caller waited for one; for elliptic curves callers make it themselves
	WaitTime time.Duration // how long these waited, together
	Failed   uint64        // keys that could not be made
}

// NewPool checks the configuration and returns a pool. It makes no key and starts nothing.
func NewPool(config PoolConfig) (*Pool, error) {
	if config.Workers < 0 || config.Background < 0 {
		return nil, errors.New("keygen: a pool cannot have less than no workers")
	}
	p := &Pool{
		ready: map[Algorithm]int{}, workers: config.Workers, background: config.Background, generate: Generate,
		stock: map[Algorithm][]crypto.Signer{}, coming: map[Algorithm]int{}, figures: map[Algorithm]*PoolStats{},
		stop: make(chan struct{}), calm: make(chan struct{}, 1),
	}
	p.changed.L = &p.mu
	if p.workers == 0 {
		p.workers = runtime.GOMAXPROCS(0)
	}
	if p.background == 0 {
		p.background = 1
	}
	for alg, n := range config.Ready {
		if _, err := ParseAlgorithm(string(alg)); err != nil {
			return nil, err
		}
		if n < 0 || n > maxReady {
			return nil, fmt.Errorf("keygen: a pool holds 0 to %d keys of the algorithm %s ready, not %d", maxReady, alg, n)
		}
		p.ready[alg] = n
	}
	for _, alg := range Algorithms() {
		p.figures[alg] = &PoolStats{}
	}
	return p, nil
}

// Run makes keys ahead until ctx ends, and returns its cause once no key is being made ahead any more; the keys that
// are ready stay. After [Pool.Close] it returns [net.ErrClosed]. Only one Run may be under way.
func (p *Pool) Run(ctx context.Context) error {
	p.mu.Lock()
	if p.closed || p.running {
		defer p.mu.Unlock()
		if p.closed {
			return net.ErrClosed
		}
		return errors.New("keygen: the pool is running already")
	}
	p.running, p.ahead = true, true
	p.fill()
	p.mu.Unlock()

	err := p.refill(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead = false
	for p.filling > 0 {
		p.changed.Wait()
	}
	p.running = false
	return err
}

// refill begins to make keys ahead a while after some were handed out, until ctx ends or the pool is closed.
func (p *Pool) refill(ctx context.Context) error {
	var begin <-chan time.Time // nil while there is no reason
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.stop:
			return net.ErrClosed
		case <-p.calm:
			if begin == nil {
				begin = time.After(pause)
			}
		case <-begin:
			begin = nil
			p.mu.Lock()
			p.fill()
			p.mu.Unlock()
		}
	}
}

// Get returns a key pair of the algorithm. Whoever waits is served in the order of arrival, by a key that becomes ready
// or by one made for the purpose. The error is the cause of ctx, [net.ErrClosed] after [Pool.Close], matches
// [ErrAlgorithm], or is the generator's.
//
// The key is the caller's, to [Wipe] when done. A key that was being made for a caller who gave up goes to the next
// one, or becomes ready for later if there is room.
func (p *Pool) Get(ctx context.Context, alg Algorithm) (crypto.Signer, error) {
	if _, err := ParseAlgorithm(string(alg)); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, net.ErrClosed
	}
	if key := p.take(alg); key != nil {
		p.serve()
		p.mu.Unlock()
		return key, nil
	}
	if alg.curve() != nil {
		p.mu.Unlock()
		return p.makeHere(alg)
	}
	w := &waiter{alg: alg, since: time.Now(), got: make(chan made, 1)}
	p.waiting = append(p.waiting, w)
	p.figures[alg].Waiting++
	p.serve()
	p.mu.Unlock()
	return p.wait(ctx, w)
}

// wait returns what w gets, or gives up with ctx.
func (p *Pool) wait(ctx context.Context, w *waiter) (crypto.Signer, error) {
	select {
	case m := <-w.got:
		return m.key, m.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.leave(w) { // the key came at the same moment
		m := <-w.got
		return m.key, m.err
	}
	p.serve()
	return nil, context.Cause(ctx)
}

// Stats returns the figures of every algorithm.
func (p *Pool) Stats() map[Algorithm]PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[Algorithm]PoolStats, len(p.figures))
	for alg, figures := range p.figures {
		now := *figures
		now.Ready, now.Making = len(p.stock[alg]), p.coming[alg]
		all[alg] = now
	}
	return all
}

// String says how many keys are ready, and nothing about them.
func (p *Pool) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready := 0
	for _, keys := range p.stock {
		ready += len(keys)
	}
	return fmt.Sprintf("keygen.Pool{%d ready}", ready)
}

// GoString is String: a pool never prints its keys.
func (p *Pool) GoString() string { return p.String() }

// Close ends Run and all waiting, waits for the keys that are being made (seconds for RSA of 4096 bits, since the
// standard library cannot be interrupted) and wipes all that is ready. Further calls wait for the same.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.stop)
		for _, w := range p.waiting {
			p.figures[w.alg].Waiting--
			w.got <- made{err: net.ErrClosed}
		}
		p.waiting = nil
		for alg, keys := range p.stock {
			for _, key := range keys {
				Wipe(key)
			}
			delete(p.stock, alg)
		}
	}
	for p.making+p.filling > 0 {
		p.changed.Wait()
	}
	return nil
}
