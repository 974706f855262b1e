package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// A connector that vanishes before it was granted anything cannot have submitted: the job moves at once.
func TestVanishedWithoutCheckpoint(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		o := <-fa.offers
		synctest.Wait()
		fa.pipe.Cut()
		<-fa.ended
		start := time.Now()
		fb := w.enroll(newIdentity(t))
		o2 := <-fb.offers
		require.Equal(t, id, o2.Job)
		require.EqualValues(t, 2, o2.Attempt)
		require.Less(t, time.Since(start), 2*time.Second)

		fa = w.again(a)
		_, err := fa.checkpoint(a.sealed(t, o, secret(t), 1, 0))
		require.ErrorIs(t, err, wsproto.CodeSuperseded)
		require.ErrorIs(t, fa.finish(o, 1, wsproto.Outcome{Kind: wsproto.Failed}), wsproto.CodeSuperseded)
	})
}

// A connector that comes back before somebody else took its job goes on with it.
func TestVanishedAndBack(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		o := <-fa.offers
		synctest.Wait()
		require.NoError(t, w.g.Assign(t.Context(), "acme", a.id(), nil))
		<-fa.configured
		fa.pipe.Cut()
		<-fa.ended
		synctest.Wait()
		require.Equal(t, gateway.JobQueued, w.job(id).State)
		fa = w.again(a)
		lease, err := fa.checkpoint(a.sealed(t, o, secret(t), 1, 0))
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, lease)
		require.Equal(t, gateway.JobRunning, w.job(id).State)
		require.NoError(t, fa.finish(o, 2, issued(1, nil)))
	})
}

// A connector that was restarted so fast that its old session is still there knows nothing of its jobs.
func TestRestartedBehindALivingSession(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		<-fa.offers
		synctest.Wait()
		start := time.Now()
		fa = w.again(a)
		o := <-fa.offers
		require.Equal(t, id, o.Job)
		require.EqualValues(t, 2, o.Attempt)
		require.InDelta(t, 30*time.Second, time.Since(start), float64(2*time.Second))
	})
}

// The partition: a connector holds a lease and is cut off. Nobody else is offered the job before lease, RPC deadline and
// margin have passed, and then only with the checkpoint. Its certificate counts whenever it arrives.
func TestPartitionWithLease(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, b, c := newIdentity(t), newIdentity(t), newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		o := <-fa.offers
		fb, fc := w.enroll(b), w.enroll(c)
		start := time.Now()
		key := secret(t)
		p := a.sealed(t, o, key, 1, 0, b.dec.PublicKey())
		_, err := fa.checkpoint(p)
		require.NoError(t, err)
		fa.pipe.Partition()

		o2 := <-fb.offers
		require.GreaterOrEqual(t, time.Since(start), 30*time.Second+2*time.Minute+30*time.Second)
		require.Less(t, time.Since(start), 4*time.Minute)
		require.EqualValues(t, 2, o2.Attempt)
		require.Equal(t, &p.Checkpoint, o2.Checkpoint)
		require.Empty(t, fc.offers, "who cannot open the checkpoint is not asked")
		for _, again := range []wsproto.CheckpointSecret{key, secret(t)} {
			_, err = fb.checkpoint(b.sealed(t, o2, again, 1, 0))
			require.ErrorIs(t, err, wsproto.CodeCheckpoint, "nobody submits again what may have been submitted")
		}

		fa = w.again(a)
		require.ErrorIs(t, fa.finish(o, 2, wsproto.Outcome{Kind: wsproto.Denied}), wsproto.CodeSuperseded)
		certificate := issued(1, p.Checkpoint.PublicKeyHash)
		require.NoError(t, fa.finish(o, 2, certificate))
		out, err := w.g.Wait(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Equal(t, certificate, out)
		require.ErrorIs(t, fb.finish(o2, 2, wsproto.Outcome{Kind: wsproto.Unknown}), wsproto.CodeSuperseded)
		require.NoError(t, fa.finish(o, 2, certificate), "repeated")
		synctest.Wait()
		require.Len(t, w.takeEvents(), 1)
	})
}

