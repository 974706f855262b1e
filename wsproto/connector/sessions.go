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
	var ghosts ghosts
	for {
		c.event(Event{State: StateConnecting})
		s, end := c.session(ctx, life)
		if ctx.Err() != nil {
			if s != nil {
				<-s.done
			}
			return nil
		}
		if end.drained && c.takenOver(ctx, s) {
			end = endingOf(s.end)
		}
		if end.drained {
			retiring.Go(s.retire)
		}
		ghosts.excuse(&end)
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

// ghosts finds out when a session was superseded by nothing but an earlier connection of this very process, whose proof
// the tenant looked at late: the connection was lost, this process came back, and only then was the old one registered.
type ghosts struct {
	lost    time.Time // when the connection before this session was lost
	excused bool      // it was taken for that once, and no session was stable since
}

// How long the tenant may take to notice: a handshake, and the time for which it lets a superseded session be.
const (
	ghostDelay = 2 * time.Minute
	ghostLife  = 5 * time.Minute
)

// excuse lets the connector come back once, and not soon, if a ghost may have superseded it. Two processes with one
// identity still end with one: each is excused at most once.
func (g *ghosts) excuse(end *ending) {
	closed, ok := errors.AsType[*wsproto.CloseError](end.err)
	superseded := ok && closed.Remote && closed.Code == wsproto.CloseSuperseded
	began := time.Now().Add(-end.lived)
	if end.lived > ghostLife && !superseded {
		g.excused = false
	}
	if superseded && !g.excused && end.lived < ghostLife && !g.lost.IsZero() && began.Sub(g.lost) < ghostDelay {
		g.excused, end.policy = true, wsproto.ReconnectLater
	}
	if end.err != nil {
		g.lost = time.Now()
	}
}

// takeoverWait is how long the end of a drained session is waited for that says why.
const takeoverWait = time.Second

// takenOver reports whether the session was drained because another process with this identity has connected. Coming back
// would make that one drain, and so on for ever. The tenant closes such a session at once.
func (c *Connector) takenOver(ctx context.Context, s *session) bool {
	timer := time.NewTimer(takeoverWait)
	defer timer.Stop()
	select {
	case <-s.done:
		return endingOf(s.end).policy == wsproto.ReconnectStop
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
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
	c.event(Event{State: StateConnected, Connector: s.connector, Err: s.noted})
	quit := make(chan struct{})
	var report sync.WaitGroup
	report.Go(func() { s.report(quit) })
	defer report.Wait()
	defer close(quit)
	var end ending
	select {
	case <-s.done:
		end = endingOf(errors.Join(s.trouble(), s.end))
	case <-s.drained:
		end = ending{policy: wsproto.ReconnectBackoff, drained: true}
	}
	end.active, end.lived = true, time.Since(s.since)
	return s, end
}

// endingOf decides what follows an error of a session. The close code of the tenant says it if there is one.
func endingOf(err error) ending {
	if isKeyFailure(err) { // it may be there again soon, whatever else came of it
		return ending{err: err, policy: wsproto.ReconnectBackoff}
	}
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
