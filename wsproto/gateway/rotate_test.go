package gateway_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// rotated returns new keys of an installation, and the statement of the old ones.
func (i *identity) rotated(t testing.TB) *identity {
	t.Helper()
	next := newIdentity(t)
	next.instance, next.capacity = i.instance, i.capacity
	next.rotation = i.names(t, next)
	return next
}

// names makes the statement that the keys of next take the place of these.
func (i *identity) names(t testing.TB, next *identity) *wsproto.Rotation {
	t.Helper()
	old, hello := i.hello(t), next.hello(t)
	r, err := wsproto.SignRotation(i.key, "acme", wsproto.RotationKeys{
		PreviousDecryption: old.DecryptionKey, Identity: hello.IdentityKey, Decryption: hello.DecryptionKey,
	})
	require.NoError(t, err)
	return r
}

// decryption is the fingerprint of the decryption key.
func (i *identity) decryption() []byte {
	f, _ := wsproto.FingerprintKey(i.dec.Public())
	return f[:]
}

// connected proves, and returns the connection and the answer.
func (w *world) connected(i *identity) (*fake, wsproto.State) {
	w.t.Helper()
	f := w.connect(i)
	state, err := f.prove(wsproto.EnrollmentCode{})
	require.NoError(w.t, err)
	require.Equal(w.t, i.id(), state.Connector)
	synctest.Wait()
	return f, state
}

func (w *world) record(i *identity) *gateway.Connector {
	w.t.Helper()
	c, err := w.store.Connector(w.t.Context(), "acme", i.id())
	require.NoError(w.t, err)
	return c
}

func TestRotation(t *testing.T) {
	var events []gateway.ConnectorEvent
	bubble(t, seen(&events), func(t *testing.T, w *world) {
		a := newIdentity(t)
		f := w.enroll(a)
		f.end()
		before, revision := w.info(a.id()), w.record(a).Revision
		time.Sleep(time.Hour)
		b := a.rotated(t)
		fb, state := w.connected(b)
		require.Equal(t, wsproto.StateActive, state.State)
		require.Equal(t, [][]byte{a.decryption()}, state.FormerKeys)
		require.Equal(t, []wsproto.CAAssignment{ca1()}, (<-fb.configured).CAs)
		now := w.info(b.id())
		require.Equal(t, before.CAs, now.CAs)
		require.Greater(t, w.record(b).Revision, revision)
		require.Equal(t, before.Registered, now.Registered)
		require.Equal(t, a.id(), now.Predecessor)
		old := w.info(a.id())
		require.Equal(t, wsproto.StateRevoked, old.State)
		require.Equal(t, b.id(), old.Successor)
		require.Empty(t, w.takeAlarms())
		var kinds []gateway.ConnectorEventKind
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		require.Equal(t, []gateway.ConnectorEventKind{
			gateway.ConnectorActive, gateway.ConnectorGone, gateway.ConnectorRotated, gateway.ConnectorActive,
		}, kinds)
		require.Contains(t, events[2].Message, a.id())

		id := w.order()
		o := <-fb.offers
		require.NoError(t, fb.finish(o, 1, issued(1, nil)))
		require.Equal(t, wsproto.Issued, w.job(id).Outcome.Kind)

		fb.end()
		time.Sleep(time.Hour)
		fb, state = w.connected(b)
		require.Equal(t, wsproto.StateActive, state.State, "the statement is repeated: an answer was lost")
		require.Empty(t, state.FormerKeys, "nothing needs the old key any more")
		fb.end()
		b.rotation = nil
		w.again(b).end()
		require.Empty(t, w.takeAlarms())

		closed, err := w.refused(a, wsproto.EnrollmentCode{})
		require.ErrorIs(t, err, wsproto.CodeRevoked)
		require.ErrorContains(t, err, "replaced")
		require.Equal(t, wsproto.CloseRevoked, closed)
		require.Equal(t, gateway.AlarmRotation, w.takeAlarms()[0].Kind, "nobody has a use for it")

		for _, err := range []error{
			w.g.Approve(t.Context(), "acme", a.id()), w.g.Revoke(t.Context(), "acme", a.id()),
			w.g.Assign(t.Context(), "acme", a.id(), nil),
		} {
			require.ErrorIs(t, err, gateway.ErrConflict)
			require.ErrorContains(t, err, b.id())
		}
	})
}

