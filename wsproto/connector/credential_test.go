package connector_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

func (ca *modelCA) password(good bool) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.goodPW = good
}

func (ca *modelCA) triedLogons() int {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return ca.logons
}

// TestLogonFailureStops: however many jobs are in flight, a wrong password is tried once. Nothing uses the credential
// then until an hour has passed or a person has corrected it.
func TestLogonFailureStops(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.password(false)
		for n := range 5 {
			l.accept(s.job(n))
		}
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		reasons := map[wsproto.Reason]int{}
		for range 5 {
			f := l.next(wsproto.MethodFinish)
			o := f.finish().Outcome
			assert.Equal(t, wsproto.Failed, o.Kind)
			if o.Reason == wsproto.ReasonCredential {
				assert.InDelta(t, time.Hour.Milliseconds(), o.RetryAfterMS, 2)
			} else {
				assert.Equal(t, wsproto.RetryOperator, o.Retry)
			}
			reasons[o.Reason]++
			f.recorded()
		}
		assert.Equal(t, map[wsproto.Reason]int{wsproto.ReasonCALogon: 1, wsproto.ReasonCredential: 4}, reasons)
		assert.Equal(t, 1, s.ca.triedLogons())

		time.Sleep(10 * time.Minute)
		r := l.offer(s.job(10))
		assert.Equal(t, wsproto.OfferRefused, r.Answer)
		assert.Equal(t, wsproto.RefusedElsewhere, r.Scope)
		assert.Equal(t, wsproto.ReasonCredential, r.Reason)
		assert.Equal(t, time.Minute.Milliseconds(), r.RetryAfterMS, "somebody may mend it at any moment")

		time.Sleep(51 * time.Minute) // tried once more, and refused again
		l.accept(s.job(11))
		l.accept(s.job(12))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		for range 2 {
			l.next(wsproto.MethodFinish).recorded()
		}
		time.Sleep(time.Second)
		assert.Equal(t, 2, s.ca.triedLogons())
		assert.Equal(t, wsproto.ReasonCredential, l.offer(s.job(13)).Reason)

		s.running[0].Reload("somebody else")
		assert.Equal(t, wsproto.ReasonCredential, l.offer(s.job(13)).Reason)
		s.ca.password(true)
		s.running[0].Reload(s.issuer.account)
		assert.Equal(t, wsproto.Issued, l.finishOne(s.job(13)).Kind)
	})
}

// TestLogonFailureBetweenLeaseAndSubmit: the password is changed while several jobs have their lease. Those that come after the first
// failure do not try.
func TestLogonFailureBetweenLeaseAndSubmit(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		require.Equal(t, wsproto.Issued, l.finishOne(s.job(0)).Kind)
		var waiting []*call
		for n := range 4 {
			l.accept(s.job(1 + n))
			waiting = append(waiting, l.next(wsproto.MethodCheckpoint))
		}
		s.ca.password(false)
		tried := s.ca.triedLogons()
		waiting[0].lease(time.Minute)
		l.next(wsproto.MethodFinish).recorded()
		for _, c := range waiting[1:] {
			c.lease(time.Minute)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.ReasonCredential, f.finish().Outcome.Reason)
			f.recorded()
		}
		assert.Equal(t, tried+1, s.ca.triedLogons())
	})
}

// TestOneAtATimeUntilProven: an unproven credential is used by one job at a time; a proven one by all.
func TestOneAtATimeUntilProven(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{delay: 10 * time.Second})
		for n := range 3 {
			l.accept(s.job(n))
		}
		first := l.next(wsproto.MethodCheckpoint)
		l.silent(10 * time.Second)
		first.lease(time.Minute)
		l.silent(9 * time.Second)
		calls := l.take(3) // the answer proves the credential
		begin := time.Now()
		require.Len(t, calls[wsproto.MethodFinish], 1)
		require.Len(t, calls[wsproto.MethodCheckpoint], 2)
		calls[wsproto.MethodFinish][0].recorded()
		for _, c := range calls[wsproto.MethodCheckpoint] {
			c.lease(time.Minute)
		}
		for range 2 {
			l.next(wsproto.MethodFinish).recorded()
		}
		assert.Equal(t, 10*time.Second, time.Since(begin), "both at once")
	})
}

// TestUnreachableProvesNothing: jobs go on one by one while a CA cannot be reached, and none waits for ever.
func TestUnreachableProvesNothing(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{lost: lossUnsent})
		for n := range 3 {
			l.accept(s.job(n))
		}
		for finished := 0; finished < 3; {
			for method, calls := range l.take(1) {
				if method == wsproto.MethodCheckpoint {
					calls[0].lease(time.Minute)
					continue
				}
				o := calls[0].finish().Outcome
				assert.Equal(t, wsproto.Failed, o.Kind)
				assert.Equal(t, wsproto.ReasonCAUnavailable, o.Reason)
				assert.Equal(t, wsproto.RetryAfter, o.Retry)
				calls[0].recorded()
				finished++
			}
		}
		assert.Equal(t, 3, s.issuer.submitted())
	})
}
