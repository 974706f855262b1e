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
	cfg := connector.Config{
		URL: "wss://gateway.example/connect/acme", Tenant: "acme", Enrollment: code,
		Issuer: issuer, Policy: rules.Allow,
	}
	identity.Configure(&cfg)
	c, err := connector.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Run(context.Background())) // until the context ends, or a person has to act
}

// Keys move from files into a TPM, or to new ones in it, while jobs are open. The connector is made anew with them.
func ExampleIdentity_Rotate() {
	var store connector.KeyStore // such as tpm.TPM.Store
	folder := "/var/lib/adcskit-connector"
	identity, err := connector.LoadOrCreateIdentity(folder) // OpenIdentity(folder, store), if it is in the store already
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := identity.Rotate("acme", store); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("from now on it is opened with", store.Kind())
}