// TestRotationTwice: keys of before both rotations are kept as long as they are needed.
func TestRotationTwice(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		w.enroll(a).end()
		b := a.rotated(t)
		f, _ := w.connected(b)
		f.end()
		c := b.rotated(t)
		f, state := w.connected(c)
		require.Equal(t, [][]byte{a.decryption(), b.decryption()}, state.FormerKeys)
		f.end()
		time.Sleep(time.Hour)
		_, state = w.connected(c)
		require.Empty(t, state.FormerKeys)
		require.Len(t, w.record(c).Former, 2, "jobs may still name the connector by its former ids")
		for _, gone := range []*identity{a, b} {
			_, err := w.refused(gone, wsproto.EnrollmentCode{})
			require.ErrorIs(t, err, wsproto.CodeRevoked)
		}
	})
}

func TestRotationRefused(t *testing.T) {
	ctx := func(w *world) (c struct{ a, b *identity }) {
		c.a = newIdentity(w.t)
		w.enroll(c.a).end()
		c.b = c.a.rotated(w.t)
		return c
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, w *world, a, b *identity)
		code    wsproto.ErrorCode
		closing wsproto.CloseCode
		alarm   gateway.AlarmKind
	}{
		"signed by another key": {func(t *testing.T, _ *world, a, b *identity) {
			thief := *a
			thief.key = newKey(t)
			r := thief.names(t, b)
			r.IdentityKey = b.rotation.IdentityKey
			b.rotation = r
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, ""},
		"made for other keys": {func(t *testing.T, _ *world, a, b *identity) {
			b.rotation = a.rotated(t).rotation
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, ""},
		"made for another decryption key": {func(t *testing.T, _ *world, _, b *identity) {
			b.dec = newIdentity(t).dec
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, ""},
		"another previous decryption key": {func(t *testing.T, _ *world, a, b *identity) {
			other := *a
			other.dec = newIdentity(t).dec
			b.rotation = other.names(t, b)
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, ""},
		"another instance": {func(_ *testing.T, _ *world, _, b *identity) {
			b.instance = "elsewhere"
		}, wsproto.CodeNotAuthenticated, wsproto.CloseDuplicateKey, gateway.AlarmDuplicateKey},
		"a revoked key": {func(t *testing.T, w *world, a, _ *identity) {
			require.NoError(t, w.g.Revoke(t.Context(), "acme", a.id()))
		}, wsproto.CodeRevoked, wsproto.CloseRevoked, gateway.AlarmRotation},
		"a revoked new key": {func(t *testing.T, w *world, _, b *identity) {
			statement := b.rotation
			b.rotation = nil
			f, _ := w.connected(b)
			require.NoError(t, w.g.Revoke(t.Context(), "acme", b.id()))
			<-f.ended
			synctest.Wait()
			b.rotation = statement
		}, wsproto.CodeRevoked, wsproto.CloseRevoked, ""},
		"a key that others have replaced": {func(t *testing.T, w *world, a, _ *identity) {
			f, _ := w.connected(a.rotated(t))
			f.end()
		}, wsproto.CodeRevoked, wsproto.CloseRevoked, gateway.AlarmRotation},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				k := ctx(w)
				c.prepare(t, w, k.a, k.b)
				state, before := w.record(k.a).State, w.record(k.a).Successor
				closed, err := w.refused(k.b, w.code(ca1()))
				require.ErrorIs(t, err, c.code)
				require.Equal(t, c.closing, closed)
				alarms := w.takeAlarms()
				if c.alarm == "" {
					require.Empty(t, alarms)
				} else {
					require.Len(t, alarms, 1)
					require.Equal(t, c.alarm, alarms[0].Kind)
					require.Equal(t, k.a.id(), alarms[0].Connector)
				}
				require.Equal(t, state, w.record(k.a).State)
				require.Equal(t, before, w.record(k.a).Successor)
				all, err := w.g.Connectors(t.Context(), "acme")
				require.NoError(t, err)
				for _, i := range all {
					require.False(t, i.ID == k.b.id() && i.State != wsproto.StateRevoked, "nothing is left of the new keys")
				}
			})
		})
	}
}

