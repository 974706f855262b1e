package schematest_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
	"github.com/adcskit/adcskit/wsproto/internal/schematest"
)

// This test runs a whole gateway and whole connectors against each other over real WebSockets, and holds every message of
// either against asyncapi.yaml.

const tenant = "acme"

func theCA() wsproto.CAAssignment {
	return wsproto.CAAssignment{Host: "ca.corp.example", Name: "Corp CA"}
}

// issuer is a CA that does what the common name of an order says.
type issuer struct {
	key       *ecdsa.PrivateKey
	preparing chan string   // told of each order for "wait"
	proceed   chan struct{} // orders for "wait" go on when it is closed
	requests  sync.Map      // held, by request id
}

func (i *issuer) Account(wsproto.CAAssignment) (string, error) { return `CORP\svc`, nil }

func (i *issuer) Prepare(ctx context.Context, o *connector.Order) (*connector.Prepared, error) {
	if o.Subject == "CN=wait" {
		i.preparing <- o.Job
		select {
		case <-i.proceed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	name := pkix.Name{CommonName: strings.TrimPrefix(o.Subject, "CN=")}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: name}, key)
	return &connector.Prepared{Key: key, Request: request}, err
}

func (i *issuer) Submit(_ context.Context, o *connector.Order, p *connector.Prepared) (*connector.CAResult, error) {
	switch o.Subject {
	case "CN=denied":
		return nil, &connector.CAError{
			Kind: connector.CARefused, RequestID: 7, Disposition: 2, HResult: 0x80094012, Message: "no permission", Reason: wsproto.ReasonCATemplate,
		}
	case "CN=lost":
		return nil, &connector.CAError{Kind: connector.CAUnknown, Err: errors.New("cut")}
	case "CN=held":
		i.requests.Store(uint32(9), p.Request)
		return &connector.CAResult{Pending: true, RequestID: 9, Disposition: 5}, nil
	}
	return i.issue(p.Request, 8)
}

func (i *issuer) Retrieve(_ context.Context, _ *connector.Order, id uint32) (*connector.CAResult, error) {
	request, ok := i.requests.Load(id)
	if !ok {
		return nil, &connector.CAError{Kind: connector.CARefused}
	}
	return i.issue(request.([]byte), id)
}

func (i *issuer) issue(der []byte, id uint32) (*connector.CAResult, error) {
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(id)), Subject: request.Subject, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, request.PublicKey, i.key)
	return &connector.CAResult{RequestID: id, Disposition: 3, Certificate: cert}, err
}

func (i *issuer) Finish(_ context.Context, o *connector.Order, _ *connector.Prepared, _ *connector.CAResult) (*connector.Bundle, error) {
	b := &connector.Bundle{PKCS12: []byte("a bundle")}
	if o.Recipient != nil {
		b.Password = "a password that nobody can guess"
	}
	return b, nil
}

// world is a gateway and the connectors that a test starts.
type world struct {
	*gateway.Gateway
	server   *httptest.Server
	key      *ecdsa.PrivateKey
	issuer   *issuer
	recorder *schematest.Recorder
	ctx      context.Context
	running  sync.WaitGroup
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{
		key: newKey(t), recorder: schematest.NewRecorder(t), ctx: ctx,
		issuer: &issuer{key: newKey(t), preparing: make(chan string, 8), proceed: make(chan struct{})},
	}
	w.server = httptest.NewUnstartedServer(nil)
	var err error
	w.Gateway, err = gateway.New(gateway.Config{
		Tenant:    func(*http.Request) (string, error) { return tenant, nil },
		TenantKey: func(context.Context, string) (crypto.Signer, error) { return w.key, nil },
		Authority: w.server.Listener.Addr().String(), Store: gateway.NewMemoryStore(),
		RegistrationURL: func(_, id string) string { return "https://console.example/" + id },
		Timing: &gateway.Timing{
			Poll: 10 * time.Millisecond, Retrieve: 10 * time.Millisecond, Reauthenticate: 100 * time.Millisecond,
			Heartbeat: time.Second, RPCDeadline: time.Second,
		},
	})
	require.NoError(t, err)
	w.server.Config.Handler = w.Gateway
	w.server.StartTLS()
	w.running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		w.running.Wait()
		w.Close()
		w.server.Close()
	})
	return w
}

