package adcs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

func ExampleExplain() {
	// What Submit returns for a request that does not say which template it is for.
	var err error = &adcs.RequestError{RequestID: 1042, Code: adcs.ErrNoCertType}

	if errors.Is(err, adcs.ErrNoCertType) {
		fmt.Println("no template")
	}
	explanation := adcs.Explain(err)
	fmt.Println(explanation.Summary)
	fmt.Println(explanation.Remedy)
	fmt.Println("retry:", explanation.Retry)
	// Output:
	// no template
	// The CA refused request 1042: the request names no certificate template.
	// Name a template in the request.
	// retry: never
}

// What the CA issued is compared with the request. The roots are configured by whoever runs the program; here they come
// from a CA in the same process, and never from an answer.
func ExampleVerify() {
	server, err := adcstest.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	user := server.User()
	client, err := adcs.New(server.Host(), server.Name(), adcs.Password(user.Account(), user.Password),
		&adcs.Options{AllowNTLM: true, DialContext: server.DialContext})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "www.corp.test"}, DNSNames: []string{"www.corp.test"},
	}, key)
	if err != nil {
		log.Fatal(err)
	}
	result, err := client.Submit(context.Background(), adcs.Request{CSR: csr, Template: "WebServer"})
	if err != nil {
		log.Fatal(adcs.Explain(err).Remedy)
	}

	expect, err := adcs.ExpectRequest(csr) // key, subject, names and SID, as they were ordered
	if err != nil {
		log.Fatal(err)
	}
	expect.Roots, expect.Intermediates = roots, result.Chain
	chain, err := adcs.Verify(result.Certificate, expect)
	if wrong, ok := errors.AsType[*adcs.VerifyError](err); ok {
		log.Fatalf("serial %x must not be used: %v", result.Certificate.SerialNumber, wrong)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(chain[0].Subject.CommonName, "issued by", chain[len(chain)-1].Subject.CommonName)

	// A request for another name would not have been answered by this certificate.
	expect.DNSNames = []string{"mail.corp.test"}
	_, err = adcs.Verify(result.Certificate, expect)
	fmt.Println(errors.Is(err, adcs.MismatchNames))
	// Output:
	// www.corp.test issued by Test CA
	// true
}
