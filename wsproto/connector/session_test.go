package connector_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// TestCloseCodes holds the connector to the reconnect policy of every close code.
func TestCloseCodes(t *testing.T) {
	for _, info := range wsproto.CloseCodes() {
		if info.Code == wsproto.CloseNoStatus || info.Code == wsproto.CloseAbnormal {
			continue // cannot be sent
		}
		t.Run(info.Code.String(), func(t *testing.T) {
			scripted(t, nil, func(s *script, l *line) {
				end := time.Now()
				l.peer.Close(info.Code, "because")
				switch info.Reconnect {
				case wsproto.ReconnectBackoff:
					s.connection()
					assert.Less(t, time.Since(end), 5*time.Second)
				case wsproto.ReconnectLater:
					s.connection()
					assert.GreaterOrEqual(t, time.Since(end), time.Minute)
				case wsproto.ReconnectOnce:
					l = s.connection()
					l.peer.Close(info.Code, "because")
					l = s.connection() // it was active between
					s.mu.Lock()
					s.refuse = wsproto.CloseAfter(wsproto.CodeNotAuthenticated, info.Code, "no")
					s.mu.Unlock()
					l.peer.Close(info.Code, "because")
					s.stopped(info.Alarm)
				case wsproto.ReconnectStop:
					s.stopped(info.Alarm)
				}
				if info.Reconnect != wsproto.ReconnectStop && info.Reconnect != wsproto.ReconnectOnce {
					s.sawAlarm(info.Alarm)
				}
			})
		})
	}
}

// stopped checks that Run has returned because a person must act.
func (s *script) stopped(alarm bool) {
	s.t.Helper()
	select {
	case <-s.running[0].done:
	case <-time.After(time.Hour):
		s.t.Fatal("Run does not return")
	}
	assert.ErrorIs(s.t, s.running[0].err, connector.ErrStopped)
	assert.Equal(s.t, connector.StateStopped, s.lastEvent().State)
	s.sawAlarm(alarm)
}

func (s *script) sawAlarm(want bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	alarm := false
	for _, e := range s.events {
		alarm = alarm || e.Alarm
	}
	assert.Equal(s.t, want, alarm, "%+v", s.events)
}

// TestNetworkLost: a connection that ends without a word comes back.
func TestNetworkLost(t *testing.T) {
	scripted(t, func(s *script) { s.dialErr = errModelNetwork }, func(s *script, _ *line) {
		time.Sleep(10 * time.Minute)
		s.mu.Lock()
		s.dialErr = nil
		dials := len(s.dials)
		assert.Greater(t, dials, 10, "one attempt a window on the average")
		assert.Less(t, dials, 40)
		first, last := s.dials[1].Sub(s.dials[0]), s.dials[dials-1].Sub(s.dials[dials-2])
		s.mu.Unlock()
		assert.Less(t, first, time.Second)
		assert.Less(t, last, 2*time.Minute)
		s.connection()
	})
}

func TestRegistration(t *testing.T) {
	pending := func(s *script) {
		s.state = wsproto.State{State: wsproto.StatePending, RegistrationURL: "https://tenant.example/approve/1"}
	}
	t.Run("approved", func(t *testing.T) {
		scripted(t, pending, func(s *script, _ *line) {
			l := s.connection()
			e := s.lastEvent()
			assert.Equal(t, connector.StatePending, e.State)
			assert.Equal(t, "https://tenant.example/approve/1", e.RegistrationURL)
			require.Len(t, s.register, 1)
			assert.Equal(t, s.cfg.TenantKey.String(), s.register[0].TenantKey, "pinned while it waits")
			assert.Empty(t, s.register[0].Connector)
			var r wsproto.OfferResult
			begin := time.Now()
			assert.ErrorIs(t, l.peer.Call(s.ctx, wsproto.MethodOffer, s.job(1), &r), wsproto.CodeNotActive)
			assert.Equal(t, 5*time.Second, time.Since(begin))
			time.Sleep(24 * time.Hour)
			state := wsproto.State{State: wsproto.StateActive, Connector: "connector-9"}
			require.NoError(t, l.peer.Notify(s.ctx, wsproto.MethodApproved, state))
			l.accept(s.job(1)) // at once, though it may overtake the approval
			l.next(wsproto.MethodCheckpoint).fail(wsproto.CodeSuperseded)
			synctest.Wait()
			assert.Equal(t, "connector-9", s.lastEvent().Connector)
			assert.Equal(t, "connector-9", s.register[1].Connector)
		})
	})
	t.Run("rejected", func(t *testing.T) {
		scripted(t, pending, func(s *script, _ *line) {
			l := s.connection()
			// The connector may have hung up before Notify returns, which is then an error.
			_ = l.peer.Notify(s.ctx, wsproto.MethodRejected, wsproto.State{State: wsproto.StateRevoked})
			s.stopped(true)
		})
	})
	t.Run("revoked", func(t *testing.T) {
		scripted(t, func(s *script) { s.state.State = wsproto.StateRevoked }, func(s *script, _ *line) { s.stopped(true) })
	})
	t.Run("cannot be stored", func(t *testing.T) {
		disk := errors.New("disk full")
		scripted(t, func(s *script) {
			s.refuse = nil
			s.opts.OnRegistered = func(connector.Registration) error { return disk }
			s.state.State = wsproto.StateActive
			s.forge = func(*wsproto.SignedChallenge) {}
		}, func(s *script, _ *line) {
			s.stopped(true)
			assert.ErrorIs(t, s.running[0].err, disk)
		})
	})
}

