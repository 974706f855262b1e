package pkcs12_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"time"

	"github.com/adcskit/adcskit/pkcs12"
)

func Example() {
	key, cert := identity()
	password, err := pkcs12.NewPassword()
	if err != nil {
		log.Fatal(err)
	}
	file, err := pkcs12.Encode(pkcs12.Compat(), key, []*x509.Certificate{cert}, password)
	if err != nil {
		log.Fatal(err)
	}
	opened, chain, err := pkcs12.Decode(file, password)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Equal(opened), chain[0].Subject)
	// Output: true CN=alice
}

// identity stands for the key of keygen and the certificate that a CA issued for it.
func identity() (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "alice"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	return key, cert
}
