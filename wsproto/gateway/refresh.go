package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// storeTime bounds what a session still does at the store after its connection has ended.
const storeTime = 30 * time.Second

// lingerTime is how long a session that has nothing to do any more is left to the connector to close.
const lingerTime = time.Second

// attach makes this the session of its connector. An older one of this gateway is superseded; one at another gateway
// sees it in the record.
func (s *session) attach(ctx context.Context, c *Connector) error {
	if err := s.inheritJobs(ctx, c); err != nil {
		return err
	}
	held, err := s.g.cfg.Store.HeldJobs(ctx, s.tenant, c.ID)
	if err != nil {
		return err
	}
	s.g.mu.Lock()
	t := s.g.tenants[s.tenant]
	old := t.sessions[c.ID]
	t.sessions[c.ID] = s
	s.id, s.record = c.ID, c
	for _, j := range held {
		s.held[j.ID] = struct{}{}
	}
	s.g.mu.Unlock()
	if old != nil {
		old.look()
	}
	for _, j := range held {
		now, err := s.g.change(ctx, j.Tenant, j.ID, func(j *Job, now time.Time) error {
			if j.Connector != c.ID {
				return errUnchanged
			}
			return j.hurry(now, &s.g.rules)
		})
		if errors.Is(err, ErrNotFound) || err == nil && (now.Connector != c.ID || !now.inFlight()) {
			s.drop(j.ID)
		}
		s.g.report(tolerate(err))
	}
	return nil
}

// drop notes that the connector does not hold a job that ended between being read and the session being installed. What
// happens after that, the session is told.
func (s *session) drop(job string) {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	delete(s.held, job)
	s.tell()
}

// bar makes the session get no new jobs until its connector's record says again that it is active.
func (s *session) bar() {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	if s.record.State == wsproto.StateActive { // one that is pending gets none, and will be told that it was rejected
		s.record.State = wsproto.StateRevoked
	}
}

// detach ends the session of a connector: its jobs are given back if nothing of them can have been submitted, unless it
// has another session.
func (s *session) detach(ctx context.Context) {
	s.g.mu.Lock()
	t := s.g.tenants[s.tenant]
	id := s.id
	newest := id != "" && t.sessions[id] == s
	if newest {
		delete(t.sessions, id)
	}
	s.g.mu.Unlock()
	s.stopOffers()
	if !newest {
		return
	}
	s.went()
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	_, err := s.g.changeConnector(ctx, s.tenant, id, func(c *Connector) error {
		if c.Session != s.name {
			return errUnchanged // it is connected to another gateway
		}
		c.Session, c.Seen = "", time.Now()
		return nil
	})
	if err == nil {
		err = s.abandonJobs(ctx, id)
	}
	if err != nil && !errors.Is(err, errUnchanged) && !errors.Is(err, ErrNotFound) {
		s.g.report(fmt.Errorf("gateway: ending a session: %w", err))
	}
}

func (s *session) abandonJobs(ctx context.Context, id string) error {
	held, err := s.g.cfg.Store.HeldJobs(ctx, s.tenant, id)
	if err != nil {
		return err
	}
	for _, j := range held {
		_, err := s.g.change(ctx, j.Tenant, j.ID, func(j *Job, now time.Time) error {
			if j.Connector != id {
				return errUnchanged
			}
			j.vanished(now, &s.g.rules)
			return nil
		})
		if tolerate(err) != nil {
			return err
		}
	}
	return nil
}

// refresh writes a sign of life into the connector's record, and does what the record asks for.
func (s *session) refresh(ctx context.Context) {
	s.g.mu.Lock()
	id, before, status := s.id, s.record.State, s.status
	s.g.mu.Unlock()
	c, err := s.g.changeConnector(ctx, s.tenant, id, func(c *Connector) error {
		if c.Session != s.name || c.State == wsproto.StateRevoked {
			return errUnchanged
		}
		c.Seen, c.Status = time.Now(), status
		return nil
	})
	switch {
	case errors.Is(err, ErrNotFound):
		s.peer.Close(wsproto.CloseRevoked, "the registration was removed")
	case err != nil && !errors.Is(err, errUnchanged):
		if ctx.Err() == nil {
			s.g.report(fmt.Errorf("gateway: refreshing a session: %w", err))
		}
	case c.State == wsproto.StateRevoked:
		s.revoked(ctx, c, before)
	case c.Session != s.name:
		s.superseded(ctx)
	case rank(c.Attestation) < s.g.least(s.tenant):
		s.peer.Close(wsproto.CloseAttestation, s.g.tooLow(c)) // the tenant asks for more than when it connected
	case c.State == wsproto.StateActive:
		s.activate(ctx, c, before)
	}
}

