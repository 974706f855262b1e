package connector_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// held brings a job to pending, and returns an offer of its next attempt, with the checkpoint.
func (l *line) held(o wsproto.Offer) wsproto.Offer {
	l.s.t.Helper()
	l.accept(o)
	l.next(wsproto.MethodCheckpoint).lease(time.Minute)
	c := l.next(wsproto.MethodCheckpoint)
	p := c.checkpoint()
	require.Equal(l.s.t, wsproto.CheckpointPending, p.Checkpoint.State)
	require.NotZero(l.s.t, p.Checkpoint.RequestID)
	c.ok(wsproto.CheckpointAck{})
	f := l.next(wsproto.MethodFinish)
	outcome := f.finish().Outcome
	require.Equal(l.s.t, wsproto.Pending, outcome.Kind)
	require.Equal(l.s.t, p.Checkpoint.RequestID, outcome.RequestID)
	require.Equal(l.s.t, time.Minute.Milliseconds(), outcome.RetryAfterMS)
	f.recorded()
	time.Sleep(time.Millisecond)
	o.Attempt++
	o.Checkpoint = &p.Checkpoint
	return o
}

// interrupted brings a job to the moment after its checkpoint, and returns an offer of its next attempt.
func (l *line) interrupted(o wsproto.Offer) wsproto.Offer {
	l.s.t.Helper()
	l.accept(o)
	c := l.next(wsproto.MethodCheckpoint)
	p := c.checkpoint()
	c.fail(wsproto.CodeSuperseded)
	time.Sleep(time.Millisecond)
	o.Attempt++
	o.Checkpoint = &p.Checkpoint
	return o
}

func TestRetrieve(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		asked := 0
		o := l.held(s.job(1))
		s.policy = func(o connector.Order) error {
			asked++
			assert.True(t, o.Retrieval)
			return nil
		}
		// Not decided yet: no new checkpoint, the tenant has it.
		l.accept(o)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Pending, f.finish().Outcome.Kind)
		f.recorded()
		s.ca.approve(t)
		time.Sleep(time.Second)
		o.Attempt++
		l.accept(o)
		f = l.next(wsproto.MethodFinish)
		outcome := f.finish().Outcome
		assert.Equal(t, wsproto.Issued, outcome.Kind)
		cert := openBundle(t, outcome.PKCS12)
		assert.Equal(t, o.Job, cert.Subject.CommonName)
		assert.Equal(t, 2, asked, "local policy is asked on every offer")
		f.recorded()
		assert.Equal(t, 1, s.issuer.submitted())
	})
}

func TestRetrieveRefused(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		o := l.held(s.job(1))
		s.ca.rows[0].denied = true
		l.accept(o)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Denied, f.finish().Outcome.Kind)
		assert.Equal(t, o.Checkpoint.RequestID, f.finish().Outcome.RequestID)
		f.recorded()
	})
}

// TestRetrieveFails: whatever is in the way, the CA still holds the request.
func TestRetrieveFails(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		o := l.held(s.job(1))
		s.ca.behave(behaviour{lost: lossRetrieval})
		l.accept(o)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Pending, f.finish().Outcome.Kind)
		assert.Equal(t, wsproto.ReasonCAUnavailable, f.finish().Outcome.Reason)
		assert.Equal(t, o.Checkpoint.RequestID, f.finish().Outcome.RequestID)
		f.recorded()
		time.Sleep(time.Second)

		s.ca.mu.Lock()
		s.ca.goodPW = false
		s.ca.mu.Unlock()
		o.Attempt++
		l.accept(o)
		f = l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Pending, f.finish().Outcome.Kind)
		assert.Equal(t, wsproto.ReasonCALogon, f.finish().Outcome.Reason)
		assert.Equal(t, time.Minute.Milliseconds(), f.finish().Outcome.RetryAfterMS)
		f.recorded()
	})
}

