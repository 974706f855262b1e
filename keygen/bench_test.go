package keygen_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// BenchmarkCreateRequest makes a request and, right after it in the same loop, one with the same key, subject and DNS
// name by the standard library alone. The ratio is printed.
func BenchmarkCreateRequest(b *testing.B) {
	for _, alg := range []keygen.Algorithm{keygen.ECDSAP256, keygen.ECDSAP384, keygen.RSA2048} {
		b.Run(string(alg), func(b *testing.B) {
			key := testKey(b, alg)
			request := &keygen.Request{
				Subject: "CN=alice,OU=Staff,O=Corp", DNSNames: []string{"alice.corp.test"}, UPNs: []string{"alice@corp.test"},
				SID: sampleSID,
			}
			bare := &x509.CertificateRequest{
				Subject:  pkix.Name{CommonName: "alice", OrganizationalUnit: []string{"Staff"}, Organization: []string{"Corp"}},
				DNSNames: []string{"alice.corp.test"},
			}
			var ours, floor time.Duration
			for b.Loop() {
				start := time.Now()
				_, err := keygen.CreateRequest(key, request)
				ours += time.Since(start)
				require.NoError(b, err)

				start = time.Now()
				_, err = x509.CreateCertificateRequest(rand.Reader, bare, key)
				floor += time.Since(start)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(ours)/float64(b.N)/1e3, "ours-µs")
			b.ReportMetric(float64(floor)/float64(b.N)/1e3, "bare-µs")
			b.ReportMetric(float64(ours)/float64(floor), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}
