package main

import (
	"errors"
	"fmt"
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
	ExitStatus      int        `json:"exit_status"`
	Account         string     `json:"account"`
	Host            string     `json:"host"`
	CA              string     `json:"ca"`
	RequestID       uint32     `json:"request_id,omitempty"`
	Subject         string     `json:"subject,omitempty"`
	Issuer          string     `json:"issuer,omitempty"`
	Serial          string     `json:"serial,omitempty"`     // hexadecimal
	SHA256          string     `json:"sha256,omitempty"`     // of the certificate, hexadecimal
	Thumbprint      string     `json:"thumbprint,omitempty"` // SHA-1 of the certificate, by which Windows calls it
	NotBefore       *time.Time `json:"not_before,omitempty"`
	NotAfter        *time.Time `json:"not_after,omitempty"`
	ChainVerified   bool       `json:"chain_verified"` // up to a root of -roots
	P12             string     `json:"p12,omitempty"`
	P12PasswordFile string     `json:"p12_password_file,omitempty"`     // if the password was made
	Configuration   string     `json:"configuration_profile,omitempty"` // for an Apple device, with the .p12 in it
	KeyFile         string     `json:"key_file,omitempty"`              // if it is there
	RemovedKeyFile  string     `json:"removed_key_file,omitempty"`      // if it was there, and the key is in the .p12 now
	Error           string     `json:"error,omitempty"`
	HResult         string     `json:"hresult,omitempty"` // of the CA, say 0x80094012
	Summary         string     `json:"summary,omitempty"`
	Remedy          string     `json:"remedy,omitempty"`
	Retry           string     `json:"retry,omitempty"` // never, after or operator
	Next            []step     `json:"next,omitempty"`

	who           string // the account, for people
	again         string // the flags of another call with this CA
	fromDirectory bool   // the certificate would be taken with -from-directory
}

// conclude derives outcome, exit status and advice from the error that ended the enrollment.
func (r *report) conclude(err error) {
	r.ExitStatus, r.Outcome = classify(err)
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
	r.advise(err)
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
	case isLogon(err):
		return exitLogon, "logon"
	}
	return exitFailed, "failed"
}

// isLogon reports whether the domain does not know the user, or refused the password.
func isLogon(err error) bool {
	return errors.Is(err, adcs.ErrLogon) || errors.Is(err, adcs.ErrUnknownPrincipal)
}
