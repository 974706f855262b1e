package connector_test

import (
	"crypto/ecdh"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// finishOne brings a job to its acknowledged outcome and returns that.
func (l *line) finishOne(o wsproto.Offer) wsproto.Outcome {
	l.s.t.Helper()
	l.accept(o)
	l.next(wsproto.MethodCheckpoint).lease(time.Minute)
	f := l.next(wsproto.MethodFinish)
	f.recorded()
	time.Sleep(time.Millisecond)
	return f.finish().Outcome
}

func TestJobStepByStep(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{delay: 3 * time.Second})
		l.accept(s.job(1))
		c := l.next(wsproto.MethodCheckpoint)
		p := c.checkpoint()
		assert.Equal(t, wsproto.CheckpointSubmitting, p.Checkpoint.State)
		assert.Equal(t, int64(1), p.Sequence)
		assert.Equal(t, `CORP\svc-adcs`, p.Checkpoint.Account)
		l.silent(10 * time.Second)
		assert.Zero(t, s.issuer.submitted(), "submitted without a lease")
		c.lease(30 * time.Second)
		f := l.next(wsproto.MethodFinish)
		o := f.finish().Outcome
		assert.Equal(t, wsproto.Issued, o.Kind)
		assert.Equal(t, int64(2), f.finish().Sequence)
		assert.Equal(t, p.Checkpoint.PublicKeyHash, o.PublicKeyHash)
		assert.Equal(t, int64(3000), o.TimingsMS["submit"])
		assert.Equal(t, int64(10000), o.TimingsMS["checkpoint"])
		openBundle(t, o.PKCS12)
		f.recorded()
		l.silent(time.Hour)
		assert.Equal(t, 1, s.issuer.submitted())
		report := s.lastReport()
		assert.Equal(t, wsproto.Issued, report.Outcome.Kind)
		assert.Empty(t, report.Outcome.PKCS12, "a report holds no keys")
		assert.Empty(t, report.Order.Password)
	})
}

// TestLeaseFromSending: a lease runs from the moment the checkpoint was sent, not from that of its answer.
func TestLeaseFromSending(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		l.accept(s.job(1))
		first := l.next(wsproto.MethodCheckpoint)
		time.Sleep(15 * time.Second)
		first.lease(10 * time.Second) // ended before it arrived
		second := l.next(wsproto.MethodCheckpoint)
		assert.Zero(t, s.issuer.submitted())
		assert.JSONEq(t, string(first.params), string(second.params), "the same checkpoint asks again")
		time.Sleep(9 * time.Second)
		second.lease(10 * time.Second)
		l.next(wsproto.MethodFinish).recorded()
		assert.Equal(t, 1, s.issuer.submitted())
	})
}

func TestNoLease(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		l.accept(s.job(1))
		for range 5 {
			l.next(wsproto.MethodCheckpoint).lease(0)
		}
		c := l.next(wsproto.MethodFinish)
		o := c.finish().Outcome
		assert.Equal(t, wsproto.Failed, o.Kind)
		assert.Equal(t, wsproto.ReasonLease, o.Reason)
		c.recorded()
		assert.Zero(t, s.issuer.submitted())
	})
}

// TestCheckpointAnswerLost: the answer to a checkpoint is lost with the connection. Nothing is submitted before another
// session has granted a lease.
func TestCheckpointAnswerLost(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		l.accept(s.job(1))
		first := l.next(wsproto.MethodCheckpoint)
		l.peer.Close(wsproto.CloseRestart, "restart")
		l = s.connection()
		c := l.next(wsproto.MethodCheckpoint)
		assert.Zero(t, s.issuer.submitted())
		assert.JSONEq(t, string(first.params), string(c.params))
		c.lease(time.Minute)
		l.next(wsproto.MethodFinish).recorded()
		assert.Equal(t, 1, s.issuer.submitted())
	})
}

