package adcstest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// A certificate is revoked, and the next CRL says so.
func ExampleServer_Revoke() {
	server, err := adcstest.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := exampleClient(server)
	defer client.Close()
	result, err := client.Submit(context.Background(), adcs.Request{CSR: exampleCSR("laptop-17"), Template: "Device"})
	if err != nil {
		log.Fatal(err)
	}

	const keyCompromise = 1
	serial := server.Requests()[0].Serial
	if err := server.Revoke(serial, keyCompromise, time.Now()); err != nil {
		log.Fatal(err)
	}
	if err := server.PublishCRLs(); err != nil {
		log.Fatal(err)
	}
	lists, err := server.CRLs()
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range lists[0].RevokedCertificateEntries {
		fmt.Println(e.SerialNumber.Cmp(result.Certificate.SerialNumber) == 0, e.ReasonCode)
	}
	// Output: true 1
}
