package connector_test

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
	"encoding/pem"
	"errors"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// caName is the one CA of these tests.
func caName() wsproto.CAAssignment {
	return wsproto.CAAssignment{Host: "ca.corp.test", Name: "Corp Issuing CA"}
}

// modelCA is a CA whose database the tests look into. Like a real one it never forgets what it executed, whatever became
// of the answer.
type modelCA struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate

	mu     sync.Mutex
	rows   []*row
	decide func(o *connector.Order) behaviour
	logons int
	goodPW bool
}

// row is one request in the CA's database.
type row struct {
	id      uint32
	job     string
	request []byte
	account string
	cert    []byte // nil while pending or denied
	denied  bool
}

// behaviour is what the CA does with a request, and what becomes of its answer.
type behaviour struct {
	pend, deny, otherKey bool
	lost                 loss
	delay                time.Duration
}

type loss int

const (
	lossNone      loss = iota
	lossBefore         // the request does not arrive, and nobody can tell
	lossAfter          // it is executed, the answer is lost
	lossUnsent         // the request certainly did not leave
	lossForever        // the CA executes it and never answers
	lossRetrieval      // as lossNone, but retrievals do not work
)

func newModelCA(t testing.TB) *modelCA {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: caName().Name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &modelCA{t: t, key: key, cert: cert, goodPW: true, decide: func(*connector.Order) behaviour { return behaviour{} }}
}

// behave sets what the CA does with requests that are not in its database yet.
func (ca *modelCA) behave(b behaviour) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.decide = func(*connector.Order) behaviour { return b }
}

// rowsOf returns what the database holds for a job.
func (ca *modelCA) rowsOf(job string) []row {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	var out []row
	for _, r := range ca.rows {
		if r.job == job {
			out = append(out, *r)
		}
	}
	return out
}

// approve lets the manager issue whatever is held.
func (ca *modelCA) approve(t testing.TB) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	for _, r := range ca.rows {
		if r.cert == nil && !r.denied {
			r.cert = ca.sign(t, r.id, r.request, false)
		}
	}
}

func (ca *modelCA) sign(t testing.TB, id uint32, request []byte, otherKey bool) []byte {
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		panic(err)
	}
	pub := csr.PublicKey
	if otherKey {
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		pub = key.Public()
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(id) + 0x4000), Subject: csr.Subject, DNSNames: csr.DNSNames,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, pub, ca.key)
	if err != nil {
		panic(err)
	}
	return der
}

// submit executes a request.
func (ca *modelCA) submit(o *connector.Order, request []byte, account string) (*connector.CAResult, behaviour, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	b := ca.decide(o)
	if b.lost == lossBefore || b.lost == lossUnsent {
		return nil, b, nil
	}
	r := &row{id: uint32(len(ca.rows) + 1), job: o.Job, request: bytes.Clone(request), account: account, denied: b.deny}
	ca.rows = append(ca.rows, r)
	if !b.pend && !b.deny {
		r.cert = ca.sign(nil, r.id, request, b.otherKey)
	}
	result, err := r.answer()
	return result, b, err
}

func (r *row) answer() (*connector.CAResult, error) {
	switch {
	case r.denied:
		return nil, &connector.CAError{
			Kind: connector.CARefused, RequestID: r.id, Disposition: 2, HResult: 0x80094012, Message: "Denied by Policy Module",
			Reason: wsproto.ReasonCATemplate, Retry: wsproto.RetryOperator,
		}
	case r.cert == nil:
		return &connector.CAResult{Pending: true, RequestID: r.id, Disposition: 5, Message: "Taken Under Submission"}, nil
	}
	return &connector.CAResult{RequestID: r.id, Disposition: 3, Message: "Issued", Certificate: r.cert}, nil
}

// modelIssuer is a connector's view of the model CA.
type modelIssuer struct {
	ca      *modelCA
	account string
	prepare chan struct{} // if not nil, Prepare waits for it
	padding int           // makes bundles larger
	answer  func() (*connector.CAResult, error)
	fetch   error                                         // if not nil, what Retrieve returns
	finish  func(o *connector.Order, b *connector.Bundle) // if not nil, spoils the bundle

	mu      sync.Mutex
	submits int // calls of Submit
}

var errTimeout = errors.New("model: the CA did not answer")

func (i *modelIssuer) Account(ca wsproto.CAAssignment) (string, error) {
	if ca != caName() {
		return "", errors.New("model: no such CA")
	}
	return i.account, nil
}

func (i *modelIssuer) Prepare(ctx context.Context, o *connector.Order) (*connector.Prepared, error) {
	if i.prepare != nil {
		select {
		case <-i.prepare:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if o.Profile == "unknown" {
		return nil, &connector.Rejection{Reason: wsproto.ReasonOrderUnsupported, Message: "no such profile"}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: o.Job}, DNSNames: o.DNS,
	}, key)
	return &connector.Prepared{Key: key, Request: request}, err
}

