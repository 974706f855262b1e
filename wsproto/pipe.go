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
	network := &pipeNetwork{cut: make(chan struct{})}
	a := &PipeEnd{network: network, in: make(chan pipeMessage, pipeBuffer), closed: make(chan struct{})}
	b := &PipeEnd{network: network, in: make(chan pipeMessage, pipeBuffer), closed: make(chan struct{})}
	a.other, b.other = b, a
	return a, b
}

// PipeEnd is one end of a [Pipe].
type PipeEnd struct {
	network *pipeNetwork
	in      chan pipeMessage
	other   *PipeEnd
	closed  chan struct{} // this end knows that the connection is over
	how     *CloseError   // written before closed is closed
}

// pipeNetwork is what lies between the ends.
type pipeNetwork struct {
	mu    sync.Mutex    // protects isCut, and how of both ends
	cut   chan struct{} // closed by Partition
	isCut bool
}

// pipeMessage is a message, or a ping to be answered.
type pipeMessage struct {
	text []byte
	pong chan struct{}
}

// end ends the connection for this end and, unless the network swallows it, for the other.
func (e *PipeEnd) end(here, there CloseError) {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	e.learn(here)
	if !e.network.isCut {
		e.other.learn(there)
	}
}

func (e *PipeEnd) learn(how CloseError) {
	if e.how == nil {
		e.how = &how
		close(e.closed)
	}
}

// Read implements [Transport].
func (e *PipeEnd) Read(ctx context.Context) ([]byte, error) {
	for {
		select {
		case m := <-e.in:
			if e.closedHere() {
				return nil, e.how
			}
			if m.pong == nil {
				return m.text, nil
			}
			close(m.pong)
		case <-e.closed:
			if len(e.in) == 0 || e.closedHere() { // what was sent before the close arrives before it
				return nil, e.how
			}
		case <-ctx.Done():
			e.Cut()
			return nil, ctx.Err()
		}
	}
}

// closedHere reports whether this end has closed the connection itself: then it reads no more.
func (e *PipeEnd) closedHere() bool {
	select {
	case <-e.closed:
		return !e.how.Remote
	default:
		return false
	}
}

// Write implements [Transport].
func (e *PipeEnd) Write(ctx context.Context, message []byte) error {
	return e.send(ctx, pipeMessage{text: bytes.Clone(message)})
}

func (e *PipeEnd) send(ctx context.Context, m pipeMessage) error {
	select {
	case <-e.closed:
		return e.how
	case <-e.network.cut:
		return nil // the network swallows it
	default:
	}
	select {
	case e.other.in <- m:
		return nil
	case <-e.network.cut:
		return nil
	case <-e.closed:
		return e.how
	case <-ctx.Done():
		e.Cut()
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
	case <-e.closed:
		return e.how
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements [Transport]. In a partition the other end does not learn of it.
func (e *PipeEnd) Close(code CloseCode, reason string) error {
	reason = bound(reason, MaxCloseReason)
	e.end(CloseError{Code: code, Reason: reason}, CloseError{Code: code, Reason: reason, Remote: true})
	return nil
}

// Cut breaks the connection without a close frame: both ends see [CloseAbnormal].
func (e *PipeEnd) Cut() {
	broken := CloseError{Code: CloseAbnormal, Remote: true}
	e.end(broken, broken)
}

// Partition makes the network between the ends swallow everything from now on, without either end noticing but by the
// silence: writes succeed, pings are not answered.
func (e *PipeEnd) Partition() {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	if !e.network.isCut {
		e.network.isCut = true
		close(e.network.cut)
	}
}
