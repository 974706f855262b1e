package connector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// ending says how a session ended, or why there was none, and what follows.
type ending struct {
	err        error
	policy     wsproto.Reconnect
	alarm      bool
	retryAfter time.Duration
	lived      time.Duration // how long it was active
	active     bool          // it was active
	drained    bool          // the tenant drains: the next session is opened before this one ends
}

// sessions keeps one session, as the close codes allow, until ctx ends (then it returns nil) or a person has to act.
func (c *Connector) sessions(ctx, life context.Context) error {
	backoff := wsproto.NewBackoff(c.opts.Backoff)
	var retiring sync.WaitGroup
	defer retiring.Wait()
	once := false
	for {
		c.event(Event{State: StateConnecting})
		s, end := c.session(ctx, life)
		if ctx.Err() != nil {
			if s != nil {
				<-s.done
			}
			return nil
		}
		if end.drained {
			retiring.Go(s.retire)
		}
		if end.active {
			once = false
		}
		if end.policy == wsproto.ReconnectStop || end.policy == wsproto.ReconnectOnce && once {
			c.event(Event{State: StateDisconnected, Err: end.err, Alarm: end.alarm})
			return fmt.Errorf("%w: %w", ErrStopped, end.err)
		}
		once = once || end.policy == wsproto.ReconnectOnce
		wait := backoff.Next(end.policy, end.lived, end.retryAfter)
		state := StateDisconnected
		if end.drained {
			state = StateDraining
		}
		c.event(Event{State: state, Err: end.err, RetryIn: wait, Alarm: end.alarm})
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if s != nil {
				<-s.done
			}
			return nil
		}
	}
}

// session opens one and attends to it until it ends, or until the tenant drains it.
func (c *Connector) session(ctx, life context.Context) (*session, ending) {
	s, err := c.open(ctx, life)
	if err != nil {
		return nil, endingOf(err)
	}
	select {
	case <-s.active:
	default:
		c.event(Event{State: StatePending, RegistrationURL: s.url})
		select {
		case <-s.active:
		case <-s.drained:
			return s, ending{policy: wsproto.ReconnectBackoff, drained: true}
		case <-s.rejected:
			s.peer.Close(wsproto.CloseGoingAway, "not registered")
			<-s.done
			return s, endingOf(s.rejection)
		case <-s.done:
			return s, endingOf(s.end)
		}
	}
	c.event(Event{State: StateConnected, Connector: s.connector})
	quit := make(chan struct{})
	var report sync.WaitGroup
	report.Go(func() { s.report(quit) })
	defer report.Wait()
	defer close(quit)
	var end ending
	select {
	case <-s.done:
		end = endingOf(s.end)
	case <-s.drained:
		end = ending{policy: wsproto.ReconnectBackoff, drained: true}
	}
	end.active, end.lived = true, time.Since(s.since)
	return s, end
}

// endingOf decides what follows an error of a session. The close code of the tenant says it if there is one.
func endingOf(err error) ending {
	if closed, ok := errors.AsType[*wsproto.CloseError](err); ok {
		if closed.Remote {
			info := closed.Code.Info()
			return ending{err: err, policy: info.Reconnect, alarm: info.Alarm}
		}
		if closed.Code != wsproto.CloseTimeout && closed.Code != wsproto.CloseGoingAway {
			// This side closed because of what the tenant sent.
			return ending{err: err, policy: wsproto.ReconnectLater, alarm: true}
		}
		return ending{err: err, policy: wsproto.ReconnectBackoff}
	}
	if dial, ok := errors.AsType[*wsproto.DialError](err); ok {
		return ending{err: err, policy: wsproto.ReconnectBackoff, retryAfter: dial.RetryAfter, alarm: errors.Is(err, errPin)}
	}
	e := ending{err: err, policy: wsproto.ReconnectBackoff}
	switch {
	case errors.Is(err, wsproto.ErrTenantKey), errors.Is(err, wsproto.ErrSignature):
		// Whoever answers is not the tenant, but may stand in its way for a while only.
		e.policy, e.alarm = wsproto.ReconnectLater, true
	case errors.Is(err, wsproto.ErrVersion), errors.Is(err, wsproto.CodeVersion), errors.Is(err, errRegister),
		errors.Is(err, wsproto.CodeRevoked), errors.Is(err, wsproto.CodeEnrollment):
		e.policy, e.alarm = wsproto.ReconnectStop, true
	case errors.Is(err, wsproto.CodeNotAuthenticated):
		e.policy, e.alarm = wsproto.ReconnectOnce, true
	case errors.Is(err, wsproto.ErrSyntax), errors.Is(err, wsproto.ErrBounds), errors.Is(err, wsproto.CodeLimit),
		errors.Is(err, wsproto.CodeInvalidParams), errors.Is(err, wsproto.CodeMethodNotFound):
		e.policy, e.alarm = wsproto.ReconnectLater, true
	}
	return e
}
