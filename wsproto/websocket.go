package wsproto

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// DialOptions change how [DialWebSocket] dials. Zero fields mean the defaults.
type DialOptions struct {
	// HTTPClient dials: its transport decides about proxies, roots and TLS. If nil, NewHTTPClient(nil) is used. Its
	// CheckRedirect is not asked: redirects are refused.
	HTTPClient *http.Client
	// Header is added to the request.
	Header http.Header
	// MaxMessage bounds a received message, in bytes; default DefaultMaxMessage.
	MaxMessage int
	// InsecurePlaintext allows ws: and http: URLs. Without TLS everybody on the path reads the orders.
	InsecurePlaintext bool
}

// AcceptOptions change how [AcceptWebSocket] accepts. Zero fields mean the defaults.
type AcceptOptions struct {
	// MaxMessage bounds a received message, in bytes; default DefaultMaxMessage.
	MaxMessage int
}

// NewHTTPClient returns a client for [DialOptions] that takes its proxy from the environment (HTTPS_PROXY, NO_PROXY)
// and trusts the given roots, or those of the system if nil.
func NewHTTPClient(roots *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 15 * time.Second,
		DisableKeepAlives:   true,
	}}
}

// DialError says that there is no connection: the dial failed, or the answer was no upgrade to [Subprotocol].
type DialError struct {
	Status     int           // of the HTTP answer, or 0
	RetryAfter time.Duration // as the answer asked, or 0
	Cause      error
}

// Error returns status and cause, without the URL, which may hold a secret.
func (e *DialError) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("wsproto: dialling the gateway: HTTP status %d: %v", e.Status, e.Cause)
	}
	return fmt.Sprintf("wsproto: dialling the gateway: %v", e.Cause)
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Cause }

var (
	errSubprotocol = errors.New("the other side does not speak " + Subprotocol)
	errRedirect    = errors.New("the answer is a redirect, which is refused")
	errPlaintext   = errors.New("the URL has no TLS; use wss")
)

// DialWebSocket connects to a gateway. ctx bounds the dial only. Errors are *DialError.
func DialWebSocket(ctx context.Context, rawURL string, opts *DialOptions) (*WebSocket, error) {
	var o DialOptions
	if opts != nil {
		o = *opts
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, &DialError{Cause: errors.New("the URL cannot be parsed")}
	}
	if u.Scheme != "wss" && u.Scheme != "https" && !o.InsecurePlaintext {
		return nil, &DialError{Cause: errPlaintext}
	}
	client := NewHTTPClient(nil)
	if o.HTTPClient != nil {
		c := *o.HTTPClient
		client = &c
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return errRedirect }
	conn, resp, err := websocket.Dial(ctx, rawURL, &websocket.DialOptions{
		HTTPClient:   client,
		HTTPHeader:   o.Header,
		Subprotocols: []string{Subprotocol},
	})
	if err != nil {
		return nil, dialError(err, resp)
	}
	if conn.Subprotocol() != Subprotocol {
		conn.CloseNow()
		return nil, &DialError{Status: resp.StatusCode, Cause: errSubprotocol}
	}
	return newWebSocket(conn, o.MaxMessage), nil
}

func dialError(err error, resp *http.Response) *DialError {
	e := &DialError{Cause: err}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		e.Cause = wrapped.Err // without the URL
	}
	if resp == nil {
		return e
	}
	e.Status = resp.StatusCode
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(min(seconds, 3600)) * time.Second
	}
	if resp.Body != nil {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRemoteText))
		if text := strings.TrimSpace(string(text)); text != "" {
			e.Cause = fmt.Errorf("%q", text)
		}
	}
	return e
}

// AcceptWebSocket upgrades a request. It answers requests that do not offer [Subprotocol] with 400 and, like every
// other failure, returns an error after it has answered. r.Context() must not be used afterwards.
func AcceptWebSocket(w http.ResponseWriter, r *http.Request, opts *AcceptOptions) (*WebSocket, error) {
	var o AcceptOptions
	if opts != nil {
		o = *opts
	}
	if !offers(r.Header, Subprotocol) {
		http.Error(w, "the WebSocket subprotocol "+Subprotocol+" is required", http.StatusBadRequest)
		return nil, fmt.Errorf("wsproto: accepting a connector: %w", errSubprotocol)
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}})
	if err != nil {
		return nil, fmt.Errorf("wsproto: accepting a connector: %w", err)
	}
	if conn.Subprotocol() != Subprotocol {
		conn.CloseNow()
		return nil, fmt.Errorf("wsproto: accepting a connector: %w", errSubprotocol)
	}
	return newWebSocket(conn, o.MaxMessage), nil
}

