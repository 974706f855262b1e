//go:build unix

package issuer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/adcskit/adcskit/wsproto"
)

// inFlight is how many orders are under way at once.
const inFlight = 8

// BenchmarkWholePath measures the CPU time of a certificate over the whole path in one process: gateway, WebSocket over
// TLS, connector, sealed DCE/RPC, CA, verification and .p12. In the same run it measures the floor, what nobody can do
// without, with the bare libraries: a key pair, a certification request, the CA's signature, and one encoding and one
// decoding of the .p12. The ratio is path/floor.
//
// RSA keys take a time that varies as much as its mean: use -benchtime 300x or more for a ratio that means something.
func BenchmarkWholePath(b *testing.B) {
	b.Run("p256", func(b *testing.B) {
		benchmarkPath(b, "p256", func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	})
	b.Run("rsa2048", func(b *testing.B) {
		benchmarkPath(b, "rsa2048", func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	})
}

func benchmarkPath(b *testing.B, algorithm string, generate func() (crypto.Signer, error)) {
	p := startPath(b, inFlight)
	p.order(b, algorithm) // the first one connects
	begin := cpuTime(b)
	b.ResetTimer()
	p.orderMany(b, algorithm, b.N)
	b.StopTimer()
	path := cpuTime(b) - begin

	f := newFloor(b)
	begin = cpuTime(b)
	f.runMany(b, generate, b.N)
	floor := cpuTime(b) - begin

	perCertificate := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(b.N) }
	b.ReportMetric(perCertificate(path), "path-cpu-ms/cert")
	b.ReportMetric(perCertificate(floor), "floor-cpu-ms/cert")
	b.ReportMetric(float64(path)/float64(floor), "ratio")
}

// cpuTime is what this process has used so far, in user and kernel mode.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// concurrently runs work n times, inFlight at once.
func concurrently(n int, work func()) {
	var left atomic.Int64
	left.Store(int64(n))
	var running sync.WaitGroup
	for range inFlight {
		running.Go(func() {
			for left.Add(-1) >= 0 {
				work()
			}
		})
	}
	running.Wait()
}

// orderMany orders n certificates.
func (p *path) orderMany(b *testing.B, algorithm string, n int) {
	concurrently(n, func() { p.order(b, algorithm) })
}

// order orders one certificate and waits until it is delivered.
func (p *path) order(tb testing.TB, algorithm string) {
	ctx := context.Background()
	id, err := p.gateway.Order(ctx, pathTenant, p.device(algorithm), nil)
	if err != nil {
		tb.Error(err)
		return
	}
	outcome, err := p.gateway.Wait(ctx, pathTenant, id)
	if err != nil || outcome.Kind != wsproto.Issued || len(outcome.PKCS12) == 0 {
		tb.Errorf("outcome %q, %s %s: %v", outcome.Kind, outcome.Reason, outcome.Message, err)
	}
}

// floor does what cannot be left out, with nothing around it.
type floor struct {
	caKey  *ecdsa.PrivateKey
	issuer *x509.Certificate
}

func newFloor(b *testing.B) *floor {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	return &floor{caKey: key, issuer: selfSigned(b, key)}
}

func (f *floor) runMany(b *testing.B, generate func() (crypto.Signer, error), n int) {
	// The certificate is signed beforehand for a key of its own: of the CA's work only the signature belongs to the floor.
	key, err := generate()
	require.NoError(b, err)
	leaf := certify(b, f.issuer, f.caKey, key.Public())
	concurrently(n, func() {
		if err := f.run(generate, key, leaf); err != nil {
			b.Error(err)
		}
	})
}

func (f *floor) run(generate func() (crypto.Signer, error), key crypto.Signer, leaf *x509.Certificate) error {
	fresh, err := generate()
	if err != nil {
		return err
	}
	request := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "bench"}, DNSNames: []string{"bench.devices.corp.test"}}
	if _, err := x509.CreateCertificateRequest(rand.Reader, request, fresh); err != nil {
		return err
	}
	digest := sha256.Sum256(leaf.RawTBSCertificate)
	if _, err := ecdsa.SignASN1(rand.Reader, f.caKey, digest[:]); err != nil {
		return err
	}
	const password = "correct-horse-battery-staple"
	p12, err := gopkcs12.LegacyDES.Encode(key, leaf, []*x509.Certificate{f.issuer}, password)
	if err != nil {
		return err
	}
	_, _, _, err = gopkcs12.DecodeChain(p12, password)
	return err
}