// TestRetrieveUndecided: only the CA's decision about the request ends the job. Whatever else an answer says, the CA
// may still hold it.
func TestRetrieveUndecided(t *testing.T) {
	for kind, reason := range map[connector.CAErrorKind]wsproto.Reason{
		connector.CAFailed: wsproto.ReasonCAFailed, connector.CAInvalid: wsproto.ReasonCAUnavailable,
		connector.CAUnknown: wsproto.ReasonCAUnavailable, connector.CAUnavailable: wsproto.ReasonCAUnavailable,
	} {
		scripted(t, nil, func(s *script, l *line) {
			s.ca.behave(behaviour{pend: true})
			o := l.held(s.job(1))
			s.issuer.fetch = &connector.CAError{Kind: kind, HResult: 0x80094006, Message: "suspended", Retry: wsproto.RetryNever}
			l.accept(o)
			f := l.next(wsproto.MethodFinish)
			outcome := f.finish().Outcome
			assert.Equal(t, wsproto.Pending, outcome.Kind, "the CA %v", kind)
			assert.Equal(t, reason, outcome.Reason, "the CA %v", kind)
			assert.Equal(t, wsproto.RetryAfter, outcome.Retry)
			assert.Equal(t, o.Checkpoint.RequestID, outcome.RequestID)
			assert.Equal(t, "suspended", outcome.Message)
			f.recorded()
			time.Sleep(time.Second)

			s.issuer.fetch = nil
			s.ca.approve(t)
			o.Attempt++
			l.accept(o)
			f = l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
			f.recorded()
		})
	}
}

// TestSubmitUndecided: an answer that decides nothing about a new request leaves nothing at the CA.
func TestSubmitUndecided(t *testing.T) {
	scripted(t, func(s *script) {
		s.issuer.answer = func() (*connector.CAResult, error) { return nil, &connector.CAError{Kind: connector.CAFailed} }
	}, func(s *script, l *line) {
		o := l.finishOne(s.job(1))
		assert.Equal(t, wsproto.Failed, o.Kind)
		assert.Equal(t, wsproto.ReasonCAFailed, o.Reason)
		assert.Equal(t, wsproto.RetryAfter, o.Retry)
	})
}

// TestResubmissionFails: a second submission that fails says nothing about the first one.
func TestResubmissionFails(t *testing.T) {
	for name, b := range map[string]behaviour{"denied": {deny: true}, "not sent": {lost: lossUnsent}} {
		t.Run(name, func(t *testing.T) {
			scripted(t, nil, func(s *script, l *line) {
				order := anOrder()
				order.Resubmit = true
				o := l.interrupted(s.jobOf(1, order))
				s.ca.behave(b)
				l.accept(o)
				l.next(wsproto.MethodCheckpoint).lease(time.Minute)
				f := l.next(wsproto.MethodFinish)
				assert.Equal(t, wsproto.Unknown, f.finish().Outcome.Kind)
				assert.Equal(t, o.Checkpoint.PublicKeyHash, f.finish().Outcome.PublicKeyHash)
				f.recorded()
				time.Sleep(time.Millisecond)
				assert.Error(t, s.lastReport().Err, "the operator reads why")
				assert.Equal(t, 1, s.issuer.submitted())
			})
		})
	}
}

// TestResubmissionLost: the row of a second submission says nothing about the first one either.
func TestResubmissionLost(t *testing.T) {
	scripted(t, func(s *script) { s.cfg.Issuer = findingIssuer{s.issuer} }, func(s *script, l *line) {
		order := anOrder()
		order.Resubmit = true
		o := l.interrupted(s.jobOf(1, order))
		s.ca.behave(behaviour{deny: true, lost: lossAfter})
		l.accept(o)
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Unknown, f.finish().Outcome.Kind)
		f.recorded()
	})
}

// TestOfferAgain: the same attempt is answered alike only if it is the same order.
func TestOfferAgain(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		o := s.job(1)
		l.accept(o)
		l.accept(o)
		changed := anOrder()
		changed.Subject = "CN=other.corp.test"
		other := s.jobOf(1, changed)
		r := l.offer(other)
		assert.Equal(t, wsproto.OfferBusy, r.Answer)
		assert.Equal(t, wsproto.ReasonSuperseded, r.Reason)
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		l.next(wsproto.MethodFinish).recorded()
	})
}

