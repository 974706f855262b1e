package gateway_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

func ca2() wsproto.CAAssignment { return wsproto.CAAssignment{Host: "ca.corp.test", Name: "Other CA"} }

func TestDelete(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		require.NoError(t, w.g.Delete(t.Context(), "acme", i.id()))
		require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-f.ended))
		synctest.Wait()
		_, err := w.store.Connector(t.Context(), "acme", i.id())
		require.ErrorIs(t, err, gateway.ErrNotFound)
		require.ErrorIs(t, w.g.Delete(t.Context(), "acme", i.id()), gateway.ErrNotFound)
		time.Sleep(time.Hour)
		all, err := w.g.Connectors(t.Context(), "acme")
		require.NoError(t, err)
		require.Empty(t, all, "nothing brings it back")

		_, state := w.connected(i)
		require.Equal(t, wsproto.StatePending, state.State, "like one that never was here")
	})
}

// TestDeletedWithItsCode: the enrollment code that a connector came with does not bring it back.
func TestDeletedWithItsCode(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		code := w.code(ca1())
		f := w.connect(i)
		_, err := f.prove(code)
		require.NoError(t, err)
		f.end()
		f = w.connect(i)
		_, err = f.prove(code)
		require.NoError(t, err, "an answer may have been lost")
		require.NoError(t, w.g.Delete(t.Context(), "acme", i.id()))
		<-f.ended
		closed, err := w.refused(i, code)
		require.ErrorIs(t, err, wsproto.CodeEnrollment)
		require.Equal(t, wsproto.CloseNotAuthenticated, closed)
		f = w.connect(i)
		_, err = f.prove(w.code(ca1()))
		require.NoError(t, err, "a new one does")
	})
}

// TestDeleteAtAnotherGateway: its connection is closed there with the next heartbeat, and what it sends is refused at once.
func TestDeleteAtAnotherGateway(t *testing.T) {
	store := gateway.NewMemoryStore()
	shared := func(c *gateway.Config) { c.Store = store }
	bubble(t, shared, func(t *testing.T, w *world) {
		other := newWorld(t, shared)
		defer other.stop()
		i := newIdentity(t)
		f := w.enroll(i)
		w.order()
		o := <-f.offers
		require.NoError(t, other.g.Delete(t.Context(), "acme", i.id()))
		require.ErrorIs(t, f.finish(o, 1, issued(1, nil)), wsproto.CodeRevoked)
		require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-f.ended))

		f = w.enroll(i)
		require.NoError(t, other.g.Delete(t.Context(), "acme", i.id()))
		start := time.Now()
		require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-f.ended))
		require.LessOrEqual(t, time.Since(start), 25*time.Second)
	})
}

// stage brings a job to a stage with a checkpoint that is encrypted to more keys.
type stage struct {
	name string
	to   func(t *testing.T, f *fake, i *identity, o wsproto.Offer, more *identity)
}

func stages() []stage {
	return []stage{
		{"held by the CA", func(t *testing.T, f *fake, i *identity, o wsproto.Offer, more *identity) {
			_, err := f.checkpoint(i.sealed(t, o, secret(t), 1, 5, more.dec.PublicKey()))
			require.NoError(t, err)
			require.NoError(t, f.finish(o, 2, wsproto.Outcome{Kind: wsproto.Pending, RequestID: 5, RetryAfterMS: 7_200_000}))
		}},
		{"being asked for", func(t *testing.T, f *fake, i *identity, o wsproto.Offer, more *identity) {
			_, err := f.checkpoint(i.sealed(t, o, secret(t), 1, 5, more.dec.PublicKey()))
			require.NoError(t, err)
			require.NoError(t, f.finish(o, 2, wsproto.Outcome{Kind: wsproto.Pending, RequestID: 5, RetryAfterMS: 1000}))
			<-f.offers
		}},
		{"pending, with a lease that runs", func(t *testing.T, f *fake, i *identity, o wsproto.Offer, more *identity) {
			s := secret(t)
			_, err := f.checkpoint(i.sealed(t, o, s, 1, 0, more.dec.PublicKey()))
			require.NoError(t, err)
			_, err = f.checkpoint(i.sealed(t, o, s, 2, 5, more.dec.PublicKey()))
			require.NoError(t, err)
		}},
		{"submitting", func(t *testing.T, f *fake, i *identity, o wsproto.Offer, more *identity) {
			_, err := f.checkpoint(i.sealed(t, o, secret(t), 1, 0, more.dec.PublicKey()))
			require.NoError(t, err)
		}},
		{"accepted", func(*testing.T, *fake, *identity, wsproto.Offer, *identity) {}},
	}
}

