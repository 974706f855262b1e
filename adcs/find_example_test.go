package adcs_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/adcskit/adcskit/adcs"
)

// A request whose answer was lost is looked for in the CA's database, and not submitted again.
func ExampleClient_Find() {
	ctx := context.Background()
	var client *adcs.Client // made by adcs.New
	var csr []byte          // the certification request

	_, err := client.Submit(ctx, adcs.Request{CSR: csr, Template: "Device"})
	unknown, ok := errors.AsType[*adcs.OutcomeUnknownError](err)
	if !ok {
		return
	}
	rows, err := client.Find(ctx, adcs.Lookup{Request: csr, Requester: `CORP\svc-adcs`, Time: unknown.Time})
	if err != nil {
		log.Fatal(adcs.Explain(err).Remedy)
	}
	result, err := adcs.Settle(rows)
	switch {
	case err != nil:
		fmt.Println("the CA refused it:", err)
	case result == nil:
		fmt.Println("still unknown: that there is no row proves nothing")
	case result.Disposition == adcs.Pending:
		fmt.Println("held as request", result.RequestID)
	default:
		fmt.Println("issued; client.Retrieve has the chain too, of request", result.RequestID)
	}
}

// A manager approves a request, and revokes the certificate when its key was lost.
func ExampleClient_Manager() {
	ctx := context.Background()
	var client *adcs.Client // made by adcs.New, of an account with the right Issue and Manage Certificates
	manager := client.Manager()

	if _, err := manager.Approve(ctx, 1042); err != nil {
		log.Fatal(adcs.Explain(err).Remedy)
	}
	err := manager.Revoke(ctx, "610000000254f0", &adcs.Revocation{Reason: adcs.ReasonKeyCompromise})
	if err == nil {
		err = manager.PublishCRL(ctx, nil)
	}
	if err != nil {
		log.Fatal(adcs.Explain(err).Remedy)
	}
}