func TestSupersededBeforeSubmit(t *testing.T) {
	for _, code := range []wsproto.ErrorCode{wsproto.CodeSuperseded, wsproto.CodeUnknownJob} {
		scripted(t, nil, func(s *script, l *line) {
			l.accept(s.job(1))
			l.next(wsproto.MethodCheckpoint).fail(code)
			l.silent(time.Hour)
			assert.Zero(t, s.issuer.submitted())
			assert.ErrorIs(t, s.lastReport().Err, code)
			assert.Empty(t, s.lastReport().Outcome.Kind)
		})
	}
}

// TestSupersededOutcome: an outcome of an attempt that was given up is dropped, one with a certificate included, once the
// tenant has said so; but a certificate is sent even if the connector knows that the attempt was given up.
func TestSupersededOutcome(t *testing.T) {
	for _, c := range []struct {
		behaviour behaviour
		told      bool
	}{{behaviour{delay: 20 * time.Second}, true}, {behaviour{deny: true, delay: 20 * time.Second}, false}} {
		scripted(t, nil, func(s *script, l *line) {
			s.ca.behave(c.behaviour)
			o := s.job(1)
			l.accept(o)
			l.next(wsproto.MethodCheckpoint).lease(time.Minute)
			time.Sleep(time.Second)
			o.Attempt = 2
			r := l.offer(o) // while the CA thinks
			assert.Equal(t, wsproto.OfferBusy, r.Answer)
			if c.told {
				f := l.next(wsproto.MethodFinish)
				assert.Equal(t, int64(1), f.finish().Attempt)
				f.fail(wsproto.CodeSuperseded)
			}
			l.silent(time.Minute)
			assert.Equal(t, 1, s.issuer.submitted())
			l.accept(o)
			l.next(wsproto.MethodCheckpoint).fail(wsproto.CodeSuperseded)
		})
	}
}

func TestSupersededByNewerAttemptBeforeSubmit(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		o := s.job(1)
		l.accept(o)
		c := l.next(wsproto.MethodCheckpoint)
		o.Attempt = 2
		assert.Equal(t, wsproto.OfferBusy, l.offer(o).Answer)
		c.lease(time.Minute) // too late
		time.Sleep(time.Second)
		l.accept(o)
		p := l.next(wsproto.MethodCheckpoint).checkpoint()
		assert.Equal(t, int64(2), p.Attempt)
		assert.Equal(t, int64(1), p.Sequence)
		assert.Zero(t, s.issuer.submitted())
		assert.ErrorContains(t, s.lastReport().Err, "superseded")
	})
}

func TestSameOfferTwice(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		l.accept(s.job(1))
		l.accept(s.job(1))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		l.next(wsproto.MethodFinish).recorded()
		l.silent(time.Minute)
		assert.Equal(t, 1, s.issuer.submitted())
	})
}

func TestBusy(t *testing.T) {
	scripted(t, func(s *script) { s.opts.Capacity = 2 }, func(s *script, l *line) {
		l.finishOne(s.job(0)) // the credential works
		var open []*call
		for n := range 2 {
			l.accept(s.job(1 + n))
			open = append(open, l.next(wsproto.MethodCheckpoint))
		}
		r := l.offer(s.job(3))
		assert.Equal(t, wsproto.OfferBusy, r.Answer)
		assert.Equal(t, wsproto.ReasonBusy, r.Reason)
		assert.Positive(t, r.RetryAfterMS)
		for _, c := range open {
			c.lease(time.Minute)
		}
		// The outcomes are known, but not acknowledged: up to six jobs may be in this state.
		var unacknowledged []*call
		for range 2 {
			unacknowledged = append(unacknowledged, l.next(wsproto.MethodFinish))
		}
		for n := range 4 {
			l.accept(s.job(10 + n))
			l.next(wsproto.MethodCheckpoint).lease(time.Minute)
			unacknowledged = append(unacknowledged, l.next(wsproto.MethodFinish))
		}
		assert.Equal(t, wsproto.OfferBusy, l.offer(s.job(20)).Answer)
		for _, c := range unacknowledged {
			c.recorded()
		}
		time.Sleep(time.Second)
		l.accept(s.job(20))
		l.next(wsproto.MethodCheckpoint).fail(wsproto.CodeSuperseded)
	})
}

