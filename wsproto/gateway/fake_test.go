package gateway_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
	"github.com/adcskit/adcskit/wsproto/internal/schematest"
)

const authority = "gateway.test"

func ca1() wsproto.CAAssignment { return wsproto.CAAssignment{Host: "ca.corp.test", Name: "Corp CA"} }

func order() wsproto.Order {
	return wsproto.Order{CA: ca1(), Template: "Device", Subject: "CN=d1", Key: "p256", Password: "top-secret-pw"}
}

// recipientKey is the public key of a new recipient of sealed bundles.
func recipientKey(t testing.TB) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := wsproto.MarshalRecipientKey(key.PublicKey())
	require.NoError(t, err)
	return der
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// world is a gateway with its embedder's side.
type world struct {
	t     testing.TB
	g     *gateway.Gateway
	store gateway.Store
	key   *ecdsa.PrivateKey
	stop  func()

	mu     sync.Mutex
	events []gateway.OutcomeEvent
	alarms []gateway.Alarm
	errs   []error
	refuse func(gateway.OutcomeEvent) error
}

func newWorld(t testing.TB, change func(*gateway.Config)) *world {
	t.Helper()
	w := &world{t: t, key: newKey(t), store: gateway.NewMemoryStore()}
	cfg := gateway.Config{
		Tenant: func(*http.Request) (string, error) { return "acme", nil },
		TenantKey: func(_ context.Context, tenant string) (crypto.Signer, error) {
			if tenant == "keyless" {
				return nil, errors.New("no key")
			}
			return w.key, nil
		},
		Authority: authority,
		Store:     w.store,
		OnOutcome: func(_ context.Context, e gateway.OutcomeEvent) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.refuse != nil {
				if err := w.refuse(e); err != nil {
					return err
				}
			}
			w.events = append(w.events, e)
			return nil
		},
		OnAlarm: func(a gateway.Alarm) { w.mu.Lock(); w.alarms = append(w.alarms, a); w.mu.Unlock() },
		OnError: func(err error) { w.mu.Lock(); w.errs = append(w.errs, err); w.mu.Unlock() },
	}
	if change != nil {
		change(&cfg)
	}
	w.store = cfg.Store
	g, err := gateway.New(cfg)
	require.NoError(t, err)
	w.g = g
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { g.Run(ctx) })
	w.stop = func() { cancel(); run.Wait(); g.Close() }
	return w
}

func (w *world) fingerprint() wsproto.Fingerprint {
	f, err := wsproto.FingerprintKey(w.key.Public())
	require.NoError(w.t, err)
	return f
}

func (w *world) code(cas ...wsproto.CAAssignment) wsproto.EnrollmentCode {
	w.t.Helper()
	code, _, err := w.g.NewEnrollmentCode(w.t.Context(), "acme", &gateway.CodeOptions{CAs: cas})
	require.NoError(w.t, err)
	return code
}

func (w *world) takeAlarms() []gateway.Alarm {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.alarms
	w.alarms = nil
	return out
}

func (w *world) takeEvents() []gateway.OutcomeEvent {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.events
	w.events = nil
	return out
}

// identity is a connector's installation.
type identity struct {
	key      *ecdsa.PrivateKey
	dec      *ecdh.PrivateKey
	instance string
	capacity int

	evidence json.RawMessage
	rotation *wsproto.Rotation
	activate func(credentials json.RawMessage) json.RawMessage // the hardware; nil: there is none
}

func newIdentity(t testing.TB) *identity {
	dec, err := newKey(t).ECDH()
	require.NoError(t, err)
	return &identity{key: newKey(t), dec: dec, instance: rand.Text(), capacity: 4}
}

func (i *identity) id() string {
	f, _ := wsproto.FingerprintKey(i.key.Public())
	return f.String()
}

func (i *identity) hello(t testing.TB) wsproto.Hello {
	identityKey, err := wsproto.MarshalPublicKey(i.key.Public())
	require.NoError(t, err)
	decryptionKey, err := wsproto.MarshalPublicKey(i.dec.Public())
	require.NoError(t, err)
	nonce := make([]byte, 32)
	rand.Read(nonce)
	return wsproto.Hello{
		Versions: []int{1}, Instance: i.instance, IdentityKey: identityKey, DecryptionKey: decryptionKey, Nonce: nonce,
		Capacity: i.capacity, Host: "host1", OS: "linux", Software: "test 1",
		Attestation: i.evidence, Rotation: i.rotation,
	}
}

