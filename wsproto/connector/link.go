package connector

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// callTimeout bounds how long an answer of the tenant is waited for before the message is sent again.
const callTimeout = 30 * time.Second

// tenant is one active session, as jobs use it.
type tenant interface {
	// call sends a request and waits for its answer.
	call(ctx context.Context, method string, params, result any) error
	// answered says whether the answer to a call came in time.
	answered(ok bool)
	// rpcDeadline is how long a CA may be waited for after a lease has ended.
	rpcDeadline() time.Duration
}

// link is the way from the jobs to the tenant: whichever session is active, over any number of connections.
type link struct {
	mu      sync.Mutex
	active  tenant
	newest  tenant        // that was ever attached
	changed chan struct{} // closed and replaced when active changes
}

func newLink() *link { return &link{changed: make(chan struct{})} }

// attach makes a session the one that is used.
func (l *link) attach(s tenant) {
	l.set(func(tenant) tenant {
		l.newest = s
		return s
	})
}

// isNewest reports whether no session was attached after this one.
func (l *link) isNewest(s tenant) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest == s
}

// detach takes a session out of use, unless another one has taken its place.
func (l *link) detach(s tenant) {
	l.set(func(old tenant) tenant {
		if old == s {
			return nil
		}
		return old
	})
}

func (l *link) set(next func(tenant) tenant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to := next(l.active); to != l.active {
		l.active = to
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

func (l *link) get() (tenant, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active, l.changed
}

// repeat makes a call until an answer settles the matter: it returns nil, an error that repeating does not change, or the
// cause of ctx. The call gets the session in use and a context of its own time.
func (l *link) repeat(ctx context.Context, call func(context.Context, tenant) error) error {
	backoff := wsproto.NewBackoff(nil)
	for {
		s, changed := l.get()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if s == nil {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		err := callOnce(ctx, s, call)
		if err == nil || !repeatable(err) {
			return err
		}
		// The same session is tried again after a while, another one at once.
		timer := time.NewTimer(backoff.Next(wsproto.ReconnectBackoff, 0, 0))
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func callOnce(ctx context.Context, s tenant, call func(context.Context, tenant) error) error {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := call(limited, s)
	if ctx.Err() == nil {
		s.answered(limited.Err() == nil)
	}
	return err
}

// repeatable reports whether a failed call may succeed when it is repeated. Only answers of the tenant that say otherwise,
// and messages that this side cannot make, are final.
func repeatable(err error) bool {
	if errors.Is(err, wsproto.ErrTooLarge) {
		return false
	}
	remote, ok := errors.AsType[*wsproto.Error](err)
	if !ok {
		return true // the connection was lost, or the answer did not come in time
	}
	switch remote.Code {
	case wsproto.CodeSuperseded, wsproto.CodeUnknownJob, wsproto.CodeCheckpoint, wsproto.CodeInvalidParams,
		wsproto.CodeLimit, wsproto.CodeMethodNotFound, wsproto.CodeInvalidRequest, wsproto.CodeParse:
		return false
	}
	return true
}

// droppedByTenant reports whether the tenant has given the attempt up.
func droppedByTenant(err error) bool {
	return errors.Is(err, wsproto.CodeSuperseded) || errors.Is(err, wsproto.CodeUnknownJob)
}