// TestRotationOfTheUnknown: a statement of a key that is not active counts for nothing; the new key registers.
func TestRotationOfTheUnknown(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		stranger := newIdentity(t)
		b := stranger.rotated(t)
		f, state := w.connected(b)
		require.Equal(t, wsproto.StatePending, state.State)
		require.NoError(t, w.g.Approve(t.Context(), "acme", b.id()))
		f.end()
		_, state = w.connected(b)
		require.Equal(t, wsproto.StateActive, state.State)

		waiting := newIdentity(t)
		f, _ = w.connected(waiting)
		f.end()
		d := waiting.rotated(t)
		_, state = w.connected(d)
		require.Equal(t, wsproto.StatePending, state.State)
		require.Equal(t, wsproto.StatePending, w.record(waiting).State)
		state, err := w.connect(d).prove(w.code(ca1()))
		require.NoError(t, err)
		require.Equal(t, wsproto.StateActive, state.State)
		require.Empty(t, w.takeAlarms())
	})
}

// TestRotationAfterRemoval: a statement that comes back does not bring back what a person has removed.
func TestRotationAfterRemoval(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		w.enroll(a).end()
		b := a.rotated(t)
		f, _ := w.connected(b)
		require.NoError(t, w.g.Delete(t.Context(), "acme", b.id()))
		require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-f.ended))
		f, state := w.connected(b)
		require.Equal(t, wsproto.StatePending, state.State)
		f.end()
		_, state = w.connected(b)
		require.Equal(t, wsproto.StatePending, state.State, "again")
		require.Equal(t, wsproto.StateRevoked, w.record(a).State)
	})
}

// TestRotationRace: of many successors that come at once to two gateways, one takes over.
func TestRotationRace(t *testing.T) {
	store := &troubled{Store: gateway.NewMemoryStore()}
	shared := func(c *gateway.Config) { c.Store = store }
	bubble(t, shared, func(t *testing.T, w *world) {
		other := newWorld(t, shared)
		defer other.stop()
		other.key = w.key
		a := newIdentity(t)
		w.enroll(a).end()
		store.conflicts.Store(3)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var won []*identity
		for n := range 12 {
			b := a.rotated(t)
			at := []*world{w, other}[n%2]
			f := at.connect(b)
			wg.Go(func() {
				state, err := f.prove(wsproto.EnrollmentCode{})
				mu.Lock()
				defer mu.Unlock()
				if err == nil && state.State == wsproto.StateActive {
					won = append(won, b)
				} else {
					<-f.ended
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		store.conflicts.Store(0)
		require.Len(t, won, 1)
		require.Len(t, append(w.takeAlarms(), other.takeAlarms()...), 11)
		all, err := w.g.Connectors(t.Context(), "acme")
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, won[0].id(), w.info(a.id()).Successor)
	})
}

// TestRotationInterrupted: whichever write was the last one of a gateway that died, another one completes it.
func TestRotationInterrupted(t *testing.T) {
	for writes := range 4 {
		store := &mortal{Store: gateway.NewMemoryStore()}
		bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
			a := newIdentity(t)
			w.enroll(a).end()
			b := a.rotated(t)
			store.left = writes
			store.dying = true
			f := w.connect(b)
			state, err := f.prove(wsproto.EnrollmentCode{})
			if writes < 3 {
				require.ErrorIs(t, err, wsproto.CodeUnavailable)
			} else {
				require.Equal(t, wsproto.StateActive, state.State)
			}
			f.end()
			store.dying = false
			_, state = w.connected(b)
			require.Equal(t, wsproto.StateActive, state.State, "%d writes", writes)
			require.Equal(t, []wsproto.CAAssignment{ca1()}, w.info(b.id()).CAs)
			require.Equal(t, b.id(), w.info(a.id()).Successor)
			require.Equal(t, [][]byte{a.decryption()}, state.FormerKeys)
			require.Empty(t, w.takeAlarms())
		})
	}
}

// TestRotationOvertaken: another successor comes between the first write and the second.
func TestRotationOvertaken(t *testing.T) {
	store := &hooked{Store: gateway.NewMemoryStore()}
	bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
		a := newIdentity(t)
		w.enroll(a).end()
		slow, fast := a.rotated(t), a.rotated(t)
		store.before = func(c *gateway.Connector) {
			if c.Successor == slow.id() {
				store.before = nil
				_, err := w.connect(fast).prove(wsproto.EnrollmentCode{})
				require.NoError(t, err)
			}
		}
		closed, err := w.refused(slow, wsproto.EnrollmentCode{})
		require.ErrorIs(t, err, wsproto.CodeRevoked)
		require.Equal(t, wsproto.CloseRevoked, closed)
		require.Nil(t, store.before)
		require.Equal(t, fast.id(), w.info(a.id()).Successor)
		_, err = w.store.Connector(t.Context(), "acme", slow.id())
		require.ErrorIs(t, err, gateway.ErrNotFound, "nobody is asked to approve what is left")
		require.Equal(t, gateway.AlarmRotation, w.takeAlarms()[0].Kind)
	})
}