// fake is one connection of a scripted connector. What the gateway sends arrives in the channels; the answers to offers
// and cancellations come from the functions.
type fake struct {
	t        testing.TB
	identity *identity
	pipe     *wsproto.PipeEnd // nil over a WebSocket
	peer     *wsproto.Peer
	ended    chan error

	configured chan wsproto.Configure
	offers     chan wsproto.Offer
	notes      chan string
	drains     chan wsproto.Drain

	credentials json.RawMessage // of the challenge, after prove

	mu     sync.Mutex
	answer func(wsproto.Offer) (wsproto.OfferResult, error)
	cancel func(wsproto.Cancel) wsproto.CancelResult
	prover func(*wsproto.Request) (any, error)
}

// connect opens a connection in memory and does nothing on it.
func (w *world) connect(i *identity) *fake { return w.connectFrom(i, "192.0.2.1") }

func (w *world) connectFrom(i *identity, source string) *fake {
	near, far := wsproto.Pipe()
	f := newFake(w.t, i, near)
	f.pipe = near
	go w.g.Connect(context.Background(), "acme", source, schematest.WrapSent(w.t, far, wsproto.SideTenant))
	return f
}

func newFake(t testing.TB, i *identity, transport wsproto.Transport) *fake {
	f := &fake{
		t: t, identity: i, ended: make(chan error, 1),
		configured: make(chan wsproto.Configure, 64), offers: make(chan wsproto.Offer, 256), notes: make(chan string, 64),
		drains: make(chan wsproto.Drain, 64),
	}
	f.peer = wsproto.NewPeer(transport, f.handle, nil)
	go func() { f.ended <- f.peer.Run(context.Background()) }()
	return f
}

func (f *fake) handle(_ context.Context, r *wsproto.Request) (any, error) {
	switch r.Method {
	case wsproto.MethodConfigure:
		var m wsproto.Configure
		if err := r.Decode(&m); err != nil {
			return nil, err
		}
		f.configured <- m
		return nil, nil
	case wsproto.MethodOffer:
		var m wsproto.Offer
		if err := r.Decode(&m); err != nil {
			f.t.Errorf("an invalid offer: %v", err)
			return nil, err
		}
		f.mu.Lock()
		answer := f.answer
		f.mu.Unlock()
		f.offers <- m
		if answer == nil {
			return wsproto.OfferResult{Answer: wsproto.OfferAccepted}, nil
		}
		return answer(m)
	case wsproto.MethodCancel:
		var m wsproto.Cancel
		if err := r.Decode(&m); err != nil {
			return nil, err
		}
		if f.cancel == nil {
			return wsproto.CancelResult{}, nil
		}
		return f.cancel(m), nil
	case wsproto.MethodDrain:
		var m wsproto.Drain
		if err := r.Decode(&m); err != nil {
			return nil, err
		}
		f.drains <- m
		return nil, nil
	case wsproto.MethodReauthenticate:
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.prover == nil {
			return nil, wsproto.CodeMethodNotFound
		}
		return f.prover(r)
	case wsproto.MethodApproved, wsproto.MethodRejected:
		f.notes <- r.Method
		return nil, nil
	}
	return nil, wsproto.CodeMethodNotFound
}

// greet sends the hello and returns what the proof covers.
func (f *fake) greet() (wsproto.Binding, *wsproto.SignedChallenge, error) {
	raw, err := wsproto.EncodeHello(f.identity.hello(f.t))
	require.NoError(f.t, err)
	answer, err := f.peer.CallRaw(context.Background(), wsproto.MethodHello, raw)
	if err != nil {
		return wsproto.Binding{}, nil, err
	}
	var signed wsproto.SignedChallenge
	require.NoError(f.t, wsproto.Unmarshal(answer, &signed))
	return wsproto.Binding{Tenant: "acme", Authority: authority, Hello: raw, Challenge: signed.Challenge}, &signed, nil
}

// prove does the whole handshake.
func (f *fake) prove(code wsproto.EnrollmentCode) (wsproto.State, error) {
	var state wsproto.State
	b, _, err := f.greet()
	if err != nil {
		return state, err
	}
	proof := f.proof(b, code)
	var challenge wsproto.Challenge
	require.NoError(f.t, wsproto.Unmarshal(b.Challenge, &challenge))
	if f.credentials = challenge.Credentials; f.credentials != nil && f.identity.activate != nil {
		proof.Activation = f.identity.activate(f.credentials)
	}
	return state, f.peer.Call(context.Background(), wsproto.MethodAuthenticate, proof, &state)
}

func (f *fake) proof(b wsproto.Binding, code wsproto.EnrollmentCode) wsproto.Authenticate {
	signature, err := wsproto.SignAuthenticate(f.identity.key, b)
	require.NoError(f.t, err)
	proof := wsproto.Authenticate{Signature: signature}
	if !code.IsZero() {
		mac := code.MAC(b)
		proof.Enrollment = &mac
	}
	return proof
}

