package adcs

import (
	"context"
	"errors"
	"sync"

	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// logon lets one call at a time try a credential that is not known to be good. Each refused try counts towards the
// lock-out of the account, and a client that is given a wrong password mostly has many calls waiting: those share the
// failure of the first. Once the server has accepted the credential, calls do not wait for one another.
type logon struct {
	trying chan struct{} // holds a token while a call tries the credential

	mu       sync.Mutex
	good     bool
	refusals int   // how often the server has refused
	refused  error // what it said the last time
}

func newLogon() *logon { return &logon{trying: make(chan struct{}, 1)} }

// begun is to be asked when a call begins: refusals that come later are for that call too.
func (l *logon) begun() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusals
}

// trial is one call's part in a logon.
type trial struct {
	*logon
	holds bool
}

// try waits until the credential is known to be good, or until it is this call's turn to try it. It fails if the server
// has refused the credential since the call began.
func (l *logon) try(ctx context.Context, begun int) (*trial, error) {
	if good, err := l.state(begun); good || err != nil {
		return &trial{logon: l}, err
	}
	select {
	case l.trying <- struct{}{}:
	case <-ctx.Done():
		return nil, assoc.Ended(ctx)
	}
	t := &trial{logon: l, holds: true}
	if good, err := l.state(begun); good || err != nil {
		t.leave()
		return t, err
	}
	return t, nil
}

func (l *logon) state(begun int) (good bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refusals != begun {
		return false, l.refused
	}
	return l.good, nil
}

// accepted says that the server has shown that it accepts the credential.
func (t *trial) accepted() {
	t.mu.Lock()
	t.good = true
	t.mu.Unlock()
	t.leave()
}

// end ends the trial with the call's error, which may be nil. Only a refused credential counts: any other error says
// nothing about it, and the next call tries.
func (t *trial) end(err error) {
	if errors.Is(err, ErrLogon) {
		t.mu.Lock()
		t.good, t.refused = false, err
		t.refusals++
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
