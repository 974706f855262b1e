package adcs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// newServer starts a CA that lives as long as the test.
func newServer(t testing.TB, opts *adcstest.Options) *adcstest.Server {
	t.Helper()
	s, err := adcstest.NewServer(opts)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// newClient makes a client for a CA, with its first user and, unless opts say otherwise, with NTLM inside of SPNEGO.
func newClient(t testing.TB, s *adcstest.Server, opts *adcs.Options) *adcs.Client {
	t.Helper()
	user := s.User()
	return newClientFor(t, s, adcs.Password(user.Account(), user.Password), opts)
}

func newClientFor(t testing.TB, s *adcstest.Server, cred adcs.Credential, opts *adcs.Options) *adcs.Client {
	t.Helper()
	var o adcs.Options
	if opts != nil {
		o = *opts
	}
	o.AllowNTLM = true
	if o.Transport == "" {
		o.Transport = adcs.TransportTCP // the ladder has tests of its own
	}
	if o.DialContext == nil {
		o.DialContext = s.DialContext
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	c, err := adcs.New(s.Host(), s.Name(), cred, o.WithoutKDC())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// newCSR makes a certification request with a fresh P-256 key.
func newCSR(t testing.TB, name string) (crypto.Signer, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
	}, key)
	require.NoError(t, err)
	return key, csr
}

// auths are the ways to log on that work.
func auths() []adcs.Auth { return []adcs.Auth{adcs.AuthNTLM, adcs.AuthNegotiate} }

func TestSubmit(t *testing.T) {
	s := newServer(t, nil)
	for _, auth := range auths() {
		t.Run(string(auth), func(t *testing.T) {
			c := newClient(t, s, &adcs.Options{Auth: auth})
			require.NoError(t, c.Ping(t.Context()))
			key, csr := newCSR(t, "www.corp.test")
			r, err := c.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"})
			require.NoError(t, err)
			require.Equal(t, adcs.Issued, r.Disposition)
			require.Equal(t, key.Public(), r.Certificate.PublicKey)
			again, err := c.Retrieve(t.Context(), r.RequestID)
			require.NoError(t, err)
			require.Equal(t, r.Certificate.Raw, again.Certificate.Raw)
		})
	}
}