// TestRevokedDuringARotation: whichever record a person revokes between the writes, the new keys do not become active.
func TestRevokedDuringARotation(t *testing.T) {
	for name, revoke := range map[string]func(w *world, a, b *identity){
		"the old key before it is replaced": func(w *world, a, _ *identity) {
			require.NoError(w.t, w.g.Revoke(w.t.Context(), "acme", a.id()))
		},
		"the old key, and it is removed": func(w *world, a, _ *identity) {
			require.NoError(w.t, w.g.Delete(w.t.Context(), "acme", a.id()))
		},
		"the new key": func(w *world, _, b *identity) {
			require.NoError(w.t, w.g.Revoke(w.t.Context(), "acme", b.id()))
		},
		"the new key, and it is removed": func(w *world, _, b *identity) {
			require.NoError(w.t, w.g.Delete(w.t.Context(), "acme", b.id()))
		},
	} {
		for write := range 2 {
			t.Run(fmt.Sprint(name, ", write ", write+2), func(t *testing.T) {
				store := &hooked{Store: gateway.NewMemoryStore()}
				bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
					a := newIdentity(t)
					w.enroll(a).end()
					b := a.rotated(t)
					store.before = func(c *gateway.Connector) {
						if write == 0 && c.Successor != "" || write == 1 && c.ID == b.id() && c.State == wsproto.StateActive {
							store.before = nil
							if write == 1 && name == "the old key before it is replaced" {
								require.ErrorIs(t, w.g.Revoke(t.Context(), "acme", a.id()), gateway.ErrConflict, "it says which to revoke")
								require.NoError(t, w.g.Revoke(t.Context(), "acme", b.id()))
								return
							}
							revoke(w, a, b)
						}
					}
					f := w.connect(b)
					state, err := f.prove(wsproto.EnrollmentCode{})
					require.Nil(t, store.before)
					if write == 1 && name == "the old key, and it is removed" { // it had been replaced by then
						require.Equal(t, wsproto.StateActive, state.State)
						return
					}
					require.True(t, err != nil || state.State == wsproto.StatePending, "%v", state.State)
					f.end()
					f = w.connect(b)
					state, err = f.prove(wsproto.EnrollmentCode{})
					require.True(t, err != nil || state.State == wsproto.StatePending, "again: %v", state.State)
				})
			})
		}
	}
}

// TestRotationInterruptedForHours: its record does not count as one that nobody waits for.
func TestRotationInterruptedForHours(t *testing.T) {
	store := &mortal{Store: gateway.NewMemoryStore()}
	bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
		a := newIdentity(t)
		w.enroll(a).end()
		b := a.rotated(t)
		store.dying, store.left = true, 2
		f := w.connect(b)
		_, err := f.prove(wsproto.EnrollmentCode{})
		require.Error(t, err)
		f.end()
		store.dying = false
		time.Sleep(3 * time.Hour)
		w.connected(newIdentity(t))
		_, state := w.connected(b)
		require.Equal(t, wsproto.StateActive, state.State)
	})
}

// hooked is a store that calls functions before it writes or removes a connector.
type hooked struct {
	gateway.Store
	before       func(*gateway.Connector)
	beforeDelete func()
}

func (s *hooked) DeleteConnector(ctx context.Context, tenant, id string, version int64) error {
	if s.beforeDelete != nil {
		s.beforeDelete()
	}
	return s.Store.DeleteConnector(ctx, tenant, id, version)
}

func (s *hooked) PutConnector(ctx context.Context, c *gateway.Connector) error {
	if s.before != nil {
		s.before(c)
	}
	return s.Store.PutConnector(ctx, c)
}

// mortal is a store that fails after some writes of connectors.
type mortal struct {
	gateway.Store
	mu    sync.Mutex
	dying bool
	left  int
}

func (s *mortal) PutConnector(ctx context.Context, c *gateway.Connector) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dying {
		if s.left == 0 {
			return errDown
		}
		s.left--
	}
	return s.Store.PutConnector(ctx, c)
}

