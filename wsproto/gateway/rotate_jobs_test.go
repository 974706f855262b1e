package gateway_test

import (
	"crypto/ecdh"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// TestRotationKeepsWhatTheCAHolds: the new keys get the job, and the old decryption key is named until it has ended.
func TestRotationKeepsWhatTheCAHolds(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		f := w.enroll(a)
		id := w.order()
		o := <-f.offers
		_, err := f.checkpoint(a.sealed(t, o, secret(t), 1, 5))
		require.NoError(t, err)
		require.NoError(t, f.finish(o, 2, wsproto.Outcome{Kind: wsproto.Pending, RequestID: 5, RetryAfterMS: 3_600_000}))
		f.end()
		b := a.rotated(t)
		f, state := w.connected(b)
		require.Equal(t, [][]byte{a.decryption()}, state.FormerKeys)
		f.end()
		time.Sleep(30 * time.Minute)
		b.rotation = nil
		f, state = w.connected(b)
		require.Equal(t, [][]byte{a.decryption()}, state.FormerKeys, "as long as the checkpoint is open")
		o = <-f.offers
		require.EqualValues(t, 2, o.Attempt)
		require.EqualValues(t, 5, o.Checkpoint.RequestID)
		require.NoError(t, f.finish(o, 1, issued(1, o.Checkpoint.PublicKeyHash)))
		require.Equal(t, wsproto.Issued, w.job(id).Outcome.Kind)
		f.end()
		_, state = w.connected(b)
		require.Empty(t, state.FormerKeys)
	})
}

// TestRotationKeepsKeysOfSiblings: a sibling has encrypted a checkpoint to the old key.
func TestRotationKeepsKeysOfSiblings(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, sibling := newIdentity(t), newIdentity(t)
		w.enroll(a).end()
		fs := w.enroll(sibling)
		id := w.order()
		o := <-fs.offers
		_, err := fs.checkpoint(sibling.sealed(t, o, secret(t), 1, 5, a.dec.PublicKey()))
		require.NoError(t, err)
		require.NoError(t, fs.finish(o, 2, wsproto.Outcome{Kind: wsproto.Pending, RequestID: 5, RetryAfterMS: 3_600_000}))
		b := a.rotated(t)
		f, _ := w.connected(b)
		f.end()
		time.Sleep(10 * time.Minute)
		f, state := w.connected(b)
		require.Equal(t, [][]byte{a.decryption()}, state.FormerKeys)
		require.NoError(t, w.g.Delete(t.Context(), "acme", sibling.id()))
		require.Equal(t, gateway.JobQueued, w.job(id).State, "the former key opens it")
		o = <-f.offers
		require.NoError(t, f.finish(o, 1, issued(1, o.Checkpoint.PublicKeyHash)))
	})
}