// TestEnrollment: the code is sent until the registration is active, and not again.
func TestEnrollment(t *testing.T) {
	var code wsproto.EnrollmentCode
	scripted(t, func(s *script) {
		code = wsproto.NewEnrollmentCode(s.cfg.TenantKey)
		s.cfg.Enrollment, s.cfg.TenantKey = code, wsproto.Fingerprint{}
	}, func(s *script, l *line) {
		auth := s.auths[0]
		require.NotNil(t, auth.Enrollment)
		assert.Equal(t, code.ID(), auth.Enrollment.ID)
		assert.True(t, wsproto.VerifyEnrollment(code.Hash(), l.binding, auth.Enrollment.MAC))
		l.peer.Close(wsproto.CloseInternal, "")
		s.connection()
		assert.Nil(t, s.auths[1].Enrollment)
	})
	scripted(t, func(s *script) { s.refuse = wsproto.CodeEnrollment }, func(s *script, _ *line) {
		s.stopped(true)
		assert.ErrorIs(t, s.running[0].err, wsproto.CodeEnrollment)
	})
}

// TestForgedGateway: who does not hold the pinned tenant key learns nothing but the hello, and is tried again only later.
func TestForgedGateway(t *testing.T) {
	for name, forge := range map[string]func(*wsproto.SignedChallenge){
		"signature":     func(c *wsproto.SignedChallenge) { c.Signature[len(c.Signature)-1] ^= 1 },
		"challenge":     func(c *wsproto.SignedChallenge) { c.Challenge = append([]byte(" "), c.Challenge...) },
		"no challenge":  func(c *wsproto.SignedChallenge) { c.Challenge = nil },
		"not even JSON": func(c *wsproto.SignedChallenge) { c.Challenge = []byte("{") },
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, func(s *script) { s.forge = forge }, func(s *script, _ *line) {
				s.noConnection(50 * time.Second)
				s.mu.Lock()
				assert.Len(t, s.dials, 1)
				assert.Empty(t, s.auths)
				s.mu.Unlock()
				s.sawAlarm(true)
				time.Sleep(10 * time.Minute)
				s.mu.Lock()
				defer s.mu.Unlock()
				assert.Greater(t, len(s.dials), 2)
				assert.Empty(t, s.auths)
				s.forge = nil
			})
		})
	}
	t.Run("another tenant key", func(t *testing.T) {
		scripted(t, func(s *script) {
			s.cfg.TenantKey[0] ^= 1
			s.forge = func(*wsproto.SignedChallenge) {}
		}, func(s *script, _ *line) {
			s.noConnection(time.Minute)
			assert.Empty(t, s.auths)
			s.sawAlarm(true)
		})
	})
}

func TestReauthenticate(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		var auth wsproto.Authenticate
		require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodReauthenticate, l.sign(true), &auth))
		spki, err := wsproto.MarshalPublicKey(s.signer.Public())
		require.NoError(t, err)
		assert.NoError(t, wsproto.VerifyAuthenticate(spki, l.binding, auth.Signature))
		assert.Nil(t, auth.Enrollment)

		l.session = "another session"
		assert.ErrorIs(t, l.peer.Call(s.ctx, wsproto.MethodReauthenticate, l.sign(true), &auth), wsproto.CodeNotAuthenticated)
		<-l.done
		assert.ErrorContains(t, l.err, "4401")
	})
}