func TestCancel(t *testing.T) {
	cancel := func(l *line, o wsproto.Offer, attempt int64) (bool, error) {
		var r wsproto.CancelResult
		err := l.peer.Call(l.s.ctx, wsproto.MethodCancel, wsproto.Cancel{Job: o.Job, Attempt: attempt}, &r)
		return r.Cancelled, err
	}
	t.Run("before the submit", func(t *testing.T) {
		scripted(t, nil, func(s *script, l *line) {
			o := s.job(1)
			l.accept(o)
			c := l.next(wsproto.MethodCheckpoint)
			_, err := cancel(l, o, 2)
			assert.ErrorIs(t, err, wsproto.CodeUnknownJob, "another attempt")
			done, err := cancel(l, o, 1)
			require.NoError(t, err)
			assert.True(t, done)
			c.lease(time.Minute)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Cancelled, f.finish().Outcome.Kind)
			f.recorded()
			assert.Zero(t, s.issuer.submitted())
		})
	})
	t.Run("while the key is made", func(t *testing.T) {
		scripted(t, func(s *script) { s.issuer.prepare = make(chan struct{}) }, func(s *script, l *line) {
			l.accept(s.job(1))
			done, err := cancel(l, s.job(1), 1)
			require.NoError(t, err)
			assert.True(t, done)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Cancelled, f.finish().Outcome.Kind)
			f.recorded()
		})
	})
	t.Run("too late", func(t *testing.T) {
		scripted(t, nil, func(s *script, l *line) {
			s.ca.behave(behaviour{delay: 20 * time.Second})
			l.accept(s.job(1))
			l.next(wsproto.MethodCheckpoint).lease(time.Minute)
			time.Sleep(time.Second)
			done, err := cancel(l, s.job(1), 1)
			require.NoError(t, err)
			assert.False(t, done)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
			done, err = cancel(l, s.job(1), 1)
			require.NoError(t, err)
			assert.False(t, done)
			f.recorded()
			time.Sleep(time.Second)
			_, err = cancel(l, s.job(1), 1)
			assert.ErrorIs(t, err, wsproto.CodeUnknownJob)
		})
	})
}

func TestExpiry(t *testing.T) {
	short := func(s *script) wsproto.Offer {
		o := s.job(1)
		o.TimeLeftMS = 5000
		return o
	}
	t.Run("while the key is made", func(t *testing.T) {
		scripted(t, func(s *script) { s.issuer.prepare = make(chan struct{}) }, func(s *script, l *line) {
			begin := time.Now()
			l.accept(short(s))
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Expired, f.finish().Outcome.Kind)
			assert.Equal(t, 5*time.Second, time.Since(begin))
			f.recorded()
		})
	})
	t.Run("before the lease", func(t *testing.T) {
		scripted(t, nil, func(s *script, l *line) {
			l.accept(short(s))
			c := l.next(wsproto.MethodCheckpoint)
			time.Sleep(6 * time.Second)
			c.lease(time.Hour)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Expired, f.finish().Outcome.Kind)
			assert.Zero(t, s.issuer.submitted())
			f.recorded()
		})
	})
	t.Run("not once it is submitted", func(t *testing.T) {
		scripted(t, nil, func(s *script, l *line) {
			s.ca.behave(behaviour{delay: 20 * time.Second})
			l.accept(short(s))
			l.next(wsproto.MethodCheckpoint).lease(time.Hour)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
			f.recorded()
		})
	})
}

