package gateway_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
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

func TestPasswordIsForgotten(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		id := w.order()
		require.NotContains(t, string(w.job(id).Order), "top-secret-pw")
		open, err := w.store.Job(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Contains(t, string(open.Order), "top-secret-pw", "it is needed until the end")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			require.NotContains(t, fmt.Sprintf(verb, open)+fmt.Sprintf(verb, *open), "top-secret-pw")
			require.Contains(t, fmt.Sprintf(verb, open), id)
		}
		require.NoError(t, f.finish(<-f.offers, 1, wsproto.Outcome{Kind: wsproto.Denied, RequestID: 4}))
		synctest.Wait()
		stored, err := w.store.Job(t.Context(), "acme", id)
		require.NoError(t, err)
		require.NotContains(t, string(stored.Order), "password")
		require.Contains(t, string(stored.Order), `"template":"Device"`)
	})
}

func TestOrderIsIdempotent(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		const id = "3f2b8c1e-0000-4000-8000-000000000001"
		opts := &gateway.OrderOptions{ID: id}
		for range 2 {
			got, err := w.g.Order(t.Context(), "acme", order(), opts)
			require.NoError(t, err)
			require.Equal(t, id, got)
		}
		other := order()
		other.Subject = "CN=other"
		_, err := w.g.Order(t.Context(), "acme", other, opts)
		require.ErrorIs(t, err, gateway.ErrOrderConflict)
		_, err = w.g.Order(t.Context(), "another tenant", other, opts)
		require.NoError(t, err)
	})
}

func TestMalformedOrders(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		for _, c := range []struct {
			change func(*wsproto.Order)
			want   string
		}{
			{func(o *wsproto.Order) { o.CA.Host = "" }, "ca.host"},
			{func(o *wsproto.Order) { o.CA.Name = strings.Repeat("x", 256) }, "ca.name"},
			{func(o *wsproto.Order) { o.Template = "" }, "template"},
			{func(o *wsproto.Order) { o.Key = "" }, "key"},
			{func(o *wsproto.Order) { o.Subject = "" }, "subject: neither"},
			{func(o *wsproto.Order) { o.SubjectSource = "elsewhere" }, "subjectSource"},
			{func(o *wsproto.Order) { o.SIDForm = "uri" }, "sidForm: without"},
			{func(o *wsproto.Order) { o.SID, o.SIDForm = "S-1-5-21-1-2-3-1104", "x" }, "sidForm: must"},
			{func(o *wsproto.Order) { o.Password = "" }, "password: neither"},
			{func(o *wsproto.Order) { o.Password = "pässword" }, "password: must be printable"},
			{func(o *wsproto.Order) { o.Recipient = &wsproto.Recipient{ID: "r"} }, "recipient: a password"},
			{func(o *wsproto.Order) { o.DNS = make([]string, 65) }, "dns"},
			{func(o *wsproto.Order) { o.Critical = []string{"neverHeardOf"} }, "neverHeardOf"},
		} {
			o := order()
			c.change(&o)
			_, err := w.g.Order(t.Context(), "acme", o, nil)
			var refused *gateway.OrderError
			require.ErrorAs(t, err, &refused, c.want)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "top-secret-pw")
			require.NotContains(t, err.Error(), "pässword")
		}
		for _, id := range []string{"x", "3F2B8C1E-0000-4000-8000-000000000001", "3f2b8c1e-0000-4000-8000-00000000000"} {
			_, err := w.g.Order(t.Context(), "acme", order(), &gateway.OrderOptions{ID: id})
			require.ErrorContains(t, err, "id: not a UUID", id)
		}
		for _, text := range []string{``, `{`, `[]`, `{"ca":{"host":"a","host":"b"}}`} {
			_, err := w.g.OrderText(t.Context(), "acme", []byte(text), nil)
			require.Error(t, err, text)
		}
		synctest.Wait()
		due, err := w.store.DueJobs(t.Context(), time.Now().Add(9999*time.Hour), 9)
		require.NoError(t, err)
		require.Empty(t, due, "nothing was stored")
	})
}

func TestOrderTextKeepsWhatItDoesNotKnow(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		text := `{ "ca": {"host":"ca.corp.test","name":"Corp CA"}, "template":"T", "subject":"CN=a<b>", "key":"p256",
			"password":"pw", "future": [1, 2.50] }`
		_, err := w.g.OrderText(t.Context(), "acme", []byte(text), nil)
		require.NoError(t, err)
		o := <-f.offers
		require.JSONEq(t, text, string(o.Order))
		stored, err := w.store.Job(t.Context(), "acme", o.Job)
		require.NoError(t, err)
		require.Equal(t, string(stored.Order), string(o.Order), "what is stored is what is sent")
		require.Equal(t, wsproto.OrderDigest(o.Order), stored.OrderDigest)
	})
}

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

