package gateway_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// troubled is a store that fails as it is told.
type troubled struct {
	gateway.Store
	conflicts atomic.Int64 // every so many writes is refused as a conflict, without being one; zero: none
	writes    atomic.Int64
	down      atomic.Bool
}

var errDown = errors.New("the database is down, says a secret driver")

func (s *troubled) fail() error {
	if s.down.Load() {
		return errDown
	}
	if n := s.conflicts.Load(); n > 0 && s.writes.Add(1)%n != 0 {
		return gateway.ErrConflict
	}
	return nil
}

func (s *troubled) PutJob(ctx context.Context, j *gateway.Job) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.Store.PutJob(ctx, j)
}

func (s *troubled) PutConnector(ctx context.Context, c *gateway.Connector) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.Store.PutConnector(ctx, c)
}

func (s *troubled) PutCode(ctx context.Context, c *gateway.Code) error {
	if err := s.fail(); err != nil && c.Version > 0 {
		return err
	}
	return s.Store.PutCode(ctx, c)
}

// Two writes of three meet somebody else's: everything is read and tried again.
func TestConflictsAreTriedAgain(t *testing.T) {
	store := &troubled{Store: gateway.NewMemoryStore()}
	bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
		id := w.order()
		store.conflicts.Store(3)
		i := newIdentity(t)
		f := w.enroll(i)
		o := <-f.offers
		p := i.sealed(t, o, secret(t), 1, 0)
		_, err := f.checkpoint(p)
		require.NoError(t, err)
		require.NoError(t, f.finish(o, 2, issued(1, p.Checkpoint.PublicKeyHash)))
		time.Sleep(10 * time.Minute)
		require.Equal(t, wsproto.Issued, w.job(id).Outcome.Kind)
		require.NotEmpty(t, w.takeEvents())
		require.NoError(t, w.g.Assign(t.Context(), "acme", i.id(), nil))
		w.mu.Lock()
		defer w.mu.Unlock()
		require.Empty(t, w.errs)
	})
}

// Nothing is acknowledged that is not stored, and the connector is asked to try again.
func TestStoreDown(t *testing.T) {
	store := &troubled{Store: gateway.NewMemoryStore()}
	bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		id := w.order()
		o := <-f.offers
		synctest.Wait()
		store.down.Store(true)
		p := i.sealed(t, o, secret(t), 1, 0)
		_, err := f.checkpoint(p)
		require.ErrorIs(t, err, wsproto.CodeUnavailable)
		require.NotContains(t, err.Error(), "secret driver")
		require.ErrorIs(t, f.finish(o, 2, issued(1, nil)), wsproto.CodeUnavailable)
		_, err = w.g.Order(t.Context(), "acme", order(), nil)
		require.ErrorIs(t, err, errDown)
		other := w.connect(newIdentity(t))
		_, err = other.prove(wsproto.EnrollmentCode{})
		require.ErrorIs(t, err, wsproto.CodeUnavailable)
		require.Equal(t, wsproto.CloseUnavailable, closeCode(t, <-other.ended))
		w.mu.Lock()
		require.NotEmpty(t, w.errs)
		w.mu.Unlock()

		store.down.Store(false)
		lease, err := f.checkpoint(p)
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, lease)
		require.NoError(t, f.finish(o, 2, issued(1, p.Checkpoint.PublicKeyHash)))
		require.Equal(t, wsproto.Issued, w.job(id).Outcome.Kind)
	})
}
