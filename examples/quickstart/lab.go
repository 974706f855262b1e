package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

func startLab(ctx context.Context, o *options, say func(string, ...any)) (l *lab, err error) {
	l = &lab{held: make(map[string]map[string]int64)}
	connectorCtx, stopConnector := context.WithCancel(ctx)
	gatewayCtx, stopGateway := context.WithCancel(ctx)
	l.stopConnector, l.stopGateway = stopConnector, stopGateway
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.ca, err = adcstest.NewServer(nil); err != nil {
		return nil, err
	}
	say("CA %q listens, endpoint mapper on %s", l.ca.Name(), l.ca.EndpointMapper())
	url, root, err := l.startGateway(gatewayCtx, say)
	if err != nil {
		return nil, err
	}
	say("gateway listens on %s", url)
	return l, l.startConnector(connectorCtx, o, url, root, say)
}

// startGateway serves the tenant's half over TLS.
func (l *lab) startGateway(ctx context.Context, say func(string, ...any)) (string, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", nil, err
	}
	listener, root, err := listenTLS(ctx)
	if err != nil {
		return "", nil, err
	}
	url := "wss://" + listener.Addr().String() + "/connect"
	authority, err := wsproto.Authority(url)
	if err != nil {
		return "", nil, errors.Join(err, listener.Close())
	}
	l.gateway, err = gateway.New(gateway.Config{
		Tenant:    func(*http.Request) (string, error) { return tenant, nil },
		TenantKey: tenantKey(key),
		Authority: authority,
		Store:     gateway.NewMemoryStore(),
		OnOutcome: l.approveHeld(say),
		OnError:   l.fail,
	})
	if err != nil {
		return "", nil, errors.Join(err, listener.Close())
	}
	l.http = &http.Server{Handler: l.gateway, ReadHeaderTimeout: 10 * time.Second}
	l.serving.Go(func() { l.fail(l.http.Serve(listener)) })
	l.serving.Go(func() { l.fail(l.gateway.Run(ctx)) })
	return url, root, nil
}

// approveHeld plays the manager of the CA: it approves what the CA holds.
func (l *lab) approveHeld(say func(string, ...any)) func(context.Context, gateway.OutcomeEvent) error {
	return func(_ context.Context, e gateway.OutcomeEvent) error {
		if e.Outcome.Kind == wsproto.Pending {
			say("the CA holds request %d; its manager approves it", e.Outcome.RequestID)
			l.mu.Lock()
			l.held[e.Job] = e.Outcome.TimingsMS
			l.mu.Unlock()
			l.fail(l.ca.Approve(e.Outcome.RequestID))
		}
		return nil
	}
}

// startConnector enrolls a connector with a one-time code and lets it serve the CA.
func (l *lab) startConnector(ctx context.Context, o *options, url string, root *x509.Certificate, say func(string, ...any)) error {
	served := wsproto.CAAssignment{Host: l.ca.Host(), Name: l.ca.Name()}
	code, _, err := l.gateway.NewEnrollmentCode(ctx, tenant, &gateway.CodeOptions{CAs: []wsproto.CAAssignment{served}})
	if err != nil {
		return err
	}
	if l.folder, err = os.MkdirTemp("", "adcskit-quickstart-"); err != nil {
		return err
	}
	identity, err := connector.LoadOrCreateIdentity(l.folder)
	if err != nil {
		return err
	}
	user, trusted := l.ca.User(), x509.NewCertPool()
	trusted.AddCert(l.ca.Chain()[len(l.ca.Chain())-1])
	l.issuer, err = issuer.New(issuer.CA{
		Host: served.Host, Name: served.Name, Roots: trusted, Credential: adcs.Password(user.Account(), user.Password),
		Options: &adcs.Options{
			Transport: adcs.TransportTCP, AllowNTLM: true, DialContext: l.ca.DialContext, Connections: o.parallel,
		},
	})
	if err != nil {
		return err
	}
	rules, err := localPolicy(o, served).Compile()
	if err != nil {
		return err
	}
	c, err := connector.New(connector.Config{
		URL: url, Tenant: tenant, Enrollment: code,
		Identity: identity.Signer(), Decryption: identity.Decryption(), Instance: identity.Instance(),
		Issuer: l.issuer, Policy: rules.Allow,
		Options: &connector.Options{
			Capacity: o.parallel, PendingRetry: time.Second, Roots: []*x509.Certificate{root}, OnRegistered: identity.Register,
			OnEvent: func(e connector.Event) { say("connector: %s", describe(e)) },
		},
	})
	if err != nil {
		return err
	}
	l.connecting.Go(func() { l.fail(c.Run(ctx)) })
	return nil
}

func describe(e connector.Event) string {
	if e.Err != nil {
		return fmt.Sprintf("%s (%v)", e.State, e.Err)
	}
	return string(e.State)
}
