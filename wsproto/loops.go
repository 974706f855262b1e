package wsproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// readLoop reads until the connection ends. It never waits for a handler or a caller. handlers is the context of
// handlers.
func (p *Peer) readLoop(ctx, handlers context.Context, work *sync.WaitGroup) {
	for {
		text, err := p.transport.Read(ctx)
		if err != nil {
			how, ok := errors.AsType[*CloseError](err)
			if !ok {
				how = &CloseError{Code: CloseAbnormal, Remote: true, Cause: err}
			}
			p.end(how)
			return
		}
		f, err := decodeFrame(text)
		if err != nil {
			p.Close(CloseMalformed, err.Error())
			return
		}
		if err := p.dispatch(handlers, f, work); err != nil {
			p.Close(err.Code, err.Reason)
			return
		}
	}
}

// dispatch passes a frame on. Its result says that the connection must be closed.
func (p *Peer) dispatch(ctx context.Context, f *frame, work *sync.WaitGroup) *CloseError {
	if !f.isRequest {
		if f.id == "null" {
			return &CloseError{Code: CloseMalformed, Reason: "an answer to nothing"}
		}
		p.deliver(f)
		return nil
	}
	r := &Request{Method: f.method, Params: f.params, Notification: f.id == ""}
	if r.Notification {
		select {
		case p.notes <- r:
			return nil
		default:
			return &CloseError{Code: CloseFlood, Reason: "too many notifications"}
		}
	}
	if p.busy.Add(1) > MaxInFlight {
		return &CloseError{Code: CloseFlood, Reason: "too many requests in flight"}
	}
	work.Go(func() { p.serve(ctx, f.id, r) })
	return nil
}

// deliver hands an answer to the call that waits for it. One that nobody waits for is dropped.
func (p *Peer) deliver(f *frame) {
	p.mu.Lock()
	wait, ok := p.pending[f.id]
	delete(p.pending, f.id)
	p.mu.Unlock()
	if !ok {
		return
	}
	<-p.slots
	if wait != nil {
		wait <- f // it has room for one
	}
}

// serve handles a request and answers it.
func (p *Peer) serve(ctx context.Context, id string, r *Request) {
	result, err := p.handler(ctx, r)
	o := outgoing{answer: true}
	if after, ok := err.(*afterError); ok {
		o.after = after
		err = after.answer
	}
	if err == nil {
		o.text, err = p.encodeResult(id, result)
	}
	if err != nil {
		o.text = appendError(nil, id, answerError(err))
	}
	select {
	case p.out <- o:
	case <-p.ended:
	}
}

func (p *Peer) encodeResult(id string, result any) ([]byte, error) {
	raw, err := encode(result)
	if err != nil {
		return nil, err
	}
	text := appendResult(nil, id, raw)
	if int64(len(text)) > p.maxMessage.Load() {
		return nil, Errorf(CodeLimit, "the answer is too large")
	}
	return text, nil
}

// answerError is the error object for what a handler returned. Errors of other origin may hold what is none of the
// other side's business.
func answerError(err error) *Error {
	switch e := err.(type) {
	case *Error:
		return &Error{Code: e.Code, Message: bound(e.Message, maxRemoteText), Data: e.Data}
	case ErrorCode:
		return &Error{Code: e, Message: e.name()}
	}
	return &Error{Code: CodeInternal, Message: CodeInternal.name()}
}

// encode writes params or a result. A json.RawMessage stays as it is.
func encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte("{}"), nil
	case json.RawMessage:
		return v, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("wsproto: encoding a message: %w", err)
	}
	return raw, nil
}

// writeLoop sends what is to be sent. It alone writes, so that the time for one message is its own.
func (p *Peer) writeLoop(ctx context.Context) {
	for {
		select {
		case <-p.ended:
			return
		case o := <-p.out:
			if o.answer { // now, so that the other side never sees a slot free before it is
				p.busy.Add(-1)
			}
			if err := p.write(ctx, o.text); err != nil {
				p.writeFailed()
				return
			}
			if o.sent != nil {
				close(o.sent)
			}
			if o.after != nil {
				p.Close(o.after.code, o.after.reason)
				return
			}
		}
	}
}

func (p *Peer) write(ctx context.Context, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, p.opts.WriteTimeout)
	defer cancel()
	return p.transport.Write(ctx, text)
}

// writeFailed waits a little for the read loop to learn why, since the other side may have closed with a code, and
// closes the connection otherwise.
func (p *Peer) writeFailed() {
	timer := time.NewTimer(5 * time.Second)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.Close(CloseTimeout, "cannot write")
	}
}

// noteLoop handles notifications in their order.
func (p *Peer) noteLoop(ctx context.Context) {
	for {
		select {
		case <-p.ended:
			return
		case r := <-p.notes:
			_, err := p.handler(ctx, r)
			if after, ok := err.(*afterError); ok {
				p.Close(after.code, after.reason)
				return
			}
		}
	}
}

// pingLoop asks for a sign of life, the first time after a random part of the interval. Two intervals without one end
// the connection.
func (p *Peer) pingLoop(ctx context.Context) {
	if p.opts.Heartbeat < 0 {
		return
	}
	wait := time.Duration(rand.Int64N(p.heartbeat.Load()))
	for {
		timer := time.NewTimer(wait)
		select {
		case <-p.ended:
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = time.Duration(p.heartbeat.Load())
		pong, cancel := context.WithTimeout(ctx, 2*wait)
		err := p.transport.Ping(pong)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			p.Close(CloseTimeout, "no sign of life")
			return
		}
		if err != nil {
			return // the read loop learns it too
		}
	}
}
