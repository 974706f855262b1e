package gateway

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// tenant is what this gateway knows of the connections of a tenant. Gateway.mu protects it.
type tenant struct {
	connections int
	handshakes  int
	sessions    map[string]*session // by connector; the newest of each that has authenticated
	failures    map[string]*failures
}

// session is one connection of a connector.
type session struct {
	g      *Gateway
	tenant string
	source string
	peer   *wsproto.Peer
	name   string // unique
	looks  chan struct{}

	handshake handshake

	// Gateway.mu protects what follows.
	id        string     // of the connector, once it has proved its key
	record    *Connector // as it was last read; CAs are those that the connector has acknowledged
	revision  int64      // of the CAs acknowledged; -1: none
	held      map[string]struct{}
	resting   time.Time // no offers until then
	lastOffer time.Time
	leaving   bool // it drains, or is superseded
	status    wsproto.Status
	changed   chan struct{} // closed and replaced when held or leaving changes

	tasks chan func(context.Context) // run on goroutines that the session waits for
}

// ServeHTTP takes a connection and keeps it until it ends.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, err := g.cfg.Tenant(r)
	if err != nil {
		http.Error(w, "no such tenant", http.StatusNotFound)
		return
	}
	if !g.admit(name) {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "no room for another connection now", http.StatusServiceUnavailable)
		return
	}
	defer g.dismiss(name)
	t, err := wsproto.AcceptWebSocket(w, r, &wsproto.AcceptOptions{MaxMessage: g.limits.MessageBytes})
	if err != nil { // answered already
		g.handshaken(name)
		return
	}
	g.serve(context.WithoutCancel(r.Context()), name, g.cfg.Source(r), t)
}

// admit counts a new connection, or refuses it.
func (g *Gateway) admit(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.draining {
		return false
	}
	t := g.tenants[name]
	if t == nil {
		t = &tenant{sessions: make(map[string]*session), failures: make(map[string]*failures)}
		g.tenants[name] = t
	}
	if t.connections >= g.limits.Connections || t.handshakes >= g.limits.Handshakes {
		return false
	}
	t.connections++
	t.handshakes++
	g.running.Add(1)
	return true
}

// dismiss ends what admit began.
func (g *Gateway) dismiss(name string) {
	g.mu.Lock()
	t := g.tenants[name]
	if t.connections--; t.connections == 0 && len(t.failures) == 0 {
		delete(g.tenants, name)
	}
	g.mu.Unlock()
	g.running.Done()
}

// serve speaks with one connector until the connection ends. The caller has called admit.
func (g *Gateway) serve(ctx context.Context, name, source string, t wsproto.Transport) {
	s := &session{
		g: g, tenant: name, source: clean(source), name: randomName(), looks: make(chan struct{}, 1),
		revision: -1, held: make(map[string]struct{}), changed: make(chan struct{}), tasks: make(chan func(context.Context)),
	}
	s.handshake.greeted, s.handshake.proved = make(chan struct{}), make(chan struct{})
	s.peer = wsproto.NewPeer(t, s.handle, &wsproto.PeerOptions{Heartbeat: g.timing.Heartbeat, MaxMessage: g.limits.MessageBytes})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { s.watchClosing(ctx) })
	work.Go(func() { s.watch(ctx) })
	work.Go(func() { s.runTasks(ctx, &work) })
	s.peer.Run(ctx) // how it ended is the connector's business
	cancel()
	s.detach(context.WithoutCancel(ctx))
	work.Wait()
	s.handshake.finish(g, name)
}

// start runs f on a goroutine that the session waits for, unless it has ended.
func (s *session) start(f func(context.Context)) bool {
	select {
	case s.tasks <- f:
		return true
	case <-s.peer.Done():
		return false
	}
}

// runTasks starts what is given to start.
func (s *session) runTasks(ctx context.Context, work *sync.WaitGroup) {
	for {
		select {
		case f := <-s.tasks:
			work.Go(func() { f(ctx) })
		case <-ctx.Done():
			return
		}
	}
}

// watchClosing ends the session with the gateway.
func (s *session) watchClosing(ctx context.Context) {
	select {
	case <-s.g.closing:
		s.peer.Close(wsproto.CloseRestart, "the gateway restarts")
	case <-ctx.Done():
	}
}

