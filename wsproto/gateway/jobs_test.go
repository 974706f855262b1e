package gateway_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

func (w *world) order() string {
	w.t.Helper()
	id, err := w.g.Order(w.t.Context(), "acme", order(), nil)
	require.NoError(w.t, err)
	return id
}

func (w *world) job(id string) gateway.JobInfo {
	w.t.Helper()
	info, err := w.g.Job(w.t.Context(), "acme", id)
	require.NoError(w.t, err)
	return info
}

// none checks that nothing is offered.
func (f *fake) none() {
	f.t.Helper()
	synctest.Wait()
	require.Empty(f.t, f.offers)
}

func TestIssued(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		id, err := w.g.Order(t.Context(), "acme", order(), &gateway.OrderOptions{Traceparent: "00-aa-bb-01"})
		require.NoError(t, err)
		o := <-f.offers
		require.Equal(t, id, o.Job)
		require.EqualValues(t, 1, o.Attempt)
		require.EqualValues(t, time.Hour.Milliseconds(), o.TimeLeftMS)
		require.Equal(t, "00-aa-bb-01", o.Traceparent)
		require.Nil(t, o.Checkpoint)
		want, err := wsproto.EncodeOrder(order())
		require.NoError(t, err)
		require.Equal(t, string(want), string(o.Order))

		p := i.sealed(t, o, secret(t), 1, 0)
		lease, err := f.checkpoint(p)
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, lease)
		require.Equal(t, gateway.JobRunning, w.job(id).State)

		out := issued(1, p.Checkpoint.PublicKeyHash)
		require.NoError(t, f.finish(o, 2, out))
		require.NoError(t, f.finish(o, 2, out), "a finish may be repeated")
		got, err := w.g.Wait(t.Context(), "acme", id)
		require.NoError(t, err)
		out.Traceparent = "00-aa-bb-01"
		require.Equal(t, out, got)
		synctest.Wait()
		events := w.takeEvents()
		require.Len(t, events, 1)
		require.Equal(t, gateway.OutcomeEvent{
			ID: id + "/1", Tenant: "acme", Job: id, Time: events[0].Time, Outcome: out, Delivery: 1,
		}, events[0])
		require.Equal(t, id+"/1", w.job(id).OutcomeID)
		_, err = f.checkpoint(i.sealed(t, o, secret(t), 3, 0))
		require.ErrorIs(t, err, wsproto.CodeSuperseded)
	})
}

func TestStrangersCannotFinish(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, b := newIdentity(t), newIdentity(t)
		fa := w.enroll(a)
		w.order()
		o := <-fa.offers
		fb := w.enroll(b)
		require.ErrorIs(t, fb.finish(o, 1, issued(1, nil)), wsproto.CodeSuperseded)
		_, err := fb.checkpoint(b.sealed(t, o, secret(t), 1, 0))
		require.ErrorIs(t, err, wsproto.CodeSuperseded)
		_, err = fb.checkpoint(a.sealed(t, o, secret(t), 1, 0))
		require.ErrorIs(t, err, wsproto.CodeCheckpoint, "signed by another")
		require.NoError(t, fa.finish(o, 1, wsproto.Outcome{Kind: wsproto.Unknown}))
		require.ErrorIs(t, fb.finish(o, 1, issued(1, nil)), wsproto.CodeSuperseded, "not when it is done either")
		require.Equal(t, wsproto.Unknown, w.job(o.Job).Outcome.Kind)
		o.Job = "3f2b8c1e-0000-4000-8000-000000000009"
		require.ErrorIs(t, fb.finish(o, 1, issued(1, nil)), wsproto.CodeUnknownJob)
		_, err = fb.checkpoint(b.sealed(t, o, secret(t), 1, 0))
		require.ErrorIs(t, err, wsproto.CodeUnknownJob)
	})
}

func TestPoisonOrderHasAnEnd(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		id := w.order()
		i := newIdentity(t)
		f := w.enroll(i)
		for {
			select {
			case <-f.offers:
				synctest.Wait()
				f.pipe.Cut()
				<-f.ended
				synctest.Wait()
				if w.job(id).State == gateway.JobDone {
					require.Equal(t, wsproto.Failed, w.job(id).Outcome.Kind)
					require.EqualValues(t, 10, w.job(id).Attempt)
					return
				}
				f = w.again(i)
			case <-time.After(time.Minute):
				require.Equal(t, wsproto.Failed, w.job(id).Outcome.Kind)
				require.EqualValues(t, 10, w.job(id).Attempt)
				return
			}
		}
	})
}

func TestOutcomesAreDeliveredAtLeastOnce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		var tries []time.Time
		w.refuse = func(e gateway.OutcomeEvent) error {
			require.Equal(t, len(tries)+1, e.Delivery)
			if tries = append(tries, time.Now()); len(tries) < 5 {
				return errors.New("database away")
			}
			return nil
		}
		f := w.enroll(newIdentity(t))
		id := w.order()
		require.NoError(t, f.finish(<-f.offers, 1, wsproto.Outcome{Kind: wsproto.Denied}))
		require.Error(t, w.g.Forget(t.Context(), "acme", id), "not acknowledged")
		time.Sleep(time.Hour)
		events := w.takeEvents()
		require.Len(t, events, 1)
		require.Len(t, tries, 5)
		for n := 2; n < len(tries); n++ {
			require.Greater(t, tries[n].Sub(tries[n-1]), tries[n-1].Sub(tries[n-2]), "the pauses grow")
		}
		require.NoError(t, w.g.Forget(t.Context(), "acme", id))
		_, err := w.g.Job(t.Context(), "acme", id)
		require.ErrorIs(t, err, gateway.ErrNotFound)
	})
}

func TestRetention(t *testing.T) {
	bubble(t, slow, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		id := w.order()
		require.NoError(t, f.finish(<-f.offers, 1, wsproto.Outcome{Kind: wsproto.Denied}))
		f.pipe.Cut()
		time.Sleep(29 * 24 * time.Hour)
		require.Equal(t, gateway.JobDone, w.job(id).State)
		time.Sleep(25 * time.Hour)
		_, err := w.g.Job(t.Context(), "acme", id)
		require.ErrorIs(t, err, gateway.ErrNotFound)
	})
}