func (i *modelIssuer) Submit(ctx context.Context, o *connector.Order, p *connector.Prepared) (*connector.CAResult, error) {
	i.mu.Lock()
	i.submits++
	i.mu.Unlock()
	if err := i.logon(); err != nil {
		return nil, err
	}
	if i.answer != nil {
		return i.answer()
	}
	if ctx.Err() != nil {
		return nil, &connector.CAError{Kind: connector.CAUnavailable, Err: ctx.Err()}
	}
	result, b, err := i.ca.submit(o, p.Request, i.account)
	if b.lost == lossUnsent {
		return nil, &connector.CAError{Kind: connector.CAUnavailable, Err: errTimeout, Message: "nobody listens"}
	}
	timer := time.NewTimer(b.delay)
	defer timer.Stop()
	answered := timer.C
	if b.lost == lossForever {
		answered = nil
	}
	select {
	case <-answered:
	case <-ctx.Done():
		return nil, &connector.CAError{Kind: connector.CAUnknown, Err: ctx.Err()}
	}
	if b.lost == lossBefore || b.lost == lossAfter {
		return nil, &connector.CAError{Kind: connector.CAUnknown, Err: errTimeout}
	}
	return result, err
}

func (i *modelIssuer) logon() error {
	i.ca.mu.Lock()
	defer i.ca.mu.Unlock()
	i.ca.logons++
	if !i.ca.goodPW {
		return &connector.CAError{Kind: connector.CALogon, Message: "the password is wrong"}
	}
	return nil
}

func (i *modelIssuer) Retrieve(_ context.Context, o *connector.Order, id uint32) (*connector.CAResult, error) {
	if err := i.logon(); err != nil {
		return nil, err
	}
	i.ca.mu.Lock()
	defer i.ca.mu.Unlock()
	if i.fetch != nil {
		return nil, i.fetch
	}
	if i.ca.decide(o).lost == lossRetrieval {
		return nil, &connector.CAError{Kind: connector.CAUnavailable, Err: errTimeout}
	}
	for _, r := range i.ca.rows {
		if r.id == id && r.account == i.account {
			return r.answer()
		}
	}
	return nil, &connector.CAError{Kind: connector.CARefused, HResult: 0x80094004, Message: "no such request"}
}

// bundlePassword is what the model makes for bundles that are sealed.
const bundlePassword = "kP4cWzN8RfT2mYbH6sVxQd9L"

func (i *modelIssuer) Finish(_ context.Context, o *connector.Order, p *connector.Prepared, r *connector.CAResult) (*connector.Bundle, error) {
	leaf, err := x509.ParseCertificate(r.Certificate)
	if err != nil {
		return nil, err
	}
	if err := leaf.CheckSignatureFrom(i.ca.cert); err != nil {
		return nil, &connector.Rejection{Reason: wsproto.ReasonCertificateChain, Message: "not of this CA", Err: err}
	}
	key, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		return nil, err
	}
	bundle := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate})...)
	made := &connector.Bundle{PKCS12: append(bundle, make([]byte, i.padding)...)}
	if o.Recipient != nil {
		made.Password = bundlePassword
	}
	if i.finish != nil {
		i.finish(o, made)
	}
	return made, nil
}

// submitted returns how often Submit was called.
func (i *modelIssuer) submitted() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.submits
}

// openBundle returns the certificate of a bundle after it has proved that the key belongs to it.
func openBundle(t testing.TB, bundle []byte) *x509.Certificate {
	t.Helper()
	first, rest := pem.Decode(bundle)
	require.NotNil(t, first)
	key, err := x509.ParsePKCS8PrivateKey(first.Bytes)
	require.NoError(t, err)
	second, _ := pem.Decode(rest)
	require.NotNil(t, second)
	cert, err := x509.ParseCertificate(second.Bytes)
	require.NoError(t, err)
	require.True(t, key.(crypto.Signer).Public().(*ecdsa.PublicKey).Equal(cert.PublicKey), "the key of the bundle is not that of its certificate")
	return cert
}

// findingIssuer may also read the database of the CA.
type findingIssuer struct{ *modelIssuer }

func (i findingIssuer) Find(_ context.Context, _ *connector.Order, l connector.Lookup) (*connector.CAResult, error) {
	i.ca.mu.Lock()
	defer i.ca.mu.Unlock()
	for _, r := range i.ca.rows {
		if bytes.Equal(r.request, l.Request) && r.account == l.Account {
			return r.answer()
		}
	}
	return nil, nil
}

// vagueFinder looks up with an error.
type vagueFinder struct {
	*modelIssuer
	err error
}

func (i vagueFinder) Find(context.Context, *connector.Order, connector.Lookup) (*connector.CAResult, error) {
	return nil, i.err
}

// keyHash is the hash by which outcomes name a key.
func keyHash(t testing.TB, request []byte) []byte {
	csr, err := x509.ParseCertificateRequest(request)
	require.NoError(t, err)
	sum := sha256.Sum256(csr.RawSubjectPublicKeyInfo)
	return sum[:]
}

// secretOf is what a checkpoint keeps of a key.
func secretOf(t testing.TB, key *ecdsa.PrivateKey) wsproto.CheckpointSecret {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	require.NoError(t, err)
	return wsproto.CheckpointSecret{PrivateKey: der, Request: request}
}