// watch holds the connector to the deadlines of the handshake, then keeps its record and its session in step.
func (s *session) watch(ctx context.Context) {
	if !s.deadline(ctx, s.handshake.greeted, s.g.timing.Hello, "no hello in time") ||
		!s.deadline(ctx, s.handshake.proved, s.g.timing.Authenticate, "no authentication in time") {
		return
	}
	beat := time.NewTicker(s.g.timing.Heartbeat)
	defer beat.Stop()
	again := time.NewTicker(s.g.timing.Reauthenticate)
	defer again.Stop()
	for {
		s.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-s.looks:
		case <-beat.C:
			s.recount(ctx)
		case <-again.C:
			s.reauthenticate(ctx)
			s.relieve(ctx)
		}
	}
}

// recount frees the slots of jobs that the connector does not hold any more because another gateway of the same store has
// concluded them or given them to somebody else.
func (s *session) recount(ctx context.Context) {
	s.g.mu.Lock()
	id, gone := s.id, maps.Clone(s.held)
	s.g.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	held, err := s.g.cfg.Store.HeldJobs(ctx, s.tenant, id)
	if err != nil {
		if ctx.Err() == nil {
			s.g.report(fmt.Errorf("gateway: counting the jobs of a session: %w", err))
		}
		return
	}
	for _, j := range held {
		delete(gone, j.ID)
	}
	if len(gone) == 0 {
		return
	}
	s.g.mu.Lock()
	for job := range gone {
		delete(s.held, job)
	}
	s.tell()
	s.g.mu.Unlock()
	s.g.poke(s.tenant)
}

// deadline waits for one step of the handshake, and closes the connection if it does not come.
func (s *session) deadline(ctx context.Context, done <-chan struct{}, d time.Duration, reason string) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		s.peer.Close(wsproto.CloseTimeout, reason)
	case <-ctx.Done():
	}
	return false
}

// look makes watch read the connector's record now.
func (s *session) look() {
	select {
	case s.looks <- struct{}{}:
	default:
	}
}

// session returns the connection of a connector to this gateway, or nil.
func (g *Gateway) session(tenant, connector string) *session {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.tenants[tenant]; t != nil {
		return t.sessions[connector]
	}
	return nil
}

// call sends a request and waits for its answer.
func (s *session) call(ctx context.Context, method string, params, result any) error {
	return s.peer.Call(ctx, method, params, result)
}

// capacity is how many jobs the connector may hold. Gateway.mu is held.
func (s *session) capacity() int { return max(1, min(s.record.Capacity, s.g.limits.Capacity)) }

// room is how many more jobs the connector may be offered. Gateway.mu is held.
func (s *session) room(now time.Time) int {
	if s.peer.Err() != nil { // closing takes a while; what is offered meanwhile would only lose attempts
		return 0
	}
	if s.leaving || s.revision < 0 || s.record.State != wsproto.StateActive || now.Before(s.resting) {
		return 0
	}
	return max(0, s.capacity()-len(s.held))
}

// rest makes the session get no offers for some time.
func (s *session) rest(d time.Duration) {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	s.resting = later(s.resting, time.Now().Add(d))
}

// rested reports, once, that a rest has ended. Gateway.mu is held.
func (s *session) rested(now time.Time) bool {
	if s.resting.IsZero() || now.Before(s.resting) {
		return false
	}
	s.resting = time.Time{}
	return true
}

// track notes whether the connector holds a job. Gateway.mu is held.
func (s *session) track(j *Job) {
	if j.inFlight() {
		s.held[j.ID] = struct{}{}
	} else {
		delete(s.held, j.ID)
	}
	s.tell()
}

// tell wakes who waits for held or leaving to change. Gateway.mu is held.
func (s *session) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// cancelJob asks the connector to give a job up, and reports whether it has.
func (s *session) cancelJob(ctx context.Context, job string, attempt int64) bool {
	ctx, cancel := context.WithTimeout(ctx, s.g.timing.Offer)
	defer cancel()
	var result wsproto.CancelResult
	err := s.call(ctx, wsproto.MethodCancel, wsproto.Cancel{Job: job, Attempt: attempt}, &result)
	return err == nil && result.Cancelled
}
