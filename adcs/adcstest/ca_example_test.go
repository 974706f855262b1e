package adcstest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/keygen"
)

// submit asks a server for a certificate as its first user.
func submit(server *adcstest.Server, template, subject string) (*adcs.Client, *adcs.Result, error) {
	user := server.User()
	client, err := adcs.New(server.Host(), server.Name(), adcs.Password(user.Account(), user.Password),
		&adcs.Options{AllowNTLM: true, DialContext: server.DialContext})
	if err != nil {
		return nil, nil, err
	}
	key, err := keygen.Generate(keygen.ECDSAP256)
	if err != nil {
		return client, nil, err
	}
	csr, err := keygen.CreateRequest(key, &keygen.Request{Subject: subject})
	if err != nil {
		return client, nil, err
	}
	result, err := client.Submit(context.Background(), adcs.Request{CSR: csr, Template: template})
	return client, result, err
}

// Templates are data: this one takes no key below 3072 bits, and that one takes requests of Bob alone.
func ExampleTemplate() {
	server, err := adcstest.NewServer(&adcstest.Options{Templates: []adcstest.Template{
		{Name: "Strong", MinimumKeySize: 3072},
		{Name: "ForBob", Enroll: []string{`CORP\bob`}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	for _, name := range []string{"Strong", "ForBob", "Misspelt"} {
		client, _, err := submit(server, name, "CN=device")
		fmt.Println(errors.Is(err, adcs.ErrKeyLength), errors.Is(err, adcs.ErrTemplateDenied),
			errors.Is(err, adcs.ErrUnsupportedCertType))
		client.Close()
	}
	// Output:
	// true false false
	// false true false
	// false false true
}

// Subject and names can come from the server's directory, whatever the request says.
func ExampleDirectorySubject() {
	server, err := adcstest.NewServer(&adcstest.Options{
		Users:     []adcstest.User{{Name: "alice", Password: "secret"}},
		Templates: []adcstest.Template{{Name: "User", Directory: &adcstest.DirectorySubject{Email: true}}},
		Directory: []adcstest.Entry{{
			Account: `CORP\alice`, CommonName: "Alice", Email: "alice@corp.test", SID: "S-1-5-21-1-2-3-1105",
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, result, err := submit(server, "User", "CN=somebody else")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(result.Certificate.Subject, result.Certificate.EmailAddresses)
	// Output:
	// CN=Alice [alice@corp.test]
}

// A template can hold requests until the CA's manager has decided, which is the test.
func ExampleServer_Approve() {
	server, err := adcstest.NewServer(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, result, err := submit(server, "DeviceHeld", "CN=device")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(result.Disposition, result.Message)

	if err := server.Approve(result.RequestID); err != nil {
		fmt.Println(err)
		return
	}
	result, err = client.Retrieve(context.Background(), result.RequestID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Disposition, result.Certificate.Subject)
	for _, r := range server.Requests() {
		fmt.Println(r.ID, r.Requester, r.Template, r.Subject)
	}
	// Output:
	// pending Taken Under Submission
	// issued CN=device
	// 1 CORP\enroller DeviceHeld CN=device
}
