package keygen_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// plainRequest asks for what the standard library alone can write, too; fullRequest for everything.
func plainRequest() *keygen.Request {
	return &keygen.Request{Subject: "CN=alice,OU=Staff,O=Corp", DNSNames: []string{"alice.corp.test"}}
}

func fullRequest() *keygen.Request {
	r := plainRequest()
	r.UPNs, r.SID, r.SIDForm, r.TemplateName = []string{"alice@corp.test"}, sampleSID, keygen.SIDBoth, "Device"
	r.KeyUsage, r.ExtKeyUsages = x509.KeyUsageDigitalSignature, oids("1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.311.20.2.2")
	r.ApplicationPolicies = r.ExtKeyUsages
	r.OSVersion = &keygen.OSVersion{Major: 10, Build: 26100, Platform: 2}
	r.ClientInfo = &keygen.ClientInfo{ClientID: 4711, Machine: "connector.corp.test", User: `CORP\svc`, Process: "connector"}
	return r
}

// BenchmarkCreateRequest makes a request and, before or after it in the same loop, one with the same key, subject and DNS
// name by the standard library alone. The medians and their ratio are printed, which what else the machine does leaves
// alone: for a request with the same contents, and for one with everything in it.
func BenchmarkCreateRequest(b *testing.B) {
	requests := map[string]*keygen.Request{"plain": plainRequest(), "full": fullRequest()}
	for _, alg := range keygen.Algorithms() {
		for _, contents := range []string{"plain", "full"} {
			b.Run(string(alg)+"/"+contents, func(b *testing.B) { compareRequests(b, alg, requests[contents]) })
		}
	}
}

func compareRequests(b *testing.B, alg keygen.Algorithm, request *keygen.Request) {
	key := testKey(b, alg)
	bare := &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "alice", OrganizationalUnit: []string{"Staff"}, Organization: []string{"Corp"}},
		DNSNames: []string{"alice.corp.test"},
	}
	var took [2][]time.Duration
	make := [2]func() ([]byte, error){
		func() ([]byte, error) { return keygen.CreateRequest(key, request) },
		func() ([]byte, error) { return x509.CreateCertificateRequest(rand.Reader, bare, key) },
	}
	n := 0
	for b.Loop() {
		for i := range make {
			which := (n + i) % len(make) // neither is always the first
			start := time.Now()
			_, err := make[which]()
			took[which] = append(took[which], time.Since(start))
			require.NoError(b, err)
		}
		n++
	}
	for i := range took {
		slices.Sort(took[i])
	}
	ours, floor := took[0][n/2], took[1][n/2]
	b.ReportMetric(ours.Seconds()*1e6, "ours-µs")
	b.ReportMetric(floor.Seconds()*1e6, "bare-µs")
	b.ReportMetric(ours.Seconds()/floor.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}
