package wsproto

import (
	"bytes"
	"context"
	"sync"
)

// pipeBuffer is how many messages one direction of a pipe holds before Write blocks.
const pipeBuffer = 64

// Pipe returns the two ends of a connection in memory, for tests. It works inside testing/synctest.
func Pipe() (*PipeEnd, *PipeEnd) {
	p := &pipe{closed: make(chan struct{}), cut: make(chan struct{})}
	a := &PipeEnd{pipe: p, in: make(chan pipeMessage, pipeBuffer)}
	b := &PipeEnd{pipe: p, in: make(chan pipeMessage, pipeBuffer)}
	a.other, b.other = b, a
	return a, b
}

// PipeEnd is one end of a [Pipe].
type PipeEnd struct {
	pipe  *pipe
	in    chan pipeMessage
	other *PipeEnd
}

// pipe is what both ends share.
type pipe struct {
	closed chan struct{}
	mu     sync.Mutex // protects what follows
	closer *PipeEnd   // nil: nobody, it broke
	code   CloseCode
	reason string
	isOver bool
	cut    chan struct{} // closed by Partition
	isCut  bool
}

// pipeMessage is a message, or a ping to be answered.
type pipeMessage struct {
	text []byte
	pong chan struct{}
}

func (p *pipe) end(closer *PipeEnd, code CloseCode, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isOver {
		return
	}
	p.isOver, p.closer, p.code, p.reason = true, closer, code, bound(reason, MaxCloseReason)
	close(p.closed)
}

// err returns how the connection ended, as this end sees it.
func (e *PipeEnd) err() error {
	e.pipe.mu.Lock()
	defer e.pipe.mu.Unlock()
	return &CloseError{Code: e.pipe.code, Reason: e.pipe.reason, Remote: e.pipe.closer != e}
}

// Read implements [Transport].
func (e *PipeEnd) Read(ctx context.Context) ([]byte, error) {
	for {
		select {
		case m := <-e.in: // what was sent before the close arrives before it
			if text, ok := m.arrive(); ok {
				return text, nil
			}
			continue
		default:
		}
		select {
		case m := <-e.in:
			if text, ok := m.arrive(); ok {
				return text, nil
			}
		case <-e.pipe.closed:
			if len(e.in) > 0 && e.isRemoteClose() {
				continue
			}
			return nil, e.err()
		case <-ctx.Done():
			e.pipe.end(nil, CloseAbnormal, "")
			return nil, ctx.Err()
		}
	}
}

func (e *PipeEnd) isRemoteClose() bool {
	e.pipe.mu.Lock()
	defer e.pipe.mu.Unlock()
	return e.pipe.closer != e
}

func (m pipeMessage) arrive() ([]byte, bool) {
	if m.pong != nil {
		close(m.pong)
		return nil, false
	}
	return m.text, true
}

// Write implements [Transport].
func (e *PipeEnd) Write(ctx context.Context, message []byte) error {
	return e.send(ctx, pipeMessage{text: bytes.Clone(message)})
}

func (e *PipeEnd) send(ctx context.Context, m pipeMessage) error {
	select {
	case <-e.pipe.closed:
		return e.err()
	case <-e.pipe.cut:
		return nil // the network swallows it
	default:
	}
	select {
	case e.other.in <- m:
		return nil
	case <-e.pipe.cut:
		return nil
	case <-e.pipe.closed:
		return e.err()
	case <-ctx.Done():
		e.pipe.end(nil, CloseAbnormal, "")
		return ctx.Err()
	}
}

// Ping implements [Transport].
func (e *PipeEnd) Ping(ctx context.Context) error {
	pong := make(chan struct{})
	if err := e.send(ctx, pipeMessage{pong: pong}); err != nil {
		return err
	}
	select {
	case <-pong:
		return nil
	case <-e.pipe.closed:
		return e.err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements [Transport]. In a partition the other end does not learn of it.
func (e *PipeEnd) Close(code CloseCode, reason string) error {
	select {
	case <-e.pipe.cut:
		e.pipe.end(nil, CloseAbnormal, "")
	default:
		e.pipe.end(e, code, reason)
	}
	return nil
}

// Cut breaks the connection without a close frame: both ends see [CloseAbnormal].
func (e *PipeEnd) Cut() { e.pipe.end(nil, CloseAbnormal, "") }

// Partition makes the network between the ends swallow everything from now on, without either end noticing but by the
// silence: writes succeed, pings are not answered.
func (e *PipeEnd) Partition() {
	e.pipe.mu.Lock()
	defer e.pipe.mu.Unlock()
	if !e.pipe.isCut {
		e.pipe.isCut = true
		close(e.pipe.cut)
	}
}
