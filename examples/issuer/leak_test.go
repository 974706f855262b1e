package issuer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/pkcs12/sealed"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// tapped is everything that a gateway gets to see, keeps and tells, and what of it must be secret.
type tapped struct {
	mu      sync.Mutex
	seen    bytes.Buffer
	secrets []secret
	frames  int
	records int
}

func (w *tapped) see(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Write(b)
	w.seen.WriteByte('\n')
}

// tell records whatever a log could be given, in every way in which it could print it.
func (w *tapped) tell(v any) {
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("told", "what", v)
	}
	fmt.Fprintf(&log, "%v %+v %#v", v, v, v)
	w.see(log.Bytes())
}

// tappedTransport records the messages of a connection, both ways, as the gateway has them after TLS.
type tappedTransport struct {
	wsproto.Transport
	w *tapped
}

func (t *tappedTransport) Read(ctx context.Context) ([]byte, error) {
	message, err := t.Transport.Read(ctx)
	t.w.frame(message)
	return message, err
}

func (t *tappedTransport) Write(ctx context.Context, message []byte) error {
	t.w.frame(message)
	return t.Transport.Write(ctx, message)
}

func (w *tapped) frame(message []byte) {
	w.see(message)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames++
}

// tappedStore records whatever is put into the store.
type tappedStore struct {
	gateway.Store
	w *tapped
}

func (s *tappedStore) put(record any) {
	text, err := json.Marshal(record)
	if err != nil {
		text = []byte(err.Error())
	}
	s.w.see(text)
	s.w.tell(record)
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.records++
}

func (s *tappedStore) PutJob(ctx context.Context, j *gateway.Job) error {
	s.put(j)
	return s.Store.PutJob(ctx, j)
}

func (s *tappedStore) PutConnector(ctx context.Context, c *gateway.Connector) error {
	s.put(c)
	return s.Store.PutConnector(ctx, c)
}

func (s *tappedStore) PutCode(ctx context.Context, c *gateway.Code) error {
	s.put(c)
	return s.Store.PutCode(ctx, c)
}

// tappedIssuer notes what is secret of each bundle, on the connector's side.
type tappedIssuer struct {
	*issuer.Issuer
	t testing.TB
	w *tapped
}

func (i *tappedIssuer) Finish(ctx context.Context, o *connector.Order, p *connector.Prepared, r *connector.CAResult) (*connector.Bundle, error) {
	b, err := i.Issuer.Finish(ctx, o, p, r)
	if err == nil {
		found := append(secretsOf(i.t, p.Key), secret{"the .p12", bytes.Clone(b.PKCS12)}, secret{"the password", []byte(b.Password)})
		i.w.mu.Lock()
		defer i.w.mu.Unlock()
		i.w.secrets = append(i.w.secrets, found...)
	}
	return b, err
}

// startTapped starts the whole path with everything recorded.
func startTapped(t *testing.T, policy func(*connector.Policy)) (*path, *tapped, crypto.PublicKey) {
	t.Helper()
	w := new(tapped)
	ca, err := adcstest.NewServer(nil)
	require.NoError(t, err)
	t.Cleanup(ca.Close)
	p := &path{ca: ca, served: wsproto.CAAssignment{Host: ca.Host(), Name: ca.Name()}}
	p.changeGateway = func(c *gateway.Config) {
		c.Store = &tappedStore{c.Store, w}
		c.OnOutcome = func(_ context.Context, e gateway.OutcomeEvent) error { w.tell(e); return nil }
		c.OnAlarm = func(a gateway.Alarm) { w.tell(a) }
		c.OnConnector = func(e gateway.ConnectorEvent) { w.tell(e) }
		c.Timing.Retrieve, c.Timing.Poll = 50*time.Millisecond, 50*time.Millisecond
	}
	var signer crypto.PublicKey
	p.changeConnector = func(c *connector.Config, roots *x509.CertPool) {
		signer = c.Identity.Public()
		c.Issuer = &tappedIssuer{c.Issuer.(*issuer.Issuer), t, w}
		rules := &connector.Policy{
			CAs: []wsproto.CAAssignment{p.served}, Templates: []string{"Device", "DeviceHeld"}, Keys: []string{"rsa2048", "p256"},
			Subjects: []string{"CN=*"}, DNS: []string{".devices.corp.test"}, OrdersPerHour: 1000,
		}
		policy(rules)
		compiled, err := rules.Compile()
		require.NoError(t, err)
		c.Policy = compiled.Allow
		url := c.URL
		c.Options.Dial = func(ctx context.Context) (wsproto.Transport, error) {
			ws, err := wsproto.DialWebSocket(ctx, url, &wsproto.DialOptions{HTTPClient: wsproto.NewHTTPClient(roots)})
			if err != nil {
				return nil, err
			}
			return &tappedTransport{ws, w}, nil
		}
	}
	p.startConnector(t, p.startGateway(t), 2, ca.User().Password)
	return p, w, signer
}

