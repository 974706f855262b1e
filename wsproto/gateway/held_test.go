package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

func TestHeldByTheCA(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, b := newIdentity(t), newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		o := <-fa.offers
		s := secret(t)
		_, err := fa.checkpoint(a.sealed(t, o, s, 1, 0))
		require.NoError(t, err)
		lease, err := fa.checkpoint(a.sealed(t, o, s, 2, 77, b.dec.PublicKey()))
		require.NoError(t, err)
		require.Zero(t, lease, "there is nothing to submit any more")
		held := wsproto.Outcome{Kind: wsproto.Pending, RequestID: 77, RetryAfterMS: 3_600_000}
		require.NoError(t, fa.finish(o, 3, held))
		require.NoError(t, fa.finish(o, 3, held), "repeated")
		_, err = fa.checkpoint(a.sealed(t, o, s, 4, 77))
		require.ErrorIs(t, err, wsproto.CodeSuperseded, "the attempt has ended")
		info := w.job(id)
		require.Equal(t, gateway.JobQueued, info.State)
		require.Equal(t, wsproto.Pending, info.Outcome.Kind)
		require.Equal(t, time.Hour, time.Until(info.NextTry))

		start := time.Now()
		o2 := <-fa.offers
		require.InDelta(t, time.Hour, time.Since(start), float64(2*time.Second))
		require.EqualValues(t, 2, o2.Attempt)
		require.EqualValues(t, 77, o2.Checkpoint.RequestID)
		require.NotZero(t, o2.TimeLeftMS)
		_, err = fa.checkpoint(a.sealed(t, o2, s, 1, 0))
		require.ErrorIs(t, err, wsproto.CodeCheckpoint, "never submitted again")
		require.NoError(t, fa.finish(o2, 2, held))

		fa.pipe.Cut()
		fb := w.enroll(b)
		o3 := <-fb.offers
		require.EqualValues(t, 3, o3.Attempt)
		require.NoError(t, fb.finish(o3, 1, issued(7, o3.Checkpoint.PublicKeyHash)))
		synctest.Wait()
		events := w.takeEvents()
		require.Len(t, events, 2, "pending is told once")
		require.Equal(t, wsproto.Pending, events[0].Outcome.Kind)
		require.Equal(t, wsproto.Issued, events[1].Outcome.Kind)
	})
}

func TestLostWhenNobodyCanOpenIt(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		o := <-fa.offers
		p := a.sealed(t, o, secret(t), 1, 5)
		_, err := fa.checkpoint(p)
		require.NoError(t, err)
		require.NoError(t, fa.finish(o, 2, wsproto.Outcome{Kind: wsproto.Pending, RequestID: 5, RetryAfterMS: 60_000}))
		w.enroll(newIdentity(t))
		require.NoError(t, w.g.Revoke(t.Context(), "acme", a.id()))
		start := time.Now()
		out, err := w.g.Wait(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Equal(t, wsproto.Lost, out.Kind)
		require.EqualValues(t, 5, out.RequestID)
		require.Less(t, time.Since(start), 10*time.Minute)
	})
}

// slow is for tests that take weeks.
func slow(c *gateway.Config) {
	c.Timing = &gateway.Timing{Poll: time.Minute, Heartbeat: 10 * time.Minute}
}

func TestHeldHasAnEnd(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		a := newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		o := <-fa.offers
		s := secret(t)
		_, err := fa.checkpoint(a.sealed(t, o, s, 1, 5))
		require.NoError(t, err)
		start := time.Now()
		require.NoError(t, fa.finish(o, 2, wsproto.Outcome{Kind: wsproto.Pending, RequestID: 5, RetryAfterMS: 86_400_000}))
		go func() {
			for o := range fa.offers {
				fa.finish(o, 1, wsproto.Outcome{Kind: wsproto.Pending, RequestID: 5, RetryAfterMS: 86_400_000})
			}
		}()
		defer close(fa.offers)
		out, err := w.g.Wait(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Equal(t, wsproto.Lost, out.Kind)
		require.InDelta(t, 30*24*time.Hour, time.Since(start), float64(time.Minute))
		fa.pipe.Cut()
		<-fa.ended
	})
}

func TestPendingWithoutCheckpointIsLost(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		id := w.order()
		require.NoError(t, f.finish(<-f.offers, 1, wsproto.Outcome{Kind: wsproto.Pending, RequestID: 9}))
		out, err := w.g.Wait(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Equal(t, wsproto.Lost, out.Kind)
		require.EqualValues(t, 9, out.RequestID)
	})
}
