package gateway_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

func TestCancel(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		id := w.order()
		require.NoError(t, w.g.Cancel(t.Context(), "acme", id))
		require.NoError(t, w.g.Cancel(t.Context(), "acme", id))
		require.Equal(t, wsproto.Cancelled, w.job(id).Outcome.Kind)

		i := newIdentity(t)
		f := w.enroll(i)
		var asked []wsproto.Cancel
		grant := false
		f.cancel = func(c wsproto.Cancel) wsproto.CancelResult {
			asked = append(asked, c)
			return wsproto.CancelResult{Cancelled: grant}
		}
		id = w.order()
		o := <-f.offers
		synctest.Wait()
		require.NoError(t, w.g.Cancel(t.Context(), "acme", id), "nothing was granted")
		require.Equal(t, []wsproto.Cancel{{Job: id, Attempt: 1}}, asked, "the connector is told")
		_, err := f.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.ErrorIs(t, err, wsproto.CodeSuperseded)

		id = w.order()
		o = <-f.offers
		_, err = f.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.NoError(t, err)
		require.ErrorIs(t, w.g.Cancel(t.Context(), "acme", id), gateway.ErrTooLate)
		require.Equal(t, gateway.JobRunning, w.job(id).State)
		grant = true
		require.NoError(t, w.g.Cancel(t.Context(), "acme", id))
		require.Equal(t, wsproto.Cancelled, w.job(id).Outcome.Kind)

		id = w.order()
		require.NoError(t, f.finish(<-f.offers, 1, wsproto.Outcome{Kind: wsproto.Denied}))
		require.ErrorIs(t, w.g.Cancel(t.Context(), "acme", id), gateway.ErrTooLate)
		require.ErrorIs(t, w.g.Cancel(t.Context(), "acme", "none"), gateway.ErrNotFound)
	})
}

// The connector finishes the job while it is asked to cancel it: what is recorded stands.
func TestCancelTooLate(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		id := w.order()
		o := <-f.offers
		_, err := f.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.NoError(t, err)
		f.cancel = func(wsproto.Cancel) wsproto.CancelResult {
			require.NoError(t, f.finish(o, 2, wsproto.Outcome{Kind: wsproto.Denied}))
			return wsproto.CancelResult{Cancelled: true}
		}
		require.ErrorIs(t, w.g.Cancel(t.Context(), "acme", id), gateway.ErrTooLate)
		require.Equal(t, wsproto.Denied, w.job(id).Outcome.Kind)
	})
}

// The connector decides about an offer while the tenant cancels the job.
func TestCancelDuringTheOffer(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		var mu sync.Mutex
		asked := 0
		f.cancel = func(wsproto.Cancel) wsproto.CancelResult {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return wsproto.CancelResult{}
		}
		decide := make(chan struct{})
		f.onOffer(func(wsproto.Offer) (wsproto.OfferResult, error) {
			<-decide
			return wsproto.OfferResult{Answer: wsproto.OfferAccepted}, nil
		})
		id := w.order()
		<-f.offers
		require.NoError(t, w.g.Cancel(t.Context(), "acme", id))
		close(decide)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, 2, asked, "once more after it has accepted")
		require.Equal(t, wsproto.Cancelled, w.job(id).Outcome.Kind)
	})
}
