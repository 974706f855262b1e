package gateway_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// Texts of a connector are for people: no control characters, and not without end.
func TestTextsAreCleaned(t *testing.T) {
	const dirty, cleaned = "a\x1b[2Jb\u0085", "a[2Jb"
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		raw, err := json.Marshal(wsproto.Status{CAs: []wsproto.CAHealth{{
			CA: wsproto.CAAssignment{Host: dirty, Name: dirty}, Reason: dirty, Message: dirty,
		}}})
		require.NoError(t, err)
		require.NoError(t, f.peer.Notify(t.Context(), wsproto.MethodStatus, json.RawMessage(raw)))
		synctest.Wait()
		all, err := w.g.Connectors(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, []wsproto.CAHealth{{
			CA: wsproto.CAAssignment{Host: cleaned, Name: cleaned}, Reason: cleaned, Message: cleaned,
		}}, all[0].Health)

		id := w.order()
		require.NoError(t, f.finish(<-f.offers, 1, wsproto.Outcome{Kind: wsproto.Failed, Reason: dirty}))
		require.EqualValues(t, cleaned, w.job(id).Outcome.Reason)
		f.onOffer(refuse(wsproto.RefusedElsewhere, dirty))
		id = w.order()
		<-f.offers
		synctest.Wait()
		require.EqualValues(t, cleaned, w.job(id).LastRefusal.Reason)
	})
}