// TestResumeRefused: a checkpoint is used only if everything about it fits.
func TestResumeRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		spoil  func(s *script, o *wsproto.Offer)
		reason wsproto.Reason
	}{
		{"another order", func(s *script, o *wsproto.Offer) {
			other := anOrder()
			other.Subject = "CN=other.corp.test"
			o.Order = s.jobOf(1, other).Order
		}, wsproto.ReasonCheckpointOrder},
		{"another job", func(s *script, o *wsproto.Offer) { o.Job = s.job(2).Job }, wsproto.ReasonCheckpointJob},
		{"a later attempt", func(_ *script, o *wsproto.Offer) { o.Attempt = 1; o.Checkpoint.Attempt = 7 }, wsproto.ReasonCheckpointSignature},
		{"changed", func(_ *script, o *wsproto.Offer) { o.Checkpoint.RequestID++ }, wsproto.ReasonCheckpointSignature},
		{"another account", func(s *script, _ *wsproto.Offer) { s.issuer.account = `CORP\other` }, wsproto.ReasonCheckpointAccount},
		{"a maker that is not pinned", func(s *script, o *wsproto.Offer) {
			stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(s.t, err)
			o.Checkpoint = s.reseal(*o.Checkpoint, stranger, s.decrypt.PublicKey())
		}, wsproto.ReasonCheckpointMaker},
		{"not encrypted to this connector", func(s *script, o *wsproto.Offer) {
			other, err := ecdh.P256().GenerateKey(rand.Reader)
			require.NoError(s.t, err)
			o.Checkpoint = s.reseal(*o.Checkpoint, s.signer, other.PublicKey())
		}, wsproto.ReasonCheckpointSealed},
		{"for another CA", func(s *script, o *wsproto.Offer) {
			c := *o.Checkpoint
			c.CA.Name = "Other CA"
			o.Checkpoint = s.reseal(c, s.signer, s.decrypt.PublicKey())
		}, wsproto.ReasonCheckpointAccount},
		{"of another tenant", func(s *script, o *wsproto.Offer) {
			c := *o.Checkpoint
			c.Tenant = "tenant-2"
			o.Checkpoint = s.reseal(c, s.signer, s.decrypt.PublicKey())
		}, wsproto.ReasonCheckpointJob},
	} {
		t.Run(c.name, func(t *testing.T) {
			scripted(t, nil, func(s *script, l *line) {
				s.ca.behave(behaviour{pend: true})
				o := l.held(s.job(1))
				copied := *o.Checkpoint
				o.Checkpoint = &copied
				c.spoil(s, &o)
				r := l.offer(o)
				assert.Equal(t, wsproto.OfferRefused, r.Answer)
				assert.Equal(t, wsproto.RefusedElsewhere, r.Scope)
				assert.Equal(t, c.reason, r.Reason)
				l.silent(time.Minute)
			})
		})
	}
}

// reseal makes a checkpoint like another one, with other keys, around a secret of its own.
func (s *script) reseal(c wsproto.Checkpoint, signer *ecdsa.PrivateKey, to *ecdh.PublicKey) *wsproto.Checkpoint {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(s.t, err)
	out, err := wsproto.SealCheckpoint(c, secretOf(s.t, key), signer, to)
	require.NoError(s.t, err)
	return out
}

// TestResumeOfASibling: a pinned sibling goes on with the job; one that is not pinned does not.
func TestResumeOfASibling(t *testing.T) {
	for _, pinned := range []bool{true, false} {
		signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		decrypt, err := ecdh.P256().GenerateKey(rand.Reader)
		require.NoError(t, err)
		scripted(t, func(s *script) {
			if !pinned {
				return
			}
			identity, err := wsproto.MarshalPublicKey(signer.Public())
			require.NoError(t, err)
			decryption, err := wsproto.MarshalPublicKey(decrypt.PublicKey())
			require.NoError(t, err)
			s.opts.Siblings = []connector.Sibling{{Name: "b", IdentityKey: identity, DecryptionKey: decryption}}
		}, func(s *script, l *line) {
			s.ca.behave(behaviour{pend: true})
			o := l.held(s.job(1))
			if pinned {
				assert.Len(t, o.Checkpoint.Sealed, 2, "the sibling can open it")
			}
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(t, err)
			secret := secretOf(t, key)
			c, err := wsproto.SealCheckpoint(*o.Checkpoint, secret, signer, decrypt.PublicKey(), s.decrypt.PublicKey())
			require.NoError(t, err)
			o.Checkpoint = c
			s.ca.mu.Lock()
			s.ca.rows[0].request = secret.Request // as if the sibling had submitted it
			s.ca.rows[0].cert = s.ca.sign(t, 1, secret.Request, false)
			s.ca.mu.Unlock()
			r := l.offer(o)
			if !pinned {
				assert.Equal(t, wsproto.ReasonCheckpointMaker, r.Reason)
				return
			}
			assert.Equal(t, wsproto.OfferAccepted, r.Answer)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
			openBundle(t, f.finish().Outcome.PKCS12)
			f.recorded()
		})
	}
}