func TestUnknownIsConcludedAndReplaced(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		for _, definite := range []wsproto.OutcomeKind{wsproto.Issued, wsproto.Denied} {
			a := newIdentity(t)
			fa := w.enroll(a)
			id := w.order()
			o := <-fa.offers
			p := a.sealed(t, o, secret(t), 1, 0)
			_, err := fa.checkpoint(p)
			require.NoError(t, err)
			start := time.Now()
			fa.pipe.Cut()
			out, err := w.g.Wait(t.Context(), "acme", id)
			require.NoError(t, err)
			require.Equal(t, wsproto.Unknown, out.Kind)
			require.Equal(t, p.Checkpoint.PublicKeyHash, out.PublicKeyHash)
			require.InDelta(t, 18*time.Minute, time.Since(start), float64(5*time.Second), "window and Timing.Resolve")

			fa = w.again(a)
			other := wsproto.Outcome{Kind: wsproto.Denied, PublicKeyHash: make([]byte, 32)}
			require.ErrorIs(t, fa.finish(o, 2, other), wsproto.CodeSuperseded, "of another key")
			final := issued(1, p.Checkpoint.PublicKeyHash)
			if definite == wsproto.Denied {
				final = wsproto.Outcome{Kind: wsproto.Denied, PublicKeyHash: p.Checkpoint.PublicKeyHash}
			}
			require.NoError(t, fa.finish(o, 2, final))
			require.Equal(t, final, *w.job(id).Outcome)
			synctest.Wait()
			events := w.takeEvents()
			require.Len(t, events, 2)
			require.Equal(t, wsproto.Unknown, events[0].Outcome.Kind)
			require.Equal(t, definite, events[1].Outcome.Kind)
			require.NotEqual(t, events[0].ID, events[1].ID)
			fa.pipe.Cut()
		}
	})
}

func TestCheckpointsThatDoNotVerify(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		w.order()
		o := <-f.offers
		for name, change := range map[string]func(*wsproto.CheckpointParams){
			"signature":  func(p *wsproto.CheckpointParams) { p.Checkpoint.Signature[9] ^= 1 },
			"tenant":     func(p *wsproto.CheckpointParams) { p.Checkpoint.Tenant = "other" },
			"digest":     func(p *wsproto.CheckpointParams) { p.Checkpoint.OrderDigest[0] ^= 1 },
			"account":    func(p *wsproto.CheckpointParams) { p.Checkpoint.Account = "other" },
			"CA":         func(p *wsproto.CheckpointParams) { p.Checkpoint.CA.Name = "Other CA" },
			"ciphertext": func(p *wsproto.CheckpointParams) { p.Checkpoint.Sealed[0].Ciphertext[0] ^= 1 },
		} {
			p := i.sealed(t, o, secret(t), 1, 0)
			change(p)
			_, err := f.checkpoint(p)
			require.ErrorIs(t, err, wsproto.CodeCheckpoint, name)
			require.Len(t, w.takeAlarms(), 1, name)
		}
		other, elsewhere := o, order()
		elsewhere.CA.Name = "Other CA"
		var err error
		other.Order, err = wsproto.EncodeOrder(elsewhere)
		require.NoError(t, err)
		p := i.sealed(t, other, secret(t), 1, 0)
		require.Equal(t, elsewhere.CA, p.Checkpoint.CA)
		_, err = f.checkpoint(p)
		require.ErrorIs(t, err, wsproto.CodeCheckpoint, "for another order")
		w.takeAlarms()
		_, err = f.checkpoint(i.sealedFor(t, o, secret(t), elsewhere.CA))
		require.ErrorIs(t, err, wsproto.CodeCheckpoint, "for another CA than the order")
		_, err = f.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.NoError(t, err)
	})
}

