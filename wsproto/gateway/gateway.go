package gateway

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// Config is the configuration of a Gateway. Tenant, TenantKey, Authority and Store are required.
type Config struct {
	// Tenant says for which tenant a connection is. An error refuses it with status 404; its text is not sent. It runs on
	// the goroutine of the request.
	Tenant func(r *http.Request) (string, error)
	// TenantKey returns the key that signs challenges of a tenant: ECDSA on P-256. Connectors pin it when they register.
	TenantKey func(ctx context.Context, tenant string) (crypto.Signer, error)
	// Authority is the host, and port if not the default one, of the URL that connectors are configured with; see
	// [wsproto.Authority]. Every proof covers it.
	Authority string
	// Store keeps jobs, connectors and enrollment codes.
	Store Store

	// OnOutcome takes outcomes, at least once each and one after the other for the same job. A nil error acknowledges;
	// otherwise it is called again, at growing intervals of up to 5 minutes. It runs on goroutines of Run, up to 8 at a
	// time, and may block for a minute, when its context ends. Nil: nobody wants them, and none are kept to be delivered.
	// Gateways that share a store must agree on whether it is nil: one without it keeps no events for the others, and
	// removes finished jobs whose events were not delivered.
	OnOutcome func(ctx context.Context, event OutcomeEvent) error
	// OnAlarm is told of what a person must look at. It runs on the goroutine of a connection, and must not block.
	OnAlarm func(Alarm)
	// OnConnector is told of connectors that come, wait for approval, are refused and go. It runs on the goroutine of a
	// connection, and must not block.
	OnConnector func(ConnectorEvent)
	// OnError is told of failures that no caller learns of, of the store for the most part. The work is tried again. It
	// runs on any goroutine of the gateway, and must not block.
	OnError func(error)

	// RegistrationURL is where a person approves a connector that came without an enrollment code. Nil: it is told none.
	RegistrationURL func(tenant, connector string) string
	// Source is the network address that a request comes from, as people should see it and as failed enrollments are
	// counted by; set it behind a load balancer. Nil: the host of RemoteAddr.
	Source func(r *http.Request) string

	// AttestationVerifier looks at the evidence of connectors about their keys, before a person is asked to approve and before
	// an enrollment code is used up. Nil: every new connector counts as LevelSoftware.
	AttestationVerifier AttestationVerifier
	// Attestation says which level the connectors of a tenant must have. It is asked at each connect, before each offer, and at
	// each heartbeat of a session, on any goroutine of the gateway, and must not block: if it asks for more than before,
	// connectors that have less get no new jobs, and their sessions end with code 4411 within a heartbeat. Nil: AttestationAny.
	Attestation func(tenant string) AttestationPolicy

	// Timing and Limits may be nil; both are copied.
	Timing *Timing
	Limits *Limits
}

// Alarm is something that a person must look at.
type Alarm struct {
	Tenant    string
	Connector string
	Kind      AlarmKind
	Message   string
	Source    string // network address
}

// AlarmKind says what an alarm is about.
type AlarmKind string

// The alarms.
const (
	// AlarmDuplicateKey: another installation proved possession of this connector's identity key. It was copied.
	AlarmDuplicateKey AlarmKind = "duplicate-key"
	// AlarmTakeover: a connection with the identity and the instance of a connector that is connected came from another
	// network address, and took over. Either the connector has moved, or its state was copied, whole.
	AlarmTakeover AlarmKind = "takeover"
	// AlarmEnrollment: too many wrong enrollment codes from one source.
	AlarmEnrollment AlarmKind = "enrollment"
	// AlarmAttestation: a connector sent wrong evidence about its keys, or has keys of a lower level than it had or than its
	// tenant asks for.
	AlarmAttestation AlarmKind = "attestation"
	// AlarmRotation: keys were used that are revoked or were replaced by others: to connect, or to name new keys. Somebody
	// may have a copy, or the connector's state was restored from an old one.
	AlarmRotation AlarmKind = "rotation"
	// AlarmCheckpoint: a connector sent a checkpoint with a wrong signature.
	AlarmCheckpoint AlarmKind = "checkpoint"
	// AlarmDelivery: a connector sent a .p12 for an order with a recipient. It was not stored, but it has left the connector
	// without being sealed.
	AlarmDelivery AlarmKind = "delivery"
)

// A Gateway is an http.Handler that connectors connect to. It is safe for concurrent use.
type Gateway struct {
	cfg    Config
	timing Timing
	limits Limits
	rules  rules

	wake      chan struct{}
	closing   chan struct{}
	verifying chan struct{}  // holds a place for each call of the verifier
	running   sync.WaitGroup // connections, and Run

	mu       sync.Mutex
	closed   bool
	draining bool
	started  bool // Run
	tenants  map[string]*tenant
	dirty    map[string]struct{} // tenants with something to assign
	waiters  map[key]map[chan struct{}]struct{}
}