// TestSubmitDeadline: a submit may take the RPC deadline of the session, and not a moment more.
func TestSubmitDeadline(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{lost: lossForever})
		l.accept(s.job(1))
		c := l.next(wsproto.MethodCheckpoint)
		begin := time.Now()
		time.Sleep(5 * time.Second)
		c.lease(30 * time.Second)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Unknown, f.finish().Outcome.Kind)
		assert.Equal(t, 5*time.Second+rpcDeadline, time.Since(begin))
		f.recorded()
	})
}

// TestFinishIsRepeated: until the tenant says that it has the outcome, over any number of connections.
func TestFinishIsRepeated(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		l.accept(s.job(1))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		f := l.next(wsproto.MethodFinish)
		same := func(c *call) {
			assert.JSONEq(t, string(f.params), string(c.params))
		}
		f.fail(wsproto.CodeUnavailable)
		c := l.next(wsproto.MethodFinish)
		same(c)
		c.fail(wsproto.CodeInternal)
		c = l.next(wsproto.MethodFinish)
		same(c)
		c.ok(wsproto.FinishAck{Recorded: false})
		same(l.next(wsproto.MethodFinish)) // and no answer at all
		same(l.next(wsproto.MethodFinish))
		same(l.next(wsproto.MethodFinish))
		<-l.done // given up, since nothing comes back
		assert.ErrorContains(t, l.err, "4408")
		l = s.connection()
		same(l.next(wsproto.MethodFinish))
		for range 3 {
			l.peer.Close(wsproto.CloseInternal, "")
			l = s.connection()
			same(l.next(wsproto.MethodFinish))
		}
		l.peer.Close(wsproto.CloseInternal, "")
		l = s.connection()
		c = l.next(wsproto.MethodFinish)
		same(c)
		c.recorded()
		l.silent(time.Hour)
		assert.Equal(t, 1, s.issuer.submitted())
	})
}

// TestOutcomeTooLarge: a bundle that the tenant cannot take is not delivered, and the outcome says so.
func TestOutcomeTooLarge(t *testing.T) {
	for name, spoil := range map[string]func(s *script){
		"for the connection": func(s *script) { s.limits.MaxMessageBytes, s.issuer.padding = 64<<10, 64<<10 },
		"for the tenant":     func(*script) {},
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, spoil, func(s *script, l *line) {
				l.accept(s.job(1))
				l.next(wsproto.MethodCheckpoint).lease(time.Minute)
				f := l.next(wsproto.MethodFinish)
				if o := f.finish().Outcome; o.Kind == wsproto.Issued {
					f.fail(wsproto.CodeLimit)
					f = l.next(wsproto.MethodFinish)
				}
				o := f.finish().Outcome
				assert.Equal(t, wsproto.Rejected, o.Kind)
				assert.Equal(t, wsproto.ReasonBundle, o.Reason)
				assert.NotEmpty(t, o.Serial)
				assert.NotEmpty(t, o.Thumbprint)
				f.recorded()
				l.silent(time.Minute)
				assert.Equal(t, wsproto.Rejected, s.lastReport().Outcome.Kind)
			})
		})
	}
}