// TestLosingAConnector: a job goes on at whoever can open its checkpoint, or ends at once.
func TestLosingAConnector(t *testing.T) {
	const window = 3*time.Minute + time.Second // what was submitted is waited for
	ends := map[string]wsproto.OutcomeKind{
		"held by the CA": wsproto.Lost, "being asked for": wsproto.Lost, "submitting": wsproto.Unknown,
		"pending, with a lease that runs": wsproto.Lost,
	}
	for _, s := range stages() {
		for _, sibling := range []bool{true, false} {
			name := s.name + ", nobody else"
			if sibling {
				name = s.name + ", a sibling"
			}
			t.Run(name, func(t *testing.T) {
				bubble(t, nil, func(t *testing.T, w *world) {
					a, b := newIdentity(t), newIdentity(t)
					f := w.enroll(a)
					id := w.order()
					s.to(t, f, a, <-f.offers, b)
					other := b
					if !sibling {
						other = newIdentity(t)
					}
					fb := w.enroll(other)
					start := time.Now()
					require.NoError(t, w.g.Delete(t.Context(), "acme", a.id()))
					if end, ends := ends[s.name]; ends && !sibling {
						out, err := w.g.Wait(t.Context(), "acme", id)
						require.NoError(t, err)
						require.Equal(t, end, out.Kind)
						require.LessOrEqual(t, time.Since(start), window)
						if end == wsproto.Lost {
							require.EqualValues(t, 5, out.RequestID)
						}
						if s.name == "held by the CA" || s.name == "being asked for" {
							require.Zero(t, time.Since(start), "at once")
						}
						return
					}
					o := <-fb.offers
					if s.name != "held by the CA" {
						require.LessOrEqual(t, time.Since(start), window)
					}
					require.Equal(t, s.name == "accepted", o.Checkpoint == nil)
					require.NoError(t, fb.finish(o, 1, issued(1, nil)))
					require.Equal(t, wsproto.Issued, w.job(id).Outcome.Kind)
				})
			})
		}
	}
}

// TestLosingAConnectorWithResubmit: an order that allows it is submitted again.
func TestLosingAConnectorWithResubmit(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		f := w.enroll(a)
		o := order()
		o.Resubmit = true
		id, err := w.g.Order(t.Context(), "acme", o, nil)
		require.NoError(t, err)
		offer := <-f.offers
		_, err = f.checkpoint(a.sealed(t, offer, secret(t), 1, 0))
		require.NoError(t, err)
		fb := w.enroll(newIdentity(t))
		start := time.Now()
		require.NoError(t, w.g.Delete(t.Context(), "acme", a.id()))
		offer = <-fb.offers
		require.Nil(t, offer.Checkpoint)
		require.LessOrEqual(t, time.Since(start), 3*time.Minute+time.Second)
		require.NoError(t, fb.finish(offer, 1, wsproto.Outcome{Kind: wsproto.Failed}))
		require.Equal(t, wsproto.Unknown, w.job(id).Outcome.Kind, "the first one may have submitted")
	})
}

func TestReplace(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		ctx := t.Context()
		lost, by := newIdentity(t), newIdentity(t)
		w.enroll(lost).end()
		require.NoError(t, w.g.Assign(ctx, "acme", lost.id(), []wsproto.CAAssignment{ca1(), ca2()}))
		fb, _ := w.connected(by)
		require.ErrorIs(t, w.g.Replace(ctx, "acme", lost.id(), by.id()), gateway.ErrConflict, "not active")
		require.NoError(t, w.g.Approve(ctx, "acme", by.id()))
		require.NoError(t, w.g.Assign(ctx, "acme", by.id(), []wsproto.CAAssignment{ca1()}))
		require.ErrorIs(t, w.g.Replace(ctx, "acme", "nobody", by.id()), gateway.ErrNotFound)
		require.ErrorIs(t, w.g.Replace(ctx, "acme", lost.id(), "nobody"), gateway.ErrNotFound)
		require.ErrorContains(t, w.g.Replace(ctx, "acme", by.id(), by.id()), "itself")
		require.Len(t, w.info(lost.id()).CAs, 2, "nothing has happened so far")

		revision := w.record(by).Revision
		require.NoError(t, w.g.Replace(ctx, "acme", lost.id(), by.id()))
		synctest.Wait()
		require.Equal(t, []wsproto.CAAssignment{ca1(), ca2()}, w.info(by.id()).CAs)
		require.Equal(t, revision+1, w.record(by).Revision)
		var last wsproto.Configure
		for len(fb.configured) > 0 {
			last = <-fb.configured
		}
		require.Len(t, last.CAs, 2)
		_, err := w.store.Connector(ctx, "acme", lost.id())
		require.ErrorIs(t, err, gateway.ErrNotFound)
	})
}

