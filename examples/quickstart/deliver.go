package main

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/adcskit/adcskit/pkcs12"
)

// deliver writes NAME.p12 and NAME.password, reads both back, and verifies what is in them. A real tenant puts them into
// a configuration profile.
func (r *result) deliver(folder string, chain []*x509.Certificate) error {
	file, word := filepath.Join(folder, r.name+".p12"), filepath.Join(folder, r.name+".password")
	if err := errors.Join(writePrivate(file, r.outcome.PKCS12), writePrivate(word, []byte(r.order.order.Password+"\n"))); err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	key, certs, err := pkcs12.Decode(raw, r.order.order.Password)
	if err != nil {
		return err
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(certs[0].PublicKey) {
		return fmt.Errorf("%s: the key is not that of the certificate", file)
	}
	if got := hex.EncodeToString(certs[0].SerialNumber.Bytes()); got != r.outcome.Serial {
		return fmt.Errorf("%s: serial number %s, the outcome says %s", file, got, r.outcome.Serial)
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[len(chain)-1])
	for _, c := range certs[1:] {
		intermediates.AddCert(c)
	}
	_, err = certs[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSName: r.order.order.DNS[0],
	})
	return err
}

// writePrivate writes a file that only its owner may read, also when it was there before with another mode.
func writePrivate(path string, data []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// writeCA writes the CA's certificates, the issuing one first and the root last.
func writeCA(folder string, chain []*x509.Certificate) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var out []byte
	for _, c := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return os.WriteFile(filepath.Join(folder, "ca.pem"), out, 0o644)
}

// stages are where the time goes, in milliseconds, as the connector measured it.
var stages = [...]string{"prepare", "checkpoint", "submit", "retrieve", "finish"}

func printTable(w io.Writer, results []result) {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "subject\tkey\tCA request\toutcome\tserial\t")
	for _, s := range stages {
		fmt.Fprintf(t, "%s ms\t", s)
	}
	fmt.Fprintln(t)
	for _, r := range results {
		id := "-"
		if r.outcome.RequestID != 0 {
			id = fmt.Sprint(r.outcome.RequestID)
		}
		serial := r.outcome.Serial
		if serial == "" {
			serial = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t", r.order.order.Subject, r.order.order.Key, id, r.outcome.Kind, serial)
		for _, s := range stages {
			if ms, ok := r.outcome.TimingsMS[s]; ok {
				fmt.Fprintf(t, "%d\t", ms)
			} else {
				fmt.Fprint(t, "-\t")
			}
		}
		fmt.Fprintln(t)
	}
	t.Flush()
	for _, r := range results {
		switch {
		case r.err != nil:
			fmt.Fprintf(w, "WRONG  %s: %v\n", r.name, r.err)
		case r.outcome.Message != "" && r.outcome.Kind != "issued":
			fmt.Fprintf(w, "%s: %s (%s)\n", r.name, r.outcome.Message, r.outcome.Reason)
		}
	}
}
