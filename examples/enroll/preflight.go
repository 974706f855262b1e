package main

import (
	"context"
	"crypto/x509"
	"errors"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/examples/internal/cli"
)

// preflight is what -check -json prints, and what the table is made from.
type preflight struct {
	Outcome    string      `json:"outcome"` // passed, failed, logon or usage
	ExitStatus int         `json:"exit_status"`
	Account    string      `json:"account"`
	Host       string      `json:"host"`
	CA         string      `json:"ca"`
	Transport  string      `json:"transport,omitempty"` // the one that leads to the CA
	Failed     string      `json:"failed,omitempty"`    // the step that is to be mended first
	Steps      []checkStep `json:"steps,omitempty"`
	Error      string      `json:"error,omitempty"`

	who string // the account, for people
}

// checkStep is one step of it.
type checkStep struct {
	Name      string `json:"name"`
	Status    string `json:"status"` // passed, failed or skipped
	Transport string `json:"transport,omitempty"`
	Detail    string `json:"detail,omitempty"` // what was found, or why it was skipped
	Error     string `json:"error,omitempty"`
	Summary   string `json:"summary,omitempty"`
	Remedy    string `json:"remedy,omitempty"`
	Bypassed  bool   `json:"bypassed,omitempty"` // it failed, and another transport leads to the CA
}

// runPreflight checks everything and submits nothing.
func runPreflight(ctx context.Context, f flags) *preflight {
	p := &preflight{Account: f.user, Host: f.host, CA: f.ca, who: f.who()}
	report, err := f.runCheck(ctx)
	if err == nil {
		p.take(report)
		err = report.Err()
	}
	p.conclude(err)
	return p
}

func (f *flags) runCheck(ctx context.Context) (*adcs.Report, error) {
	credential, err := f.credential()
	if err != nil {
		return nil, err
	}
	client, err := adcs.New(f.host, f.ca, credential, f.options())
	if err != nil {
		return nil, &usageError{err}
	}
	defer client.Close()
	o := &adcs.CheckOptions{Template: f.template}
	if o.Template == "" {
		o.Template = f.request.TemplateName
	}
	if f.rootsFile != "" {
		if o.Roots, err = pool(f.rootsFile); err != nil {
			return nil, err
		}
	}
	if f.directory != "" {
		if o.Directory, err = f.directoryClient(credential); err != nil {
			return nil, err
		}
	}
	return client.Check(ctx, o), nil
}

func pool(file string) (*x509.CertPool, error) {
	roots, err := cli.Certificates(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, root := range roots {
		pool.AddCert(root)
	}
	return pool, nil
}

func (p *preflight) take(r *adcs.Report) {
	p.Transport = string(r.Transport)
	if s := r.Failed(); s != nil {
		p.Failed = string(s.Name)
	}
	for _, s := range r.Steps {
		step := checkStep{
			Name: string(s.Name), Status: string(s.Status), Transport: string(s.Transport), Detail: s.Detail,
			Summary: s.Summary, Remedy: s.Remedy, Bypassed: s.Bypassed,
		}
		if s.Err != nil {
			step.Error = s.Err.Error()
		}
		p.Steps = append(p.Steps, step)
	}
}

// conclude derives outcome and exit status.
func (p *preflight) conclude(err error) {
	p.Outcome, p.ExitStatus = "passed", exitIssued
	if err == nil {
		return
	}
	p.Outcome, p.ExitStatus, p.Error = "failed", exitFailed, err.Error()
	if _, usage := errors.AsType[*usageError](err); usage {
		p.Outcome, p.ExitStatus = "usage", exitUsage
	} else if isLogon(err) {
		p.Outcome, p.ExitStatus = "logon", exitLogon
	}
}
