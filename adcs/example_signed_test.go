package adcs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// A certificate is renewed with a new key: the old one signs the request, and the new certificate is for the same
// names.
func ExampleRenewalRequest() {
	server, err := adcstest.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	user := server.User()
	client, err := adcs.New(server.Host(), server.Name(), adcs.Password(user.Account(), user.Password),
		&adcs.Options{AllowNTLM: true, DialContext: server.DialContext})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	oldKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "pc1"}, DNSNames: []string{"pc1.corp.test"},
	}, oldKey)
	if err != nil {
		log.Fatal(err)
	}
	first, err := client.Submit(context.Background(), adcs.Request{CSR: csr, Template: "Device"})
	if err != nil {
		log.Fatal(adcs.Explain(err).Remedy)
	}

	newKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	renewal, err := adcs.RenewalRequest(nil, newKey, first.Certificate, oldKey)
	if err != nil {
		log.Fatal(err)
	}
	second, err := client.Submit(context.Background(), adcs.Request{CSR: renewal, Template: "Device"})
	if err != nil {
		log.Fatal(adcs.Explain(err).Remedy)
	}
	fmt.Println(second.Certificate.Subject, second.Certificate.DNSNames)
	fmt.Println(newKey.PublicKey.Equal(second.Certificate.PublicKey))
	// Output:
	// CN=pc1 [pc1.corp.test]
	// true
}
