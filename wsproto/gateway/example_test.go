package gateway_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// A gateway for one tenant. No connector is there, so the order ends as expired.
func Example() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	g, err := gateway.New(gateway.Config{
		Tenant: func(r *http.Request) (string, error) {
			if r.PathValue("tenant") != "acme" {
				return "", errors.New("unknown tenant")
			}
			return "acme", nil
		},
		TenantKey: func(context.Context, string) (crypto.Signer, error) { return key, nil },
		Authority: "gateway.example",
		Store:     gateway.NewMemoryStore(),
		Timing:    &gateway.Timing{Poll: 10 * time.Millisecond},
	})
	if err != nil {
		panic(err)
	}
	defer g.Close()
	mux := http.NewServeMux()
	mux.Handle("/connect/{tenant}", g) // for an http.Server with TLS
	ctx := context.Background()
	go g.Run(ctx)

	id, err := g.Order(ctx, "acme", wsproto.Order{
		CA: wsproto.CAAssignment{Host: "ca.corp.example", Name: "Corp Issuing CA"}, Template: "Device",
		Subject: "CN=device-1", Key: "p256", Password: "chosen by the tenant",
	}, &gateway.OrderOptions{Life: 50 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	outcome, err := g.Wait(ctx, "acme", id)
	if err != nil {
		panic(err)
	}
	fmt.Println(outcome.Kind, outcome.Reason, outcome.Message)

	_, err = g.Order(ctx, "acme", wsproto.Order{Template: "Device"}, nil)
	fmt.Println(err)
	// Output:
	// expired no-connector no connector took the job in time
	// gateway: order refused: wsproto: member out of bounds: ca.host
}
