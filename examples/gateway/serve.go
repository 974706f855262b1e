package main

import (
	"context"
	"crypto"
	"crypto/fips140"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// serve runs the gateway until ctx ends, then drains it.
func serve(ctx context.Context, c *config, out io.Writer) error {
	if fips140.Enforced() {
		return errors.New("FIPS 140-3 is enforced, which forbids the SHA-1 of every WebSocket handshake (RFC 6455, 4.2.2)")
	}
	logger := log.New(out, "", log.LstdFlags)
	g, err := newGateway(c, logger)
	if err != nil {
		return err
	}
	defer g.Close()
	certificate, err := loadCertificate(c)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	admin, err := listenAdmin(ctx, c.Admin)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	socket, err := os.Lstat(c.Admin)
	if err != nil {
		return errors.Join(err, listener.Close(), admin.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("/connect/{tenant}", g)
	public := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: logger,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}
	private := &http.Server{Handler: adminHandler(g, c.Tenants), ReadHeaderTimeout: 10 * time.Second, ErrorLog: logger}
	logger.Printf("connectors connect to %s/connect/TENANT; administration at %s", c.URL, c.Admin)
	ended := make(chan error, 3)
	go func() { ended <- public.ServeTLS(listener, "", "") }()
	go func() { ended <- private.Serve(admin) }()
	go func() { ended <- g.Run(context.WithoutCancel(ctx)) }()
	left := 3
	select {
	case <-ctx.Done():
	case err = <-ended:
		left--
	}
	stop(g, public, private)
	for ; left > 0; left-- {
		<-ended
	}
	return errors.Join(err, removeAdmin(c.Admin, socket))
}

// loadCertificate reads the certificate and its key, and says which of the files is at fault.
func loadCertificate(c *config) (tls.Certificate, error) {
	certificate, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return certificate, fmt.Errorf("%w; the command init makes it", err)
	case err != nil:
		return certificate, fmt.Errorf("certificate %s with key %s: %w; correct them, or remove both and let init make new ones",
			c.Certificate, c.Key, err)
	}
	return certificate, nil
}

// stop lets connectors finish for a minute, then ends everything.
func stop(g *gateway.Gateway, servers ...*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g.Drain(ctx) // whatever is left goes on with another gateway, or after the next start
	g.Close()
	for _, s := range servers {
		s.Close()
	}
}

func newGateway(c *config, logger *log.Logger) (*gateway.Gateway, error) {
	keys := make(map[string]crypto.Signer)
	for name, path := range c.Tenants {
		key, err := loadKey(path)
		if err != nil {
			if errors.Is(err, os.ErrNotExist) {
				err = fmt.Errorf("%w; the command init makes it", err)
			}
			return nil, fmt.Errorf("tenants: %s: %w", name, err)
		}
		keys[name] = key
	}
	authority, err := wsproto.Authority(c.URL)
	if err != nil {
		return nil, err
	}
	verifiers, err := newVerifiers(c)
	if err != nil {
		return nil, err
	}
	return gateway.New(gateway.Config{
		Tenant: func(r *http.Request) (string, error) {
			name := r.PathValue("tenant")
			if keys[name] == nil {
				return "", errors.New("unknown tenant")
			}
			return name, nil
		},
		TenantKey: func(_ context.Context, name string) (crypto.Signer, error) {
			if keys[name] == nil {
				return nil, fmt.Errorf("%w: tenant %q", gateway.ErrNotFound, name)
			}
			return keys[name], nil
		},
		Authority: authority,
		Store:     gateway.NewMemoryStore(),
		Timing:    c.Timing.gateway(),

		AttestationVerifier: verifiers,
		Attestation:         func(tenant string) gateway.AttestationPolicy { return c.Attestation[tenant].Policy },

		OnOutcome: func(_ context.Context, e gateway.OutcomeEvent) error {
			logger.Printf("%s: job %s %s", e.Tenant, e.Job, describe(&e.Outcome))
			return nil
		},
		OnAlarm: func(a gateway.Alarm) {
			logger.Printf("ALARM %s: %s: connector %s from %s: %s", a.Kind, a.Tenant, a.Connector, a.Source, a.Message)
		},
		OnConnector: func(e gateway.ConnectorEvent) { logConnector(logger, e) },
		OnError:     func(err error) { logger.Print(err) },
	})
}