// revoked ends the session of a connector that is not trusted any more.
func (s *session) revoked(ctx context.Context, c *Connector, before wsproto.RegistrationState) {
	if before == wsproto.StatePending {
		limited, cancel := context.WithTimeout(ctx, s.g.timing.Offer)
		defer cancel()
		s.peer.Notify(limited, wsproto.MethodRejected, wsproto.State{State: wsproto.StateRevoked, Connector: s.id})
	}
	reason := "the registration was rejected or revoked"
	if c.Successor != "" {
		reason = "this key was replaced by a newer one"
	}
	s.peer.Close(wsproto.CloseRevoked, reason)
}

// activate tells a connector that it is approved, if it was not, and which CAs it serves, if it does not know.
func (s *session) activate(ctx context.Context, c *Connector, before wsproto.RegistrationState) {
	ctx, cancel := context.WithTimeout(ctx, s.g.timing.Offer)
	defer cancel()
	if before == wsproto.StatePending {
		state := wsproto.State{State: wsproto.StateActive, Connector: c.ID}
		if s.peer.Notify(ctx, wsproto.MethodApproved, state) != nil {
			return
		}
		s.came(c)
	}
	s.g.mu.Lock()
	s.record.State = wsproto.StateActive
	known := s.revision
	s.g.mu.Unlock()
	if known == c.Revision {
		return
	}
	configure := wsproto.Configure{Revision: c.Revision, CAs: c.CAs}
	if configure.CAs == nil {
		configure.CAs = []wsproto.CAAssignment{}
	}
	if err := s.call(ctx, wsproto.MethodConfigure, configure, nil); err != nil {
		if !errors.Is(err, wsproto.ErrConnectionLost) && ctx.Err() == nil {
			s.g.report(fmt.Errorf("gateway: configuring connector %s: %w", c.ID, err))
		}
		return
	}
	s.g.mu.Lock()
	s.record, s.revision = c, c.Revision
	s.g.mu.Unlock()
	s.g.poke(s.tenant)
}

// superseded ends a session that a newer one of the same connector has replaced. It gets no offers, and has some time to
// finish what it is about; the connector may close it earlier. It is not told to drain: that would make it connect again.
func (s *session) superseded(ctx context.Context) {
	s.stopOffers()
	timer := time.NewTimer(s.g.timing.Drain)
	defer timer.Stop()
	select {
	case <-s.peer.Done():
	case <-ctx.Done():
	case <-timer.C:
		s.peer.Close(wsproto.CloseSuperseded, "a newer session took over")
	}
}

// stopOffers makes the session get no new jobs.
func (s *session) stopOffers() {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	s.leaving = true
	s.tell()
}

// leave drains the session and closes it: when the connector holds no job, or has closed by itself, or when the time for
// it is over.
func (s *session) leave(ctx context.Context, code wsproto.CloseCode, reason string) {
	ctx, cancel := context.WithTimeout(ctx, s.g.timing.Drain)
	defer cancel()
	s.stopOffers()
	drain := wsproto.Drain{Reason: reason, DeadlineMS: s.g.timing.Drain.Milliseconds()}
	if s.call(ctx, wsproto.MethodDrain, drain, nil) == nil {
		s.idle(ctx)
	}
	s.peer.Close(code, reason)
}

// idle waits until the connector holds no job, and a little more for the answer to its last message to leave.
func (s *session) idle(ctx context.Context) {
	for {
		s.g.mu.Lock()
		n, changed := len(s.held), s.changed
		s.g.mu.Unlock()
		if n == 0 {
			changed = nil
			linger, cancel := context.WithTimeout(ctx, lingerTime)
			defer cancel()
			ctx = linger
		}
		select {
		case <-changed:
		case <-s.peer.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}