// offers reports whether the client offers a subprotocol (RFC 6455, section 11.3.4).
func offers(h http.Header, subprotocol string) bool {
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(name) == subprotocol {
				return true
			}
		}
	}
	return false
}

// WebSocket is a [Transport] over one WebSocket connection: text frames, no compression (it would leak secrets by their
// length), bounded messages.
type WebSocket struct {
	conn *websocket.Conn

	mu    sync.Mutex // protects ended
	ended *CloseError
}

func newWebSocket(conn *websocket.Conn, maxMessage int) *WebSocket {
	if maxMessage <= 0 {
		maxMessage = DefaultMaxMessage
	}
	conn.SetReadLimit(int64(maxMessage))
	return &WebSocket{conn: conn}
}

// Read implements [Transport]. A binary message and one that is too long end the connection.
func (w *WebSocket) Read(ctx context.Context) ([]byte, error) {
	kind, r, err := w.conn.Reader(ctx)
	if err != nil {
		return nil, w.broken(w.abort(ctx, err))
	}
	if kind != websocket.MessageText {
		w.Close(CloseUnsupported, "binary message")
		return nil, w.broken(nil)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, w.broken(w.abort(ctx, err))
	}
	return text, nil
}

// Write implements [Transport].
func (w *WebSocket) Write(ctx context.Context, message []byte) error {
	if err := w.write(ctx, message); err != nil {
		return w.failed(w.abort(ctx, err))
	}
	return nil
}

// fragmentSize is the size of the frames of a long message. The library gives a pong five seconds to get its turn between
// two frames, so on a slow line one frame of a megabyte would end the connection.
const fragmentSize = 32 << 10

func (w *WebSocket) write(ctx context.Context, message []byte) error {
	if len(message) <= fragmentSize {
		return w.conn.Write(ctx, websocket.MessageText, message)
	}
	out, err := w.conn.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(message, fragmentSize) {
		if _, err := out.Write(part); err != nil {
			return err
		}
	}
	return out.Close()
}

// Ping implements [Transport].
func (w *WebSocket) Ping(ctx context.Context) error {
	if err := w.conn.Ping(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return w.failed(err)
	}
	return nil
}

// Close implements [Transport]. It waits for the other side for at most ten seconds.
func (w *WebSocket) Close(code CloseCode, reason string) error {
	if !code.sendable() {
		code = CloseInternal
	}
	reason = bound(reason, MaxCloseReason)
	w.end(&CloseError{Code: code, Reason: reason})
	w.conn.Close(websocket.StatusCode(code), reason) // fails when the other side is gone, which is no failure to close
	w.conn.CloseNow()
	return nil
}

// abort closes the connection if ctx has ended: the library does so in most places, but not where it waits for its
// locks.
func (w *WebSocket) abort(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		w.conn.CloseNow()
	}
	return err
}

// end records how the connection ended, the first time, and returns it.
func (w *WebSocket) end(how *CloseError) *CloseError {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended == nil {
		w.ended = how
	}
	return w.ended
}

// failed is how the connection ended, or seems to have. It records nothing: when the other side closed, its code and
// reason are on their way to Read.
func (w *WebSocket) failed(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != nil {
		return w.ended
	}
	return &CloseError{Code: CloseAbnormal, Remote: true, Cause: err}
}

// broken turns an error of Read into how the connection ended, and records it.
func (w *WebSocket) broken(err error) error {
	if got, ok := errors.AsType[websocket.CloseError](err); ok {
		return w.end(&CloseError{Code: CloseCode(got.Code), Reason: bound(got.Reason, MaxCloseReason), Remote: true})
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return w.end(&CloseError{Code: CloseTooBig, Reason: "message too big"})
	}
	return w.end(&CloseError{Code: CloseAbnormal, Remote: true, Cause: err})
}
