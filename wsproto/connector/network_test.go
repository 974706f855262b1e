package connector_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// network is TCP in memory, for use inside a synctest bubble: connections can be cut, or go silent in both directions as
// when a cable is pulled.
type network struct {
	incoming chan net.Conn
	closed   chan struct{}

	mu     sync.Mutex
	links  []*memConn
	silent bool
	next   *network // where dials go instead
}

// moved makes dials arrive at another network, as when a gateway restarts.
func (n *network) moved(to *network) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next = to
}

func newNetwork() *network {
	return &network{incoming: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.incoming:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (n *network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.closed:
	default:
		close(n.closed)
	}
	return nil
}

// Addr implements net.Listener.
func (n *network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443} }

var errUnreachable = errors.New("network: unreachable")

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	if n.next != nil {
		to := n.next
		n.mu.Unlock()
		return to.dial(ctx, "", "")
	}
	if n.silent {
		n.mu.Unlock()
		return nil, errUnreachable
	}
	a, b := net.Pipe()
	link := &state{}
	near, far := &memConn{Conn: a, state: link}, &memConn{Conn: b, state: link}
	n.links = append(n.links, near)
	n.mu.Unlock()
	select {
	case n.incoming <- far:
		return near, nil
	case <-n.closed:
		return nil, errUnreachable
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cut ends every connection at once.
func (n *network) cut() {
	n.mu.Lock()
	links := n.links
	n.links = nil
	n.mu.Unlock()
	for _, l := range links {
		l.Close()
	}
}

// partition makes every connection silent, and new ones impossible until heal.
func (n *network) partition() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent = true
	for _, l := range n.links {
		l.state.silence()
	}
}

func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent = false
}

// state is shared by the two ends of a connection.
type state struct {
	mu     sync.Mutex
	silent bool
}

func (s *state) silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
}

func (s *state) isSilent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.silent
}

type memConn struct {
	net.Conn
	state *state
}

// Write loses everything once the connection is silent, as a network does: the writer is not told.
func (c *memConn) Write(p []byte) (int, error) {
	if c.state.isSilent() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Close is not seen by the other end of a silent connection.
func (c *memConn) Close() error {
	if c.state.isSilent() {
		return c.Conn.SetDeadline(time.Unix(1, 0))
	}
	return c.Conn.Close()
}

func (c *memConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(198, 51, 100, 7), Port: 4711}
}

// webSocket dials the gateway over this network.
func (n *network) webSocket(ctx context.Context) (wsproto.Transport, error) {
	client := &http.Client{Transport: &http.Transport{DialContext: n.dial, DisableKeepAlives: true}}
	ws, err := wsproto.DialWebSocket(ctx, "ws://gateway.test/connect", &wsproto.DialOptions{HTTPClient: client, InsecurePlaintext: true})
	if err != nil {
		return nil, err
	}
	return ws, nil
}

// tapped lets a test see every message, and do something after it.
type tapped struct {
	wsproto.Transport
	tap func(sent bool, message []byte)
}

func (t *tapped) Read(ctx context.Context) ([]byte, error) {
	m, err := t.Transport.Read(ctx)
	if err == nil {
		t.tap(false, m)
	}
	return m, err
}

func (t *tapped) Write(ctx context.Context, m []byte) error {
	err := t.Transport.Write(ctx, m)
	if err == nil {
		t.tap(true, m)
	}
	return err
}

// deafAfter loses everything that is received on a connection after it has sent a message of this method, the first time.
// f is called right after that message was sent.
func (n *node) deafAfter(method string, f func()) {
	dial := n.dial
	var once sync.Once
	n.dial = func(ctx context.Context) (wsproto.Transport, error) {
		t, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		return &deaf{Transport: t, method: method, once: &once, then: f}, nil
	}
}

type deaf struct {
	wsproto.Transport
	method string
	once   *sync.Once
	then   func()
	lost   atomic.Bool
}

func (d *deaf) Write(ctx context.Context, m []byte) error {
	first := false
	if bytes.Contains(m, []byte(`"`+d.method+`"`)) {
		d.once.Do(func() { first = true })
	}
	if first {
		d.lost.Store(true)
	}
	err := d.Transport.Write(ctx, m)
	if first {
		d.then()
	}
	return err
}

func (d *deaf) Read(ctx context.Context) ([]byte, error) {
	for {
		m, err := d.Transport.Read(ctx)
		if err != nil || !d.lost.Load() {
			return m, err
		}
	}
}

// discardLog keeps what a test server says about connections that are meant to fail.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
