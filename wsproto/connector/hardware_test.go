package connector_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// onChip gives a script keys that fail when the chip does.
func onChip(c *chip) func(s *script) {
	return func(s *script) {
		s.cfg.Identity = &flakySigner{Signer: s.signer, chip: c}
		s.cfg.Decryption = &flakyBox{KeyExchanger: s.decrypt, chip: c}
	}
}

// TestDecryptionKeyFails: an offer with a checkpoint that cannot be opened now is left to others for a while. It is not
// taken for a bad checkpoint, and it is taken when the key works again.
func TestDecryptionKeyFails(t *testing.T) {
	c := newChip("a")
	var told []connector.RefusedOffer
	prepare := func(s *script) {
		onChip(c)(s)
		s.opts.OnRefused = func(r connector.RefusedOffer) { told = append(told, r) }
	}
	scripted(t, prepare, func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		o := l.held(s.job(1))
		s.ca.approve(t)
		c.fail(errChip)
		r := l.offer(o)
		assert.Equal(t, wsproto.OfferRefused, r.Answer)
		assert.Equal(t, wsproto.RefusedElsewhere, r.Scope)
		assert.Equal(t, wsproto.ReasonInternal, r.Reason)
		assert.Equal(t, time.Minute.Milliseconds(), r.RetryAfterMS)
		assert.NotContains(t, r.Message, "chip:", "the tenant does not need to know more")
		require.Len(t, told, 1)
		require.ErrorIs(t, told[0].Err, errChip)

		changed := o
		bad := *o.Checkpoint
		bad.RequestID++
		changed.Checkpoint = &bad
		assert.Equal(t, wsproto.ReasonCheckpointSignature, l.offer(changed).Reason, "which does not need the key")

		c.fail(nil)
		o.Attempt++
		l.accept(o)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
		f.recorded()
	})
}

// TestIdentityKeyFailsBeforeTheSubmit: nothing is submitted, and the order may be tried again.
func TestIdentityKeyFailsBeforeTheSubmit(t *testing.T) {
	c := newChip("a")
	var told []connector.RefusedOffer
	prepare := func(s *script) {
		onChip(c)(s)
		s.opts.OnRefused = func(r connector.RefusedOffer) { told = append(told, r) }
	}
	scripted(t, prepare, func(s *script, l *line) {
		c.fail(errChip)
		l.accept(s.job(1))
		f := l.next(wsproto.MethodFinish)
		outcome := f.finish().Outcome
		assert.Equal(t, wsproto.Failed, outcome.Kind)
		assert.Equal(t, wsproto.RetryAfter, outcome.Retry)
		assert.Equal(t, time.Minute.Milliseconds(), outcome.RetryAfterMS)
		assert.Contains(t, outcome.Message, "nothing was submitted")
		assert.NotContains(t, outcome.Message, "chip:")
		assert.Equal(t, int64(1), f.finish().Sequence)
		f.recorded()
		s.until("a report", func() bool { return s.running[0].Jobs() == 0 })
		require.ErrorIs(t, s.lastReport().Err, errChip)
		assert.Zero(t, s.issuer.submitted())

		// While the key stays away other orders are left to others, and it is looked for now and then.
		for i := range 3 {
			r := l.offer(s.job(2))
			assert.Equal(t, wsproto.OfferRefused, r.Answer)
			assert.Equal(t, wsproto.RefusedElsewhere, r.Scope)
			assert.Equal(t, time.Minute.Milliseconds(), r.RetryAfterMS)
			assert.NotContains(t, r.Message, "chip:")
			require.Len(t, told, i+1)
			assert.Equal(t, i > 0, errors.Is(told[i].Err, errChip), "not at once")
			time.Sleep(11 * time.Second)
		}
		c.fail(nil)

		// Busy for a moment is not a failure.
		assert.Equal(t, wsproto.Issued, l.finishOne(s.job(4)).Kind)
		c.fail(errChip)
		time.AfterFunc(3*time.Second, func() { c.fail(nil) })
		assert.Equal(t, wsproto.Issued, l.finishOne(s.job(2)).Kind)

		// A job whose time ends meanwhile has expired.
		c.fail(errChip)
		short := s.job(3)
		short.TimeLeftMS = 2000
		l.accept(short)
		f = l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Expired, f.finish().Outcome.Kind)
		f.recorded()
	})
}

// TestIdentityKeyFailsAfterTheSubmit: a request that the CA holds is worth nothing to the tenant without its checkpoint, so
// the key is waited for. A certificate does not need it.
func TestIdentityKeyFailsAfterTheSubmit(t *testing.T) {
	c := newChip("a")
	scripted(t, onChip(c), func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		o := s.job(1)
		l.accept(o)
		first := l.next(wsproto.MethodCheckpoint)
		c.fail(errChip)
		first.lease(time.Minute)
		l.silent(50 * time.Minute)
		c.fail(nil)
		second := l.next(wsproto.MethodCheckpoint)
		p := second.checkpoint()
		assert.Equal(t, wsproto.CheckpointPending, p.Checkpoint.State)
		assert.Equal(t, int64(2), p.Sequence)
		second.ok(wsproto.CheckpointAck{})
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Pending, f.finish().Outcome.Kind)
		f.recorded()
		time.Sleep(time.Second)

		s.ca.behave(behaviour{})
		l.accept(s.job(2))
		first = l.next(wsproto.MethodCheckpoint)
		c.fail(errChip)
		first.lease(time.Minute)
		f = l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
		f.recorded()
	})
}

// TestIdentityKeyStaysAway: the job is let go when the connector stops or a newer attempt exists.
func TestIdentityKeyStaysAway(t *testing.T) {
	c := newChip("a")
	scripted(t, onChip(c), func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		o := s.job(1)
		l.accept(o)
		first := l.next(wsproto.MethodCheckpoint)
		c.fail(errChip)
		first.lease(time.Minute)
		l.silent(time.Minute)
		o.Attempt++
		assert.Equal(t, wsproto.OfferBusy, l.offer(o).Answer)
		s.until("an end", func() bool { return s.running[0].Jobs() == 0 })
		require.Error(t, s.lastReport().Err)
		assert.True(t, errors.Is(s.lastReport().Err, errChip))
	})
}
