package keygen_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"log"

	"github.com/adcskit/adcskit/keygen"
)

func Example() {
	key, err := keygen.Generate(keygen.ECDSAP256)
	if err != nil {
		log.Fatal(err)
	}
	der, err := keygen.CreateRequest(key, &keygen.Request{
		Subject:  "CN=Alice,OU=Staff,O=Corp",
		DNSNames: []string{"alice-laptop.corp.test"},
		UPNs:     []string{"alice@corp.test"},
		SID:      "S-1-5-21-1-2-3-1105",
	})
	if err != nil {
		log.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(csr.Subject)
	fmt.Println(csr.DNSNames, csr.SignatureAlgorithm, csr.CheckSignature())
	// Output:
	// CN=Alice,OU=Staff,O=Corp
	// [alice-laptop.corp.test] ECDSA-SHA256 <nil>
}

func ExampleParseSubject() {
	name, err := keygen.ParseSubject(`OU=Sales+CN=J.  Smith,O=Sue\, Grabbit and Runn,C=GB`)
	fmt.Println(name, err)
	_, err = keygen.ParseSubject(`CN=two\0alines`)
	fmt.Println(err)
	// Output:
	// OU=Sales+CN=J.  Smith,O=Sue\, Grabbit and Runn,C=GB <nil>
	// keygen: subject refused: the value "two\nlines" of the type CN holds the character U+000A
}

// A pool hides how long RSA keys take from those who order a few at a time.
func ExamplePool() {
	pool, err := keygen.NewPool(keygen.PoolConfig{Ready: map[keygen.Algorithm]int{keygen.RSA2048: 2}})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go pool.Run(ctx)

	key, err := pool.Get(ctx, keygen.RSA2048)
	if err != nil {
		log.Fatal(err)
	}
	defer keygen.Wipe(key)
	alg, err := keygen.AlgorithmOf(key.Public())
	fmt.Println(alg, err)
	// Output: rsa2048 <nil>
}