// enroll returns a connector that is active and serves the first CA. It is for tests in a bubble.
func (w *world) enroll(i *identity) *fake {
	w.t.Helper()
	f := w.connect(i)
	state, err := f.prove(w.code(ca1()))
	require.NoError(w.t, err)
	require.Equal(w.t, wsproto.StateActive, state.State)
	require.Equal(w.t, i.id(), state.Connector)
	require.Equal(w.t, []wsproto.CAAssignment{ca1()}, (<-f.configured).CAs)
	synctest.Wait()
	return f
}

// again connects an active connector once more.
func (w *world) again(i *identity) *fake {
	w.t.Helper()
	f := w.connect(i)
	state, err := f.prove(wsproto.EnrollmentCode{})
	require.NoError(w.t, err)
	require.Equal(w.t, wsproto.StateActive, state.State)
	<-f.configured
	synctest.Wait()
	return f
}

func (f *fake) onOffer(answer func(wsproto.Offer) (wsproto.OfferResult, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func refuse(scope wsproto.RefusalScope, reason wsproto.Reason) func(wsproto.Offer) (wsproto.OfferResult, error) {
	return func(wsproto.Offer) (wsproto.OfferResult, error) {
		return wsproto.OfferResult{Answer: wsproto.OfferRefused, Scope: scope, Reason: reason, Message: "no"}, nil
	}
}

// secret is what a checkpoint holds.
func secret(t testing.TB) wsproto.CheckpointSecret {
	key := newKey(t)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "d1"}}, key)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return wsproto.CheckpointSecret{PrivateKey: der, Request: csr}
}

// sealed makes a checkpoint for an offer.
func (i *identity) sealed(t testing.TB, o wsproto.Offer, s wsproto.CheckpointSecret, seq int64, requestID uint32, to ...*ecdh.PublicKey) *wsproto.CheckpointParams {
	t.Helper()
	var ord wsproto.Order
	require.NoError(t, json.Unmarshal(o.Order, &ord))
	return i.seal(t, o, s, ord.CA, seq, requestID, to...)
}

// sealedFor makes one for another CA.
func (i *identity) sealedFor(t testing.TB, o wsproto.Offer, s wsproto.CheckpointSecret, ca wsproto.CAAssignment) *wsproto.CheckpointParams {
	t.Helper()
	return i.seal(t, o, s, ca, 1, 0)
}

func (i *identity) seal(t testing.TB, o wsproto.Offer, s wsproto.CheckpointSecret, ca wsproto.CAAssignment, seq int64, requestID uint32,
	to ...*ecdh.PublicKey) *wsproto.CheckpointParams {
	t.Helper()
	state := wsproto.CheckpointSubmitting
	if requestID != 0 {
		state = wsproto.CheckpointPending
	}
	c, err := wsproto.SealCheckpoint(wsproto.Checkpoint{
		State: state, CA: ca, Account: `CORP\svc`, RequestID: requestID, Time: time.Now(), Tenant: "acme", Job: o.Job,
		Attempt: o.Attempt, Sequence: seq, OrderDigest: wsproto.OrderDigest(o.Order),
	}, s, i.key, append([]*ecdh.PublicKey{i.dec.PublicKey()}, to...)...)
	require.NoError(t, err)
	return &wsproto.CheckpointParams{Job: o.Job, Attempt: o.Attempt, Sequence: seq, Checkpoint: *c}
}

func (f *fake) checkpoint(p *wsproto.CheckpointParams) (time.Duration, error) {
	var ack wsproto.CheckpointAck
	err := f.peer.Call(context.Background(), wsproto.MethodCheckpoint, p, &ack)
	return time.Duration(ack.LeaseMS) * time.Millisecond, err
}

func (f *fake) finish(o wsproto.Offer, seq int64, outcome wsproto.Outcome) error {
	var ack wsproto.FinishAck
	err := f.peer.Call(context.Background(), wsproto.MethodFinish,
		wsproto.FinishParams{Job: o.Job, Attempt: o.Attempt, Sequence: seq, Outcome: outcome}, &ack)
	if err == nil {
		assert.True(f.t, ack.Recorded)
	}
	return err
}

// issued is an outcome with a certificate of this number.
func issued(n byte, hash []byte) wsproto.Outcome {
	sum := sha256.Sum256([]byte{n})
	return wsproto.Outcome{
		Kind: wsproto.Issued, RequestID: uint32(n), Serial: "0a", Thumbprint: sum[:], PublicKeyHash: hash, PKCS12: []byte{n},
	}
}

func closeCode(t testing.TB, err error) wsproto.CloseCode {
	t.Helper()
	var closed *wsproto.CloseError
	require.ErrorAs(t, err, &closed)
	return closed.Code
}
