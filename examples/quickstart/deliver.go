package main

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/adcskit/adcskit/pkcs12"
)

// deliver writes NAME.p12 and NAME.password, reads both back, and verifies what is in them. For an Apple device it writes
// NAME.mobileconfig too.
func (r *result) deliver(folder string, profile pkcs12.Profile, chain []*x509.Certificate) error {
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
	cas := certs[1:]
	if profile.Shape() == pkcs12.LeafOnly { // they are in the configuration profile
		cas = chain[:len(chain)-1]
		if err := r.writeConfiguration(folder, chain); err != nil {
			return err
		}
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[len(chain)-1])
	for _, c := range cas {
		intermediates.AddCert(c)
	}
	_, err = certs[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSName: r.order.order.DNS[0],
	})
	return err
}

// prepareFolder makes the folder and removes what an earlier run left in it: its files were signed by a CA that is gone.
func prepareFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	ours := regexp.MustCompile(`^((device-\d{2,5}|held)\.(p12|password|mobileconfig)|ca\.pem)$`)
	for _, f := range files {
		if ours.MatchString(f.Name()) {
			if err := os.Remove(filepath.Join(folder, f.Name())); err != nil {
				return err
			}
		}
	}
	return nil
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
	var out []byte
	for _, c := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return os.WriteFile(filepath.Join(folder, "ca.pem"), out, 0o644)
}
