package gateway_test

import (
	"context"
	"crypto"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

func TestNewRefusesAnIncompleteConfig(t *testing.T) {
	whole := gateway.Config{
		Tenant:    func(*http.Request) (string, error) { return "", nil },
		TenantKey: func(context.Context, string) (crypto.Signer, error) { return nil, nil },
		Authority: "a", Store: gateway.NewMemoryStore(),
	}
	_, err := gateway.New(whole)
	require.NoError(t, err)
	for name, change := range map[string]func(*gateway.Config){
		"Tenant":    func(c *gateway.Config) { c.Tenant = nil },
		"TenantKey": func(c *gateway.Config) { c.TenantKey = nil },
		"Authority": func(c *gateway.Config) { c.Authority = "" },
		"Store":     func(c *gateway.Config) { c.Store = nil },
		"Attestation": func(c *gateway.Config) {
			c.Attestation = func(string) gateway.AttestationPolicy { return gateway.AttestationTPM }
		},
	} {
		c := whole
		change(&c)
		_, err := gateway.New(c)
		require.ErrorContains(t, err, "Config."+name)
	}
	// No connector would ever compute one of these from its URL, and every proof would fail.
	for _, wrong := range []string{"A.example", "a.example:443", "wss://a.example", "a.example/path", "user@a.example", "::1", "a b"} {
		c := whole
		c.Authority = wrong
		_, err := gateway.New(c)
		require.ErrorContains(t, err, "Config.Authority", wrong)
	}
	for _, right := range []string{"a.example", "a.example:8443", "[::1]", "[::1]:8443", "127.0.0.1:80"} {
		c := whole
		c.Authority = right
		_, err := gateway.New(c)
		require.NoError(t, err, right)
	}
}

func TestClosed(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		id := w.order()
		<-f.offers
		waited := make(chan error, 1)
		go func() { _, err := w.g.Wait(context.Background(), "acme", id); waited <- err }()
		synctest.Wait()
		require.NoError(t, w.g.Close())
		require.NoError(t, w.g.Close())
		require.Equal(t, wsproto.CloseRestart, closeCode(t, <-f.ended))
		require.ErrorIs(t, <-waited, net.ErrClosed)

		ctx := t.Context()
		_, _, err := w.g.NewEnrollmentCode(ctx, "acme", nil)
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = w.g.Order(ctx, "acme", order(), nil)
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = w.g.Job(ctx, "acme", id)
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = w.g.Connectors(ctx, "acme")
		require.ErrorIs(t, err, net.ErrClosed)
		for _, f := range []func() error{
			func() error { return w.g.Run(ctx) }, func() error { return w.g.Drain(ctx) },
			func() error { return w.g.Cancel(ctx, "acme", id) }, func() error { return w.g.Forget(ctx, "acme", id) },
			func() error { return w.g.Approve(ctx, "acme", "c") }, func() error { return w.g.Reject(ctx, "acme", "c") },
			func() error { return w.g.Revoke(ctx, "acme", "c") }, func() error { return w.g.Assign(ctx, "acme", "c", nil) },
			func() error { return w.g.DrainConnector(ctx, "acme", "c") },
		} {
			require.ErrorIs(t, f(), net.ErrClosed)
		}
		recorder := httptest.NewRecorder()
		w.g.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
		require.Equal(t, http.StatusServiceUnavailable, recorder.Code)
	})
}

func TestOneRunAtATime(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		synctest.Wait()
		require.ErrorContains(t, w.g.Run(t.Context()), "running already")
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := w.g.Wait(ctx, "acme", w.order())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = w.g.Wait(t.Context(), "acme", "none")
		require.ErrorIs(t, err, gateway.ErrNotFound)
		_, err = w.g.Wait(t.Context(), "other", w.order())
		require.ErrorIs(t, err, gateway.ErrNotFound, "a job belongs to its tenant")
	})
}

func TestDrainWaitsForJobs(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		w.order()
		o := <-f.offers
		synctest.Wait()
		start, drained := time.Now(), make(chan error, 1)
		go func() { drained <- w.g.Drain(context.Background()) }()
		<-f.drains
		time.Sleep(20 * time.Second)
		require.Nil(t, f.peer.Err())
		require.NoError(t, f.finish(o, 1, wsproto.Outcome{Kind: wsproto.Failed}))
		require.NoError(t, <-drained)
		require.Equal(t, 21*time.Second, time.Since(start))
		require.Equal(t, wsproto.CloseRestart, closeCode(t, <-f.ended))
	})
}

func TestDrainHasAnEnd(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		w.order()
		<-f.offers
		synctest.Wait()
		start := time.Now()
		require.NoError(t, w.g.Drain(t.Context()))
		require.Equal(t, time.Minute, time.Since(start))
		require.Equal(t, wsproto.CloseRestart, closeCode(t, <-f.ended))
	})
}

func TestConnectorDrains(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		require.NoError(t, f.peer.Call(t.Context(), wsproto.MethodDrain, wsproto.Drain{Reason: "update"}, nil))
		w.order()
		f.none()
		time.Sleep(time.Minute)
		require.Empty(t, f.offers)
	})
}

// Two gateways share a store: an order given to one is offered by the other, a takeover across them ends the older
// session, and each job is still offered once at a time.
func TestTwoGatewaysShareAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w1 := newWorld(t, nil)
		defer w1.stop()
		w2 := newWorld(t, func(c *gateway.Config) { c.Store = w1.store })
		defer w2.stop()
		w2.key = w1.key
		i := newIdentity(t)
		f1 := w1.enroll(i)
		for range 4 {
			w2.order()
		}
		for range 4 {
			o := <-f1.offers
			require.EqualValues(t, 1, o.Attempt)
			require.NoError(t, f1.finish(o, 1, wsproto.Outcome{Kind: wsproto.Denied}))
		}
		id := w2.order()
		o := <-f1.offers
		f2 := w2.again(i)
		_, err := f2.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.NoError(t, err)
		require.Equal(t, wsproto.CloseSuperseded, closeCode(t, <-f1.ended))
		require.Equal(t, gateway.JobRunning, w1.job(id).State, "the connector is still there")
		require.NoError(t, f2.finish(o, 2, wsproto.Outcome{Kind: wsproto.Denied}))
		out, err := w1.g.Wait(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Equal(t, wsproto.Denied, out.Kind)
		time.Sleep(time.Minute)
		require.Len(t, append(w1.takeEvents(), w2.takeEvents()...), 5, "each is delivered by one of them")
	})
}
