package main

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/adcskit/adcskit/tpm"
)

// endorsement is what the tenant can know a TPM by.
type endorsement struct {
	hash        string // SHA-256 of the endorsement key, hexadecimal
	certificate string // who vouches for it
}

// endorsement asks the TPM for its endorsement key.
func (k *keys) endorsement(ctx context.Context) (*endorsement, error) {
	evidence, err := k.attester.Evidence(ctx)
	if err != nil {
		return nil, err
	}
	hash, err := tpm.EvidenceEKHash(evidence)
	if err != nil {
		return nil, err
	}
	e := &endorsement{hash: hex.EncodeToString(hash[:]), certificate: "none"}
	var said struct {
		EK struct {
			Certificate []byte `json:"certificate"`
		} `json:"ek"`
	}
	if err := json.Unmarshal(evidence, &said); err != nil || len(said.EK.Certificate) == 0 {
		return e, err
	}
	e.certificate = "one that cannot be read"
	if c, err := x509.ParseCertificate(said.EK.Certificate); err == nil {
		e.certificate = fmt.Sprintf("issued by %q, valid until %s", c.Issuer, c.NotAfter.UTC().Format(time.DateOnly))
	}
	return e, nil
}

// where says where the keys are, and why there.
func (k *keys) where() string {
	if k.tpm == nil {
		return "files: " + k.why
	}
	return "in the TPM (" + k.tpm.Path() + ")"
}

// log says where the keys are, and why, and what the tenant is going to be shown of them.
func (k *keys) log(ctx context.Context, log *slog.Logger) {
	if k.tpm == nil {
		log.Info("identity", "keys", "software", "why", k.why)
		return
	}
	e, err := k.endorsement(ctx)
	switch {
	case ctx.Err() != nil: // it is to end
	case err != nil:
		log.Warn("identity", "keys", "tpm", "at", k.tpm.Path(), "error", err,
			"todo", "the TPM does not say who vouches for it; without that the connector cannot connect")
	case e.certificate == "none":
		log.Info("identity", "keys", "tpm", "at", k.tpm.Path(), "ekHash", e.hash, "ekCertificate", e.certificate,
			"todo", "if the tenant takes verified TPMs only, it has to be told the ekHash")
	default:
		log.Info("identity", "keys", "tpm", "at", k.tpm.Path(), "ekHash", e.hash, "ekCertificate", e.certificate)
	}
}
