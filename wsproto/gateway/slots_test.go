package gateway_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/gateway"
)

// between is a store where something happens after held jobs were read.
type between struct {
	gateway.Store
	then func()
}

func (s *between) HeldJobs(ctx context.Context, tenant, connector string) ([]*gateway.Job, error) {
	jobs, err := s.Store.HeldJobs(ctx, tenant, connector)
	if then := s.then; then != nil && len(jobs) > 0 {
		s.then = nil
		then()
	}
	return jobs, err
}

// A job that ends while its connector connects again leaves no slot occupied.
func TestNoSlotIsLostWhileConnecting(t *testing.T) {
	for name, gone := range map[string]bool{"ended": false, "removed": true} {
		t.Run(name, func(t *testing.T) {
			store := &between{Store: gateway.NewMemoryStore()}
			bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
				a := newIdentity(t)
				a.capacity = 1
				f := w.enroll(a)
				id := w.order()
				<-f.offers
				synctest.Wait()
				store.then = func() {
					require.NoError(t, w.g.Cancel(t.Context(), "acme", id))
					if gone {
						job, err := store.Job(t.Context(), "acme", id)
						require.NoError(t, err)
						require.NoError(t, store.DeleteJob(t.Context(), "acme", id, job.Version))
					}
				}
				f = w.again(a)
				w.order()
				select {
				case <-f.offers:
				case <-time.After(10 * time.Minute):
					t.Fatal("the slot is still taken")
				}
			})
		})
	}
}
