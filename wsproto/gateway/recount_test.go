package gateway_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/gateway"
)

// A job that another gateway of the same store concludes leaves its slot at the connector's session here.
func TestSlotOfJobThatEndedElsewhere(t *testing.T) {
	quiet := func(c *gateway.Config) { c.OnOutcome = nil } // delivering the outcome here would show it, too
	bubble(t, quiet, func(t *testing.T, w *world) {
		other := newWorld(t, func(c *gateway.Config) { c.Store, c.OnOutcome = w.store, nil })
		defer other.stop()
		a := newIdentity(t)
		a.capacity = 1
		f := w.enroll(a)
		id := w.order()
		<-f.offers
		require.NoError(t, other.g.Cancel(t.Context(), "acme", id))
		next := w.order()
		select {
		case o := <-f.offers:
			require.Equal(t, next, o.Job)
		case <-time.After(10 * time.Minute):
			t.Fatal("the slot is still taken")
		}
	})
}
