package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// attestation is what a tenant wants to be shown of where its connectors keep their keys. Paths are relative to the
// configuration.
type attestation struct {
	Policy          gateway.AttestationPolicy `json:"policy"`          // any, tpm or tpm-verified; any if left out
	EKRoots         string                    `json:"ekRoots"`         // PEM or DER: CAs of TPM manufacturers
	EKIntermediates string                    `json:"ekIntermediates"` // PEM or DER: CAs between those and EK certificates
	EKHashes        []string                  `json:"ekHashes"`        // of the EKs of TPMs that are known one by one
}

// check refuses what could not work: an unknown policy, and one that no connector could ever satisfy.
func (a *attestation) check() error {
	switch a.Policy {
	case "", gateway.AttestationAny, gateway.AttestationTPM:
	case gateway.AttestationVerified:
		if a.EKRoots == "" && len(a.EKHashes) == 0 {
			return fmt.Errorf("policy %s needs ekRoots or ekHashes: without one every connector would be refused", a.Policy)
		}
	default:
		return fmt.Errorf("policy %q is not any, tpm or tpm-verified", string(a.Policy))
	}
	if a.EKIntermediates != "" && a.EKRoots == "" {
		return errors.New("ekIntermediates lead to nothing without ekRoots")
	}
	_, err := a.hashes()
	return err
}

// hashes are the EK hashes as the command show of a connector prints them.
func (a *attestation) hashes() ([][sha256.Size]byte, error) {
	hashes := make([][sha256.Size]byte, len(a.EKHashes))
	for i, text := range a.EKHashes {
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != sha256.Size {
			return nil, fmt.Errorf("ekHashes: %q is no SHA-256 hash of %d hexadecimal digits", text, 2*sha256.Size)
		}
		hashes[i] = [sha256.Size]byte(raw)
	}
	return hashes, nil
}

// verifier reads the certificates and makes what verifies the evidence of connectors.
func (a *attestation) verifier() (*tpm.Verifier, error) {
	roots, err := pool(a.EKRoots)
	if err != nil {
		return nil, fmt.Errorf("ekRoots: %w", err)
	}
	intermediates, err := pool(a.EKIntermediates)
	if err != nil {
		return nil, fmt.Errorf("ekIntermediates: %w", err)
	}
	hashes, err := a.hashes()
	if err != nil {
		return nil, err
	}
	return tpm.NewVerifier(tpm.VerifierOptions{Roots: roots, Intermediates: intermediates, EKHashes: hashes}), nil
}

// pool reads certificates. Without a file it is empty, and not that of the system: no public CA speaks for TPMs.
func pool(path string) (*x509.CertPool, error) {
	p := x509.NewCertPool()
	if path == "" {
		return p, nil
	}
	certs, err := cli.Certificates(path)
	for _, c := range certs {
		p.AddCert(c)
	}
	return p, err
}

// verifiers has one for each tenant: what one of them trusts is nothing to the others.
type verifiers map[string]*tpm.Verifier

func newVerifiers(c *config) (verifiers, error) {
	all := make(verifiers, len(c.Tenants))
	for name := range c.Tenants {
		a := c.Attestation[name]
		v, err := a.verifier()
		if err != nil {
			return nil, fmt.Errorf("attestation: %s: %w", name, err)
		}
		all[name] = v
	}
	return all, nil
}

// Challenge makes verifiers a [gateway.AttestationVerifier].
func (v verifiers) Challenge(ctx context.Context, tenant string, evidence json.RawMessage, identityKey, decryptionKey []byte) (
	credentials json.RawMessage, verify func(activation json.RawMessage) (level, detail string, err error), err error,
) {
	one, ok := v[tenant]
	if !ok {
		return nil, nil, fmt.Errorf("%w: tenant %q", gateway.ErrNotFound, tenant)
	}
	return one.Challenge(ctx, tenant, evidence, identityKey, decryptionKey)
}
