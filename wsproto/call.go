package wsproto

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// Call sends a request, waits for its answer, decodes it strictly into result and checks its bounds (result may be
// nil). params is one of the messages of this package, or a json.RawMessage that is sent as it is.
//
// Errors: an *Error when the other side answered with one; one that matches [ErrConnectionLost] when the connection
// ended first, and net.ErrClosed too when this side closed it: the request may have been executed then; [ErrTooLarge]
// when nothing was sent; one that matches [ErrSyntax] or [ErrBounds] when the answer is malformed; that of ctx when it
// ended first, which leaves the connection as it is.
func (p *Peer) Call(ctx context.Context, method string, params, result any) error {
	raw, err := encode(params)
	if err != nil {
		return err
	}
	answer, err := p.CallRaw(ctx, method, raw)
	if err != nil || result == nil {
		return err
	}
	if err := decodeMessage(answer, result); err != nil {
		return fmt.Errorf("wsproto: answer to %s: %w", method, err)
	}
	return nil
}

// CallRaw is Call without encoding and decoding: params are sent exactly as they are, which must be the JSON text of an
// object, and the result is the exact text of the answer.
func (p *Peer) CallRaw(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	if !validMethod(method) {
		return nil, fmt.Errorf("wsproto: %q cannot be a method", bound(method, maxMethod))
	}
	select { // a slot is free again when the answer has come, even if nobody waits for it any more
	case p.slots <- struct{}{}:
	case <-p.ended:
		return nil, p.lost(method)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	wait := make(chan *frame, 1)
	number, key := p.register(wait)
	text := appendRequest(nil, number, method, params)
	if err := p.send(ctx, method, text, nil); err != nil {
		p.forget(key)
		return nil, err
	}
	select {
	case f := <-wait:
		return f.answer()
	case <-p.ended:
		select {
		case f := <-wait: // it came just before
			return f.answer()
		default:
			return nil, p.lost(method)
		}
	case <-ctx.Done():
		p.abandon(key)
		return nil, ctx.Err()
	}
}

// answer returns the result, or the error object as an error.
func (f *frame) answer() (json.RawMessage, error) {
	if f.failure != nil {
		return nil, f.failure
	}
	return f.result, nil
}

// Notify sends a notification. It returns when the message was handed to the transport; errors are those of
// [Peer.Call].
func (p *Peer) Notify(ctx context.Context, method string, params any) error {
	if !validMethod(method) {
		return fmt.Errorf("wsproto: %q cannot be a method", bound(method, maxMethod))
	}
	raw, err := encode(params)
	if err != nil {
		return err
	}
	sent := make(chan struct{})
	if err := p.send(ctx, method, appendRequest(nil, 0, method, raw), sent); err != nil {
		return err
	}
	select {
	case <-sent:
		return nil
	case <-p.ended:
		return p.lost(method)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send hands a message to the writer.
func (p *Peer) send(ctx context.Context, method string, text []byte, sent chan struct{}) error {
	if limit := p.maxMessage.Load(); int64(len(text)) > limit {
		return fmt.Errorf("%w: %s has %d bytes, the limit is %d", ErrTooLarge, method, len(text), limit)
	}
	select {
	case <-p.ended: // the writer might still be there
		return p.lost(method)
	default:
	}
	select {
	case p.out <- outgoing{text: text, sent: sent}:
		return nil
	case <-p.ended:
		return p.lost(method)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lost says that the connection ended during a call.
func (p *Peer) lost(method string) error {
	return fmt.Errorf("wsproto: %s: %w", method, p.Err())
}

func (p *Peer) register(wait chan *frame) (number uint64, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nextID++
	key = strconv.FormatUint(p.nextID, 10)
	p.pending[key] = wait
	return p.nextID, key
}

// forget takes back a request that was not sent. Its slot is gone already if the other side has guessed its id and
// answered it.
func (p *Peer) forget(key string) {
	p.mu.Lock()
	_, ok := p.pending[key]
	delete(p.pending, key)
	p.mu.Unlock()
	if ok {
		<-p.slots
	}
}

// abandon keeps the slot of a request whose answer nobody waits for, until it comes.
func (p *Peer) abandon(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.pending[key]; ok {
		p.pending[key] = nil
	}
}
