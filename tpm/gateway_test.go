package tpm_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// softwareAttester is what a connector asks: it may be told to lie.
type softwareAttester struct {
	*softwareTPM
	lie         json.RawMessage // instead of the evidence
	activations atomic.Int64
}

func (a *softwareAttester) Evidence(context.Context) (json.RawMessage, error) {
	if a.lie != nil {
		return a.lie, nil
	}
	return a.evidence(), nil
}

func (a *softwareAttester) Activate(_ context.Context, credentials json.RawMessage) (json.RawMessage, error) {
	a.activations.Add(1)
	return a.activate(credentials), nil
}

// tenant is a gateway that takes only connectors whose keys are in a TPM of a manufacturer.
type tenant struct {
	t      *testing.T
	g      *gateway.Gateway
	server *httptest.Server
	roots  []*x509.Certificate
	alarms chan gateway.Alarm
}

func newTenant(t *testing.T, v gateway.AttestationVerifier) *tenant {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	w := &tenant{t: t, alarms: make(chan gateway.Alarm, 64)}
	w.server = httptest.NewUnstartedServer(nil)
	authority, err := wsproto.Authority("wss://" + w.server.Listener.Addr().String())
	require.NoError(t, err)
	w.g, err = gateway.New(gateway.Config{
		Tenant:    func(*http.Request) (string, error) { return "acme", nil },
		TenantKey: func(context.Context, string) (crypto.Signer, error) { return key, nil },
		Authority: authority, Store: gateway.NewMemoryStore(),
		AttestationVerifier: v,
		Attestation:         func(string) gateway.AttestationPolicy { return gateway.AttestationVerified },
		OnAlarm:             func(a gateway.Alarm) { w.alarms <- a },
	})
	require.NoError(t, err)
	w.server.Config.Handler = w.g
	w.server.StartTLS()
	w.roots = []*x509.Certificate{w.server.Certificate()}
	t.Cleanup(func() { w.g.Close(); w.server.Close() })
	return w
}

// connect runs a connector until something can be said of its connection.
func (w *tenant) connect(a *softwareAttester, rotation *wsproto.Rotation) connector.Event {
	w.t.Helper()
	code, _, err := w.g.NewEnrollmentCode(w.t.Context(), "acme", nil)
	require.NoError(w.t, err)
	events := make(chan connector.Event, 64)
	c, err := connector.New(connector.Config{
		URL: strings.Replace(w.server.URL, "https", "wss", 1), Tenant: "acme", Enrollment: code, Identity: a.identity,
		Decryption: a.decryption, Instance: "installation", Issuer: struct{ connector.Issuer }{},
		Policy: func(context.Context, connector.Order) error { return nil },
		Options: &connector.Options{
			Attester: a, Rotation: rotation, Roots: w.roots,
			OnEvent: func(e connector.Event) {
				if e.State == connector.StateConnected || e.Err != nil {
					events <- e
				}
			},
		},
	})
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	e := <-events
	cancel()
	<-ended
	return e
}

func (w *tenant) connectors() []gateway.ConnectorInfo {
	w.t.Helper()
	all, err := w.g.Connectors(w.t.Context(), "acme")
	require.NoError(w.t, err)
	return all
}

func (w *tenant) refuses(a *softwareAttester, reason tpm.EvidenceReason) {
	w.t.Helper()
	e := w.connect(a, nil)
	require.ErrorIs(w.t, e.Err, wsproto.CodeAttestation)
	assert.ErrorContains(w.t, e.Err, string(reason))
	assert.True(w.t, e.Alarm, "a person at the connector is told")
	alarm := <-w.alarms
	assert.Equal(w.t, gateway.AlarmAttestation, alarm.Kind)
	assert.Contains(w.t, alarm.Message, string(reason))
}

