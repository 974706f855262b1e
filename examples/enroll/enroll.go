package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
)

// errHeld says that a manager has to decide.
var errHeld = errors.New("the request is held: a manager of the CA has to decide")

// enrollment is one certificate on its way to its file.
type enrollment struct {
	flags
	client      *adcs.Client
	key         crypto.Signer
	csr         []byte // nil with a key file that does not hold it
	signed      []byte // csr with the signature of another key, if there is one
	ourKeyFile  bool   // enroll wrote the key file, and nobody changed it since
	roots       []*x509.Certificate
	p12Password string
	madeP12Pass bool // p12Password is to be written
	report      *report
}

// enroll does it all and notes in r how far it came.
func enroll(ctx context.Context, f flags, r *report) error {
	e := &enrollment{flags: f, report: r}
	err := e.prepare()
	if e.client != nil {
		defer e.client.Close()
	}
	if err != nil {
		return err
	}
	result, err := e.ask(ctx)
	if err == nil && result.Disposition == adcs.Pending {
		result, err = e.await(ctx, result)
	}
	if err != nil {
		return e.abandon(err)
	}
	return e.deliver(result)
}

// prepare does what can fail before the CA is asked, so that nothing is issued in vain.
func (e *enrollment) prepare() error {
	credential, err := e.credential()
	if err != nil {
		return err
	}
	if e.client, err = adcs.New(e.host, e.ca, credential, e.options()); err != nil {
		return &usageError{err}
	}
	if err := e.choosePassword(); err != nil {
		return err
	}
	if err := e.canWrite(); err != nil {
		return err
	}
	if e.rootsFile != "" {
		if e.roots, err = cli.Certificates(e.rootsFile); err != nil {
			return err
		}
	}
	if e.retrieve != 0 {
		return e.loadKey()
	}
	return e.makeRequest()
}

// choosePassword reads the password of the .p12, or makes one. A file must be possible with it, and with the options.
func (e *enrollment) choosePassword() (err error) {
	e.p12Password, err = cli.Password(e.p12PasswordFile, "P12_PASSWORD")
	if errors.Is(err, cli.ErrNoPassword) {
		e.madeP12Pass = true
		e.p12Password, err = pkcs12.NewPassword()
	}
	if err != nil {
		return err
	}
	if err := e.p12Options(nil).Check(); err != nil {
		return &usageError{err}
	}
	if err := pkcs12.CheckPassword(e.p12Password); err != nil {
		return &usageError{err}
	}
	return nil
}

// ask submits the request, or retrieves it.
func (e *enrollment) ask(ctx context.Context) (*adcs.Result, error) {
	if e.retrieve != 0 {
		e.report.RequestID = uint32(e.retrieve)
		return e.client.Retrieve(ctx, uint32(e.retrieve))
	}
	request := adcs.Request{CSR: e.csr, Template: e.template}
	if e.signed != nil {
		request.CSR = e.signed
	}
	return e.client.Submit(ctx, request)
}

// await waits for the manager, if that is wanted.
func (e *enrollment) await(ctx context.Context, held *adcs.Result) (*adcs.Result, error) {
	e.report.RequestID = held.RequestID
	if e.wait <= 0 {
		return nil, errHeld
	}
	result, err := e.client.Wait(ctx, held.RequestID, &adcs.WaitOptions{For: e.wait, First: e.poll})
	switch {
	case err == nil && result.Disposition == adcs.Pending:
		return nil, errHeld
	case err == nil || isRefusal(err):
		return result, err
	}
	return nil, fmt.Errorf("%w; waiting for the decision ended with: %w", errHeld, err)
}

// abandon decides what becomes of the key when there is no certificate, and returns err.
func (e *enrollment) abandon(err error) error {
	e.report.explain(err)
	keep := errors.Is(err, errHeld) || errors.Is(err, adcs.ErrOutcomeUnknown) || e.retrieve != 0
	if keep {
		e.report.KeyFile = e.keyFile
		return err
	}
	return errors.Join(err, os.Remove(e.keyFile))
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*adcs.RequestError](err)
	return ok
}