func TestCheckpointSequence(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		id := w.order()
		o := <-f.offers
		s := secret(t)
		p := i.sealed(t, o, s, 5, 0)
		_, err := f.checkpoint(p)
		require.NoError(t, err)
		time.Sleep(40 * time.Second)
		lease, err := f.checkpoint(p)
		require.NoError(t, err, "the same again renews the lease")
		require.Equal(t, 30*time.Second, lease)
		stored, err := w.store.Job(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, time.Until(stored.LeaseEnd))
		for seq, want := range map[int64]error{4: wsproto.CodeSuperseded, 5: wsproto.CodeSuperseded} {
			_, err = f.checkpoint(i.sealed(t, o, s, seq, 0))
			require.ErrorIs(t, err, want)
		}
		_, err = f.checkpoint(i.sealed(t, o, secret(t), 6, 0))
		require.ErrorIs(t, err, wsproto.CodeCheckpoint, "another key")
		require.ErrorIs(t, f.finish(o, 5, wsproto.Outcome{Kind: wsproto.Failed}), wsproto.CodeSuperseded)
		require.NoError(t, f.finish(o, 6, wsproto.Outcome{Kind: wsproto.Failed}))
	})
}

// A connector that is connected and has a lease gets more time than one that is gone, but not for ever.
func TestStalledWithLease(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		w.order()
		o := <-f.offers
		_, err := f.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.NoError(t, err)
		start := time.Now()
		require.EqualValues(t, 2, (<-f.offers).Attempt)
		require.InDelta(t, 8*time.Minute, time.Since(start), float64(2*time.Second), "3 minutes, and Timing.Stall")
	})
}

// However often others vanish with the job, the certificate of the attempt that had a lease is taken.
func TestLeasedAttemptIsNotForgotten(t *testing.T) {
	for name, requestID := range map[string]uint32{"submitting": 0, "pending": 7} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				a := newIdentity(t)
				f := w.enroll(a)
				id := w.order()
				o := <-f.offers
				s := secret(t)
				p := a.sealed(t, o, s, 1, 0)
				_, err := f.checkpoint(p)
				require.NoError(t, err)
				if requestID != 0 {
					_, err = f.checkpoint(a.sealed(t, o, s, 2, requestID))
					require.NoError(t, err)
				}
				f.pipe.Cut()
				<-f.ended
				time.Sleep(200 * time.Second)
				for w.job(id).State != gateway.JobDone && w.job(id).Attempt < 14 {
					f = w.again(a)
					<-f.offers
					f.pipe.Cut()
					<-f.ended
					synctest.Wait()
				}
				stored, err := w.store.Job(t.Context(), "acme", id)
				require.NoError(t, err)
				require.LessOrEqual(t, len(stored.Holders), 10)
				f = w.again(a)
				require.NoError(t, f.finish(o, 3, issued(1, p.Checkpoint.PublicKeyHash)))
				require.Equal(t, wsproto.Issued, w.job(id).Outcome.Kind)
			})
		})
	}
}

// The attempt that submitted and the one that found the request at the CA both may still bring the certificate.
func TestAttemptsThatSawTheCAAreNotForgotten(t *testing.T) {
	for name, second := range map[string]bool{"submitted": false, "found": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				a, b := newIdentity(t), newIdentity(t)
				f := w.enroll(a)
				id := w.order()
				o := <-f.offers
				s := secret(t)
				p := a.sealed(t, o, s, 1, 0, b.dec.PublicKey())
				_, err := f.checkpoint(p)
				require.NoError(t, err)
				f.pipe.Cut()
				<-f.ended
				f = w.enroll(b)
				o2 := <-f.offers
				_, err = f.checkpoint(b.sealed(t, o2, s, 1, 7))
				require.NoError(t, err)
				for w.job(id).Attempt < 14 {
					f.pipe.Cut()
					<-f.ended
					synctest.Wait()
					f = w.again(b)
					<-f.offers
				}
				late := o
				if second {
					late = o2
				} else {
					f = w.again(a)
				}
				require.NoError(t, f.finish(late, 2, issued(1, p.Checkpoint.PublicKeyHash)))
				require.Equal(t, wsproto.Issued, w.job(id).Outcome.Kind)
			})
		})
	}
}
