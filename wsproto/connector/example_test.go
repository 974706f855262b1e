package connector_test

import (
	"context"
	"fmt"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// A policy is data, and refuses what no rule names.
func ExamplePolicy() {
	policy := connector.Policy{
		CAs:           []wsproto.CAAssignment{{Host: "ca.corp.test", Name: "Corp Issuing CA"}},
		Templates:     []string{"Device"},
		Keys:          []string{"p256"},
		Subjects:      []string{"CN=*.devices.corp.test"},
		DNS:           []string{".devices.corp.test"},
		OrdersPerHour: 100,
		Passwords:     true,
	}
	rules, err := policy.Compile()
	if err != nil {
		fmt.Println(err)
		return
	}
	order := connector.Order{Order: wsproto.Order{
		CA: wsproto.CAAssignment{Host: "ca.corp.test", Name: "Corp Issuing CA"}, Template: "Device", Key: "p256",
		Subject: "CN=printer.devices.corp.test", DNS: []string{"printer.devices.corp.test"}, Password: "correct-horse",
	}}
	fmt.Println(rules.Allow(context.Background(), order))
	order.DNS = append(order.DNS, "dc01.corp.test")
	fmt.Println(rules.Allow(context.Background(), order))
	// Output:
	// <nil>
	// connector: local policy (dns): the name "dc01.corp.test" fits no rule
}

// An identity is made once, and the same ever after.
func ExampleLoadOrCreateIdentity() {
	identity, err := connector.LoadOrCreateIdentity("/var/lib/adcskit-connector")
	if err != nil {
		fmt.Println(err)
		return
	}
	code, err := wsproto.ParseEnrollmentCode("adcs1…") // as the tenant shows it, once
	if err != nil {
		fmt.Println(err)
		return
	}
	var issuer connector.Issuer // see examples/issuer
	var rules *connector.Rules  // see ExamplePolicy
	c, err := connector.New(connector.Config{
		URL: "wss://gateway.example/connect/acme", Tenant: "acme", Enrollment: code,
		Identity: identity.Signer(), Decryption: identity.Decryption(), Instance: identity.Instance(),
		Issuer: issuer, Policy: rules.Allow,
		Options: &connector.Options{OnRegistered: identity.Register},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Run(context.Background())) // until the context ends, or a person has to act
}