// TestRefusals: what is answered to an offer, and that no key is made for one that is refused.
func TestRefusals(t *testing.T) {
	bad := func(change func(*wsproto.Order)) wsproto.Order {
		o := anOrder()
		change(&o)
		return o
	}
	for _, c := range []struct {
		name   string
		order  wsproto.Order
		scope  wsproto.RefusalScope
		reason wsproto.Reason
	}{
		{"nothing ordered", bad(func(o *wsproto.Order) { o.Subject, o.DNS = "", nil }), wsproto.RefusedNever, wsproto.ReasonOrderInvalid},
		{"two deliveries", bad(func(o *wsproto.Order) { o.Recipient = &wsproto.Recipient{ID: "r", Key: recipientKey(t, ecdh.X25519())} }), wsproto.RefusedNever, wsproto.ReasonOrderInvalid},
		{"no delivery", bad(func(o *wsproto.Order) { o.Password = "" }), wsproto.RefusedNever, wsproto.ReasonOrderInvalid},
		{"subject source", bad(func(o *wsproto.Order) { o.SubjectSource = "thin air" }), wsproto.RefusedNever, wsproto.ReasonOrderInvalid},
		{"names and directory", bad(func(o *wsproto.Order) { o.SubjectSource = "directory" }), wsproto.RefusedNever, wsproto.ReasonOrderInvalid},
		{"SID form", bad(func(o *wsproto.Order) { o.SIDForm = "song" }), wsproto.RefusedNever, wsproto.ReasonOrderInvalid},
		{"critical", bad(func(o *wsproto.Order) { o.Critical = []string{"notary"} }), wsproto.RefusedElsewhere, wsproto.ReasonOrderCritical},
		{"another CA", bad(func(o *wsproto.Order) { o.CA.Name = "Other CA" }), wsproto.RefusedElsewhere, wsproto.ReasonPolicyCA},
		{"recipient without a key", bad(func(o *wsproto.Order) { o.Password, o.Recipient = "", &wsproto.Recipient{ID: "r"} }), wsproto.RefusedNever, wsproto.ReasonOrderInvalid},
		{"policy", bad(func(o *wsproto.Order) { o.Template = "Forbidden" }), wsproto.RefusedElsewhere, wsproto.ReasonPolicyTemplate},
		{"policy of another kind", bad(func(o *wsproto.Order) { o.Template = "Odd" }), wsproto.RefusedElsewhere, wsproto.ReasonPolicy},
	} {
		t.Run(c.name, func(t *testing.T) {
			scripted(t, func(s *script) {
				s.policy = func(o connector.Order) error {
					switch o.Template {
					case "Forbidden":
						return &connector.PolicyError{Rule: "templates", Detail: "no"}
					case "Odd":
						return errModelNetwork
					}
					return nil
				}
			}, func(s *script, l *line) {
				r := l.offer(s.jobOf(1, c.order))
				assert.Equal(t, wsproto.OfferRefused, r.Answer)
				assert.Equal(t, c.scope, r.Scope)
				assert.Equal(t, c.reason, r.Reason, r.Message)
				assert.NotContains(t, r.Message, "correct horse")
				assert.NotContains(t, r.Message, errModelNetwork.Error(), "errors of others are not told")
				l.silent(time.Minute)
				l.accept(s.job(1)) // the place is free again
				l.next(wsproto.MethodCheckpoint).fail(wsproto.CodeSuperseded)
			})
		})
	}
}

// TestPrepareFails: what cannot be made ends the job before the CA hears of it.
func TestPrepareFails(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		o := anOrder()
		o.Profile = "unknown"
		l.accept(s.jobOf(1, o))
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Failed, f.finish().Outcome.Kind)
		assert.Equal(t, wsproto.ReasonOrderUnsupported, f.finish().Outcome.Reason)
		assert.Equal(t, wsproto.RetryNever, f.finish().Outcome.Retry)
		f.recorded()
	})
}

// TestUnclassifiedErrors: what nobody called certain may have been executed, a wrong answer included.
func TestUnclassifiedErrors(t *testing.T) {
	for name, answer := range map[string]func() (*connector.CAResult, error){
		"an error of another kind": func() (*connector.CAResult, error) { return nil, errModelNetwork },
		"no answer at all":         func() (*connector.CAResult, error) { return nil, nil },
		"held without an id":       func() (*connector.CAResult, error) { return &connector.CAResult{Pending: true}, nil },
		"issued without a cert":    func() (*connector.CAResult, error) { return &connector.CAResult{RequestID: 7}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, func(s *script) { s.issuer.answer = answer }, func(s *script, l *line) {
				o := l.finishOne(s.job(1))
				assert.Equal(t, wsproto.Unknown, o.Kind)
				assert.Equal(t, wsproto.ReasonAnswerLost, o.Reason)
			})
		})
	}
	t.Run("not a certificate", func(t *testing.T) {
		scripted(t, func(s *script) {
			s.issuer.answer = func() (*connector.CAResult, error) {
				return &connector.CAResult{RequestID: 7, Certificate: []byte("nonsense")}, nil
			}
		}, func(s *script, l *line) {
			o := l.finishOne(s.job(1))
			assert.Equal(t, wsproto.Rejected, o.Kind)
			assert.Equal(t, wsproto.ReasonCertificateMismatch, o.Reason)
			assert.NotEmpty(t, o.Thumbprint)
		})
	})
}