// connect starts a connector. edit may change its configuration; the state of its connection is told to events.
func (w *world) connect(t *testing.T, code wsproto.EnrollmentCode) (id string, events <-chan connector.Event, stop func()) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(w.server.Certificate())
	url := strings.Replace(w.server.URL, "https:", "wss:", 1)
	decryption, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	identity := newKey(t)
	fingerprint, err := wsproto.FingerprintKey(identity.Public())
	require.NoError(t, err)
	pin, err := wsproto.FingerprintKey(w.key.Public())
	require.NoError(t, err)
	told := make(chan connector.Event, 100)
	c, err := connector.New(connector.Config{
		URL: url, Tenant: tenant, TenantKey: pin, Enrollment: code, Identity: identity, Decryption: decryption, Instance: "instance",
		Issuer: w.issuer,
		Policy: func(_ context.Context, o connector.Order) error {
			if o.Template != "WiFi" {
				return errors.New("not served")
			}
			return nil
		},
		Options: &connector.Options{
			PendingRetry: 10 * time.Millisecond, Grace: time.Second,
			Backoff:      &wsproto.BackoffOptions{Base: 10 * time.Millisecond, Max: 20 * time.Millisecond},
			OnEvent:      func(e connector.Event) { told <- e },
			OnRegistered: func(connector.Registration) error { return nil },
			Dial: func(ctx context.Context) (wsproto.Transport, error) {
				ws, err := wsproto.DialWebSocket(ctx, url, &wsproto.DialOptions{HTTPClient: wsproto.NewHTTPClient(roots)})
				if err != nil {
					return nil, err
				}
				return w.recorder.Wrap(ws, wsproto.SideConnector), nil
			},
		},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan struct{})
	w.running.Go(func() { c.Run(ctx); close(done) })
	return fingerprint.String(), told, func() { cancel(); <-done }
}

func await(t *testing.T, events <-chan connector.Event, state connector.State) {
	t.Helper()
	for {
		select {
		case e := <-events:
			if e.State == state {
				return
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("the connector was not %s in time", state)
		}
	}
}

func (w *world) order(t *testing.T, template, subject string) string {
	t.Helper()
	id, err := w.Order(t.Context(), tenant, wsproto.Order{
		CA: theCA(), Template: template, Subject: subject, Key: "p256", Password: "correct horse battery staple",
	}, &gateway.OrderOptions{Life: time.Minute, Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
	require.NoError(t, err)
	return id
}

// orderFor orders for a new recipient.
func (w *world) orderFor(t *testing.T, curve ecdh.Curve) string {
	t.Helper()
	key, err := curve.GenerateKey(rand.Reader)
	require.NoError(t, err)
	o := wsproto.Order{CA: theCA(), Template: "WiFi", Subject: "CN=issued", Key: "p256", Recipient: &wsproto.Recipient{ID: "laptop-17"}}
	o.Recipient.Key, err = wsproto.MarshalRecipientKey(key.PublicKey())
	require.NoError(t, err)
	o.Recipient.Signature, err = wsproto.SignRecipient(newKey(t), tenant, &o)
	require.NoError(t, err)
	id, err := w.Order(t.Context(), tenant, o, &gateway.OrderOptions{Life: time.Minute})
	require.NoError(t, err)
	return id
}

func (w *world) wait(t *testing.T, id string) wsproto.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	o, err := w.Wait(ctx, tenant, id)
	require.NoError(t, err)
	return o
}

func TestWholeSessionsAreAsDescribed(t *testing.T) {
	w := newWorld(t)
	code, _, err := w.NewEnrollmentCode(t.Context(), tenant, &gateway.CodeOptions{CAs: []wsproto.CAAssignment{theCA()}})
	require.NoError(t, err)
	id, events, stop := w.connect(t, code)
	await(t, events, connector.StateConnected)

	for subject, kind := range map[string]wsproto.OutcomeKind{
		"CN=issued": wsproto.Issued, "CN=denied": wsproto.Denied, "CN=lost": wsproto.Unknown, "CN=held": wsproto.Issued,
	} {
		assert.Equal(t, kind, w.wait(t, w.order(t, "WiFi", subject)).Kind, subject)
	}
	for _, curve := range []ecdh.Curve{ecdh.P256(), ecdh.X25519()} {
		o := w.wait(t, w.orderFor(t, curve))
		assert.Equal(t, wsproto.Issued, o.Kind)
		assert.NotEmpty(t, o.Sealed)
	}
	w.order(t, "Other", "CN=refused") // by local policy; nobody else can take it

	job := w.order(t, "WiFi", "CN=wait")
	require.Equal(t, job, <-w.issuer.preparing)
	require.NoError(t, w.Cancel(t.Context(), tenant, job))
	assert.Equal(t, wsproto.Cancelled, w.wait(t, job).Kind)
	close(w.issuer.proceed)

	require.Eventually(t, func() bool { return w.recorder.Seen()["session.reauthenticate.result"] > 0 }, 30*time.Second, time.Millisecond)
	require.NoError(t, w.DrainConnector(t.Context(), tenant, id))
	await(t, events, connector.StateConnected) // it comes back
	stop()

	for _, decide := range []func(ctx context.Context, tenant, id string) error{w.Approve, w.Reject} {
		id, events, stop := w.connect(t, wsproto.EnrollmentCode{})
		await(t, events, connector.StatePending)
		require.NoError(t, decide(t.Context(), tenant, id))
		select {
		case e := <-events:
			assert.Contains(t, []connector.State{connector.StateConnected, connector.StateDisconnected}, e.State)
		case <-time.After(30 * time.Second):
			t.Fatal("no decision in time")
		}
		stop()
	}

	seen := w.recorder.Seen()
	for _, m := range wsproto.Methods() {
		assert.NotZero(t, seen[m.Name], m.Name)
		if !m.Notification {
			assert.NotZero(t, seen[m.Name+".result"], m.Name)
		}
	}
}
