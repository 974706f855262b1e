package gateway_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// TestJobs: the jobs of one tenant, newest first, page by page, without what they deliver.
func TestJobs(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		_, err := w.g.Order(t.Context(), "another tenant", order(), nil)
		require.NoError(t, err)
		i := newIdentity(t)
		f := w.enroll(i)
		done := w.order()
		o := <-f.offers
		p := i.sealed(t, o, secret(t), 1, 0)
		_, err = f.checkpoint(p)
		require.NoError(t, err)
		require.NoError(t, f.finish(o, 2, issued(1, p.Checkpoint.PublicKeyHash)))
		f.pipe.Cut()
		<-f.ended
		newest := []string{done}
		for range 4 {
			time.Sleep(time.Second)
			newest = append([]string{w.order()}, newest...)
		}

		list := func(q gateway.JobQuery) []string {
			t.Helper()
			q.Tenant = "acme"
			jobs, err := w.g.Jobs(t.Context(), q)
			require.NoError(t, err)
			var ids []string
			for _, j := range jobs {
				ids = append(ids, j.ID)
			}
			return ids
		}
		require.Equal(t, newest, list(gateway.JobQuery{}))
		require.Equal(t, newest[:4], list(gateway.JobQuery{Select: gateway.OpenJobs}))
		require.Equal(t, newest[4:], list(gateway.JobQuery{Select: gateway.EndedJobs}))
		require.Equal(t, newest[:2], list(gateway.JobQuery{Limit: 2}))
		second := w.job(newest[1])
		require.Equal(t, newest[2:], list(gateway.JobQuery{BeforeTime: second.Created, BeforeID: second.ID}))

		all, err := w.g.Jobs(t.Context(), gateway.JobQuery{Tenant: "acme"})
		require.NoError(t, err)
		text, err := json.Marshal(all)
		require.NoError(t, err)
		require.NotContains(t, string(text), "top-secret-pw")
		last := all[len(all)-1]
		require.Equal(t, wsproto.Issued, last.Outcome.Kind)
		require.Equal(t, "0a", last.Outcome.Serial)
		require.Empty(t, last.Outcome.PKCS12)
		require.NotEmpty(t, w.job(done).Outcome.PKCS12, "it is still there")

		for _, q := range []gateway.JobQuery{{Select: "done"}, {Limit: -1}, {Limit: gateway.MaxJobs + 1}} {
			_, err := w.g.Jobs(t.Context(), q)
			require.Error(t, err, "%+v", q)
		}
		require.NoError(t, w.g.Close())
		_, err = w.g.Jobs(t.Context(), gateway.JobQuery{Tenant: "acme"})
		require.Error(t, err)
	})
}
