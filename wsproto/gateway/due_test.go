package gateway_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// An event that a gateway with OnOutcome has left is nothing to one without it, and does not keep the job for ever.
func TestEventsOfAnotherConfiguration(t *testing.T) {
	nobody := func(c *gateway.Config) { c.OnOutcome = nil }
	bubble(t, nobody, func(t *testing.T, w *world) {
		now := time.Now()
		outcome := wsproto.Outcome{Kind: wsproto.Denied}
		job := &gateway.Job{
			Tenant: "acme", ID: "left", State: gateway.JobDone, CA: ca1(), Order: []byte(`{}`), Outcome: &outcome, Ended: now,
			Due: now, DeliverAt: now, Events: []gateway.Event{{ID: "left/1", Time: now, Outcome: outcome}},
		}
		require.NoError(t, w.store.PutJob(t.Context(), job))
		time.Sleep(time.Minute)
		stored, err := w.store.Job(t.Context(), "acme", "left")
		require.NoError(t, err)
		require.True(t, stored.Due.After(time.Now().Add(time.Hour)), "the end of its retention")
		require.NoError(t, w.g.Forget(t.Context(), "acme", "left"))
	})
}

// stubborn is a store with jobs that cannot be written.
type stubborn struct {
	gateway.Store
	on  atomic.Bool
	bad map[string]bool
}

func (s *stubborn) PutJob(ctx context.Context, j *gateway.Job) error {
	if s.on.Load() && s.bad[j.ID] {
		return errDown
	}
	return s.Store.PutJob(ctx, j)
}

func TestOneFailingJobDoesNotStopTheOthers(t *testing.T) {
	store := &stubborn{Store: gateway.NewMemoryStore(), bad: make(map[string]bool)}
	bubble(t, func(c *gateway.Config) { c.Store, c.OnOutcome = store, nil }, func(t *testing.T, w *world) {
		var ids []string
		for n := range 130 {
			ids = append(ids, fmt.Sprintf("job%03d", n))
			job := &gateway.Job{
				Tenant: "acme", ID: ids[n], State: gateway.JobQueued, CA: ca1(), Order: []byte(`{}`),
				NotBefore: time.Now(), Deadline: time.Now().Add(time.Minute),
			}
			job.Due = job.Deadline.Add(time.Duration(n))
			store.bad[job.ID] = n < 2
			require.NoError(t, w.store.PutJob(t.Context(), job))
		}
		store.on.Store(true)
		time.Sleep(time.Minute + 2*time.Second)
		for n, id := range ids {
			if n < 2 {
				require.Equal(t, gateway.JobQueued, w.job(id).State)
			} else {
				require.Equal(t, gateway.JobDone, w.job(id).State, id)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		require.NotEmpty(t, w.errs)
		require.LessOrEqual(t, len(w.errs), 10, "each job once a round")
		for _, err := range w.errs {
			require.ErrorIs(t, err, errDown)
		}
	})
}
