package connector_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/internal/schematest"
)

const rpcDeadline = 40 * time.Second

// script is a gateway that does what the test says, message by message. The handshake it does by itself.
type script struct {
	t       *testing.T
	ctx     context.Context
	key     *ecdsa.PrivateKey
	ca      *modelCA
	issuer  *modelIssuer
	signer  *ecdsa.PrivateKey
	decrypt *ecdh.PrivateKey
	cfg     connector.Config
	opts    connector.Options

	connections chan *line // established, authenticated
	working     sync.WaitGroup
	running     []*running

	mu       sync.Mutex
	state    wsproto.State
	limits   wsproto.Limits
	forge    func(signed *wsproto.SignedChallenge) // spoils the tenant's proof
	refuse   error                                 // the answer to authenticate, if not nil
	dialErr  error
	dials    []time.Time
	events   []connector.Event
	reports  []connector.JobReport
	register []connector.Registration
	auths    []wsproto.Authenticate
	policy   func(connector.Order) error
	statuses []wsproto.Status
	newest   *line // that has authenticated
	hellos   []wsproto.Hello
	wants    json.RawMessage // credentials in the challenge
}

// line is one connection, seen from the gateway.
type line struct {
	s        *script
	peer     *wsproto.Peer
	binding  wsproto.Binding
	session  string
	incoming chan *call
	done     chan struct{}
	err      error
	beside   bool // it was established while the one before still was
}

// call is a request of the connector that waits for the test's answer.
type call struct {
	line   *line
	method string
	params json.RawMessage
	answer chan reply
}

type reply struct {
	result any
	err    error
}

// scripted runs a test in a bubble with a connector that runs, and whose first connection is active.
func scripted(t *testing.T, prepare func(s *script), test func(s *script, first *line)) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		var cancel context.CancelFunc
		s.ctx, cancel = context.WithCancel(s.ctx)
		if prepare != nil {
			prepare(s)
		}
		r := s.start()
		var first *line
		if s.state.State == wsproto.StateActive && s.refuse == nil && s.forge == nil && s.dialErr == nil {
			first = s.connection()
		}
		defer func() { // also when the test has failed
			r.cancel()
			<-r.done
			cancel()
			s.working.Wait()
		}()
		test(s, first)
	})
}

func newScript(t *testing.T) *script {
	s := &script{
		t: t, ctx: t.Context(), ca: newModelCA(t), connections: make(chan *line, 64),
		state:  wsproto.State{State: wsproto.StateActive, Connector: "connector-1"},
		limits: wsproto.Limits{MaxMessageBytes: 1 << 20, HeartbeatMS: 25000, RPCDeadlineMS: rpcDeadline.Milliseconds()},
	}
	s.issuer = &modelIssuer{ca: s.ca, account: `CORP\svc-adcs`}
	var err error
	s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	s.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	s.decrypt, err = ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	s.opts = connector.Options{Authority: "gateway.test", Grace: 20 * time.Second, Dial: s.dial}
	s.opts.OnEvent = func(e connector.Event) { s.mu.Lock(); s.events = append(s.events, e); s.mu.Unlock() }
	s.opts.OnJob = func(r connector.JobReport) { s.mu.Lock(); s.reports = append(s.reports, r); s.mu.Unlock() }
	s.opts.OnRegistered = func(r connector.Registration) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.register = append(s.register, r)
		return nil
	}
	s.cfg = connector.Config{
		URL: "wss://gateway.test/connect", Tenant: tenantName, TenantKey: fingerprint(t, s.key.Public()),
		Identity: s.signer, Decryption: s.decrypt, Instance: "instance-1", Issuer: s.issuer,
		Policy: func(_ context.Context, o connector.Order) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.policy == nil {
				return nil
			}
			return s.policy(o)
		},
	}
	return s
}

func fingerprint(t testing.TB, pub crypto.PublicKey) wsproto.Fingerprint {
	f, err := wsproto.FingerprintKey(pub)
	require.NoError(t, err)
	return f
}

