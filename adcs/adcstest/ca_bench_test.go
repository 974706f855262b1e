package adcstest_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// BenchmarkIssue is what the CA adds to a certificate; BenchmarkCreateCertificate is the floor.
func BenchmarkIssue(b *testing.B) {
	ca := newAuthority(b)
	c := submission(b, "WebServer")
	for b.Loop() {
		if out := ca.Call(c); out.Disposition != issued {
			b.Fatalf("disposition %#x", out.Disposition)
		}
	}
}

func BenchmarkCreateCertificate(b *testing.B) {
	ca, key, leaf := newAuthority(b).Certificate(), newKey(b), newKey(b)
	parent := *ca
	parent.PublicKey = key.Public() // the CA's own key cannot be had
	for b.Loop() {
		_, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"},
			NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		}, &parent, leaf.Public(), key)
		if err != nil {
			b.Fatal(err)
		}
	}
}
