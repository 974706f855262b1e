package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/discovery"
)

// listing is what -discover -json prints, and what the text is made from.
type listing struct {
	Outcome    string           `json:"outcome"` // read, failed, logon or usage
	ExitStatus int              `json:"exit_status"`
	Directory  string           `json:"directory"`
	Account    string           `json:"account,omitempty"` // whose rights are judged
	CAs        []listedCA       `json:"cas,omitempty"`
	Templates  []listedTemplate `json:"templates,omitempty"`
	Findings   []finding        `json:"findings,omitempty"`
	Error      string           `json:"error,omitempty"`
	Summary    string           `json:"summary,omitempty"`
	Remedy     string           `json:"remedy,omitempty"`
}

type listedCA struct {
	Name      string     `json:"name"`
	Host      string     `json:"host"`
	NotAfter  *time.Time `json:"not_after,omitempty"` // of its current certificate
	Trusted   bool       `json:"in_ntauth"`
	Templates []string   `json:"templates"`
}

type listedTemplate struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"display_name"`
	OID         string   `json:"oid"`
	CAs         []string `json:"cas"`
	Schema      int      `json:"schema"`
	MinKeySize  int      `json:"min_key_size"`
	Algorithm   string   `json:"key_algorithm,omitempty"`
	Purposes    []string `json:"purposes"`
	Subject     string   `json:"subject"`  // request or directory
	Approval    bool     `json:"approval"` // a manager or further signatures are needed
	Days        int      `json:"valid_days"`
	Enrollers   []string `json:"may_enroll"`
	MayEnroll   bool     `json:"account_may_enroll"`
}

type finding struct {
	Code     string   `json:"code"`
	Severity string   `json:"severity"`
	Template string   `json:"template,omitempty"`
	CAs      []string `json:"cas"`
	Text     string   `json:"text"`
	Remedy   string   `json:"remedy"`
}

// directoryClient is the client of -directory.
func (f *flags) directoryClient(credential adcs.Credential) (*discovery.Client, error) {
	o := &discovery.Options{
		Auth: adcs.Auth(f.auth), AllowNTLM: f.allowNTLM, KRB5Conf: f.options().KRB5Conf, KDC: f.kdc, Timeout: f.timeout,
	}
	host, tls := strings.CutPrefix(f.directory, "ldaps://")
	if tls {
		o.Protection = discovery.ProtectTLS
	}
	if f.directoryRoots != "" {
		roots, err := pool(f.directoryRoots)
		if err != nil {
			return nil, err
		}
		o.Roots = roots
	}
	c, err := discovery.New(host, credential, o)
	if err != nil {
		return nil, &usageError{err}
	}
	return c, nil
}

// runDiscover reads the directory.
func runDiscover(ctx context.Context, f flags) *listing {
	l := &listing{Directory: f.directory}
	s, err := f.read(ctx)
	if err == nil {
		l.take(s)
	}
	l.conclude(err)
	return l
}

func (f *flags) read(ctx context.Context) (*discovery.Snapshot, error) {
	credential, err := f.credential()
	if err != nil {
		return nil, err
	}
	c, err := f.directoryClient(credential)
	if err != nil {
		return nil, err
	}
	return c.Read(ctx)
}

// conclude derives outcome, exit status and advice.
func (l *listing) conclude(err error) {
	l.Outcome, l.ExitStatus = "read", exitIssued
	if err == nil {
		return
	}
	l.Outcome, l.ExitStatus, l.Error = "failed", exitFailed, err.Error()
	if _, usage := errors.AsType[*usageError](err); usage {
		l.Outcome, l.ExitStatus = "usage", exitUsage
		return
	}
	if isLogon(err) {
		l.Outcome, l.ExitStatus = "logon", exitLogon
	}
	e := discovery.Explain(err)
	l.Summary, l.Remedy = e.Summary, e.Remedy
}
