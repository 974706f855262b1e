package tpm_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/adcskit/adcskit/tpm"
)

// requestOf makes a key in a TPM and writes its file and a certification request.
func requestOf(path string, out io.Writer) error {
	ctx := context.Background()
	device, err := tpm.Open(path, nil)
	if err != nil {
		return err
	}
	defer device.Close()
	file, err := device.NewSigner(ctx, tpm.P256)
	if err != nil {
		return err
	}
	if _, err := out.Write(file); err != nil { // worth nothing in another machine
		return err
	}
	signer, err := device.Signer(ctx, file)
	if err != nil {
		return err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "connector.example"}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, signer)
	if err != nil {
		return err
	}
	return pem.Encode(out, &pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// A key in the TPM of this machine, if there is one, signs a certification request.
func Example_certificationRequest() {
	err := requestOf("auto", os.Stdout)
	if errors.Is(err, tpm.ErrNoTPM) {
		fmt.Println("keep the key in a file instead, since", err)
	}
}
