package wsproto_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// gateway is a TLS server that hands out what it accepts.
type gateway struct {
	*httptest.Server
	accepted chan *wsproto.WebSocket
	failed   chan error
	client   *http.Client
}

func newGateway(t *testing.T, opts *wsproto.AcceptOptions) *gateway {
	t.Helper()
	g := &gateway{accepted: make(chan *wsproto.WebSocket, 8), failed: make(chan error, 8)}
	g.Server = newTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := wsproto.AcceptWebSocket(w, r, opts)
		if err != nil {
			g.failed <- err
			return
		}
		g.accepted <- ws
	}))
	t.Cleanup(g.Close)
	roots := x509.NewCertPool()
	roots.AddCert(g.Certificate())
	g.client = wsproto.NewHTTPClient(roots)
	return g
}

// newTLSServer starts a server that does not write about failed handshakes.
func newTLSServer(h http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	return server
}

func (g *gateway) connect(t *testing.T, opts wsproto.DialOptions) (client, server *wsproto.WebSocket) {
	t.Helper()
	opts.HTTPClient = g.client
	client, err := wsproto.DialWebSocket(t.Context(), g.URL, &opts)
	require.NoError(t, err)
	server = <-g.accepted
	t.Cleanup(func() { closeBoth(client, server) })
	return client, server
}

func closeBoth(a, b *wsproto.WebSocket) {
	done := make(chan struct{})
	go func() { a.Close(wsproto.CloseNormal, ""); close(done) }()
	b.Close(wsproto.CloseNormal, "")
	<-done
}

func closeError(t *testing.T, err error) *wsproto.CloseError {
	t.Helper()
	how, ok := errors.AsType[*wsproto.CloseError](err)
	require.True(t, ok, "%v", err)
	return how
}

func TestWebSocketCarriesPeers(t *testing.T) {
	g := newGateway(t, nil)
	client, server := g.connect(t, wsproto.DialOptions{})
	a, b := start(t, client, echo, nil), start(t, server, echo, nil)
	big := []byte(`{"x":"` + strings.Repeat("x", 900_000) + `"}`)
	for _, p := range []*running{a, b} {
		raw, err := p.CallRaw(t.Context(), "echo", big)
		require.NoError(t, err, "over the library's own limit")
		assert.Equal(t, len(big), len(raw))
	}
	b.Close(wsproto.CloseRevoked, strings.Repeat("é", 100))
	how := a.end(t)
	assert.Equal(t, wsproto.CloseRevoked, how.Code)
	assert.Equal(t, strings.Repeat("é", 61), how.Reason, "123 bytes hold 61 of these")
	assert.True(t, how.Remote)
	assert.Equal(t, wsproto.CloseRevoked, b.end(t).Code)
	assert.False(t, b.Err().(*wsproto.CloseError).Remote)
}

func TestWebSocketBoundsMessages(t *testing.T) {
	g := newGateway(t, &wsproto.AcceptOptions{MaxMessage: 1000})
	client, server := g.connect(t, wsproto.DialOptions{})
	go client.Write(t.Context(), []byte(strings.Repeat("x", 1000)))
	text, err := server.Read(t.Context())
	require.NoError(t, err)
	assert.Len(t, text, 1000)
	go client.Write(t.Context(), []byte(strings.Repeat("x", 1001)))
	_, err = server.Read(t.Context())
	assert.Equal(t, wsproto.CloseTooBig, closeError(t, err).Code)
	_, err = client.Read(t.Context())
	assert.Equal(t, wsproto.CloseTooBig, closeError(t, err).Code)
	assert.True(t, closeError(t, err).Remote)
}

func TestWebSocketRefusesBinary(t *testing.T) {
	g := newGateway(t, nil)
	conn, _, err := websocket.Dial(t.Context(), g.URL, &websocket.DialOptions{
		HTTPClient: g.client, Subprotocols: []string{wsproto.Subprotocol},
	})
	require.NoError(t, err)
	defer conn.CloseNow()
	server := start(t, <-g.accepted, echo, nil)
	require.NoError(t, conn.Write(t.Context(), websocket.MessageBinary, []byte(`{"jsonrpc":"2.0","id":1,"method":"echo"}`)))
	_, _, err = conn.Read(t.Context())
	assert.EqualValues(t, wsproto.CloseUnsupported, websocket.CloseStatus(err))
	assert.Equal(t, wsproto.CloseUnsupported, server.end(t).Code)
}

func TestWebSocketNegotiatesNoCompression(t *testing.T) {
	g := newGateway(t, nil)
	conn, resp, err := websocket.Dial(t.Context(), g.URL, &websocket.DialOptions{
		HTTPClient: g.client, Subprotocols: []string{wsproto.Subprotocol}, CompressionMode: websocket.CompressionContextTakeover,
	})
	require.NoError(t, err)
	defer conn.CloseNow()
	assert.Empty(t, resp.Header.Get("Sec-WebSocket-Extensions"))
}

func TestAcceptWantsTheSubprotocol(t *testing.T) {
	g := newGateway(t, nil)
	for _, offered := range [][]string{nil, {"adcs-connector.v2"}, {"ADCS-CONNECTOR.V1"}} {
		_, resp, err := websocket.Dial(t.Context(), g.URL, &websocket.DialOptions{HTTPClient: g.client, Subprotocols: offered})
		require.Error(t, err)
		assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
		assert.Error(t, <-g.failed)
	}
	conn, _, err := websocket.Dial(t.Context(), g.URL, &websocket.DialOptions{
		HTTPClient: g.client, Subprotocols: []string{"x", wsproto.Subprotocol},
	})
	require.NoError(t, err)
	conn.CloseNow()
	(<-g.accepted).Close(wsproto.CloseNormal, "")
}

