package adcstest_test

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
	"os"
	"path/filepath"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// exampleCSR makes a certification request with a fresh key.
func exampleCSR(name string) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: name},
	}, key)
	if err != nil {
		log.Fatal(err)
	}
	return csr
}

// exampleClient is a client of the server's CA, logged on as its first user.
func exampleClient(server *adcstest.Server) *adcs.Client {
	user := server.User()
	client, err := adcs.New(server.Host(), server.Name(), adcs.Password(user.Account(), user.Password),
		&adcs.Options{AllowNTLM: true, Transport: adcs.TransportTCP, DialContext: server.DialContext})
	if err != nil {
		log.Fatal(err)
	}
	return client
}

func ExampleNewServer() {
	server, err := adcstest.NewServer(&adcstest.Options{
		Name:  "Corp Issuing CA",
		Host:  "pki.corp.test",
		Users: []adcstest.User{{Name: "svc-enroll", Password: "correct horse"}},
	})
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
	fmt.Println(result.Certificate.Subject, "by", result.Certificate.Issuer.CommonName)
	for _, row := range server.Requests() {
		fmt.Println(row.ID, row.Requester, row.Template)
	}
	// Output:
	// CN=laptop-17 by Corp Issuing CA
	// 1 CORP\svc-enroll Device
}

// The answer gets lost after the CA has issued the certificate: the client must not say that nothing happened.
func ExampleServer_InjectFault() {
	server, err := adcstest.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := exampleClient(server)
	defer client.Close()

	server.InjectFault(adcstest.Fault{Cut: adcstest.CutBeforeAnswer})
	_, err = client.Submit(context.Background(), adcs.Request{CSR: exampleCSR("lost"), Template: "Device"})
	fmt.Println(errors.Is(err, adcs.ErrOutcomeUnknown), len(server.Requests()))
	// Output: true 1
}

// Faults by the number of the call.
func ExampleOptions() {
	server, err := adcstest.NewServer(&adcstest.Options{
		Fault: func(c adcstest.Call) *adcstest.Fault {
			if c.EndpointMapper || c.N != 2 {
				return nil
			}
			return &adcstest.Fault{Status: 0x1c010014, NotExecuted: true} // nca_s_server_too_busy
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := exampleClient(server)
	defer client.Close()

	for range 3 {
		_, err := client.Retrieve(context.Background(), 1)
		if refused, ok := errors.AsType[*adcs.RequestError](err); ok {
			fmt.Println("the CA answered:", refused.Code == adcs.ErrPropertyEmpty)
		} else {
			fmt.Println("the CA did not answer:", err != nil)
		}
	}
	// Output:
	// the CA answered: true
	// the CA did not answer: true
	// the CA answered: true
}

// How a client that takes a dialer is led to the server.
func ExampleServer_DialContext() {
	server, err := adcstest.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	conn, err := server.DialContext(context.Background(), "tcp", server.Host()+":135")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.RemoteAddr().String() == server.EndpointMapper())
	// Output: true
}

// A logon with Kerberos, for which no KDC is needed.
func ExampleServer_Ticket() {
	server, err := adcstest.NewServer(&adcstest.Options{NTLM: adcstest.NTLMAbsent})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	ticket, err := server.Ticket(adcstest.TicketRequest{User: `CORP\alice`})
	if err != nil {
		log.Fatal(err)
	}
	cache := filepath.Join(dir, "ccache")
	if err := os.WriteFile(cache, ticket, 0o600); err != nil {
		log.Fatal(err)
	}
	client, err := adcs.New(server.Host(), server.Name(), adcs.CCache("", cache), &adcs.Options{
		Auth: adcs.AuthKerberos, Transport: adcs.TransportTCP, KRB5Conf: server.KRB5Config(), DialContext: server.DialContext,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	_, err = client.Submit(context.Background(), adcs.Request{CSR: exampleCSR("device"), Template: "Device"})
	fmt.Println(err, server.Requests()[0].Requester)
	// Output: <nil> CORP\alice
}