// TestRotationInFlight: the jobs of a process that goes on with new keys are its own, at each stage.
func TestRotationInFlight(t *testing.T) {
	hash := func(p *wsproto.CheckpointParams) []byte { return p.Checkpoint.PublicKeyHash }
	for name, test := range map[string]func(t *testing.T, w *world, a, b *identity, o wsproto.Offer, before, after func() *fake){
		"accepted": func(t *testing.T, _ *world, _, b *identity, o wsproto.Offer, _, after func() *fake) {
			f := after()
			p := b.sealed(t, o, secret(t), 1, 0)
			lease, err := f.checkpoint(p)
			require.NoError(t, err)
			require.Equal(t, 30*time.Second, lease)
			require.NoError(t, f.finish(o, 2, issued(1, hash(p))))
		},
		"submitting": func(t *testing.T, _ *world, a, _ *identity, o wsproto.Offer, before, after func() *fake) {
			p := a.sealed(t, o, secret(t), 1, 0)
			_, err := before().checkpoint(p)
			require.NoError(t, err)
			require.NoError(t, after().finish(o, 2, issued(1, hash(p))))
		},
		"the lease again, with the new keys": func(t *testing.T, _ *world, a, b *identity, o wsproto.Offer, before, after func() *fake) {
			s := secret(t)
			_, err := before().checkpoint(a.sealed(t, o, s, 1, 0))
			require.NoError(t, err)
			f := after()
			p := b.sealed(t, o, s, 2, 0)
			lease, err := f.checkpoint(p)
			require.NoError(t, err)
			require.NotZero(t, lease)
			require.NoError(t, f.finish(o, 3, issued(1, hash(p))))
		},
		"its process is a new one": func(t *testing.T, w *world, a, _ *identity, o wsproto.Offer, before, after func() *fake) {
			_, err := before().checkpoint(a.sealed(t, o, secret(t), 1, 0))
			require.NoError(t, err)
			start := time.Now()
			f := after()
			again := <-f.offers
			require.Greater(t, time.Since(start), 3*time.Minute-time.Second, "it waits for the window of the lease")
			require.EqualValues(t, 2, again.Attempt)
			require.NoError(t, f.finish(again, 1, issued(1, again.Checkpoint.PublicKeyHash)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				a := newIdentity(t)
				f := w.enroll(a)
				b := a.rotated(t)
				id := w.order()
				o := <-f.offers
				synctest.Wait() // the answer has arrived
				test(t, w, a, b, o, func() *fake { return f }, func() *fake {
					start := time.Now()
					fb, _ := w.connected(b)
					require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-f.ended), "the old connection has no use any more")
					require.Zero(t, time.Since(start))
					<-fb.configured
					require.Equal(t, 1, w.info(b.id()).InFlight)
					return fb
				})
				require.Equal(t, wsproto.Issued, w.job(id).Outcome.Kind)
				require.Empty(t, w.takeAlarms())
			})
		})
	}
}

// TestRotationAndALateCertificate: of an attempt that was given up before the rotation.
func TestRotationAndALateCertificate(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		f := w.enroll(a)
		id := w.order()
		o := <-f.offers
		p := a.sealed(t, o, secret(t), 1, 0)
		_, err := f.checkpoint(p)
		require.NoError(t, err)
		f.end()
		time.Sleep(4 * time.Minute)
		require.Equal(t, gateway.JobQueued, w.job(id).State)
		b := a.rotated(t)
		f, _ = w.connected(b)
		f.onOffer(refuse(wsproto.RefusedElsewhere, wsproto.ReasonBusy))
		require.NoError(t, f.finish(o, 2, issued(1, p.Checkpoint.PublicKeyHash)))
		require.Equal(t, wsproto.Issued, w.job(id).Outcome.Kind)
	})
}

// TestDeleteWithFormerKeys: what only they could open is lost with them.
func TestDeleteWithFormerKeys(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		f := w.enroll(a)
		id := w.order()
		stages()[0].to(t, f, a, <-f.offers, newIdentity(t))
		f.end()
		b := a.rotated(t)
		f, _ = w.connected(b)
		f.end()
		require.NoError(t, w.g.Delete(t.Context(), "acme", b.id()))
		require.Equal(t, wsproto.Lost, w.job(id).Outcome.Kind)
	})
}

// TestRotationTellsOfATakeover: from another address, while the connector is connected.
func TestRotationTellsOfATakeover(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a := newIdentity(t)
		w.enroll(a)
		_, err := w.connectFrom(a.rotated(t), "192.0.2.66").prove(wsproto.EnrollmentCode{})
		require.NoError(t, err)
		synctest.Wait()
		alarms := w.takeAlarms()
		require.Len(t, alarms, 1)
		require.Equal(t, gateway.AlarmTakeover, alarms[0].Kind)
		require.Equal(t, a.id(), alarms[0].Connector)
	})
}

