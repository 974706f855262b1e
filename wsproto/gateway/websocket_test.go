package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// serve runs a gateway behind TLS, with tenants in the path.
func serve(t *testing.T, change func(*gateway.Config)) (*world, *httptest.Server) {
	t.Helper()
	w := newWorld(t, func(c *gateway.Config) {
		c.Tenant = func(r *http.Request) (string, error) {
			if r.URL.Path != "/acme" {
				return "", errors.New("secret reason")
			}
			return "acme", nil
		}
		if change != nil {
			change(c)
		}
	})
	server := httptest.NewTLSServer(w.g)
	t.Cleanup(func() {
		w.stop()
		server.Close()
	})
	return w, server
}

func dial(t *testing.T, s *httptest.Server, i *identity) *fake {
	t.Helper()
	ws, err := wsproto.DialWebSocket(t.Context(), s.URL+"/acme", &wsproto.DialOptions{HTTPClient: s.Client()})
	require.NoError(t, err)
	return newFake(t, i, ws)
}

func TestWebSocketFlow(t *testing.T) {
	w, server := serve(t, nil)
	i := newIdentity(t)
	f := dial(t, server, i)
	_, err := f.prove(w.code(ca1()))
	require.NoError(t, err)
	<-f.configured
	id := w.order()
	o := <-f.offers
	require.Equal(t, id, o.Job)
	p := i.sealed(t, o, secret(t), 1, 0)
	_, err = f.checkpoint(p)
	require.NoError(t, err)
	want := issued(1, p.Checkpoint.PublicKeyHash)
	want.PKCS12 = make([]byte, 200<<10)
	require.NoError(t, f.finish(o, 2, want))
	got, err := w.g.Wait(t.Context(), "acme", id)
	require.NoError(t, err)
	require.Equal(t, want, got)
	all, err := w.g.Connectors(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", all[0].Source)
	require.NoError(t, w.g.Close())
	require.Equal(t, wsproto.CloseRestart, closeCode(t, <-f.ended))
}

func TestWebSocketOversized(t *testing.T) {
	w, server := serve(t, func(c *gateway.Config) { c.Limits = &gateway.Limits{MessageBytes: 64 << 10} })
	f := dial(t, server, newIdentity(t))
	_, err := f.prove(w.code(ca1()))
	require.NoError(t, err)
	<-f.configured
	w.order()
	big := issued(1, nil)
	big.PKCS12 = make([]byte, 64<<10)
	require.ErrorIs(t, f.finish(<-f.offers, 1, big), wsproto.ErrConnectionLost)
	require.Equal(t, wsproto.CloseTooBig, closeCode(t, <-f.ended))
}

func TestWebSocketRefusals(t *testing.T) {
	w, server := serve(t, nil)
	get := func(path string, header http.Header) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		require.NoError(t, err)
		for name, values := range header {
			r.Header[name] = values
		}
		resp, err := server.Client().Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		body := new(strings.Builder)
		require.NoError(t, resp.Write(body))
		return resp.StatusCode, body.String()
	}
	status, body := get("/other", nil)
	require.Equal(t, http.StatusNotFound, status)
	require.NotContains(t, body, "secret reason")
	upgrade := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	status, _ = get("/acme", upgrade)
	require.Equal(t, http.StatusBadRequest, status, "no subprotocol")
	upgrade.Set("Sec-WebSocket-Protocol", "adcs-connector.v2")
	status, _ = get("/acme", upgrade)
	require.Equal(t, http.StatusBadRequest, status, "another subprotocol")
	status, _ = get("/acme", nil)
	require.Equal(t, http.StatusBadRequest, status, "no WebSocket")

	require.NoError(t, w.g.Drain(t.Context()))
	_, err := wsproto.DialWebSocket(t.Context(), server.URL+"/acme", &wsproto.DialOptions{HTTPClient: server.Client()})
	var refused *wsproto.DialError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusServiceUnavailable, refused.Status)
	require.Equal(t, 10*time.Second, refused.RetryAfter)
}

func TestWebSocketDrain(t *testing.T) {
	w, server := serve(t, nil)
	i := newIdentity(t)
	f := dial(t, server, i)
	_, err := f.prove(w.code(ca1()))
	require.NoError(t, err)
	<-f.configured
	w.order()
	o := <-f.offers
	drained := make(chan error, 1)
	go func() { drained <- w.g.DrainConnector(context.Background(), "acme", i.id()) }()
	require.Equal(t, "drained", (<-f.drains).Reason)
	w.order()
	require.NoError(t, f.finish(o, 1, wsproto.Outcome{Kind: wsproto.Failed}))
	require.NoError(t, <-drained)
	require.Equal(t, wsproto.CloseGoingAway, closeCode(t, <-f.ended))
	require.Empty(t, f.offers, "nothing new while it drains")
	require.ErrorIs(t, w.g.DrainConnector(t.Context(), "acme", "nobody"), gateway.ErrNotFound)
}