// TestCAText: what a CA says is bounded and made valid before it is sent on.
func TestCAText(t *testing.T) {
	scripted(t, func(s *script) {
		s.issuer.answer = func() (*connector.CAResult, error) {
			return nil, &connector.CAError{Kind: connector.CARefused, Message: strings.Repeat("ä\xff", 4000)}
		}
	}, func(s *script, l *line) {
		o := l.finishOne(s.job(1))
		assert.Equal(t, wsproto.Denied, o.Kind)
		assert.True(t, utf8.ValidString(o.Message))
		assert.LessOrEqual(t, len(o.Message), wsproto.MaxText)
		assert.Greater(t, len(o.Message), wsproto.MaxText/2)
	})
}

// TestCancelRace cancels a job in the moment in which the tenant answers its checkpoint. Whoever wins, a cancellation that
// was granted is the outcome, and nothing was submitted.
func TestCancelRace(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		l.finishOne(s.job(0))
		granted := 0
		for n := range 300 {
			o, before := s.job(1+n), s.issuer.submitted()
			l.accept(o)
			c := l.next(wsproto.MethodCheckpoint)
			cancelled := make(chan bool)
			s.working.Go(func() {
				var r wsproto.CancelResult
				err := l.peer.Call(s.ctx, wsproto.MethodCancel, wsproto.Cancel{Job: o.Job, Attempt: 1}, &r)
				cancelled <- err == nil && r.Cancelled
			})
			if n%10 == 0 {
				synctest.Wait() // the cancellation certainly wins
			}
			if n%3 == 0 {
				c.fail(wsproto.CodeInvalidParams)
			} else {
				c.lease(time.Minute)
			}
			yes := <-cancelled
			f := l.next(wsproto.MethodFinish)
			outcome := f.finish().Outcome
			f.recorded()
			require.Equal(t, yes, outcome.Kind == wsproto.Cancelled, "%v %+v", yes, outcome)
			if yes {
				granted++
				require.Equal(t, before, s.issuer.submitted())
			}
			time.Sleep(time.Millisecond)
		}
		assert.GreaterOrEqual(t, granted, 30)
	})
}

// TestCommit: the request leaves, or the job has ended; never both.
func TestCommit(t *testing.T) {
	s := newScript(t)
	s.cfg.Options = &s.opts
	c, err := connector.New(s.cfg)
	require.NoError(t, err)
	for name, end := range map[string]func(j connector.Job){
		"cancelled":  func(j connector.Job) { require.True(t, j.Abort()) },
		"superseded": connector.Job.Supersede,
		"stopped":    connector.Job.Stop,
	} {
		o := s.job(1)
		j := connector.NewJob(t.Context(), c, &o)
		end(j)
		assert.Error(t, j.Commit(), name)
		j.Stop()
		j = connector.NewJob(t.Context(), c, &o)
		assert.NoError(t, j.Commit(), name)
		assert.False(t, j.Abort(), "too late")
		j.Stop()
	}
	o := s.job(1)
	o.TimeLeftMS = 0
	j := connector.NewJob(t.Context(), c, &o)
	assert.ErrorContains(t, j.Commit(), "time")
	j.Stop()
}