// TestApprovedDuringARotation: a person who approves new keys between the writes does not keep them from what is theirs.
func TestApprovedDuringARotation(t *testing.T) {
	for writes := 1; writes < 3; writes++ {
		store := &mortal{Store: gateway.NewMemoryStore()}
		bubble(t, func(c *gateway.Config) {
			c.Store = store
			c.Timing = &gateway.Timing{Life: time.Hour, Hold: 5 * time.Hour, Retention: time.Hour}
		}, func(t *testing.T, w *world) {
			a := newIdentity(t)
			f := w.enroll(a)
			id := w.order()
			stages()[0].to(t, f, a, <-f.offers, newIdentity(t))
			f.end()
			b := a.rotated(t)
			store.dying, store.left = true, writes
			f = w.connect(b)
			_, err := f.prove(wsproto.EnrollmentCode{})
			require.ErrorIs(t, err, wsproto.CodeUnavailable)
			f.end()
			store.dying = false
			require.NoError(t, w.g.Approve(t.Context(), "acme", b.id()))
			time.Sleep(3 * time.Hour)
			require.Equal(t, gateway.JobQueued, w.job(id).State, "the new keys will open it")
			f, state := w.connected(b)
			require.Equal(t, [][]byte{a.decryption()}, state.FormerKeys, "%d writes", writes)
			require.Equal(t, []wsproto.CAAssignment{ca1()}, (<-f.configured).CAs)
			require.EqualValues(t, 5, (<-f.offers).Checkpoint.RequestID)

			require.NoError(t, w.g.Assign(t.Context(), "acme", b.id(), []wsproto.CAAssignment{ca2()}))
			f.end()
			for range 2 { // the first one forgets what is too old
				time.Sleep(10 * time.Hour)
				f, _ = w.connected(b)
				require.Equal(t, []wsproto.CAAssignment{ca2()}, w.info(b.id()).CAs, "a late repetition takes nothing over again")
				f.end()
			}
		})
	}
}

// TestLowerLevelAfterAnInterruption: the keys of a lower level are told also if another connection completes the rotation.
func TestLowerLevelAfterAnInterruption(t *testing.T) {
	for writes := range 4 {
		store := &mortal{Store: gateway.NewMemoryStore()}
		verifier := new(fakeVerifier)
		bubble(t, func(c *gateway.Config) { c.Store, c.AttestationVerifier = store, verifier }, func(t *testing.T, w *world) {
			a := newIdentity(t).attested(t, "A", gateway.LevelVerified)
			w.enroll(a).end()
			b := a.rotated(t)
			store.dying, store.left = true, writes
			f := w.connect(b)
			f.prove(wsproto.EnrollmentCode{})
			f.end()
			store.dying = false
			w.connected(b)
			alarms := w.takeAlarms()
			require.Len(t, alarms, 1, "%d writes", writes)
			require.Equal(t, gateway.AlarmAttestation, alarms[0].Kind)
			require.Equal(t, b.id(), alarms[0].Connector)
		})
	}
}

// TestAbandonedRotation: what is left of a rotation that was given up before anything came of it goes like other
// registrations that nobody waits for.
func TestAbandonedRotation(t *testing.T) {
	store := &mortal{Store: gateway.NewMemoryStore()}
	bubble(t, func(c *gateway.Config) { c.Store = store }, func(t *testing.T, w *world) {
		a := newIdentity(t)
		w.enroll(a).end()
		b := a.rotated(t)
		store.dying, store.left = true, 1
		f := w.connect(b)
		_, err := f.prove(wsproto.EnrollmentCode{})
		require.Error(t, err)
		f.end()
		store.dying = false
		time.Sleep(3 * time.Hour)
		w.connected(newIdentity(t))
		_, err = w.store.Connector(t.Context(), "acme", b.id())
		require.ErrorIs(t, err, gateway.ErrNotFound)
		_, state := w.connected(b)
		require.Equal(t, wsproto.StateActive, state.State, "it can still be done")
	})
}

// TestRotationForEver: what is kept of former keys has a bound.
func TestRotationForEver(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		last := newIdentity(t)
		f := w.enroll(last)
		for range 270 {
			f.end()
			time.Sleep(5 * time.Minute)
			last = last.rotated(t)
			f, _ = w.connected(last)
		}
		require.Equal(t, 256, len(w.record(last).Former))
		require.Len(t, w.record(last).Former[255].Decryption, 32)
	})
}
