package connector_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// TestTLS dials a gateway over TLS with what the options trust, on the loopback interface.
func TestTLS(t *testing.T) {
	for _, c := range []struct {
		name  string
		roots bool
		pin   func(cert *x509.Certificate) []wsproto.Fingerprint
		want  connector.State
	}{
		{"trusted root", true, nil, connector.StateConnected},
		{"root not trusted", false, nil, connector.StateDisconnected},
		{"pinned", true, func(c *x509.Certificate) []wsproto.Fingerprint {
			return []wsproto.Fingerprint{{1}, wsproto.FingerprintSPKI(c.RawSubjectPublicKeyInfo)}
		}, connector.StateConnected},
		{"another key pinned", true, func(*x509.Certificate) []wsproto.Fingerprint {
			return []wsproto.Fingerprint{{1}}
		}, connector.StateDisconnected},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t)
			var g *gateway.Gateway
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.ServeHTTP(w, r) }))
			server.Config.ErrorLog = discardLog()
			server.StartTLS()
			defer server.Close()
			authority, err := wsproto.Authority(server.URL)
			require.NoError(t, err)
			g, err = gateway.New(gateway.Config{
				Tenant:    func(*http.Request) (string, error) { return tenantName, nil },
				TenantKey: func(context.Context, string) (crypto.Signer, error) { return s.key, nil },
				Authority: authority, Store: gateway.NewMemoryStore(),
			})
			require.NoError(t, err)
			defer g.Close()
			code, _, err := g.NewEnrollmentCode(t.Context(), tenantName, nil)
			require.NoError(t, err)

			states := make(chan connector.Event, 100)
			s.opts = connector.Options{OnEvent: func(e connector.Event) {
				select {
				case states <- e:
				default:
				}
			}}
			if c.roots {
				s.opts.Roots = []*x509.Certificate{server.Certificate()}
			}
			if c.pin != nil {
				s.opts.Pins = c.pin(server.Certificate())
			}
			s.cfg.URL, s.cfg.Enrollment = "wss"+server.URL[len("https"):], code
			ctx, cancel := context.WithCancel(t.Context())
			s.ctx = ctx
			var wg sync.WaitGroup
			s.cfg.Options = &s.opts
			conn, err := connector.New(s.cfg)
			require.NoError(t, err)
			wg.Go(func() { conn.Run(ctx) })
			defer wg.Wait()
			defer cancel()
			assert.Equal(t, connector.StateConnecting, (<-states).State)
			e := <-states
			assert.Equal(t, c.want, e.State, "%v", e.Err)
			assert.Equal(t, c.name == "another key pinned", e.Alarm)
		})
	}
}
