package connector

import (
	"context"
	"sync"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// activeWait is how long an offer or a configuration waits for the approval that it may have overtaken.
const activeWait = 5 * time.Second

// session is one connection, from the handshake to its end.
type session struct {
	c    *Connector
	life context.Context // of the jobs it brings, which outlive it
	peer *wsproto.Peer

	binding   wsproto.Binding
	id        string
	limits    wsproto.Limits
	url       string
	connector string
	noted     error     // what OnAcknowledged returned
	since     time.Time // when it became active

	ready      chan struct{} // closed when the handshake is complete
	active     chan struct{} // closed when the registration is active
	activeOnce sync.Once
	rejected   chan struct{} // closed when the registration was rejected, or could not be stored
	rejection  error
	rejectOnce sync.Once
	drained    chan struct{} // closed when the tenant drains
	drainOnce  sync.Once
	done       chan struct{} // closed when the connection has ended
	end        error         // how; after done

	mu         sync.Mutex
	calls      int
	idle       chan struct{} // closed when there are no calls; nil while nobody waits
	unanswered int           // calls in a row whose answer did not come
	keyFailure error         // that ended the session

	revision int64 // of the CAs that this session assigned last; under Connector.configuring
}

func newSession(c *Connector, life context.Context) *session {
	return &session{
		c: c, life: life,
		ready: make(chan struct{}), active: make(chan struct{}), rejected: make(chan struct{}),
		drained: make(chan struct{}), done: make(chan struct{}),
	}
}

// call implements tenant.
func (s *session) call(ctx context.Context, method string, params, result any) error {
	s.mu.Lock()
	s.calls++
	s.mu.Unlock()
	defer s.hangUp()
	return s.peer.Call(ctx, method, params, result)
}

func (s *session) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls--; s.calls == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// maxUnanswered is how many calls in a row may stay without an answer before the connection is given up: something
// answers the pings, but it is not the gateway.
const maxUnanswered = 3

// answered implements tenant.
func (s *session) answered(ok bool) {
	s.mu.Lock()
	s.unanswered++
	if ok {
		s.unanswered = 0
	}
	gone := s.unanswered >= maxUnanswered
	s.mu.Unlock()
	if gone {
		s.peer.Close(wsproto.CloseTimeout, "no answers")
	}
}

// rpcDeadline implements tenant.
func (s *session) rpcDeadline() time.Duration {
	return min(time.Duration(min(s.limits.RPCDeadlineMS, maxRPCDeadline.Milliseconds()))*time.Millisecond, maxRPCDeadline)
}

// handle answers the tenant. Nothing is answered before the tenant has proved its key.
func (s *session) handle(ctx context.Context, r *wsproto.Request) (any, error) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return nil, wsproto.CodeNotAuthenticated
	}
	switch r.Method {
	case wsproto.MethodOffer:
		return s.handleOffer(ctx, r)
	case wsproto.MethodCancel:
		var m wsproto.Cancel
		if err := r.Decode(&m); err != nil {
			return nil, err
		}
		return s.c.cancel(&m)
	case wsproto.MethodConfigure:
		return s.handleConfigure(ctx, r)
	case wsproto.MethodReauthenticate:
		return s.handleReauthenticate(ctx, r)
	case wsproto.MethodDrain:
		return s.handleDrain(r)
	case wsproto.MethodApproved, wsproto.MethodRejected:
		return nil, s.handleRegistration(r)
	}
	return nil, wsproto.CodeMethodNotFound
}

func (s *session) handleOffer(ctx context.Context, r *wsproto.Request) (any, error) {
	var o wsproto.Offer
	if err := r.Decode(&o); err != nil {
		return nil, err
	}
	if !s.waitActive(ctx) {
		return nil, wsproto.CodeNotActive
	}
	return s.c.offer(ctx, s.life, &o), nil
}

func (s *session) waitActive(ctx context.Context) bool {
	timer := time.NewTimer(activeWait)
	defer timer.Stop()
	select {
	case <-s.active:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (s *session) handleConfigure(ctx context.Context, r *wsproto.Request) (any, error) {
	var m wsproto.Configure
	if err := r.Decode(&m); err != nil {
		return nil, err
	}
	if !s.waitActive(ctx) {
		return nil, wsproto.CodeNotActive
	}
	s.c.configuring.Lock()
	defer s.c.configuring.Unlock()
	if !s.c.link.isNewest(s) || m.Revision < s.revision {
		return wsproto.Empty{}, nil // a newer one has overtaken it, or will come in the newer session
	}
	s.revision = m.Revision
	s.c.health.assign(m.CAs, func(ca wsproto.CAAssignment) bool {
		_, err := s.c.cfg.Issuer.Account(ca)
		return err == nil
	})
	return wsproto.Empty{}, nil
}

func (s *session) handleReauthenticate(ctx context.Context, r *wsproto.Request) (any, error) {
	var m wsproto.SignedChallenge
	if err := r.Decode(&m); err != nil {
		return nil, err
	}
	auth, err := s.proveAgain(ctx, &m)
	if isKeyFailure(err) {
		s.mu.Lock()
		s.keyFailure = err
		s.mu.Unlock()
		return nil, wsproto.CloseAfter(wsproto.CodeInternal, wsproto.CloseInternal, "the connector's key cannot be used now")
	}
	if err != nil {
		return nil, wsproto.CloseAfter(wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, "the tenant's proof failed")
	}
	return auth, nil
}

// trouble returns what the connector itself has ended the session with.
func (s *session) trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keyFailure
}

func (s *session) handleDrain(r *wsproto.Request) (any, error) {
	var m wsproto.Drain
	if err := r.Decode(&m); err != nil {
		return nil, err
	}
	s.drainOnce.Do(func() { close(s.drained) })
	return wsproto.Empty{}, nil
}

// handleRegistration takes the decision about a pending registration.
func (s *session) handleRegistration(r *wsproto.Request) error {
	var state wsproto.State
	if err := r.Decode(&state); err != nil {
		return err
	}
	err := error(wsproto.CodeRevoked)
	if r.Method == wsproto.MethodApproved && state.State == wsproto.StateActive {
		err = s.activate(&state, s.c.former.ids()) // the next connect says which of them are needed
	}
	if err != nil {
		s.rejectOnce.Do(func() {
			s.rejection = err
			close(s.rejected)
		})
	}
	return nil
}

// retire ends a session that the tenant drains, once another one has taken its place and its last calls are answered.
func (s *session) retire() {
	for {
		active, changed := s.c.link.get()
		if active != nil && active != tenant(s) {
			break
		}
		select {
		case <-changed:
		case <-s.done:
			return
		}
	}
	timer := time.NewTimer(callTimeout)
	defer timer.Stop()
	select {
	case <-s.quiet():
	case <-timer.C:
	case <-s.done:
	}
	s.peer.Close(wsproto.CloseGoingAway, "drained")
	<-s.done
}

// quiet returns a channel that is closed when no call is in flight.
func (s *session) quiet() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	ch := s.idle
	if s.calls == 0 {
		close(s.idle)
		s.idle = nil
	}
	return ch
}
