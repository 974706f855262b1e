package issuer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

const pathTenant = "acme"

// path is the whole path in one process, as quickstart has it.
type path struct {
	ca      *adcstest.Server
	gateway *gateway.Gateway
	served  wsproto.CAAssignment
	finds   bool

	// What a test changes before gateway and connector are made; may be nil.
	changeGateway   func(*gateway.Config)
	changeConnector func(*connector.Config, *x509.CertPool)
}

// startPath starts CA, gateway and connector, and stops them with the test.
func startPath(tb testing.TB, capacity int) *path {
	return startPathWith(tb, capacity, nil, "")
}

// startPathWith is startPath for another CA, and for a password that is not the right one. Lost answers are looked up
// at a CA that lets somebody read its database, when lease and deadline are over.
func startPathWith(tb testing.TB, capacity int, opts *adcstest.Options, password string) *path {
	tb.Helper()
	ca, err := adcstest.NewServer(opts)
	require.NoError(tb, err)
	tb.Cleanup(ca.Close)
	p := &path{ca: ca, served: wsproto.CAAssignment{Host: ca.Host(), Name: ca.Name()}}
	p.finds = opts != nil && opts.Readers != nil
	if password == "" {
		password = ca.User().Password
	}
	p.startConnector(tb, p.startGateway(tb), capacity, password)
	return p
}

func (p *path) startGateway(tb testing.TB) *httptest.Server {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.gateway.ServeHTTP(w, r) }))
	server.StartTLS()
	tb.Cleanup(server.Close)
	authority, err := wsproto.Authority("wss" + server.URL[len("https"):])
	require.NoError(tb, err)
	cfg := gateway.Config{
		Tenant:    func(*http.Request) (string, error) { return pathTenant, nil },
		TenantKey: func(context.Context, string) (crypto.Signer, error) { return key, nil },
		Authority: authority,
		Store:     gateway.NewMemoryStore(),
		OnError:   func(err error) { tb.Error(err) },
		Timing:    &gateway.Timing{Lease: 3 * time.Second, RPCDeadline: 3 * time.Second},
	}
	if p.changeGateway != nil {
		p.changeGateway(&cfg)
	}
	p.gateway, err = gateway.New(cfg)
	require.NoError(tb, err)
	p.run(tb, p.gateway.Run)
	tb.Cleanup(func() { require.NoError(tb, p.gateway.Close()) })
	return server
}

// run runs something until the test ends, and waits for it.
func (p *path) run(tb testing.TB, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			tb.Error(err)
		}
	})
}

func (p *path) startConnector(tb testing.TB, server *httptest.Server, capacity int, password string) {
	code, _, err := p.gateway.NewEnrollmentCode(tb.Context(), pathTenant, &gateway.CodeOptions{CAs: []wsproto.CAAssignment{p.served}})
	require.NoError(tb, err)
	identity, err := connector.LoadOrCreateIdentity(filepath.Join(tb.TempDir(), "identity"))
	require.NoError(tb, err)
	roots := x509.NewCertPool()
	roots.AddCert(p.ca.Chain()[len(p.ca.Chain())-1])
	i, err := issuer.New(issuer.CA{
		Host: p.ca.Host(), Name: p.ca.Name(), Roots: roots, Credential: adcs.Password(p.ca.User().Account(), password),
		NoFind:  !p.finds,
		Options: &adcs.Options{Transport: adcs.TransportTCP, AllowNTLM: true, DialContext: p.ca.DialContext, Connections: capacity},
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, i.Close()) })
	rules, err := (&connector.Policy{
		CAs: []wsproto.CAAssignment{p.served}, Templates: []string{"Device", "DeviceHeld", "DeviceDenied", "Strong", "Nowhere"},
		Keys: []string{"rsa2048", "p256"}, Subjects: []string{"CN=*"}, DNS: []string{".devices.corp.test"},
		OrdersPerHour: 1_000_000, Passwords: true,
	}).Compile()
	require.NoError(tb, err)
	cfg := connector.Config{
		URL: "wss" + server.URL[len("https"):], Tenant: pathTenant, Enrollment: code,
		Identity: identity.Signer(), Decryption: identity.Decryption(), Instance: identity.Instance(),
		Issuer: i, Policy: rules.Allow,
		Options: &connector.Options{
			Capacity: capacity, Roots: []*x509.Certificate{server.Certificate()}, OnRegistered: identity.Register,
			PendingRetry: 100 * time.Millisecond,
		},
	}
	if p.changeConnector != nil {
		trusted := x509.NewCertPool()
		trusted.AddCert(server.Certificate())
		p.changeConnector(&cfg, trusted)
	}
	c, err := connector.New(cfg)
	require.NoError(tb, err)
	p.run(tb, c.Run)
}

// device is an order for a device's certificate.
func (p *path) device(algorithm string) wsproto.Order {
	return wsproto.Order{
		CA: p.served, Template: "Device", Subject: "CN=bench", DNS: []string{"bench.devices.corp.test"}, Key: algorithm,
		Password: "correct-horse-battery-staple",
	}
}

func selfSigned(tb testing.TB, key crypto.Signer) *x509.Certificate {
	return create(tb, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Floor CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}, nil, key, key.Public())
}

func certify(tb testing.TB, issuer *x509.Certificate, caKey crypto.Signer, public crypto.PublicKey) *x509.Certificate {
	return create(tb, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "bench"}, DNSNames: []string{"bench.devices.corp.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}, issuer, caKey, public)
}

func create(tb testing.TB, template, parent *x509.Certificate, key crypto.Signer, public crypto.PublicKey) *x509.Certificate {
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	require.NoError(tb, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(tb, err)
	return cert
}

// pemOf is the PEM form of certificates.
func pemOf(certs ...*x509.Certificate) []byte {
	var all []byte
	for _, cert := range certs {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return all
}
