package adcs_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// openConns is a network that counts the connections that are open.
type openConns struct {
	dial dialFunc
	open atomic.Int32
}

func (n *openConns) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := n.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	n.open.Add(1)
	return &openConn{Conn: nc, closed: sync.OnceFunc(func() { n.open.Add(-1) })}, nil
}

type openConn struct {
	net.Conn
	closed func()
}

func (c *openConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// faultSite is where CA and client are.
type faultSite struct {
	options adcstest.Options
	auth    adcs.Auth
	dial    func(*adcstest.Server) dialFunc
}

// loopback is where everything is in the process.
func loopback() faultSite {
	return faultSite{dial: func(s *adcstest.Server) dialFunc { return s.DialContext }}
}

// faultBench is a CA whose calls can be made to go wrong, a client of it, and a request that was issued.
type faultBench struct {
	site    faultSite
	server  *adcstest.Server
	client  *adcs.Client
	network *openConns
	armed   atomic.Bool // the fault happens
	met     atomic.Bool // it has happened
	roots   *x509.CertPool

	key    crypto.Signer
	csr    []byte // large enough for several fragments
	issued uint32 // the request id of csr, issued to another client of the same user
}

// meeting is where a fault is met.
type meeting string

const (
	atRest meeting = "on a connection at rest"
	afresh meeting = "on a new connection"
	before meeting = "on the way to the CA" // at the endpoint mapper, in the activation
)

// newFaultBench makes a bench on which a fault is met somewhere.
func newFaultBench(t *testing.T, fault *adcstest.Fault, transport adcs.Transport, where meeting, s faultSite) *faultBench {
	b := &faultBench{roots: x509.NewCertPool(), site: s}
	opts := s.options
	opts.Fault = func(c adcstest.Call) *adcstest.Fault {
		if b.armed.Load() && strings.HasPrefix(c.Interface, "ICert") == (where != before) {
			return b.noticed(*fault)
		}
		return nil
	}
	b.server = newServer(t, &opts)
	for _, ca := range b.server.Chain() {
		if bytes.Equal(ca.RawSubject, ca.RawIssuer) {
			b.roots.AddCert(ca)
		}
	}
	b.network = &openConns{dial: s.dial(b.server)}
	b.key, b.csr = newLargeCSR(t)
	other := b.newClient(t, transport)
	b.issued = b.submitHonestly(t, other, b.csr)
	require.NoError(t, other.Close())
	b.client = b.newClient(t, transport)
	if where == atRest {
		require.NoError(t, b.client.Ping(t.Context()))
	}
	return b
}

// noticed is a fault that tells when it happens: one that waits for the whole request only then.
func (b *faultBench) noticed(f adcstest.Fault) *adcstest.Fault {
	before, after, pdu := f.Before, f.After, f.PDU
	switch {
	case before != nil:
		f.Before = func(ctx context.Context) { b.met.Store(true); before(ctx) }
	case after != nil:
		f.After = func(ctx context.Context) { b.met.Store(true); after(ctx) }
	case pdu != nil:
		f.PDU = func(n int, raw []byte) []byte { b.met.Store(true); return pdu(n, raw) }
	default:
		b.met.Store(true)
	}
	return &f
}

// arm makes the fault happen, or the CA's interfaces disappear, or ends it.
func (b *faultBench) arm(on, off bool) {
	b.armed.Store(on && !off)
	b.server.SetInterface(!(on && off))
	b.server.SetDCOM(!(on && off))
}

func (b *faultBench) newClient(t *testing.T, transport adcs.Transport) *adcs.Client {
	return newClient(t, b.server, &adcs.Options{
		Auth: b.site.auth, Transport: transport, MaxFragment: 1432, DialContext: b.network.DialContext,
	})
}

// submitHonestly has a certificate issued and returns the request id.
func (b *faultBench) submitHonestly(t *testing.T, c *adcs.Client, csr []byte) uint32 {
	result, err := c.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
	require.NoError(t, err)
	require.Equal(t, adcs.Issued, result.Disposition)
	return result.RequestID
}

// verify checks a certificate as whoever ordered it does.
func (b *faultBench) verify(t *testing.T, r *adcs.Result) error {
	expect, err := adcs.ExpectRequest(b.csr)
	require.NoError(t, err)
	expect.Roots, expect.Intermediates = b.roots, r.Chain
	return second(adcs.Verify(r.Certificate, expect))
}

// rows is how many requests for the key of a certification request the CA has.
func (b *faultBench) rows(t *testing.T, csr []byte) (n int) {
	request, err := x509.ParseCertificateRequest(csr)
	require.NoError(t, err)
	hash := sha256.Sum256(request.RawSubjectPublicKeyInfo)
	for _, row := range b.server.Requests() {
		if row.PublicKeyHash == hash {
			n++
		}
	}
	return n
}

// newLargeCSR makes a certification request that does not fit into the smallest fragment.
func newLargeCSR(t testing.TB) (crypto.Signer, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "pc1.corp.test"}}
	for i := range 100 {
		template.DNSNames = append(template.DNSNames, fmt.Sprintf("name-%d.pc1.corp.test", i))
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	require.NoError(t, err)
	return key, csr
}
