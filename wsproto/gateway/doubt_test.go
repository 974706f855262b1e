package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// resubmitted returns a job whose first attempt may have submitted, and whose second one has a lease for another key.
func resubmitted(t *testing.T, w *world) (id string, f *fake, o wsproto.Offer, first, second *wsproto.CheckpointParams) {
	a := newIdentity(t)
	fa := w.enroll(a)
	again := order()
	again.Resubmit = true
	id, err := w.g.Order(t.Context(), "acme", again, nil)
	require.NoError(t, err)
	o = <-fa.offers
	first = a.sealed(t, o, secret(t), 1, 0)
	_, err = fa.checkpoint(first)
	require.NoError(t, err)
	fa.pipe.Cut()
	<-fa.ended
	require.NoError(t, w.g.Revoke(t.Context(), "acme", a.id()))
	f = w.enroll(newIdentity(t))
	o = <-f.offers
	require.Nil(t, o.Checkpoint)
	second = f.identity.sealed(t, o, secret(t), 1, 0)
	_, err = f.checkpoint(second)
	require.NoError(t, err)
	return id, f, o, first, second
}

// What a second attempt says about its own request is not true of the first one.
func TestResubmitKeepsTheDoubt(t *testing.T) {
	for _, kind := range []wsproto.OutcomeKind{wsproto.Failed, wsproto.Denied, wsproto.Cancelled, wsproto.Expired} {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				id, f, o, first, second := resubmitted(t, w)
				hash := second.Checkpoint.PublicKeyHash
				require.NoError(t, f.finish(o, 2, wsproto.Outcome{Kind: kind, PublicKeyHash: hash, Message: "why"}))
				out := w.job(id).Outcome
				require.Equal(t, wsproto.Unknown, out.Kind)
				require.Equal(t, first.Checkpoint.PublicKeyHash, out.PublicKeyHash, "this one is to be looked up")
				require.Contains(t, out.Message, string(kind)+": why")
				repeated := wsproto.Outcome{Kind: kind, PublicKeyHash: hash, Message: "why"}
				require.NoError(t, f.finish(o, 2, repeated), "a repetition is answered in the same way")
			})
		})
		t.Run(string(kind)+" after unknown", func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				id, f, o, _, second := resubmitted(t, w)
				hash := second.Checkpoint.PublicKeyHash
				require.NoError(t, f.finish(o, 2, wsproto.Outcome{Kind: wsproto.Unknown, PublicKeyHash: hash}))
				err := f.finish(o, 3, wsproto.Outcome{Kind: kind, PublicKeyHash: hash})
				require.ErrorIs(t, err, wsproto.CodeSuperseded)
				require.Equal(t, wsproto.Unknown, w.job(id).Outcome.Kind)
			})
		})
	}
	t.Run("cancel", func(t *testing.T) {
		bubble(t, nil, func(t *testing.T, w *world) {
			id, f, _, first, _ := resubmitted(t, w)
			f.cancel = func(wsproto.Cancel) wsproto.CancelResult { return wsproto.CancelResult{Cancelled: true} }
			require.ErrorIs(t, w.g.Cancel(t.Context(), "acme", id), gateway.ErrTooLate)
			out := w.job(id).Outcome
			require.Equal(t, wsproto.Unknown, out.Kind)
			require.Equal(t, first.Checkpoint.PublicKeyHash, out.PublicKeyHash)
		})
	})
	t.Run("a certificate", func(t *testing.T) {
		bubble(t, nil, func(t *testing.T, w *world) {
			id, f, o, _, second := resubmitted(t, w)
			require.NoError(t, f.finish(o, 2, issued(2, second.Checkpoint.PublicKeyHash)))
			require.Equal(t, wsproto.Issued, w.job(id).Outcome.Kind)
		})
	})
}
