package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

const (
	// statusEvery is how often the tenant is told how this connector is when nothing changes.
	statusEvery = time.Minute
	// statusPause keeps changes that come together in one message.
	statusPause = time.Second
)

// status says that there is something to tell.
type status struct{ changed chan struct{} }

func newStatus() status { return status{changed: make(chan struct{}, 1)} }

func (s status) kick() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// report tells the tenant how this connector is, at once and whenever it changes, until quit is closed. A lost
// notification does not matter: the next one tells everything.
func (s *session) report(quit <-chan struct{}) {
	for {
		ctx, cancel := context.WithTimeout(s.life, callTimeout)
		m := wsproto.Status{InFlight: s.c.jobs.count(), CAs: s.c.health.list(s.c.rests)}
		err := s.peer.Notify(ctx, wsproto.MethodStatus, m)
		cancel()
		if err != nil && s.peer.Err() != nil {
			return
		}
		if !wait(quit, s.c.status.changed, statusEvery) || !wait(quit, nil, statusPause) {
			return
		}
	}
}

// wait returns after d, or earlier when something changed. It returns false when quit is closed.
func wait(quit, changed <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-quit:
		return false
	case <-changed:
	case <-timer.C:
	}
	return true
}

// rests says why the credential for a CA is not used now, or returns "".
func (c *Connector) rests(ca wsproto.CAAssignment) string {
	account, err := c.cfg.Issuer.Account(ca)
	if err != nil {
		return ""
	}
	p, ok := errors.AsType[*pausedError](c.credentials.paused(account))
	if !ok {
		return ""
	}
	return fmt.Sprintf("a logon failed: the credential rests until it is reloaded, or for %v", p.left.Round(time.Minute))
}
