package main

import (
	"crypto/ecdh"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/pkcs12/sealed"
)

// show prints the header of a bundle.
func show(file string, out io.Writer) error {
	text, err := cli.ReadFile(file, sealed.MaxBundle)
	if err != nil {
		return err
	}
	h, err := sealed.Inspect(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	_, err = fmt.Fprintf(out, `tenant         %q
job            %q
recipient      %q
recipient key  %x (%s)
certificate    %x
signed by      %x
`, h.Tenant, h.Job, h.Recipient, h.RecipientKey, h.KEM, h.Thumbprint, h.Connector)
	return err
}

// open opens a bundle and writes what is in it.
func open(keyFile, sealedFile, name string, want sealed.Expect, out io.Writer) error {
	if len(want.Signers) == 0 {
		return cli.Usagef("who may have made the bundle? Give -signer; connector show prints it")
	}
	for _, extension := range []string{".p12", ".password"} {
		if _, err := os.Lstat(name + extension); err == nil {
			return cli.Usagef("%s is there already: choose another NAME, or remove it", name+extension)
		}
	}
	key, err := recipientKey(keyFile)
	if err != nil {
		return err
	}
	b, leaf, err := unseal(sealedFile, key, want)
	if err != nil {
		return fmt.Errorf("%s: %w", sealedFile, err)
	}
	defer clear(b.PKCS12)
	if err := write(name, b); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s.p12: %q, serial %x, until %s, made by %x\n",
		name, leaf.Subject.String(), leaf.SerialNumber, leaf.NotAfter.Format("2006-01-02"), b.Header.Connector)
	return err
}

// unseal opens a bundle and sees that it holds the certificate that its header names, with its key.
func unseal(file string, key ecdh.KeyExchanger, want sealed.Expect) (*sealed.Bundle, *x509.Certificate, error) {
	text, err := cli.ReadFile(file, sealed.MaxBundle)
	if err != nil {
		return nil, nil, err
	}
	b, err := sealed.Open(text, key, want)
	if err != nil {
		return nil, nil, err
	}
	_, certs, err := pkcs12.Decode(b.PKCS12, b.Password)
	if err != nil {
		return nil, nil, err
	}
	if sha256.Sum256(certs[0].Raw) != b.Header.Thumbprint {
		return nil, nil, errors.New("the .p12 holds another certificate than the one that the bundle was signed for")
	}
	return b, certs[0], nil
}

// write writes both files, or none.
func write(name string, b *sealed.Bundle) error {
	if err := cli.CreatePrivate(name+".password", []byte(b.Password+"\n")); err != nil {
		return err
	}
	if err := cli.CreatePrivate(name+".p12", b.PKCS12); err != nil {
		return errors.Join(err, os.Remove(name+".password"))
	}
	return nil
}