// TestRotationHasALimit: of former keys that are still needed.
func TestRotationHasALimit(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		last := newIdentity(t)
		f := w.enroll(last)
		var keys []*ecdh.PublicKey
		for range wsproto.MaxFormerKeys {
			f.end()
			keys = append(keys, last.dec.PublicKey())
			last = last.rotated(t)
			f, _ = w.connected(last)
		}
		<-f.configured
		w.order()
		o := <-f.offers
		_, err := f.checkpoint(last.sealed(t, o, secret(t), 1, 5, keys[:15]...))
		require.NoError(t, err)
		require.NoError(t, f.finish(o, 2, wsproto.Outcome{Kind: wsproto.Pending, RequestID: 5, RetryAfterMS: 7_200_000}))
		f.end()
		next := last.rotated(t)
		closed, err := w.refused(next, wsproto.EnrollmentCode{})
		require.ErrorIs(t, err, wsproto.CodeBusy)
		require.Equal(t, wsproto.CloseUnavailable, closed)
		time.Sleep(time.Hour) // the key that nothing is encrypted to is forgotten
		_, state := w.connected(next)
		require.Len(t, state.FormerKeys, wsproto.MaxFormerKeys)
	})
}

// TestRotationLevels: never a lower level in silence, and never against the policy.
func TestRotationLevels(t *testing.T) {
	const v, u, s = gateway.LevelVerified, gateway.LevelUnverified, gateway.LevelSoftware
	for _, c := range []struct {
		policy   gateway.AttestationPolicy
		from, to string
		refused  bool
		alarms   int
	}{
		{gateway.AttestationAny, s, v, false, 0},
		{gateway.AttestationAny, u, v, false, 0},
		{gateway.AttestationAny, v, v, false, 0},
		{gateway.AttestationAny, s, s, false, 0},
		{gateway.AttestationAny, v, u, false, 1},
		{gateway.AttestationAny, v, s, false, 1},
		{gateway.AttestationTPM, u, v, false, 0},
		{gateway.AttestationTPM, v, u, true, 1},
		{gateway.AttestationTPM, u, s, true, 0}, // the policy refuses it, as it would any new key
		{gateway.AttestationVerified, v, v, false, 0},
		{gateway.AttestationVerified, v, u, true, 0},
	} {
		t.Run(string(c.policy)+" from "+c.from+" to "+c.to, func(t *testing.T) {
			attesting(t, c.policy, func(t *testing.T, site *site) {
				put := func(i *identity, level string) *identity {
					if level == s {
						return i
					}
					return i.attested(t, "A", level)
				}
				a := put(newIdentity(t), c.from)
				site.enroll(a).end()
				b := put(a.rotated(t), c.to)
				if c.refused {
					site.attestationRefused(b, site.code(ca1()), "")
					require.Equal(t, wsproto.StateActive, site.info(a.id()).State)
				} else {
					f, state := site.connected(b)
					require.Equal(t, wsproto.StateActive, state.State)
					require.Equal(t, c.to, site.info(b.id()).Attestation)
					require.Equal(t, c.to != s, f.credentials != nil)
				}
				alarms := site.takeAlarms()
				require.Len(t, alarms, c.alarms)
				for _, alarm := range alarms {
					require.Equal(t, gateway.AlarmAttestation, alarm.Kind)
				}
			})
		})
	}
}

// TestRotationWithWrongEvidence: the old keys stay as they are.
func TestRotationWithWrongEvidence(t *testing.T) {
	attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
		a := newIdentity(t).attested(t, "A", gateway.LevelVerified)
		s.enroll(a).end()
		b := a.rotated(t)
		b.evidence, b.activate = a.evidence, a.activate
		s.attestationRefused(b, wsproto.EnrollmentCode{}, "another identity key")
		require.Equal(t, wsproto.StateActive, s.info(a.id()).State)
		all, err := s.g.Connectors(t.Context(), "acme")
		require.NoError(t, err)
		require.Len(t, all, 1)
		s.again(a)
	})
}
