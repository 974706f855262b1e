package adcs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// logon lets one call at a time try a credential that is not known to be good. Each refused try counts towards the
// lock-out of the account, and a client that is given a wrong password mostly has many calls waiting: those share the
// failure of the first, and for a while afterwards no call tries again. Once the server has accepted the credential, new
// connections do not wait for one another, unless that was a while ago: passwords are changed while clients are running.
type logon struct {
	trying chan struct{} // holds a token while a call tries the credential

	mu      sync.Mutex
	good    bool
	since   time.Time // when the server has accepted it the last time
	refused error     // what the server said the last time
	paused  time.Time // nothing is tried before
}

func newLogon() *logon { return &logon{trying: make(chan struct{}, 1)} }

// logonPause is how long a client does not use a credential that the server has refused. Domains forget failed logons
// after some ten minutes to an hour.
const logonPause = time.Hour

// freshLogon is how long a credential that was accepted is taken to be good without a doubt.
const freshLogon = time.Minute

// trial is one call's part in a logon.
type trial struct {
	*logon
	holds    bool
	tried    bool // it may try, or has
	believes bool // that the logon is refused, if somebody says so: see Client.connect
}

// try is begin for a call that logs on in any case.
func (l *logon) try(ctx context.Context) (*trial, error) {
	t := &trial{logon: l}
	return t, t.begin(ctx)
}

// begin waits until the credential is known to be good, or until it is this call's turn to try it. It fails while the
// credential is paused.
func (t *trial) begin(ctx context.Context) error {
	fresh, err := t.fresh()
	if !fresh && err == nil && !t.holds {
		select {
		case t.trying <- struct{}{}:
		case <-ctx.Done():
			return assoc.Ended(ctx)
		}
		t.holds = true
		fresh, err = t.fresh()
	}
	if t.tried = err == nil; fresh || err != nil {
		t.leave()
	}
	return err
}

// state is whether the credential was accepted, and not refused since. It is an error while it is paused.
func (l *logon) state() (good bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := time.Until(l.paused); left > 0 {
		return false, fmt.Errorf("%w (not tried again for %v, lest the account be locked; a new client does)",
			l.refused, left.Round(time.Second))
	}
	return l.good, nil
}

// fresh is whether the credential was accepted a moment ago.
func (l *logon) fresh() (bool, error) {
	good, err := l.state()
	l.mu.Lock()
	defer l.mu.Unlock()
	return good && time.Since(l.since) < freshLogon, err
}

// accepted says that the server has shown on a new connection that it accepts the credential.
func (t *trial) accepted() {
	t.mu.Lock()
	t.good, t.since = true, time.Now()
	t.mu.Unlock()
	t.leave()
}

// end ends the trial with the call's error, which may be nil. Only a refused credential counts: any other error says
// nothing about it, and the next call tries.
func (t *trial) end(err error) {
	if t.tried && errors.Is(err, ErrLogon) {
		t.mu.Lock()
		t.good, t.refused, t.paused = false, err, time.Now().Add(logonPause)
		t.mu.Unlock()
	}
	t.leave()
}

func (t *trial) leave() {
	if t.holds {
		t.holds = false
		<-t.trying
	}
}