// TestGatewayBelievesATPM: connector, gateway and verifier together, over TLS.
func TestGatewayBelievesATPM(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	for name, ek := range map[string]tpmtest.EK{"ECC": tpmtest.ECC, "RSA": tpmtest.RSA} {
		t.Run(name, func(t *testing.T) {
			w := newTenant(t, trusting(m))
			a := &softwareAttester{softwareTPM: newSoftwareTPM(t, ek, m)}
			for range 3 {
				e := w.connect(a, nil)
				require.NoError(t, e.Err)
			}
			assert.EqualValues(t, 1, a.activations.Load(), "what is known is not asked for again")
			all := w.connectors()
			require.Len(t, all, 1)
			assert.Equal(t, gateway.LevelVerified, all[0].Attestation)
			assert.Contains(t, all[0].Detail, "certified by IBM")

			// New keys, in the same TPM or another, attested like the old ones.
			next := &softwareAttester{softwareTPM: newSoftwareTPM(t, ek, m)}
			statement, err := wsproto.SignRotation(a.identity, "acme", wsproto.RotationKeys{
				PreviousDecryption: a.decryptionKey(), Identity: next.identityKey(), Decryption: next.decryptionKey(),
			})
			require.NoError(t, err)
			require.NoError(t, w.connect(next, statement).Err)
			assert.EqualValues(t, 1, next.activations.Load())
			for _, c := range w.connectors() {
				assert.Equal(t, c.Successor == "", c.State == wsproto.StateActive)
				assert.Equal(t, gateway.LevelVerified, c.Attestation)
			}
			assert.Empty(t, w.alarms)
		})
	}
}

// TestGatewayRefusesEvidence: each lie with its own reason, on both sides, and nothing is left of who told it.
func TestGatewayRefusesEvidence(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	w := newTenant(t, trusting(m))
	honest := newSoftwareTPM(t, tpmtest.ECC, m)
	for reason, lie := range map[tpm.EvidenceReason]func(a *softwareAttester){
		tpm.EvidenceKeyMismatch: func(a *softwareAttester) { a.lie = honest.evidence() },
		tpm.EvidenceKeysSwapped: func(a *softwareAttester) {
			a.said.Keys.Identity, a.said.Keys.Decryption = a.said.Keys.Decryption, a.said.Keys.Identity
		},
		tpm.EvidenceEKMismatch: func(a *softwareAttester) { a.said.EK.Certificate = honest.said.EK.Certificate },
		tpm.EvidenceMalformed:  func(a *softwareAttester) { a.lie = json.RawMessage(`{"format":"tpm2"}`) },
	} {
		t.Run(string(reason), func(t *testing.T) {
			a := &softwareAttester{softwareTPM: newSoftwareTPM(t, tpmtest.ECC, m)}
			lie(a)
			w.refuses(a, reason)
		})
	}
	assert.Empty(t, w.connectors())
}

// TestGatewayIgnoresOtherFormats: evidence that others may understand is no lie, only less than this tenant asks for.
func TestGatewayIgnoresOtherFormats(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	w := newTenant(t, trusting(m))
	a := &softwareAttester{softwareTPM: newSoftwareTPM(t, tpmtest.ECC, m)}
	a.lie = json.RawMessage(`{"format":"none"}`)
	e := w.connect(a, nil)
	require.ErrorIs(t, e.Err, wsproto.CodeAttestation)
	assert.ErrorContains(t, e.Err, "format")
	assert.Empty(t, w.alarms)
	assert.Empty(t, w.connectors())
}

// TestGatewayAsksForAManufacturer: a TPM that nobody vouches for is one, but not what the tenant asks for.
func TestGatewayAsksForAManufacturer(t *testing.T) {
	w := newTenant(t, trusting(tpmtest.NewManufacturer(t)))
	a := &softwareAttester{softwareTPM: newSoftwareTPM(t, tpmtest.ECC, tpmtest.NewManufacturer(t))}
	e := w.connect(a, nil)
	require.ErrorIs(t, e.Err, wsproto.CodeAttestation)
	assert.ErrorContains(t, e.Err, gateway.LevelUnverified)
	assert.Empty(t, w.connectors())
}