func (s *script) start() *running {
	s.cfg.Options = &s.opts
	c, err := connector.New(s.cfg)
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(s.ctx)
	r := &running{Connector: c, cancel: cancel, done: make(chan struct{})}
	s.working.Go(func() {
		defer close(r.done)
		r.err = c.Run(ctx)
	})
	s.running = append(s.running, r)
	return r
}

func (s *script) dial(context.Context) (wsproto.Transport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, time.Now())
	if s.dialErr != nil {
		return nil, s.dialErr
	}
	near, far := wsproto.Pipe()
	l := &line{s: s, session: fmt.Sprintf("session-%d", len(s.dials)), incoming: make(chan *call, 64), done: make(chan struct{})}
	l.peer = wsproto.NewPeer(far, l.handle, nil)
	s.working.Go(func() {
		defer close(l.done)
		l.err = l.peer.Run(s.ctx)
	})
	return schematest.WrapSent(s.t, near, wsproto.SideConnector), nil
}

func (l *line) handle(ctx context.Context, r *wsproto.Request) (any, error) {
	switch r.Method {
	case wsproto.MethodHello:
		return l.hello(r)
	case wsproto.MethodAuthenticate:
		return l.authenticate(r)
	case wsproto.MethodStatus:
		var m wsproto.Status
		if err := r.Decode(&m); err != nil {
			return nil, err
		}
		l.s.mu.Lock()
		defer l.s.mu.Unlock()
		l.s.statuses = append(l.s.statuses, m)
		return nil, nil
	}
	c := &call{line: l, method: r.Method, params: append(json.RawMessage(nil), r.Params...), answer: make(chan reply, 1)}
	l.incoming <- c
	select {
	case a := <-c.answer:
		return a.result, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *line) hello(r *wsproto.Request) (any, error) {
	var hello wsproto.Hello
	if err := r.Decode(&hello); err != nil {
		return nil, err
	}
	l.s.mu.Lock()
	l.s.hellos = append(l.s.hellos, hello)
	l.s.mu.Unlock()
	l.binding = wsproto.Binding{Tenant: tenantName, Authority: "gateway.test", Hello: append([]byte(nil), r.Params...)}
	return l.sign(false), nil
}

func (l *line) sign(again bool) *wsproto.SignedChallenge {
	spki, err := wsproto.MarshalPublicKey(l.s.key.Public())
	require.NoError(l.s.t, err)
	nonce := make([]byte, 32)
	rand.Read(nonce)
	l.s.mu.Lock()
	limits, forge, wants := l.s.limits, l.s.forge, l.s.wants
	l.s.mu.Unlock()
	text, err := wsproto.EncodeChallenge(wsproto.Challenge{
		Version: wsproto.Version, Session: l.session, Nonce: nonce, TenantKey: spki, Limits: limits,
		Credentials: wants,
	})
	require.NoError(l.s.t, err)
	l.binding.Challenge, l.binding.Again = text, again
	signature, err := wsproto.SignChallenge(l.s.key, l.binding)
	require.NoError(l.s.t, err)
	signed := &wsproto.SignedChallenge{Challenge: text, Signature: signature}
	if forge != nil {
		forge(signed)
	}
	return signed
}

func (l *line) authenticate(r *wsproto.Request) (any, error) {
	var auth wsproto.Authenticate
	if err := r.Decode(&auth); err != nil {
		return nil, err
	}
	spki, _ := wsproto.MarshalPublicKey(l.s.cfg.Identity.Public())
	if err := wsproto.VerifyAuthenticate(spki, l.binding, auth.Signature); err != nil {
		return nil, wsproto.CodeNotAuthenticated
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.s.auths = append(l.s.auths, auth)
	if l.s.refuse != nil {
		return nil, l.s.refuse
	}
	l.beside = l.s.newest != nil && l.s.newest.peer.Err() == nil
	l.s.newest = l
	l.s.connections <- l
	return l.s.state, nil
}

// connection returns the next authenticated connection.
func (s *script) connection() *line {
	s.t.Helper()
	select {
	case l := <-s.connections:
		synctest.Wait()
		return l
	case <-time.After(time.Hour):
		s.t.Fatal("the connector does not connect")
		return nil
	}
}

// noConnection checks that the connector stays away.
func (s *script) noConnection(d time.Duration) {
	s.t.Helper()
	select {
	case <-s.connections:
		s.t.Fatal("the connector has connected")
	case <-time.After(d):
	}
}

// next returns the connector's next request, which must be of this method.
func (l *line) next(method string) *call {
	l.s.t.Helper()
	select {
	case c := <-l.incoming:
		require.Equal(l.s.t, method, c.method, "%s", c.params)
		return c
	case <-time.After(time.Hour):
		l.s.t.Fatalf("no %s", method)
		return nil
	}
}

// take returns the next n requests, by method.
func (l *line) take(n int) map[string][]*call {
	l.s.t.Helper()
	out := make(map[string][]*call)
	for range n {
		select {
		case c := <-l.incoming:
			out[c.method] = append(out[c.method], c)
		case <-time.After(time.Hour):
			l.s.t.Fatalf("not %d requests", n)
		}
	}
	return out
}

// silent checks that the connector sends no request for some time.
func (l *line) silent(d time.Duration) {
	l.s.t.Helper()
	select {
	case c := <-l.incoming:
		l.s.t.Fatalf("unexpected %s %s", c.method, c.params)
	case <-time.After(d):
	}
}

func (c *call) ok(result any) { c.answer <- reply{result: result} }

func (c *call) fail(err error) { c.answer <- reply{err: err} }

func (c *call) lease(d time.Duration) { c.ok(wsproto.CheckpointAck{LeaseMS: d.Milliseconds()}) }

func (c *call) recorded() { c.ok(wsproto.FinishAck{Recorded: true}) }

func (c *call) checkpoint() wsproto.CheckpointParams {
	var p wsproto.CheckpointParams
	require.NoError(c.line.s.t, wsproto.Unmarshal(c.params, &p))
	require.NoError(c.line.s.t, p.Validate())
	spki := c.line.s.cfg.Identity.Public().(*ecdsa.PublicKey)
	require.NoError(c.line.s.t, wsproto.VerifyCheckpoint(&p, tenantName, p.Checkpoint.OrderDigest, spki))
	return p
}

func (c *call) finish() wsproto.FinishParams {
	var p wsproto.FinishParams
	require.NoError(c.line.s.t, wsproto.Unmarshal(c.params, &p))
	require.NoError(c.line.s.t, p.Validate())
	return p
}

// job returns an offer of a new job.
func (s *script) job(n int) wsproto.Offer {
	return s.jobOf(n, anOrder())
}

func (s *script) jobOf(n int, o wsproto.Order) wsproto.Offer {
	raw, err := wsproto.EncodeOrder(o)
	require.NoError(s.t, err)
	return wsproto.Offer{
		Job: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Attempt: 1, TimeLeftMS: time.Hour.Milliseconds(), Order: raw,
	}
}

// offer sends an offer and returns the answer.
func (l *line) offer(o wsproto.Offer) wsproto.OfferResult {
	l.s.t.Helper()
	var r wsproto.OfferResult
	require.NoError(l.s.t, l.peer.Call(l.s.ctx, wsproto.MethodOffer, o, &r))
	return r
}

// accept sends an offer that must be accepted.
func (l *line) accept(o wsproto.Offer) {
	l.s.t.Helper()
	r := l.offer(o)
	require.Equal(l.s.t, wsproto.OfferAccepted, r.Answer, "%+v", r)
}

// until waits for a condition that time brings about.
func (s *script) until(what string, ok func() bool) {
	s.t.Helper()
	for range 10_000 {
		if synctest.Wait(); ok() {
			return
		}
		time.Sleep(time.Second)
	}
	s.t.Fatal("never: ", what)
}

// lastReport returns how the last job ended.
func (s *script) lastReport() connector.JobReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(s.t, s.reports)
	return s.reports[len(s.reports)-1]
}

func (s *script) lastEvent() connector.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events[len(s.events)-1]
}

var errModelNetwork = errors.New("model: no route to host")
