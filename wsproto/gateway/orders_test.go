package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

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
			{func(o *wsproto.Order) { o.Recipient = &wsproto.Recipient{ID: "r", Key: recipientKey(t)} }, "recipient: a password"},
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