// TestTenantDrains: the new session is there before the old one ends, and takes what the old one began.
func TestTenantDrains(t *testing.T) {
	scripted(t, nil, func(s *script, first *line) {
		s.ca.behave(behaviour{delay: 20 * time.Second})
		first.accept(s.job(1))
		first.next(wsproto.MethodCheckpoint).lease(time.Minute)
		require.NoError(t, first.peer.Call(s.ctx, wsproto.MethodDrain, wsproto.Drain{Reason: "restart", DeadlineMS: 60000}, nil))
		second := s.connection()
		assert.True(t, second.beside, "the old session was still there")
		<-first.done
		assert.ErrorContains(t, first.err, "1001")
		f := second.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
		f.recorded()
	})
}

// TestTenantDrainsAlone: while there is no other gateway to connect to, the old session goes on.
func TestTenantDrainsAlone(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{delay: 20 * time.Second})
		l.accept(s.job(1))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		s.mu.Lock()
		s.dialErr = errModelNetwork
		s.mu.Unlock()
		require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodDrain, wsproto.Drain{}, nil))
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
		f.recorded()
		l.peer.Close(wsproto.CloseRestart, "")
		s.mu.Lock()
		s.dialErr = nil
		s.mu.Unlock()
		s.connection()
	})
}

// TestConnectorDrains: at the end of its context a connector takes nothing new, and ends what it has.
func TestConnectorDrains(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{delay: 10 * time.Second})
		l.accept(s.job(1))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		time.Sleep(time.Second)
		s.running[0].cancel()
		l.next(wsproto.MethodDrain).ok(wsproto.Empty{})
		assert.Equal(t, wsproto.ReasonDraining, l.offer(s.job(2)).Reason)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
		f.recorded()
		<-s.running[0].done
		assert.NoError(t, s.running[0].err)
		<-l.done
		assert.ErrorContains(t, l.err, "1001")
	})
}

// TestConnectorDrainsOverReconnect: an outcome that is not acknowledged yet is sent over another connection.
func TestConnectorDrainsOverReconnect(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		l.accept(s.job(1))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		l.next(wsproto.MethodFinish)
		s.running[0].cancel()
		l.next(wsproto.MethodDrain).ok(wsproto.Empty{})
		l.peer.Close(wsproto.CloseInternal, "")
		l = s.connection()
		l.next(wsproto.MethodFinish).recorded()
		<-s.running[0].done
		assert.NoError(t, s.running[0].err)
	})
}

// TestConnectorCut: what does not end in time is cut, and Run says so.
func TestConnectorCut(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{lost: lossForever})
		l.accept(s.job(1))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		time.Sleep(time.Second)
		begin := time.Now()
		s.running[0].cancel()
		l.next(wsproto.MethodDrain).ok(wsproto.Empty{})
		<-s.running[0].done
		assert.Equal(t, 20*time.Second, time.Since(begin))
		assert.ErrorIs(t, s.running[0].err, connector.ErrJobsCut)
		assert.Error(t, s.lastReport().Err)
	})
}

func TestRunTwice(t *testing.T) {
	scripted(t, nil, func(s *script, _ *line) {
		assert.ErrorIs(t, s.running[0].Run(context.Background()), connector.ErrRunning)
	})
}

// TestTakenOver: another process with this identity has connected. It is not driven away again.
func TestTakenOver(t *testing.T) {
	for _, drain := range []bool{false, true} {
		t.Run(fmt.Sprint("drain ", drain), func(t *testing.T) {
			scripted(t, nil, func(s *script, l *line) {
				if drain {
					require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodDrain, wsproto.Drain{}, nil))
				}
				l.peer.Close(wsproto.CloseSuperseded, "a newer session")
				s.stopped(false)
				s.noConnection(time.Hour)
			})
		})
	}
}

// TestGhost: a session that was superseded right after a reconnect may have been so by the connection before it. The
// connector comes back, once.
func TestGhost(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		time.Sleep(time.Hour)
		l.peer.Close(wsproto.CloseInternal, "")
		l = s.connection()
		end := time.Now()
		l.peer.Close(wsproto.CloseSuperseded, "by a ghost")
		l = s.connection()
		assert.GreaterOrEqual(t, time.Since(end), time.Minute)
		l.peer.Close(wsproto.CloseSuperseded, "by a living one")
		s.stopped(false)
	})
}