// A connector that vanishes before it was granted anything cannot have submitted: the job moves at once.
func TestVanishedWithoutCheckpoint(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		o := <-fa.offers
		synctest.Wait()
		fa.pipe.Cut()
		<-fa.ended
		start := time.Now()
		fb := w.enroll(newIdentity(t))
		o2 := <-fb.offers
		require.Equal(t, id, o2.Job)
		require.EqualValues(t, 2, o2.Attempt)
		require.Less(t, time.Since(start), 2*time.Second)

		fa = w.again(a)
		_, err := fa.checkpoint(a.sealed(t, o, secret(t), 1, 0))
		require.ErrorIs(t, err, wsproto.CodeSuperseded)
		require.ErrorIs(t, fa.finish(o, 1, wsproto.Outcome{Kind: wsproto.Failed}), wsproto.CodeSuperseded)
	})
}

// A connector that comes back before somebody else took its job goes on with it.
func TestVanishedAndBack(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		o := <-fa.offers
		synctest.Wait()
		require.NoError(t, w.g.Assign(t.Context(), "acme", a.id(), nil))
		<-fa.configured
		fa.pipe.Cut()
		<-fa.ended
		synctest.Wait()
		require.Equal(t, gateway.JobQueued, w.job(id).State)
		fa = w.again(a)
		lease, err := fa.checkpoint(a.sealed(t, o, secret(t), 1, 0))
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, lease)
		require.Equal(t, gateway.JobRunning, w.job(id).State)
		require.NoError(t, fa.finish(o, 2, issued(1, nil)))
	})
}

// A connector that was restarted so fast that its old session is still there knows nothing of its jobs.
func TestRestartedBehindALivingSession(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		<-fa.offers
		synctest.Wait()
		start := time.Now()
		fa = w.again(a)
		o := <-fa.offers
		require.Equal(t, id, o.Job)
		require.EqualValues(t, 2, o.Attempt)
		require.InDelta(t, 30*time.Second, time.Since(start), float64(2*time.Second))
	})
}

// The partition: a connector holds a lease and is cut off. Nobody else is offered the job before lease, RPC deadline and
// margin have passed, and then only with the checkpoint. Its certificate counts whenever it arrives.
func TestPartitionWithLease(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, b, c := newIdentity(t), newIdentity(t), newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		o := <-fa.offers
		fb, fc := w.enroll(b), w.enroll(c)
		start := time.Now()
		key := secret(t)
		p := a.sealed(t, o, key, 1, 0, b.dec.PublicKey())
		_, err := fa.checkpoint(p)
		require.NoError(t, err)
		fa.pipe.Partition()

		o2 := <-fb.offers
		require.GreaterOrEqual(t, time.Since(start), 30*time.Second+2*time.Minute+30*time.Second)
		require.Less(t, time.Since(start), 4*time.Minute)
		require.EqualValues(t, 2, o2.Attempt)
		require.Equal(t, &p.Checkpoint, o2.Checkpoint)
		require.Empty(t, fc.offers, "who cannot open the checkpoint is not asked")
		for _, again := range []wsproto.CheckpointSecret{key, secret(t)} {
			_, err = fb.checkpoint(b.sealed(t, o2, again, 1, 0))
			require.ErrorIs(t, err, wsproto.CodeCheckpoint, "nobody submits again what may have been submitted")
		}

		fa = w.again(a)
		require.ErrorIs(t, fa.finish(o, 2, wsproto.Outcome{Kind: wsproto.Denied}), wsproto.CodeSuperseded)
		certificate := issued(1, p.Checkpoint.PublicKeyHash)
		require.NoError(t, fa.finish(o, 2, certificate))
		out, err := w.g.Wait(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Equal(t, certificate, out)
		require.ErrorIs(t, fb.finish(o2, 2, wsproto.Outcome{Kind: wsproto.Unknown}), wsproto.CodeSuperseded)
		require.NoError(t, fa.finish(o, 2, certificate), "repeated")
		synctest.Wait()
		require.Len(t, w.takeEvents(), 1)
	})
}