// deliver places an order, lets the manager approve it if it is held, and returns the outcome.
func (p *path) deliver(t *testing.T, w *tapped, o wsproto.Order) (string, wsproto.Outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	id, err := p.gateway.Order(ctx, pathTenant, o, nil)
	require.NoError(t, err)
	for o.Template == "DeviceHeld" {
		info, err := p.gateway.Job(ctx, pathTenant, id)
		require.NoError(t, err)
		w.tell(info)
		if info.Outcome != nil && info.Outcome.Kind == wsproto.Pending {
			require.NoError(t, p.ca.Approve(info.Outcome.RequestID))
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the request was not held in time")
		}
	}
	outcome, err := p.gateway.Wait(ctx, pathTenant, id)
	require.NoError(t, err)
	info, err := p.gateway.Job(ctx, pathTenant, id)
	require.NoError(t, err)
	w.tell(info)
	w.tell(outcome)
	text, err := json.Marshal(outcome)
	require.NoError(t, err)
	w.see(text)
	return id, outcome
}

// TestNothingLeaksOfSealedDelivery runs orders for recipients from the order to the opened bundle, some of them over a
// manager's decision, and then looks for keys, .p12 and passwords in all that the gateway has relayed, stored and told.
func TestNothingLeaksOfSealedDelivery(t *testing.T) {
	ordering, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	orderingKey, err := wsproto.MarshalPublicKey(ordering.Public())
	require.NoError(t, err)
	p, w, signer := startTapped(t, func(p *connector.Policy) { p.OrderingKeys = [][]byte{orderingKey} })
	made, err := wsproto.FingerprintKey(signer)
	require.NoError(t, err)
	for _, c := range []struct {
		curve               ecdh.Curve
		template, algorithm string
		profile             string
	}{
		{ecdh.P256(), "Device", "p256", "compat"}, {ecdh.X25519(), "DeviceHeld", "p256", "modern"},
		{ecdh.X25519(), "Device", "rsa2048", ""}, {ecdh.P256(), "DeviceHeld", "rsa2048", ""},
	} {
		key, err := c.curve.GenerateKey(rand.Reader)
		require.NoError(t, err)
		o := p.device(c.algorithm)
		o.Template, o.Profile, o.Password = c.template, c.profile, ""
		o.Recipient = &wsproto.Recipient{ID: "laptop-17"}
		o.Recipient.Key, err = wsproto.MarshalRecipientKey(key.PublicKey())
		require.NoError(t, err)
		o.Recipient.Signature, err = wsproto.SignRecipient(ordering, pathTenant, &o)
		require.NoError(t, err)
		id, outcome := p.deliver(t, w, o)
		require.Equal(t, wsproto.Issued, outcome.Kind, "%s %s", outcome.Reason, outcome.Message)
		require.Empty(t, outcome.PKCS12)

		b, err := sealed.Open(outcome.Sealed, key, sealed.Expect{
			Signers: [][32]byte{made}, Tenant: pathTenant, Job: id, Recipient: "laptop-17", Thumbprint: [32]byte(outcome.Thumbprint),
		})
		require.NoError(t, err)
		private, certs, err := pkcs12.Decode(b.PKCS12, b.Password)
		require.NoError(t, err)
		require.Equal(t, []string{"bench.devices.corp.test"}, certs[0].DNSNames)
		require.True(t, private.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(certs[0].PublicKey))
		require.GreaterOrEqual(t, len(b.Password), 22)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Greater(t, w.frames, 30)
	require.Greater(t, w.records, 15)
	require.Greater(t, len(w.secrets), 4*4, "the test knows what to look for")
	assert.Empty(t, leaks(w.seen.Bytes(), w.secrets))
}

// TestDeliveryByPasswordIsSeen shows that the search finds what is there: by password, the gateway gets the .p12.
func TestDeliveryByPasswordIsSeen(t *testing.T) {
	p, w, _ := startTapped(t, func(p *connector.Policy) { p.Passwords = true })
	_, outcome := p.deliver(t, w, p.device("p256"))
	require.Equal(t, wsproto.Issued, outcome.Kind, "%s %s", outcome.Reason, outcome.Message)
	w.mu.Lock()
	defer w.mu.Unlock()
	found := leaks(w.seen.Bytes(), w.secrets)
	assert.Contains(t, found, "the .p12")
	assert.Contains(t, found, "the password")
	assert.NotContains(t, found, "the private key")
}
