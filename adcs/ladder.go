package adcs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// rung is one way to reach the CA.
type rung interface {
	transport() Transport
	// open makes a session that has presented the credential. Its errors are those of mapError.
	open(ctx context.Context) (session, error)
}

// maxStep bounds the time that one step of the ladder may take, so that a firewall that drops packets does not use up
// the time of the steps after it. Windows gives up connecting after 21 seconds.
const maxStep = 20 * time.Second

// errNoAnswer ends a step that took too long.
var errNoAnswer = errors.New("no answer in time")

// ladder finds the way to the CA. With one rung that is the way. With several it is climbed by a harmless authenticated
// call, never by a submit: the first rung that the CA answers on is kept for as long as it leads to the CA.
type ladder struct {
	rungs    []rung
	climbing chan struct{} // holds a token while a call climbs

	mu      sync.Mutex
	working rung
}

func newLadder(rungs ...rung) *ladder {
	l := &ladder{rungs: rungs, climbing: make(chan struct{}, 1)}
	if len(rungs) == 1 {
		l.working = rungs[0]
	}
	return l
}

// ladderFor is the ladder of a transport.
func (c *Client) ladderFor(t Transport) *ladder {
	var rungs []rung
	for _, r := range []rung{&tcpRung{Client: c}, &npRung{Client: c}, &dcomRung{c}} {
		if t == TransportAuto || t == r.transport() {
			rungs = append(rungs, r)
		}
	}
	return newLadder(rungs...)
}

func (l *ladder) known() rung {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.working
}

func (l *ladder) keep(r rung) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.working = r
}

// forget drops a rung, unless another one has been found since.
func (l *ladder) forget(r rung) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.working == r {
		l.working = nil
	}
}

// lost says that the CA does not serve requests any more on the rung that is known: the next call climbs.
func (l *ladder) lost() {
	if len(l.rungs) > 1 {
		l.keep(nil)
	}
}

// connect opens a session on the rung that is known to lead to the CA, or climbs. The probe is what a rung has to
// carry.
func (l *ladder) connect(ctx context.Context, probe func(context.Context, session) error) (session, error) {
	if s, err := l.reuse(ctx); s != nil || err != nil {
		return s, err
	}
	select {
	case l.climbing <- struct{}{}:
	case <-ctx.Done():
		return nil, assoc.Ended(ctx)
	}
	defer func() { <-l.climbing }()
	if s, err := l.reuse(ctx); s != nil || err != nil {
		return s, err
	}
	return l.climb(ctx, probe)
}

// reuse opens a session on the known rung. It returns neither a session nor an error when the ladder has to be climbed.
func (l *ladder) reuse(ctx context.Context) (session, error) {
	r := l.known()
	if r == nil {
		return nil, nil
	}
	if len(l.rungs) == 1 {
		return r.open(ctx)
	}
	// A firewall may have begun to drop what goes this way: there has to be time left for the others.
	step, cancel := limited(ctx, len(l.rungs)+1)
	defer cancel()
	s, err := r.open(step)
	if err == nil || ends(ctx, err) {
		return s, err
	}
	l.forget(r)
	return nil, nil
}

// ends reports whether an error ends the ladder: the caller's time is over, or the credential was refused, which it
// would be on every rung, with the account locked at the end, or Kerberos is impossible on any rung.
func ends(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, ErrLogon) || noTickets(err)
}

// climb tries one rung after the other.
func (l *ladder) climb(ctx context.Context, probe func(context.Context, session) error) (session, error) {
	failed := &LadderError{}
	for i, r := range l.rungs {
		s, err := l.step(ctx, len(l.rungs)-i, r, probe)
		if err == nil {
			l.keep(r)
			return s, nil
		}
		failed.Steps = append(failed.Steps, LadderStep{Transport: r.transport(), Err: err})
		if ends(ctx, err) {
			break
		}
	}
	return nil, failed
}

// step tries one rung, with its share of the time that is left.
func (l *ladder) step(ctx context.Context, left int, r rung, probe func(context.Context, session) error) (session, error) {
	ctx, cancel := limited(ctx, left)
	defer cancel()
	s, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := probe(ctx, s); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// limited is the context of a step, when so many are left that have to share the time.
func limited(ctx context.Context, left int) (context.Context, context.CancelFunc) {
	limit := maxStep
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/time.Duration(left))
	}
	return context.WithTimeoutCause(ctx, limit, errNoAnswer)
}

// LadderError is returned when [TransportAuto] found no way to the CA. It holds every step and its cause, and matches
// all of them.
type LadderError struct {
	Steps []LadderStep // in the order in which they were tried, at least one
}

// LadderStep is a transport that was tried.
type LadderStep struct {
	Transport Transport
	Err       error // never nil
}

// Error names every step and its cause.
func (e *LadderError) Error() string {
	text := "adcs: no way to the CA"
	for i, s := range e.Steps {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		text += fmt.Sprintf("%s%s: %v", separator, s.Transport, s.Err)
	}
	return text
}

// Unwrap returns the causes.
func (e *LadderError) Unwrap() []error {
	all := make([]error, len(e.Steps))
	for i, s := range e.Steps {
		all[i] = s.Err
	}
	return all
}