// TestResumeWithoutRequestID: it may have been submitted, so nobody submits again, unless the order allows it.
func TestResumeWithoutRequestID(t *testing.T) {
	t.Run("unknown", func(t *testing.T) {
		scripted(t, nil, func(s *script, l *line) {
			o := l.interrupted(s.job(1))
			l.accept(o)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Unknown, f.finish().Outcome.Kind)
			assert.Equal(t, wsproto.RetryOperator, f.finish().Outcome.Retry)
			assert.Equal(t, o.Checkpoint.PublicKeyHash, f.finish().Outcome.PublicKeyHash)
			f.recorded()
			assert.Zero(t, s.issuer.submitted())
		})
	})
	finder := func(s *script) { s.cfg.Issuer = findingIssuer{s.issuer} }
	t.Run("found", func(t *testing.T) {
		scripted(t, finder, func(s *script, l *line) {
			s.ca.behave(behaviour{delay: rpcDeadline / 2})
			o := s.job(1)
			l.accept(o)
			c := l.next(wsproto.MethodCheckpoint)
			cp := c.checkpoint().Checkpoint
			c.lease(time.Minute)
			time.Sleep(time.Second) // it is at the CA
			o.Attempt, o.Checkpoint = 2, &cp
			assert.Equal(t, wsproto.OfferBusy, l.offer(o).Answer)
			l.next(wsproto.MethodFinish).fail(wsproto.CodeSuperseded)
			time.Sleep(time.Second)
			l.accept(o)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
			assert.Equal(t, int64(2), f.finish().Attempt)
			f.recorded()
			assert.Equal(t, 1, s.issuer.submitted())
		})
	})
	t.Run("no row", func(t *testing.T) {
		scripted(t, finder, func(s *script, l *line) {
			o := l.interrupted(s.job(1))
			l.accept(o)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Unknown, f.finish().Outcome.Kind, "no row proves nothing")
			f.recorded()
		})
	})
	t.Run("a row that says nothing, with permission", func(t *testing.T) {
		vague := &connector.CAError{Kind: connector.CAFailed, RequestID: 7}
		scripted(t, func(s *script) { s.cfg.Issuer = vagueFinder{s.issuer, vague} }, func(s *script, l *line) {
			order := anOrder()
			order.Resubmit = true
			l.accept(l.interrupted(s.jobOf(1, order)))
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Unknown, f.finish().Outcome.Kind)
			f.recorded()
			assert.Zero(t, s.issuer.submitted(), "the CA has it")
		})
	})
	t.Run("submitted again with permission", func(t *testing.T) {
		scripted(t, nil, func(s *script, l *line) {
			order := anOrder()
			order.Resubmit = true
			o := l.interrupted(s.jobOf(1, order))
			l.accept(o)
			c := l.next(wsproto.MethodCheckpoint)
			p := c.checkpoint()
			assert.Equal(t, o.Checkpoint.PublicKeyHash, p.Checkpoint.PublicKeyHash, "with the same key")
			assert.Equal(t, int64(2), p.Attempt)
			c.lease(time.Minute)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
			f.recorded()
			assert.Equal(t, 1, s.issuer.submitted())
		})
	})
	t.Run("permission, but no lease", func(t *testing.T) {
		scripted(t, nil, func(s *script, l *line) {
			order := anOrder()
			order.Resubmit = true
			o := l.interrupted(s.jobOf(1, order))
			l.accept(o)
			for range 5 {
				l.next(wsproto.MethodCheckpoint).lease(0)
			}
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Unknown, f.finish().Outcome.Kind, "an earlier attempt may have submitted")
			f.recorded()
		})
	})
}

