package main

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/internal/cms"
	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/pkcs12"
)

// signedFlags are those of requests that somebody signs: who has a certificate to renew, or an enrollment agent.
type signedFlags struct {
	renew, renewKey                 string
	onBehalfOf, agentCert, agentKey string
	signerPasswordFile              string
}

func (f *signedFlags) add(s *flag.FlagSet) {
	s.StringVar(&f.renew, "renew", "", "`file` (.p12, or PEM) with the certificate to renew and its key, which signs the request; "+
		"subject, names and template are those of the certificate if none are given")
	s.StringVar(&f.renewKey, "renew-key", "", "PEM `file` with the key, if it is not in the file of -renew")
	s.StringVar(&f.onBehalfOf, "on-behalf-of", "", "`account` (DOMAIN\\name) that the certificate is for, with -agent-cert")
	s.StringVar(&f.agentCert, "agent-cert", "", "`file` (.p12, or PEM) with the certificate of the enrollment agent and its key")
	s.StringVar(&f.agentKey, "agent-key", "", "PEM `file` with the key, if it is not in the file of -agent-cert")
	s.StringVar(&f.signerPasswordFile, "signer-password-file", "",
		"`file` with the password of the .p12 of -renew or -agent-cert; $SIGNER_PASSWORD if empty")
}

func (f *signedFlags) check(retrieve bool) error {
	switch {
	case f.renew == "" && f.renewKey != "":
		return errors.New("-renew-key needs -renew")
	case f.renew != "" && f.onBehalfOf != "":
		return errors.New("-renew and -on-behalf-of: give one of them")
	case (f.onBehalfOf == "") != (f.agentCert == ""):
		return errors.New("-on-behalf-of and -agent-cert need each other")
	case f.agentCert == "" && f.agentKey != "":
		return errors.New("-agent-key needs -agent-cert")
	case retrieve && (f.renew != "" || f.onBehalfOf != ""):
		return errors.New("-retrieve takes what was asked for from -key-file")
	}
	return nil
}

// sign puts the request into CMS, if somebody has to sign it. Of a renewal, the request itself changes too.
func (e *enrollment) sign(asked bool) error {
	switch {
	case e.renew != "":
		old, oldKey, err := e.signer(e.renew, e.renewKey)
		if err != nil {
			return err
		}
		csr := e.csr
		if !asked {
			csr = nil
		}
		if e.signed, err = adcs.RenewalRequest(csr, e.key, old, oldKey); err != nil {
			return &usageError{err}
		}
		message, err := cms.Parse(e.signed)
		if err != nil {
			return err
		}
		e.csr = message.Content
	case e.onBehalfOf != "":
		agent, agentKey, err := e.signer(e.agentCert, e.agentKey)
		if err != nil {
			return err
		}
		if e.signed, err = adcs.OnBehalfOfRequest(e.csr, e.onBehalfOf, agent, agentKey); err != nil {
			return &usageError{err}
		}
	}
	return nil
}

// signer reads a certificate and its key.
func (f *signedFlags) signer(certFile, keyFile string) (*x509.Certificate, crypto.Signer, error) {
	b, err := cli.ReadFile(certFile, pkcs12.MaxFile)
	if err != nil {
		return nil, nil, err
	}
	defer clear(b)
	if block, _ := pem.Decode(b); block == nil && keyFile == "" {
		password, err := cli.Password(f.signerPasswordFile, "SIGNER_PASSWORD")
		if err != nil && !errors.Is(err, cli.ErrNoPassword) {
			return nil, nil, err
		}
		key, chain, err := pkcs12.Decode(b, password)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w; -signer-password-file names its password", certFile, err)
		}
		return chain[0], key, nil
	}
	if keyFile == "" {
		keyFile = certFile
	}
	return signerPEM(certFile, b, keyFile)
}

// signerPEM takes the first certificate of a file, in PEM or DER, and the first key of another one or the same.
func signerPEM(certFile string, b []byte, keyFile string) (*x509.Certificate, crypto.Signer, error) {
	der := b
	if block := find(b, "CERTIFICATE"); block != nil {
		der = block.Bytes
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("%s holds no certificate: %w", certFile, err)
	}
	text, err := cli.ReadFile(keyFile, maxKeyFile)
	if err != nil {
		return nil, nil, err
	}
	defer clear(text)
	block := find(text, pemKey)
	if block == nil {
		return nil, nil, fmt.Errorf("%s holds no %s in PEM (PKCS #8)", keyFile, pemKey)
	}
	defer clear(block.Bytes)
	key, err := keygen.ParsePrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	return cert, key, nil
}

// find returns the first PEM block of a type.
func find(b []byte, kind string) *pem.Block {
	for {
		block, rest := pem.Decode(b)
		if block == nil || block.Type == kind {
			return block
		}
		b = rest
	}
}