func TestUnknownIsConcludedAndReplaced(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		for _, definite := range []wsproto.OutcomeKind{wsproto.Issued, wsproto.Denied} {
			a := newIdentity(t)
			fa := w.enroll(a)
			id := w.order()
			o := <-fa.offers
			p := a.sealed(t, o, secret(t), 1, 0)
			_, err := fa.checkpoint(p)
			require.NoError(t, err)
			start := time.Now()
			fa.pipe.Cut()
			out, err := w.g.Wait(t.Context(), "acme", id)
			require.NoError(t, err)
			require.Equal(t, wsproto.Unknown, out.Kind)
			require.Equal(t, p.Checkpoint.PublicKeyHash, out.PublicKeyHash)
			require.InDelta(t, 18*time.Minute, time.Since(start), float64(5*time.Second), "window and Timing.Resolve")

			fa = w.again(a)
			other := wsproto.Outcome{Kind: wsproto.Denied, PublicKeyHash: make([]byte, 32)}
			require.ErrorIs(t, fa.finish(o, 2, other), wsproto.CodeSuperseded, "of another key")
			final := issued(1, p.Checkpoint.PublicKeyHash)
			if definite == wsproto.Denied {
				final = wsproto.Outcome{Kind: wsproto.Denied, PublicKeyHash: p.Checkpoint.PublicKeyHash}
			}
			require.NoError(t, fa.finish(o, 2, final))
			require.Equal(t, final, *w.job(id).Outcome)
			synctest.Wait()
			events := w.takeEvents()
			require.Len(t, events, 2)
			require.Equal(t, wsproto.Unknown, events[0].Outcome.Kind)
			require.Equal(t, definite, events[1].Outcome.Kind)
			require.NotEqual(t, events[0].ID, events[1].ID)
			fa.pipe.Cut()
		}
	})
}

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

func TestResubmit(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		fa := w.enroll(a)
		again := order()
		again.Resubmit = true
		id, err := w.g.Order(t.Context(), "acme", again, nil)
		require.NoError(t, err)
		o := <-fa.offers
		first := a.sealed(t, o, secret(t), 1, 0)
		_, err = fa.checkpoint(first)
		require.NoError(t, err)
		fa.pipe.Cut()
		<-fa.ended
		require.NoError(t, w.g.Revoke(t.Context(), "acme", a.id()))
		fb := w.enroll(newIdentity(t))
		o2 := <-fb.offers
		require.Nil(t, o2.Checkpoint, "nobody can open it, so somebody begins again")
		second := fb.identity.sealed(t, o2, secret(t), 1, 0)
		_, err = fb.checkpoint(second)
		require.NoError(t, err)
		require.NoError(t, fb.finish(o2, 2, issued(2, second.Checkpoint.PublicKeyHash)))

		require.NoError(t, w.g.Approve(t.Context(), "acme", a.id()))
		fa = w.again(a)
		extra := issued(1, first.Checkpoint.PublicKeyHash)
		require.NoError(t, fa.finish(o, 2, extra), "a certificate is always recorded")
		require.NoError(t, fa.finish(o, 2, extra))
		info := w.job(id)
		require.Equal(t, issued(2, second.Checkpoint.PublicKeyHash), *info.Outcome)
		require.Equal(t, []wsproto.Outcome{extra}, info.Extra)
		synctest.Wait()
		events := w.takeEvents()
		require.Len(t, events, 2)
		require.False(t, events[0].Extra)
		require.True(t, events[1].Extra)
	})
}

// The order allows to submit again, but what may have been submitted is never called anything better than unknown.
func TestResubmitEndsUnknown(t *testing.T) {
	for name, end := range map[string]func(w *world, id string, b *identity){
		"nobody takes it": func(w *world, id string, _ *identity) {
			time.Sleep(time.Until(w.job(id).Deadline) - time.Minute)
			require.Equal(w.t, gateway.JobQueued, w.job(id).State, "somebody may still come")
		},
		"the second one fails before it submits": func(w *world, id string, b *identity) {
			f := w.enroll(b)
			o := <-f.offers
			require.Nil(w.t, o.Checkpoint)
			require.ErrorIs(w.t, w.g.Cancel(w.t.Context(), "acme", id), gateway.ErrTooLate)
			require.NoError(w.t, f.finish(o, 1, wsproto.Outcome{Kind: wsproto.Failed}))
		},
		"the second one refuses": func(w *world, id string, b *identity) {
			f := w.connect(b)
			f.onOffer(refuse(wsproto.RefusedNever, wsproto.ReasonOrderInvalid))
			_, err := f.prove(w.code(ca1()))
			require.NoError(w.t, err)
			<-f.offers
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				a := newIdentity(t)
				fa := w.enroll(a)
				again := order()
				again.Resubmit = true
				id, err := w.g.Order(t.Context(), "acme", again, nil)
				require.NoError(t, err)
				o := <-fa.offers
				p := a.sealed(t, o, secret(t), 1, 0)
				_, err = fa.checkpoint(p)
				require.NoError(t, err)
				fa.pipe.Cut()
				<-fa.ended
				require.NoError(t, w.g.Revoke(t.Context(), "acme", a.id()))
				end(w, id, newIdentity(t))
				out, err := w.g.Wait(t.Context(), "acme", id)
				require.NoError(t, err)
				require.Equal(t, wsproto.Unknown, out.Kind)
				require.Equal(t, p.Checkpoint.PublicKeyHash, out.PublicKeyHash)
			})
		})
	}
}

