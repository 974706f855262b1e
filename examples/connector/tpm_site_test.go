//go:build unix

package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// tpmSite is a site whose gateway looks at evidence, and whose connector has a TPM.
type tpmSite struct {
	*site
	tpm   *tpmtest.TPM
	meter *meter
	log   *safeBuffer // of the connector
	said  *told       // by the gateway
}

// told is what a gateway says of connectors.
type told struct {
	mu     sync.Mutex
	alarms []gateway.Alarm
	events []gateway.ConnectorEvent
}

func (r *told) find(kind gateway.AlarmKind) (found []gateway.Alarm) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.alarms {
		if a.Kind == kind {
			found = append(found, a)
		}
	}
	return found
}

func (r *told) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alarms, r.events = nil, nil
}

func (r *told) refusals() (messages []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == gateway.ConnectorRefused {
			messages = append(messages, e.Message)
		}
	}
	return messages
}

// newTPMSite starts a TPM besides, as its options say; the gateway trusts their manufacturer, and wants what policy says.
func newTPMSite(
	t testing.TB, policy gateway.AttestationPolicy, opts *tpmtest.Options, changes ...func(*gateway.Config),
) *tpmSite {
	t.Helper()
	s := &tpmSite{log: new(safeBuffer), said: new(told)}
	s.tpm = tpmtest.Start(t, opts)
	s.meter = newMeter(t, strings.TrimPrefix(s.tpm.Path(), "unix:"))
	s.site = newSite(t, append(changes, attested(t, policy, s.tpm.Manufacturer(), s.said))...)
	s.config.TPM = "unix:" + s.meter.path
	s.config.Policy.OrdersPerHour = 1000
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the connector's log since it was forgotten:\n%s", s.log)
		}
	})
	return s
}

// attested changes a gateway's configuration.
func attested(t testing.TB, policy gateway.AttestationPolicy, m *tpmtest.Manufacturer, said *told) func(*gateway.Config) {
	t.Helper()
	verifier := tpm.NewVerifier(tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()})
	return func(c *gateway.Config) {
		c.AttestationVerifier = verifier
		c.Attestation = func(string) gateway.AttestationPolicy { return policy }
		c.OnAlarm = func(a gateway.Alarm) {
			said.mu.Lock()
			defer said.mu.Unlock()
			said.alarms = append(said.alarms, a)
		}
		c.OnConnector = func(e gateway.ConnectorEvent) {
			said.mu.Lock()
			defer said.mu.Unlock()
			said.events = append(said.events, e)
		}
	}
}

// start runs the connector until stop is called.
func (s *tpmSite) start(args ...string) (stop func() error) {
	return s.run(slog.New(slog.NewTextHandler(s.log, nil)), args...)
}

// await waits until the connector has logged a text since it was last forgotten.
func (s *tpmSite) await(text string) {
	s.t.Helper()
	come := func() bool { return strings.Contains(s.log.String(), text) }
	if !assert.Eventually(s.t, come, 20*time.Second, time.Millisecond) {
		require.Fail(s.t, "not in the log", "%q: %s", text, s.log)
	}
}

// forget begins a new log.
func (s *tpmSite) forget() { s.log.reset() }

func (b *safeBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}

// connected runs the connector until it is connected, and returns what ends it.
func (s *tpmSite) connected(args ...string) (stop func() error) {
	s.t.Helper()
	s.forget()
	stop = s.start(args...)
	s.await("state=connected")
	return stop
}

// only returns the one connector that the gateway has, besides those that are revoked.
func (s *tpmSite) only() gateway.ConnectorInfo {
	s.t.Helper()
	all, err := s.gateway.Connectors(s.t.Context(), "acme")
	require.NoError(s.t, err)
	require.Len(s.t, all, 1)
	return all[0]
}

// copyState copies the folder of the identity to another one.
func (s *tpmSite) copyState(to string) {
	s.t.Helper()
	require.NoError(s.t, os.CopyFS(filepath.Join(s.folder, to), os.DirFS(filepath.Join(s.folder, s.config.State))))
	require.NoError(s.t, filepath.WalkDir(filepath.Join(s.folder, to), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	}))
}
