package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/adcskit/adcskit/adcs"
)

// The exit statuses; see the comment on the command.
const (
	exitIssued = iota
	exitFailed
	exitUsage
	exitHeld
	exitRefused
	exitRejected
	exitUnknown
	exitLogon
)

// report is what -json prints, and what the text for people is made from.
type report struct {
	Outcome         string     `json:"outcome"` // issued, failed, usage, held, refused, rejected, unknown or logon
	Host            string     `json:"host"`
	CA              string     `json:"ca"`
	RequestID       uint32     `json:"request_id,omitempty"`
	Subject         string     `json:"subject,omitempty"`
	Issuer          string     `json:"issuer,omitempty"`
	Serial          string     `json:"serial,omitempty"` // hexadecimal
	SHA256          string     `json:"sha256,omitempty"` // of the certificate, hexadecimal
	NotBefore       *time.Time `json:"not_before,omitempty"`
	NotAfter        *time.Time `json:"not_after,omitempty"`
	ChainVerified   bool       `json:"chain_verified"` // up to a root of -roots
	P12             string     `json:"p12,omitempty"`
	P12PasswordFile string     `json:"p12_password_file,omitempty"` // if the password was made
	KeyFile         string     `json:"key_file,omitempty"`          // if it is there
	RemovedKeyFile  string     `json:"removed_key_file,omitempty"`  // if it was there, and the key is in the .p12 now
	Error           string     `json:"error,omitempty"`
	HResult         string     `json:"hresult,omitempty"` // of the CA, say 0x80094012
	Summary         string     `json:"summary,omitempty"`
	Remedy          string     `json:"remedy,omitempty"`
	Retry           string     `json:"retry,omitempty"` // never, after or operator

	exit int
}

// conclude derives outcome and exit status from the error that ended the enrollment.
func (r *report) conclude(err error) {
	r.exit, r.Outcome = classify(err)
	if err == nil {
		return
	}
	r.Error = err.Error()
	if refusal, ok := errors.AsType[*adcs.RequestError](err); ok {
		r.RequestID = max(r.RequestID, refusal.RequestID)
		if refusal.Code != 0 {
			r.HResult = fmt.Sprintf("0x%08x", uint32(refusal.Code))
		}
	}
}

// explain notes what can be done about an error that comes from the CA or from the way to it.
func (r *report) explain(err error) {
	if !errors.Is(err, errHeld) {
		e := adcs.Explain(err)
		r.Summary, r.Remedy, r.Retry = e.Summary, e.Remedy, string(e.Retry)
	}
}

func classify(err error) (int, string) {
	if err == nil {
		return exitIssued, "issued"
	}
	_, rejected := errors.AsType[*rejectedError](err)
	_, usage := errors.AsType[*usageError](err)
	switch {
	case usage:
		return exitUsage, "usage"
	case errors.Is(err, adcs.ErrOutcomeUnknown):
		return exitUnknown, "unknown"
	case errors.Is(err, errHeld):
		return exitHeld, "held"
	case rejected:
		return exitRejected, "rejected"
	case isRefusal(err):
		return exitRefused, "refused"
	case errors.Is(err, adcs.ErrLogon):
		return exitLogon, "logon"
	}
	return exitFailed, "failed"
}

// print writes the report: results to out, complaints to complaints, or one JSON object to out.
func (r *report) print(out, complaints io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	if r.P12 != "" {
		fmt.Fprintf(out, "issued: request %d of %q\n", r.RequestID, r.CA)
		fmt.Fprintf(out, "  subject  %q\n  issuer   %q\n  serial   %s\n", r.Subject, r.Issuer, r.Serial)
		fmt.Fprintf(out, "  valid    %s to %s\n", r.NotBefore.Format(time.DateTime), r.NotAfter.Format(time.DateTime))
		fmt.Fprintf(out, "  chain    %s\n  file     %s\n", r.chain(), r.P12)
		if r.P12PasswordFile != "" {
			fmt.Fprintf(out, "  password in %s\n", r.P12PasswordFile)
		}
		switch {
		case r.RemovedKeyFile != "":
			fmt.Fprintf(out, "  key file %s is removed: the key is in %s\n", r.RemovedKeyFile, r.P12)
		case r.Error == "":
			fmt.Fprintf(out, "  key file %s stays: enroll did not write it, or somebody has changed it since; it holds the key "+
				"in clear\n", r.KeyFile)
		}
	}
	if r.Error == "" {
		return nil
	}
	fmt.Fprintf(complaints, "enroll: %s: %s\n", r.Outcome, r.Error)
	if r.Summary != "" {
		fmt.Fprintf(complaints, "  %s\n  %s\n", r.Summary, r.Remedy)
	}
	if r.KeyFile != "" {
		fmt.Fprintf(complaints, "  the key is in %s\n", r.KeyFile)
	}
	if r.exit == exitHeld || r.exit == exitFailed && r.KeyFile != "" && r.RequestID != 0 {
		fmt.Fprintf(complaints, "  later: enroll -retrieve %d -key-file %s -host … -ca … -user …\n", r.RequestID, r.KeyFile)
	}
	return nil
}

func (r *report) chain() string {
	if r.ChainVerified {
		return "verified up to a root of -roots"
	}
	return "NOT checked against anything trusted: give -roots FILE"
}