// TestDeleteWithManyJobs at the CA: each of them ends.
func TestDeleteWithManyJobs(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		w.enroll(i).end()
		const jobs = 150
		for n := range jobs {
			require.NoError(t, w.store.PutJob(t.Context(), &gateway.Job{
				Tenant: "acme", ID: fmt.Sprint("job-", n), State: gateway.JobQueued, CA: ca1(), Order: []byte(`{}`),
				NotBefore: time.Now().Add(time.Hour), GiveUp: time.Now().Add(24 * time.Hour),
				Checkpoint: &wsproto.Checkpoint{
					State: wsproto.CheckpointPending, RequestID: 5, Sealed: []wsproto.SealedPart{{Key: i.decryption()}},
				},
			}))
		}
		require.NoError(t, w.g.Delete(t.Context(), "acme", i.id()))
		for n := range jobs {
			require.Equal(t, wsproto.Lost, w.job(fmt.Sprint("job-", n)).Outcome.Kind)
		}
	})
}

// TestReplaceWithTooManyCAs changes nothing.
func TestReplaceWithTooManyCAs(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, b := newIdentity(t), newIdentity(t)
		w.enroll(a).end()
		w.enroll(b).end()
		var many []wsproto.CAAssignment
		for n := range wsproto.MaxCAs {
			many = append(many, wsproto.CAAssignment{Host: "h", Name: fmt.Sprint(n)})
		}
		require.NoError(t, w.g.Assign(t.Context(), "acme", a.id(), many))
		require.ErrorContains(t, w.g.Replace(t.Context(), "acme", a.id(), b.id()), "assigning CAs")
		require.Len(t, w.info(a.id()).CAs, wsproto.MaxCAs)
		require.Len(t, w.info(b.id()).CAs, 1)
		require.NoError(t, w.g.Assign(t.Context(), "acme", b.id(), nil))
		require.NoError(t, w.g.Replace(t.Context(), "acme", a.id(), b.id()))
		require.Len(t, w.info(b.id()).CAs, wsproto.MaxCAs)
	})
}

// TestDeleteIsRepeated after the store has failed in the middle of it.
func TestDeleteIsRepeated(t *testing.T) {
	store := &troubled{Store: gateway.NewMemoryStore()}
	bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
		a := newIdentity(t)
		f := w.enroll(a)
		id := w.order()
		stages()[0].to(t, f, a, <-f.offers, a)
		require.NoError(t, w.g.Revoke(t.Context(), "acme", a.id()))
		<-f.ended
		store.down.Store(true)
		require.ErrorIs(t, w.g.Delete(t.Context(), "acme", a.id()), errDown)
		store.down.Store(false)
		require.Equal(t, gateway.JobQueued, w.job(id).State)
		store.conflicts.Store(3)
		require.NoError(t, w.g.Delete(t.Context(), "acme", a.id()))
		store.conflicts.Store(0)
		require.Equal(t, wsproto.Lost, w.job(id).Outcome.Kind)
	})
}

// TestApprovedWhileItIsDeleted: a person has changed his mind, and the record stays.
func TestApprovedWhileItIsDeleted(t *testing.T) {
	store := &hooked{Store: gateway.NewMemoryStore()}
	bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
		i := newIdentity(t)
		w.enroll(i).end()
		store.beforeDelete = func() {
			store.beforeDelete = nil
			require.NoError(t, w.g.Approve(t.Context(), "acme", i.id()))
		}
		require.ErrorIs(t, w.g.Delete(t.Context(), "acme", i.id()), gateway.ErrConflict)
		w.again(i)
	})
}

// TestDeleteDuringARotation: what its successor is about to take over is not lost.
func TestDeleteDuringARotation(t *testing.T) {
	store := &mortal{Store: gateway.NewMemoryStore()}
	bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
		a, other := newIdentity(t), newIdentity(t)
		f := w.enroll(a)
		id := w.order()
		stages()[0].to(t, f, a, <-f.offers, other)
		f.end()
		fo := w.enroll(other)
		fo.end()
		b := a.rotated(t)
		store.dying, store.left = true, 2
		f = w.connect(b)
		_, err := f.prove(wsproto.EnrollmentCode{})
		require.ErrorIs(t, err, wsproto.CodeUnavailable)
		f.end()
		store.dying = false
		require.NoError(t, w.g.Delete(t.Context(), "acme", other.id()))
		require.Equal(t, gateway.JobQueued, w.job(id).State)
		_, state := w.connected(b)
		require.Equal(t, wsproto.StateActive, state.State)
		time.Sleep(time.Hour)
		require.Equal(t, gateway.JobQueued, w.job(id).State)
	})
}
