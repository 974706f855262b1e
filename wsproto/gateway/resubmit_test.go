package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

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