// TestLookUpWaits: a lost answer is looked up when nothing can be on its way any more.
func TestLookUpWaits(t *testing.T) {
	scripted(t, func(s *script) { s.cfg.Issuer = findingIssuer{s.issuer} }, func(s *script, l *line) {
		s.ca.behave(behaviour{lost: lossAfter})
		l.accept(s.job(1))
		c := l.next(wsproto.MethodCheckpoint)
		begin := time.Now()
		c.lease(30 * time.Second)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
		assert.Equal(t, 30*time.Second+rpcDeadline, time.Since(begin))
		assert.Contains(t, f.finish().Outcome.TimingsMS, "lookup")
		f.recorded()
	})
}

// partialIssuer may read the databases of some CAs.
type partialIssuer struct {
	findingIssuer
	finds bool
}

func (i partialIssuer) Finds(wsproto.CAAssignment) bool { return i.finds }

// TestPartialFinder: where nobody can look up, nothing waits for it.
func TestPartialFinder(t *testing.T) {
	for finds, want := range map[bool]wsproto.OutcomeKind{true: wsproto.Issued, false: wsproto.Unknown} {
		scripted(t, func(s *script) { s.cfg.Issuer = partialIssuer{findingIssuer{s.issuer}, finds} }, func(s *script, l *line) {
			s.ca.behave(behaviour{lost: lossAfter})
			l.accept(s.job(1))
			c := l.next(wsproto.MethodCheckpoint)
			begin := time.Now()
			c.lease(30 * time.Second)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, want, f.finish().Outcome.Kind)
			assert.Equal(t, finds, time.Since(begin) >= 30*time.Second)
			f.recorded()
		})
	}
}

// TestPendingCheckpointLost: the request id gets to the tenant over any number of connections.
func TestPendingCheckpointLost(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		l.accept(s.job(1))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		first := l.next(wsproto.MethodCheckpoint)
		for range 3 {
			l.peer.Close(wsproto.CloseInternal, "")
			l = s.connection()
			c := l.next(wsproto.MethodCheckpoint)
			assert.True(t, bytes.Equal(first.params, c.params))
			if l.session == "session-4" {
				c.ok(wsproto.CheckpointAck{})
			}
		}
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Pending, f.finish().Outcome.Kind)
		f.recorded()
	})
}

// TestPendingCheckpointRefused: then the outcome still names the request for a person.
func TestPendingCheckpointRefused(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		l.accept(s.job(1))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		l.next(wsproto.MethodCheckpoint).fail(wsproto.CodeCheckpoint)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Pending, f.finish().Outcome.Kind)
		assert.Equal(t, uint32(1), f.finish().Outcome.RequestID)
		f.recorded()
	})
}

// TestResumeAsksPolicy: what local policy has come to refuse is not fetched either.
func TestResumeAsksPolicy(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		o := l.held(s.job(1))
		s.policy = func(connector.Order) error { return &connector.PolicyError{Rule: "templates", Detail: "not any more"} }
		r := l.offer(o)
		assert.Equal(t, wsproto.OfferRefused, r.Answer)
		assert.Equal(t, wsproto.ReasonPolicyTemplate, r.Reason)
		l.silent(time.Minute)
	})
}

// TestResumeIsTooLateToCancel: the request of an earlier attempt may be at the CA.
func TestResumeIsTooLateToCancel(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		order := anOrder()
		order.Resubmit = true
		o := l.interrupted(s.jobOf(1, order))
		l.accept(o)
		c := l.next(wsproto.MethodCheckpoint)
		var r wsproto.CancelResult
		require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodCancel, wsproto.Cancel{Job: o.Job, Attempt: 2}, &r))
		assert.False(t, r.Cancelled)
		c.lease(time.Minute)
		l.next(wsproto.MethodFinish).recorded()
	})
}
