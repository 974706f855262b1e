package sealed_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log"

	"github.com/adcskit/adcskit/pkcs12/sealed"
)

// The recipient makes a key, whose public part goes into the order. It knows the fingerprint of the connector.
func Example() {
	recipient, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	bundle, connector := deliver(recipient.PublicKey()) // by whatever way

	opened, err := sealed.Open(bundle, recipient, sealed.Expect{Signers: [][sha256.Size]byte{connector}, Tenant: "acme", Job: "job-1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(opened.Header.Recipient, len(opened.PKCS12), "bytes")

	_, err = sealed.Open(bundle, recipient, sealed.Expect{Signers: [][sha256.Size]byte{connector}, Job: "job-2"})
	fmt.Println(errors.Is(err, sealed.ErrContext))
	// Output:
	// laptop-17 8 bytes
	// true
}

// deliver stands for the connector, which seals what it has made, and for everybody who relays it.
func deliver(to *ecdh.PublicKey) (bundle []byte, connector [sha256.Size]byte) {
	identity, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	bundle, err = sealed.Seal(identity, to, sealed.Bundle{
		Header: sealed.Header{Tenant: "acme", Job: "job-1", Recipient: "laptop-17", Thumbprint: sha256.Sum256([]byte("certificate"))},
		PKCS12: []byte("the .p12"), Password: "from pkcs12.NewPassword",
	})
	if err != nil {
		log.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(identity.Public())
	if err != nil {
		log.Fatal(err)
	}
	connector, err = sealed.Fingerprint(spki)
	if err != nil {
		log.Fatal(err)
	}
	return bundle, connector
}
