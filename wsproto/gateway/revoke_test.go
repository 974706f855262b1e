package gateway_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// A connector that was revoked gets no job, before its session has noticed, too.
func TestRevokedGetsNoOffer(t *testing.T) {
	for name, revoke := range map[string]func(t *testing.T, w *world, id string){
		"here": func(t *testing.T, w *world, id string) {
			require.NoError(t, w.g.Revoke(t.Context(), "acme", id))
		},
		"by another gateway": func(t *testing.T, w *world, id string) {
			c, err := w.store.Connector(t.Context(), "acme", id)
			require.NoError(t, err)
			c.State = wsproto.StateRevoked
			require.NoError(t, w.store.PutConnector(t.Context(), c))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				a := newIdentity(t)
				fa := w.enroll(a)
				revoke(t, w, a.id())
				id := w.order()
				require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-fa.ended))
				synctest.Wait()
				require.Empty(t, fa.offers)
				require.Zero(t, w.job(id).Attempt)
				fb := w.enroll(newIdentity(t))
				require.EqualValues(t, 1, (<-fb.offers).Attempt)
			})
		})
	}
}

// Revoked and approved again before the session has noticed: it goes on.
func TestRevokedAndApprovedAtOnce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		f := w.enroll(a)
		require.NoError(t, w.g.Revoke(t.Context(), "acme", a.id()))
		require.NoError(t, w.g.Approve(t.Context(), "acme", a.id()))
		synctest.Wait()
		if f.peer.Err() != nil { // it was fast enough
			<-f.ended
			f = w.again(a)
		}
		w.order()
		<-f.offers
	})
}
