package adcs

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// maxIdle is how long a connection may rest before it is not used again. Firewalls forget connections without telling
// anybody, and a request that is lost on one leaves its outcome unknown; a new connection costs three round trips.
const maxIdle = 10 * time.Second

// checkIdle is the rest after which a connection is looked at before it is used.
const checkIdle = 50 * time.Millisecond

// pool bounds the sessions of a client and keeps those that are at rest. It starts no goroutine; a session at
// rest that is too old is closed when the next one is taken.
type pool struct {
	slots chan struct{}    // one token for each session in use
	now   func() time.Time // for tests

	mu     sync.Mutex
	idle   []idleConn // the one that rested least comes last
	closed bool
	calls  sync.WaitGroup
	done   context.Context // ends when the pool is closed
	cancel context.CancelCauseFunc
}

type idleConn struct {
	conn  session
	since time.Time
}

func newPool(size int) *pool {
	p := &pool{slots: make(chan struct{}, size), now: time.Now}
	p.done, p.cancel = context.WithCancelCause(context.Background())
	return p
}

// enter begins a call: it ends with ctx, after timeout, or when the pool is closed, whatever is first. The returned
// function ends it.
func (p *pool) enter(ctx context.Context, timeout time.Duration) (context.Context, func(), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, net.ErrClosed
	}
	p.calls.Add(1)
	ctx, cancelTimeout := context.WithTimeout(ctx, timeout)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.done, func() { cancel(net.ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
		cancelTimeout()
		p.calls.Done()
	}, nil
}

// acquire takes the right to one session. release gives it back.
func (p *pool) acquire(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return assoc.Ended(ctx)
	}
	// The contexts of calls end a moment after the pool is closed, one after the other: what the first of them frees is
	// not for another one that has not heard of it.
	if p.done.Err() != nil {
		p.release()
		return net.ErrClosed
	}
	return nil
}

func (p *pool) release() { <-p.slots }

// take returns a session at rest that still works, or nil.
func (p *pool) take(ctx context.Context) session {
	now := p.now()
	var old []session
	defer func() { closeAll(old) }()
	for {
		p.mu.Lock()
		if len(p.idle) == 0 {
			p.mu.Unlock()
			return nil
		}
		last := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		p.mu.Unlock()
		rest := now.Sub(last.since)
		if rest <= maxIdle && (rest < checkIdle || last.conn.Alive(ctx)) {
			return last.conn
		}
		old = append(old, last.conn)
	}
}

// closeAll closes sessions at the same time, since each may wait a moment for a server that is silent.
func closeAll(sessions []session) {
	var wait sync.WaitGroup
	for _, s := range sessions {
		wait.Go(func() { s.Close() })
	}
	wait.Wait()
}

// put returns a session that works.
func (p *pool) put(c session) {
	closeAll(p.rest(c))
}

// rest lays a session to rest, and returns those that have to be closed: closing one can take a while, for which nobody
// else should wait.
func (p *pool) rest(c session) (old []session) {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return []session{c}
	}
	for len(p.idle) > 0 && now.Sub(p.idle[0].since) > maxIdle {
		old = append(old, p.idle[0].conn)
		p.idle = p.idle[1:]
	}
	p.idle = append(p.idle, idleConn{c, now})
	return old
}

// close ends every call, waits for them, and closes what is at rest, all at the same time.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel(net.ErrClosed)
	p.calls.Wait()
	p.mu.Lock()
	var idle []session
	for _, c := range p.idle {
		idle = append(idle, c.conn)
	}
	p.idle = nil
	p.mu.Unlock()
	closeAll(idle)
}
