package connector_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

const tenantName = "tenant-1"

// world is a real gateway, a model CA, and connectors between them, in one bubble.
type world struct {
	t       *testing.T
	ctx     context.Context
	ca      *modelCA
	gateway *gateway.Gateway
	store   *gateway.MemoryStore
	key     *ecdsa.PrivateKey
	net     *network
	server  *http.Server
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu      sync.Mutex
	signers [][32]byte // fingerprints of the identity keys that connectors have had
}

// inWorld runs a test in a bubble with everything but a connector.
func inWorld(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, ca: newModelCA(t), store: gateway.NewMemoryStore(), net: newNetwork()}
		w.ctx, w.stop = context.WithCancel(t.Context())
		var err error
		w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		w.startGateway()
		defer w.close()
		f(w)
	})
}

func (w *world) startGateway() {
	var err error
	w.gateway, err = gateway.New(gateway.Config{
		Tenant:    func(*http.Request) (string, error) { return tenantName, nil },
		TenantKey: func(context.Context, string) (crypto.Signer, error) { return w.key, nil },
		Authority: "gateway.test", Store: w.store,
	})
	require.NoError(w.t, err)
	w.server = &http.Server{Handler: w.gateway}
	g, server, n := w.gateway, w.server, w.net
	w.done.Go(func() { g.Run(w.ctx) })
	w.done.Go(func() { server.Serve(n) })
}

func (w *world) close() {
	w.stop()
	w.gateway.Close()
	w.server.Close()
	w.net.cut()
	w.done.Wait()
}

// node is one connector with its identity.
type node struct {
	w       *world
	issuer  *modelIssuer
	finds   bool
	signer  *ecdsa.PrivateKey
	decrypt *ecdh.PrivateKey
	code    wsproto.EnrollmentCode
	dial    func(ctx context.Context) (wsproto.Transport, error)
	policy  func(context.Context, connector.Order) error
	opts    connector.Options
	id      *connector.Identity // if not nil, instead of signer and decrypt
	dir     string              // of id
	chip    *chip               // that has its keys

	mu     sync.Mutex
	events []connector.Event
	jobs   []connector.JobReport
}

func (w *world) newNode() *node {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(w.t, err)
	decrypt, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(w.t, err)
	n := &node{
		w: w, signer: signer, decrypt: decrypt, dial: w.net.webSocket,
		issuer: &modelIssuer{ca: w.ca, account: `CORP\svc-adcs`},
		policy: func(context.Context, connector.Order) error { return nil },
	}
	n.code, _, err = w.gateway.NewEnrollmentCode(w.ctx, tenantName, &gateway.CodeOptions{CAs: []wsproto.CAAssignment{caName()}})
	require.NoError(w.t, err)
	return n
}

// sibling returns what another node pins of this one.
func (n *node) sibling() connector.Sibling {
	signer, decrypt := n.signer.Public(), n.decrypt.PublicKey()
	if n.id != nil {
		signer, decrypt = n.id.Signer().Public(), n.id.Decryption().PublicKey()
	}
	identity, err := wsproto.MarshalPublicKey(signer)
	require.NoError(n.w.t, err)
	decryption, err := wsproto.MarshalPublicKey(decrypt)
	require.NoError(n.w.t, err)
	return connector.Sibling{Name: "sibling", IdentityKey: identity, DecryptionKey: decryption}
}

// running is a connector that runs.
type running struct {
	*connector.Connector
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// start runs a connector with this node's identity, as a process would.
func (n *node) start() *running {
	opts := n.opts
	opts.Dial = n.dial
	opts.Authority = "gateway.test"
	opts.OnEvent = func(e connector.Event) { n.mu.Lock(); n.events = append(n.events, e); n.mu.Unlock() }
	opts.OnJob = func(r connector.JobReport) { n.mu.Lock(); n.jobs = append(n.jobs, r); n.mu.Unlock() }
	var issuer connector.Issuer = n.issuer
	if n.finds {
		issuer = findingIssuer{n.issuer}
	}
	cfg := connector.Config{
		URL: "wss://gateway.test/connect", Tenant: tenantName, Enrollment: n.code,
		Identity: n.signer, Decryption: n.decrypt, Instance: fmt.Sprintf("instance-%p", n),
		Issuer: issuer, Policy: n.policy, Options: &opts,
	}
	if n.id != nil {
		n.id.Configure(&cfg)
	}
	n.w.mu.Lock()
	n.w.signers = append(n.w.signers, fingerprint(n.w.t, cfg.Identity.Public()))
	n.w.mu.Unlock()
	c, err := connector.New(cfg)
	require.NoError(n.w.t, err)
	ctx, cancel := context.WithCancel(n.w.ctx)
	r := &running{Connector: c, cancel: cancel, done: make(chan struct{})}
	n.w.done.Go(func() {
		defer close(r.done)
		r.err = c.Run(ctx)
	})
	return r
}

// stop ends the connector gently and returns what Run returned.
func (r *running) stop() error {
	r.cancel()
	<-r.done
	return r.err
}

func (w *world) order(opts *gateway.OrderOptions) string {
	id, err := w.gateway.Order(w.ctx, tenantName, anOrder(), opts)
	require.NoError(w.t, err)
	return id
}

func anOrder() wsproto.Order {
	return wsproto.Order{
		CA: caName(), Template: "Machine", Subject: "CN=host.corp.test", DNS: []string{"host.corp.test"}, Key: "p256",
		Password: "correct horse",
	}
}

// wait returns the final outcome of a job; a job that has none within an hour fails the test.
func (w *world) wait(id string) wsproto.Outcome {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 3*time.Hour)
	defer cancel()
	o, err := w.gateway.Wait(ctx, tenantName, id)
	if err != nil {
		info, _ := w.gateway.Job(w.ctx, tenantName, id)
		connectors, _ := w.gateway.Connectors(w.ctx, tenantName)
		require.NoError(w.t, err, "state %s, attempt %d, outcome %+v\nconnectors %+v", info.State, info.Attempt, info.Outcome, connectors)
	}
	return o
}

func TestIssued(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.newNode()
		r := n.start()
		id := w.order(&gateway.OrderOptions{Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
		o := w.wait(id)
		require.Equal(t, wsproto.Issued, o.Kind, "%+v", o)
		cert := openBundle(t, o.PKCS12)
		require.Equal(t, id, cert.Subject.CommonName)
		require.Len(t, w.ca.rowsOf(id), 1)
		require.Equal(t, keyHash(t, w.ca.rowsOf(id)[0].request), o.PublicKeyHash)
		require.Equal(t, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", o.Traceparent)
		for _, stage := range []string{"prepare", "wait", "checkpoint", "submit", "finish"} {
			require.Contains(t, o.TimingsMS, stage)
		}
		require.NoError(t, r.stop())
		require.Equal(t, connector.StateStopped, n.events[len(n.events)-1].State)
	})
}