func TestConfigureAndStatus(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		newest := func() wsproto.Status {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.statuses[len(s.statuses)-1]
		}
		count := func() int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.statuses)
		}
		s.until("a first status", func() bool { return count() == 1 })
		assert.Empty(t, newest().CAs)
		other := wsproto.CAAssignment{Host: "ca2.corp.test", Name: "Unknown CA"}
		require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodConfigure, wsproto.Configure{
			Revision: 1, CAs: []wsproto.CAAssignment{caName(), other},
		}, nil))
		s.until("a CA without a credential", func() bool { return len(newest().CAs) == 1 })
		assert.Equal(t, other, newest().CAs[0].CA)
		assert.Equal(t, wsproto.ReasonPolicyCA, newest().CAs[0].Reason)
		require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodConfigure, wsproto.Configure{Revision: 0}, nil)) // overtaken

		known := func(healthy bool) func() bool {
			return func() bool {
				m := newest()
				return len(m.CAs) == 2 && m.CAs[0].CA == caName() && m.CAs[0].Healthy == healthy && m.InFlight == 0
			}
		}
		s.ca.behave(behaviour{lost: lossUnsent})
		assert.Equal(t, wsproto.Failed, l.finishOne(s.job(1)).Kind)
		s.until("unhealthy", known(false))
		assert.Equal(t, wsproto.ReasonCAUnavailable, newest().CAs[0].Reason)
		s.ca.behave(behaviour{})
		assert.Equal(t, wsproto.Issued, l.finishOne(s.job(2)).Kind)
		s.until("healthy", known(true))

		time.Sleep(2 * time.Second)
		before := count()
		time.Sleep(10 * time.Minute)
		assert.InDelta(t, 10, count()-before, 1, "once a minute when nothing changes")
	})
}

// TestConfigureOnADrainedSession: the revisions are those of one session, and only the newest session configures.
func TestConfigureOnADrainedSession(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		unknown := func(name string) wsproto.CAAssignment { return wsproto.CAAssignment{Host: "ca.corp.test", Name: name} }
		configure := func(l *line, revision int64, name string) {
			require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodConfigure,
				wsproto.Configure{Revision: revision, CAs: []wsproto.CAAssignment{unknown(name)}}, nil))
		}
		served := func() string {
			time.Sleep(2 * time.Second) // the status is told
			s.mu.Lock()
			defer s.mu.Unlock()
			cas := s.statuses[len(s.statuses)-1].CAs
			require.Len(t, cas, 1)
			return cas[0].CA.Name
		}
		configure(l, 7, "first")
		require.Equal(t, "first", served())
		// A call keeps the drained session open beside the next one.
		l.accept(s.job(1))
		open := l.next(wsproto.MethodCheckpoint)
		require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodDrain, wsproto.Drain{}, nil))
		next := s.connection()
		configure(next, 1, "second")
		assert.Equal(t, "second", served(), "the revision of another session does not count")
		configure(l, 8, "late")
		assert.Equal(t, "second", served())
		open.lease(time.Minute)
		next.next(wsproto.MethodFinish).recorded()
	})
}

// TestConfigureBeforeActive: a configure that has overtaken the approval waits for it.
func TestConfigureBeforeActive(t *testing.T) {
	scripted(t, func(s *script) { s.state = wsproto.State{State: wsproto.StatePending} }, func(s *script, _ *line) {
		l := s.connection()
		m := wsproto.Configure{Revision: 1, CAs: []wsproto.CAAssignment{{Host: "ca.corp.test", Name: "Unknown"}}}
		assert.ErrorIs(t, l.peer.Call(s.ctx, wsproto.MethodConfigure, m, nil), wsproto.CodeNotActive)
		answered := make(chan error, 1)
		s.working.Go(func() { answered <- l.peer.Call(s.ctx, wsproto.MethodConfigure, m, nil) })
		synctest.Wait()
		require.NoError(t, l.peer.Notify(s.ctx, wsproto.MethodApproved,
			wsproto.State{State: wsproto.StateActive, Connector: "connector-1"}))
		require.NoError(t, <-answered)
		s.until("it is told", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.statuses) > 0 && len(s.statuses[len(s.statuses)-1].CAs) == 1
		})
	})
}

// TestUnexpected: what a tenant may not send is answered with an error, and the session goes on.
func TestUnexpected(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		for method, want := range map[string]wsproto.ErrorCode{
			"ca.explode": wsproto.CodeMethodNotFound, wsproto.MethodHello: wsproto.CodeMethodNotFound,
			wsproto.MethodOffer: wsproto.CodeInvalidParams, wsproto.MethodCancel: wsproto.CodeInvalidParams,
			wsproto.MethodConfigure: wsproto.CodeInvalidParams, wsproto.MethodReauthenticate: wsproto.CodeInvalidParams,
		} {
			_, err := l.peer.CallRaw(s.ctx, method, []byte(`{"job":7,"revision":"x","challenge":1}`))
			assert.ErrorIs(t, err, want, method)
		}
		synctest.Wait()
		assert.Nil(t, l.peer.Err())
		assert.Equal(t, wsproto.Issued, l.finishOne(s.job(1)).Kind)
	})
}
