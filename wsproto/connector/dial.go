package connector

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// errPin says that the gateway's TLS certificates hold none of the pinned keys.
var errPin = errors.New("connector: none of the pinned keys is in the gateway's TLS certificate chain")

// dialTimeout bounds one attempt to connect, TLS and proxy included.
const dialTimeout = 30 * time.Second

func (c *Connector) dial(ctx context.Context) (wsproto.Transport, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if c.opts.Dial != nil {
		return c.opts.Dial(ctx)
	}
	client, err := c.httpClient()
	if err != nil {
		return nil, err
	}
	// A nil *WebSocket must not become a Transport that is not nil.
	ws, err := wsproto.DialWebSocket(ctx, c.cfg.URL, &wsproto.DialOptions{HTTPClient: client})
	if err != nil {
		return nil, err
	}
	return ws, nil
}

func (c *Connector) httpClient() (*http.Client, error) {
	if len(c.opts.Roots) == 0 && len(c.opts.Pins) == 0 {
		return wsproto.NewHTTPClient(nil), nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil && len(c.opts.Roots) == 0 {
		return nil, err
	}
	if roots == nil {
		roots = x509.NewCertPool()
	}
	for _, r := range c.opts.Roots {
		roots.AddCert(r)
	}
	client := wsproto.NewHTTPClient(roots)
	if t, ok := client.Transport.(*http.Transport); ok && len(c.opts.Pins) > 0 {
		t.TLSClientConfig.VerifyConnection = c.checkPins
	}
	return client, nil
}

// checkPins looks for a pinned key in the chains that were verified, not in what the gateway sent besides.
func (c *Connector) checkPins(cs tls.ConnectionState) error {
	for _, chain := range cs.VerifiedChains {
		for _, cert := range chain {
			if slices.Contains(c.opts.Pins, wsproto.FingerprintSPKI(cert.RawSubjectPublicKeyInfo)) {
				return nil
			}
		}
	}
	return errPin
}
