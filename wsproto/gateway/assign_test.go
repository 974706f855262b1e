package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

func TestCapacityAndFairness(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, b := newIdentity(t), newIdentity(t)
		a.capacity, b.capacity = 2, 4
		fa, fb := w.enroll(a), w.enroll(b)
		for range 10 {
			w.order()
		}
		synctest.Wait()
		require.Len(t, fa.offers, 2, "never more than the capacity")
		require.Len(t, fb.offers, 4)
		o := <-fa.offers
		require.NoError(t, fa.finish(o, 1, wsproto.Outcome{Kind: wsproto.Failed}))
		synctest.Wait()
		require.Len(t, fa.offers, 2, "one more for the one that ended")
		require.Len(t, fb.offers, 4)
	})
}

func TestLoadIsShared(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, b := newIdentity(t), newIdentity(t)
		a.capacity, b.capacity = 10, 10
		fa, fb := w.enroll(a), w.enroll(b)
		for range 10 {
			w.order()
			synctest.Wait()
		}
		require.Len(t, fa.offers, 5)
		require.Len(t, fb.offers, 5)
	})
}

func TestOnlyTheAssignedCA(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		o := order()
		o.CA.Name = "Other CA"
		id, err := w.g.Order(t.Context(), "acme", o, nil)
		require.NoError(t, err)
		f.none()
		require.NoError(t, w.g.Assign(t.Context(), "acme", i.id(), []wsproto.CAAssignment{o.CA}))
		require.Equal(t, []wsproto.CAAssignment{o.CA}, (<-f.configured).CAs)
		require.Equal(t, id, (<-f.offers).Job)
		w.order()
		f.none()
		require.Error(t, w.g.Assign(t.Context(), "acme", i.id(), []wsproto.CAAssignment{{}}))
	})
}

func TestEachConnectorItsCA(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, b := newIdentity(t), newIdentity(t)
		fa, fb := w.enroll(a), w.enroll(b)
		other := order()
		other.CA.Name = "Other CA"
		require.NoError(t, w.g.Assign(t.Context(), "acme", b.id(), []wsproto.CAAssignment{other.CA}))
		<-fb.configured
		synctest.Wait()
		for range 3 {
			w.order()
			_, err := w.g.Order(t.Context(), "acme", other, nil)
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Len(t, fa.offers, 3)
		require.Len(t, fb.offers, 3)
		for range 3 {
			require.Contains(t, string((<-fa.offers).Order), `"Corp CA"`)
			require.Contains(t, string((<-fb.offers).Order), `"Other CA"`)
		}
	})
}

func TestBusy(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		f.onOffer(func(wsproto.Offer) (wsproto.OfferResult, error) {
			return wsproto.OfferResult{Answer: wsproto.OfferBusy, RetryAfterMS: 20_000}, nil
		})
		w.order()
		require.EqualValues(t, 1, (<-f.offers).Attempt)
		start := time.Now()
		f.onOffer(nil)
		require.EqualValues(t, 2, (<-f.offers).Attempt)
		require.InDelta(t, 20*time.Second, time.Since(start), float64(2*time.Second))
	})
}

func TestRefusedElsewhere(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, b := newIdentity(t), newIdentity(t)
		fa, fb := w.enroll(a), w.enroll(b)
		fa.onOffer(refuse(wsproto.RefusedElsewhere, wsproto.ReasonPolicyTemplate))
		for range 4 {
			w.order()
		}
		for range 4 {
			o := <-fb.offers
			if why := w.job(o.Job).LastRefusal; why != nil {
				require.Equal(t, gateway.Refusal{
					Connector: a.id(), Until: why.Until, Reason: wsproto.ReasonPolicyTemplate, Message: "no",
				}, *why)
			}
		}
		synctest.Wait()
		require.NotEmpty(t, fa.offers)
	})
}

func TestRefusedByAllExpires(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		f.onOffer(refuse(wsproto.RefusedElsewhere, wsproto.ReasonPolicy))
		start := time.Now()
		out, err := w.g.Wait(t.Context(), "acme", w.order())
		require.NoError(t, err)
		require.Equal(t, wsproto.Expired, out.Kind)
		require.Equal(t, wsproto.ReasonPolicy, out.Reason, "what the last one that was asked said")
		require.InDelta(t, time.Hour, time.Since(start), float64(2*time.Second))
		require.Less(t, len(f.offers), 62, "not asked all the time")
		require.Greater(t, len(f.offers), 10, "but again and again, since policies change")
	})
}

func TestRefusedNever(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		f.onOffer(refuse(wsproto.RefusedNever, wsproto.ReasonOrderInvalid))
		out, err := w.g.Wait(t.Context(), "acme", w.order())
		require.NoError(t, err)
		require.Equal(t, wsproto.Outcome{
			Kind: wsproto.Failed, Reason: wsproto.ReasonOrderInvalid, Retry: wsproto.RetryNever, Message: "no",
		}, out)
	})
}

func TestExpired(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		id, err := w.g.Order(t.Context(), "acme", order(), &gateway.OrderOptions{Life: time.Minute})
		require.NoError(t, err)
		start := time.Now()
		out, err := w.g.Wait(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Equal(t, wsproto.Expired, out.Kind)
		require.Equal(t, wsproto.ReasonNoConnector, out.Reason)
		require.InDelta(t, time.Minute, time.Since(start), float64(2*time.Second))
	})
}
