package wsproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Request is a request or notification of the other side.
type Request struct {
	Method       string
	Params       json.RawMessage // the exact bytes as they stood in the frame; nil when there are none
	Notification bool            // nobody waits for an answer
}

// String names the method and tells nothing of the params, which may hold a password.
func (r Request) String() string {
	return fmt.Sprintf("%q with %d bytes of params", r.Method, len(r.Params))
}

// Format writes what String returns, whatever the verb.
func (r Request) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue returns what String returns.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Decode decodes the params strictly (see [Unmarshal]) into one of the messages of this package, and checks its bounds.
// The error is an *Error with [CodeInvalidParams], fit to be returned from a [Handler].
func (r *Request) Decode(v any) error {
	if len(r.Params) == 0 || r.Params[0] != '{' {
		return Errorf(CodeInvalidParams, "the params are no object")
	}
	if err := decodeMessage(r.Params, v); err != nil {
		return Errorf(CodeInvalidParams, "%v", err)
	}
	return nil
}

// decodeMessage decodes a message and checks its bounds.
func decodeMessage(text []byte, v any) error {
	if err := Unmarshal(text, v); err != nil {
		return err
	}
	if m, ok := v.(interface{ Validate() error }); ok {
		return m.Validate()
	}
	return nil
}

// Handler answers the requests of the other side. Requests are handled concurrently, each on a goroutine of its own;
// notifications one after the other in their order, on another. It may block; ctx ends with the connection. A
// json.RawMessage is sent as it is, a nil result as an empty object. To answer with an error, return an *Error or an
// [ErrorCode] itself, not wrapped; anything else becomes [CodeInternal] without its text. [CloseAfter] answers and
// closes. The result of a notification is dropped.
type Handler func(ctx context.Context, r *Request) (any, error)

// PeerOptions change a [Peer]. Zero fields mean the defaults.
type PeerOptions struct {
	Heartbeat    time.Duration // between two pings; default 25 s; negative: no pings
	WriteTimeout time.Duration // for one message; then the connection ends; default 30 s
	MaxMessage   int           // bytes that the other side accepts in one message; default DefaultMaxMessage
}

// Peer speaks JSON-RPC 2.0 in both directions on one connection. [Peer.Run] does the work; the other methods may be
// called from any goroutine, also from a handler.
type Peer struct {
	transport Transport
	handler   Handler
	opts      PeerOptions

	heartbeat  atomic.Int64 // nanoseconds
	maxMessage atomic.Int64

	out   chan outgoing
	notes chan *Request
	slots chan struct{} // one for each request of this side that has no answer yet
	busy  atomic.Int64  // requests of the other side whose answer is not on its way yet

	ended chan struct{} // closed when the connection has ended or is about to

	mu      sync.Mutex // protects what follows
	cause   *CloseError
	nextID  uint64
	pending map[string]chan *frame // by the text of the id; nil: nobody waits any more
	running bool
}

// outgoing is a message on its way to the writer.
type outgoing struct {
	text   []byte
	answer bool          // to a request of the other side
	sent   chan struct{} // closed when it was handed to the transport; may be nil
	after  *afterError   // close after it; may be nil
}

// NewPeer makes a Peer of a transport, which it owns from now on. handler may be nil: then every request is answered
// with [CodeMethodNotFound]. opts may be nil.
func NewPeer(t Transport, handler Handler, opts *PeerOptions) *Peer {
	p := &Peer{
		transport: t, handler: handler,
		out:     make(chan outgoing),
		notes:   make(chan *Request, MaxInFlight),
		slots:   make(chan struct{}, MaxInFlight),
		ended:   make(chan struct{}),
		pending: make(map[string]chan *frame),
	}
	if opts != nil {
		p.opts = *opts
	}
	if p.opts.Heartbeat == 0 {
		p.opts.Heartbeat = 25 * time.Second
	}
	if p.opts.WriteTimeout <= 0 {
		p.opts.WriteTimeout = 30 * time.Second
	}
	if p.opts.MaxMessage <= 0 {
		p.opts.MaxMessage = DefaultMaxMessage
	}
	if p.handler == nil {
		p.handler = func(context.Context, *Request) (any, error) { return nil, CodeMethodNotFound }
	}
	p.heartbeat.Store(int64(p.opts.Heartbeat))
	p.maxMessage.Store(int64(p.opts.MaxMessage))
	return p
}

// Apply takes over the limits that a gateway granted: the largest message, and the heartbeat if it is shorter than its
// own.
func (p *Peer) Apply(l Limits) {
	if l.MaxMessageBytes > 0 {
		p.maxMessage.Store(int64(l.MaxMessageBytes))
	}
	if beat := int64(l.HeartbeatMS) * int64(time.Millisecond); beat > 0 && beat < p.heartbeat.Load() {
		p.heartbeat.Store(beat)
	}
}

// errRunTwice says that Run was called twice.
var errRunTwice = errors.New("wsproto: Peer.Run was called twice")

// Run reads, writes and pings until the connection ends, or closes it with [CloseGoingAway] when ctx ends. It waits for
// every handler to return and says how the connection ended: the error is a *CloseError. It can be called once.
func (p *Peer) Run(ctx context.Context) error {
	p.mu.Lock()
	if p.running {
		p.mu.Unlock()
		return errRunTwice
	}
	p.running = true
	p.mu.Unlock()

	// The connection's own context does not end with ctx: closing needs the read loop.
	conn, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { p.Close(CloseGoingAway, "") })
	defer stop()

	handlers, stopHandlers := context.WithCancel(conn)
	defer stopHandlers()
	var work sync.WaitGroup
	work.Go(func() { <-p.ended; stopHandlers() })
	work.Go(func() { p.writeLoop(conn) })
	work.Go(func() { p.noteLoop(handlers) })
	work.Go(func() { p.pingLoop(conn) })
	p.readLoop(conn, handlers, &work)
	cancel()
	p.transport.Close(CloseNormal, "")
	work.Wait()
	return p.Err()
}

// Err returns how the connection ended, a *CloseError, or nil while it lasts.
func (p *Peer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		return nil
	}
	return p.cause
}

// Done returns a channel that is closed when the connection has ended or is about to.
func (p *Peer) Done() <-chan struct{} { return p.ended }

// Close closes the connection. Calls that wait for an answer end with an error. It is idempotent, may be called from a
// handler, and therefore does not wait for Run, which returns soon after.
func (p *Peer) Close(code CloseCode, reason string) error {
	p.end(&CloseError{Code: code, Reason: bound(reason, MaxCloseReason)})
	return p.transport.Close(code, reason)
}

// end records how the connection ended, the first time.
func (p *Peer) end(how *CloseError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		p.cause = how
		close(p.ended)
	}
}