func TestAcceptRefusesBrowsersOfOtherOrigins(t *testing.T) {
	g := newGateway(t, nil)
	header := http.Header{"Origin": {"https://evil.example"}}
	_, err := wsproto.DialWebSocket(t.Context(), g.URL, &wsproto.DialOptions{HTTPClient: g.client, Header: header})
	failure, ok := errors.AsType[*wsproto.DialError](err)
	require.True(t, ok)
	assert.Equal(t, http.StatusForbidden, failure.Status)
}

func TestDialRefuses(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		http.Error(w, "come\nback"+strings.Repeat("x", 5000), http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.example/?token=secret", http.StatusFound)
	})
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil) // no subprotocol
		if err == nil {
			conn.CloseNow()
		}
	})
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	server := newTLSServer(mux)
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client := wsproto.NewHTTPClient(roots)
	dial := func(url string, client *http.Client) *wsproto.DialError {
		ws, err := wsproto.DialWebSocket(t.Context(), url, &wsproto.DialOptions{HTTPClient: client})
		require.Nil(t, ws)
		failure, ok := errors.AsType[*wsproto.DialError](err)
		require.True(t, ok)
		assert.NotContains(t, err.Error(), "secret")
		assert.NotContains(t, err.Error(), "\n")
		assert.Less(t, len(err.Error()), 800)
		return failure
	}
	busy := dial(server.URL+"/busy?key=secret", client)
	assert.Equal(t, http.StatusServiceUnavailable, busy.Status)
	assert.Equal(t, 7*time.Second, busy.RetryAfter)
	assert.Contains(t, busy.Error(), "come")
	assert.Contains(t, dial(server.URL+"/away", client).Error(), "redirect")
	assert.Contains(t, dial(server.URL+"/plain", client).Error(), wsproto.Subprotocol)
	assert.Equal(t, http.StatusOK, dial(server.URL+"/ok", client).Status)
	assert.Contains(t, dial(server.URL+"/ok?key=secret", nil).Error(), "certificate", "unknown roots")
	assert.Contains(t, dial("ws://127.0.0.1:1/?key=secret", nil).Error(), "TLS")
	assert.Contains(t, dial("wss://127.0.0.1:1/?key=secret", client).Error(), "refused")
	dial("wss://secret\x7f", nil)
}

func TestDialAllowsPlaintextOnlyWhenTold(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := wsproto.AcceptWebSocket(w, r, nil)
		if err == nil {
			ws.Close(wsproto.CloseNormal, "")
		}
	}))
	defer server.Close()
	ws, err := wsproto.DialWebSocket(t.Context(), server.URL, &wsproto.DialOptions{InsecurePlaintext: true})
	require.NoError(t, err)
	_, err = ws.Read(t.Context())
	assert.Equal(t, wsproto.CloseNormal, closeError(t, err).Code)
	ws.Close(wsproto.CloseNormal, "")
}

func TestWebSocketPingNeedsAReader(t *testing.T) {
	g := newGateway(t, nil)
	client, server := g.connect(t, wsproto.DialOptions{})
	go client.Read(context.WithoutCancel(t.Context()))
	go server.Read(context.WithoutCancel(t.Context()))
	assert.NoError(t, client.Ping(t.Context()))
	assert.NoError(t, server.Ping(t.Context()))
	closeBoth(client, server)
	assert.Error(t, client.Ping(t.Context()))
	assert.ErrorIs(t, client.Write(t.Context(), []byte("{}")), wsproto.ErrConnectionLost)
}

func TestWebSocketClosesWithACodeThatMayBeSent(t *testing.T) {
	g := newGateway(t, nil)
	client, server := g.connect(t, wsproto.DialOptions{})
	go server.Close(wsproto.CloseAbnormal, "")
	_, err := client.Read(t.Context())
	assert.Equal(t, wsproto.CloseInternal, closeError(t, err).Code)
}

func TestWebSocketTellsABrokenConnection(t *testing.T) {
	g := newGateway(t, nil)
	client, server := g.connect(t, wsproto.DialOptions{})
	a := start(t, client, nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server.Read(ctx) // closes the connection without a close frame
	how := a.end(t)
	assert.Equal(t, wsproto.CloseAbnormal, how.Code)
	assert.True(t, how.Remote)
	assert.Error(t, how.Cause)
}

// connectProxy is an HTTP proxy that knows CONNECT, and whether it was used.
func connectProxy(t *testing.T) (address string, used *atomic.Int64) {
	t.Helper()
	used = new(atomic.Int64)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") == "" {
			http.Error(w, "authenticate", http.StatusProxyAuthRequired)
			return
		}
		target, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		defer target.Close()
		client, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		used.Add(1)
		io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(target, client); target.Close() }()
		io.Copy(client, target)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL, used
}

func TestDialGoesThroughAProxy(t *testing.T) {
	g := newGateway(t, nil)
	address, used := connectProxy(t)
	proxy, err := url.Parse(address)
	require.NoError(t, err)
	proxy.User = url.UserPassword("user", "secret")
	g.client.Transport.(*http.Transport).Proxy = http.ProxyURL(proxy)
	client, server := g.connect(t, wsproto.DialOptions{})
	a := start(t, client, nil, nil)
	start(t, server, echo, nil)
	_, err = a.CallRaw(t.Context(), "echo", []byte(`{}`))
	require.NoError(t, err)
	assert.EqualValues(t, 1, used.Load())

	proxy.User = nil
	_, err = wsproto.DialWebSocket(t.Context(), g.URL, &wsproto.DialOptions{HTTPClient: g.client})
	require.ErrorContains(t, err, "Proxy Authentication Required")
}