// New returns a Gateway. It does no I/O and starts no goroutine: see [Gateway.Run].
func New(cfg Config) (*Gateway, error) {
	switch {
	case cfg.Tenant == nil:
		return nil, errors.New("gateway: Config.Tenant is missing")
	case cfg.TenantKey == nil:
		return nil, errors.New("gateway: Config.TenantKey is missing")
	case cfg.Authority == "":
		return nil, errors.New("gateway: Config.Authority is missing; connectors bind their proofs to it")
	case !isAuthority(cfg.Authority):
		return nil, fmt.Errorf("gateway: Config.Authority %q is not the host, in lower case, and the port unless it is 443, "+
			"of the URL that connectors use: no proof of theirs would verify", cfg.Authority)
	case cfg.Store == nil:
		return nil, errors.New("gateway: Config.Store is missing")
	case cfg.Attestation != nil && cfg.AttestationVerifier == nil:
		return nil, errors.New("gateway: Config.Attestation asks for a level, but without Config.AttestationVerifier there is only one")
	}
	g := &Gateway{
		cfg: cfg, timing: cfg.Timing.withDefaults(), limits: cfg.Limits.withDefaults(),
		wake: make(chan struct{}, 1), closing: make(chan struct{}), verifying: make(chan struct{}, maxVerifications),
		tenants: make(map[string]*tenant), dirty: make(map[string]struct{}),
		waiters: make(map[key]map[chan struct{}]struct{}),
	}
	g.cfg.Timing, g.cfg.Limits = nil, nil
	if g.cfg.Source == nil {
		g.cfg.Source = remoteHost
	}
	g.rules = rules{Timing: g.timing, attempts: g.limits.Attempts, events: cfg.OnOutcome != nil}
	return g, nil
}

// isAuthority reports whether connectors compute just this from a URL.
func isAuthority(s string) bool {
	same, err := wsproto.Authority("wss://" + s)
	return err == nil && same == s
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Close ends every connection with code 1012, stops Run, and waits for both. Afterwards methods return net.ErrClosed. For
// a gentle end call [Gateway.Drain] first. No callback of the configuration may call Close: it waits for them, too.
func (g *Gateway) Close() error {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.closing)
	}
	g.mu.Unlock()
	g.running.Wait()
	return nil
}

// enter registers a goroutine that Close waits for.
func (g *Gateway) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return net.ErrClosed
	}
	g.running.Add(1)
	return nil
}

// open returns net.ErrClosed after Close.
func (g *Gateway) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return net.ErrClosed
	}
	return nil
}

// bound returns a context that also ends with the gateway.
func (g *Gateway) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-g.closing:
			cancel()
		case <-stop:
		}
	})
	var once sync.Once
	return ctx, func() {
		once.Do(func() { close(stop) })
		cancel()
		watch.Wait()
	}
}

func (g *Gateway) report(err error) {
	if err != nil && g.cfg.OnError != nil {
		g.cfg.OnError(err)
	}
}

func (g *Gateway) tellConnector(e ConnectorEvent) {
	if g.cfg.OnConnector != nil {
		g.cfg.OnConnector(e)
	}
}

func (g *Gateway) alarm(a Alarm) {
	if g.cfg.OnAlarm != nil {
		g.cfg.OnAlarm(a)
	}
}

// poke makes Run look for work now, at a tenant's queue if one is named.
func (g *Gateway) poke(tenant string) {
	if tenant != "" {
		g.mu.Lock()
		g.dirty[tenant] = struct{}{}
		g.mu.Unlock()
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// errUnchanged is returned by the function given to change, to leave the job as it is.
var errUnchanged = errors.New("gateway: unchanged")

// change reads a job, lets f change it, and puts it back; when somebody else was faster it begins again. It returns the
// job as it is stored then. An error of f is returned as it is, with nothing changed.
func (g *Gateway) change(ctx context.Context, tenant, id string, f func(j *Job, now time.Time) error) (*Job, error) {
	for {
		job, err := g.cfg.Store.Job(ctx, tenant, id)
		if err != nil {
			return nil, err
		}
		if err := f(job, time.Now()); err != nil {
			if errors.Is(err, errUnchanged) {
				return job, nil
			}
			return job, err
		}
		switch err := g.cfg.Store.PutJob(ctx, job); {
		case err == nil:
			g.changed(job)
			return job, nil
		case !errors.Is(err, ErrConflict):
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
}

// changed tells everybody in this process about a job that was put.
func (g *Gateway) changed(j *Job) {
	g.mu.Lock()
	if t := g.tenants[j.Tenant]; t != nil {
		if s := t.sessions[j.Connector]; s != nil {
			s.track(j)
		}
	}
	for w := range g.waiters[key{j.Tenant, j.ID}] {
		select {
		case w <- struct{}{}:
		default:
		}
	}
	g.mu.Unlock()
	now := time.Now()
	switch {
	case j.State == JobQueued && !j.NotBefore.After(now), j.State == JobDone:
		g.poke(j.Tenant)
	case !j.Due.IsZero() && !j.Due.After(now):
		g.poke("")
	}
}