func TestResubmitNeverWhatTheCAHolds(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		fa := w.enroll(a)
		again := order()
		again.Resubmit = true
		_, err := w.g.Order(t.Context(), "acme", again, nil)
		require.NoError(t, err)
		o := <-fa.offers
		s := secret(t)
		_, err = fa.checkpoint(a.sealed(t, o, s, 1, 7))
		require.NoError(t, err)
		_, err = fa.checkpoint(a.sealed(t, o, s, 2, 8))
		require.ErrorIs(t, err, wsproto.CodeCheckpoint, "under another request id")
		require.NoError(t, fa.finish(o, 2, wsproto.Outcome{Kind: wsproto.Pending, RequestID: 7}))
		o = <-fa.offers
		_, err = fa.checkpoint(a.sealed(t, o, s, 1, 0))
		require.ErrorIs(t, err, wsproto.CodeCheckpoint)
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

func TestCheckpointsThatDoNotVerify(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		w.order()
		o := <-f.offers
		for name, change := range map[string]func(*wsproto.CheckpointParams){
			"signature":  func(p *wsproto.CheckpointParams) { p.Checkpoint.Signature[9] ^= 1 },
			"tenant":     func(p *wsproto.CheckpointParams) { p.Checkpoint.Tenant = "other" },
			"digest":     func(p *wsproto.CheckpointParams) { p.Checkpoint.OrderDigest[0] ^= 1 },
			"account":    func(p *wsproto.CheckpointParams) { p.Checkpoint.Account = "other" },
			"CA":         func(p *wsproto.CheckpointParams) { p.Checkpoint.CA.Name = "Other CA" },
			"ciphertext": func(p *wsproto.CheckpointParams) { p.Checkpoint.Sealed[0].Ciphertext[0] ^= 1 },
		} {
			p := i.sealed(t, o, secret(t), 1, 0)
			change(p)
			_, err := f.checkpoint(p)
			require.ErrorIs(t, err, wsproto.CodeCheckpoint, name)
			require.Len(t, w.takeAlarms(), 1, name)
		}
		other, elsewhere := o, order()
		elsewhere.CA.Name = "Other CA"
		var err error
		other.Order, err = wsproto.EncodeOrder(elsewhere)
		require.NoError(t, err)
		p := i.sealed(t, other, secret(t), 1, 0)
		require.Equal(t, elsewhere.CA, p.Checkpoint.CA)
		_, err = f.checkpoint(p)
		require.ErrorIs(t, err, wsproto.CodeCheckpoint, "for another order")
		w.takeAlarms()
		_, err = f.checkpoint(i.sealedFor(t, o, secret(t), elsewhere.CA))
		require.ErrorIs(t, err, wsproto.CodeCheckpoint, "for another CA than the order")
		_, err = f.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.NoError(t, err)
	})
}

func TestCheckpointSequence(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		id := w.order()
		o := <-f.offers
		s := secret(t)
		p := i.sealed(t, o, s, 5, 0)
		_, err := f.checkpoint(p)
		require.NoError(t, err)
		time.Sleep(40 * time.Second)
		lease, err := f.checkpoint(p)
		require.NoError(t, err, "the same again renews the lease")
		require.Equal(t, 30*time.Second, lease)
		stored, err := w.store.Job(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, time.Until(stored.LeaseEnd))
		for seq, want := range map[int64]error{4: wsproto.CodeSuperseded, 5: wsproto.CodeSuperseded} {
			_, err = f.checkpoint(i.sealed(t, o, s, seq, 0))
			require.ErrorIs(t, err, want)
		}
		_, err = f.checkpoint(i.sealed(t, o, secret(t), 6, 0))
		require.ErrorIs(t, err, wsproto.CodeCheckpoint, "another key")
		require.ErrorIs(t, f.finish(o, 5, wsproto.Outcome{Kind: wsproto.Failed}), wsproto.CodeSuperseded)
		require.NoError(t, f.finish(o, 6, wsproto.Outcome{Kind: wsproto.Failed}))
	})
}

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

// A connector that is connected and has a lease gets more time than one that is gone, but not for ever.
func TestStalledWithLease(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		w.order()
		o := <-f.offers
		_, err := f.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.NoError(t, err)
		start := time.Now()
		require.EqualValues(t, 2, (<-f.offers).Attempt)
		require.InDelta(t, 8*time.Minute, time.Since(start), float64(2*time.Second), "3 minutes, and Timing.Stall")
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
