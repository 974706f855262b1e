package adcs

import (
	"context"
	"crypto/x509"
	"errors"
)

// CheckName names a step of [Client.Check].
type CheckName string

// The steps, in their order; whether the CA serves a pipe or DCOM objects is known after the logon only.
const (
	CheckHost      CheckName = "host"      // the CA's host has an address
	CheckPort      CheckName = "port"      // its ports are open: 135 and the CA's own, or 445
	CheckInterface CheckName = "interface" // the CA serves requests this way: ICertPassage, its pipe, or DCOM
	CheckClock     CheckName = "clock"     // the clocks are close enough for Kerberos
	CheckLogon     CheckName = "logon"     // the credential is accepted
	CheckPrivacy   CheckName = "privacy"   // calls can be signed and encrypted
	CheckAnswer    CheckName = "answer"    // a harmless call is answered
	CheckCAName    CheckName = "ca name"   // the CA has the name that it was addressed by
	CheckTemplate  CheckName = "template"  // the template exists, and the CA issues for it
	CheckEnroll    CheckName = "enroll"    // the account may enroll for it, at this CA
	CheckChain     CheckName = "chain"     // the CA's certificate is valid, and below a trusted root
)

// CheckStatus is what became of a step.
type CheckStatus string

// The results of a step.
const (
	CheckPassed  CheckStatus = "passed"
	CheckFailed  CheckStatus = "failed"
	CheckSkipped CheckStatus = "skipped"
)

// CheckOptions are what a check can be told. Nil and the zero value of each field mean that the steps that need it are
// skipped.
type CheckOptions struct {
	// Template is the name of the template that certificates will be asked for.
	Template string
	// Roots are the roots that the CA must be below.
	Roots *x509.CertPool
	// Directory says what the CA itself does not tell without being asked for a certificate.
	Directory Directory
}

// Directory is what Check wants to know from a directory. Package adcs/discovery has one.
type Directory interface {
	// LookUp answers a question. After an error, the steps that only the directory can tell about are skipped.
	LookUp(ctx context.Context, q DirectoryQuery) (*DirectoryFacts, error)
}

// DirectoryQuery is what Check asks a [Directory].
type DirectoryQuery struct {
	Host     string // of the CA
	CA       string // its name, which may be wrong
	Template string // empty if none is asked about
}

// DirectoryFacts are what a [Directory] knows.
type DirectoryFacts struct {
	// CAs are the names of the CAs on the host; none if the directory knows no CA there.
	CAs []string
	// Templates are those that the CA issues for, if it is known.
	Templates []string
	// TemplateExists says whether there is the template, whoever issues for it.
	TemplateExists bool
	// Account is whose rights MayEnroll and MayEnrollAtCA are.
	Account string
	// MayEnroll says whether the account has the right Enroll on the template; MayEnrollAtCA, whether it has it on the
	// CA.
	MayEnroll, MayEnrollAtCA bool
	// Certificates are the CA's, the current one first, as far as they are known.
	Certificates []*x509.Certificate
}

// CheckStep is one step of a check.
type CheckStep struct {
	Name   CheckName
	Status CheckStatus
	// Transport is the one that the step was made on; empty for those that are about the CA, whatever the way to it is.
	Transport Transport
	// Detail is what was found, or why the step was skipped. It may hold what a remote host wrote, with control
	// characters removed.
	Detail string
	// Err, Summary and Remedy say why the step failed, what that means, and what to do; see [Explain].
	Err     error
	Summary string
	Remedy  string
	// Bypassed is true for a step that failed while another transport leads to the CA: nothing needs to be done.
	Bypassed bool
}

// Report is what [Client.Check] found.
type Report struct {
	Steps []CheckStep // in the order in which they were made, with TransportAuto of one transport after another
	// Transport is the one that leads to the CA; empty if none does.
	Transport Transport
}

// Err is nil if no step failed, those aside that are bypassed. Else it holds the errors of the steps that did.
func (r *Report) Err() error {
	var all []error
	for _, s := range r.Steps {
		if s.Status == CheckFailed && !s.Bypassed {
			all = append(all, s.Err)
		}
	}
	return errors.Join(all...)
}

// Failed returns the step that is to be mended first: the logon, if it was refused, or else the first that failed and
// is not bypassed. It is nil if there is none.
func (r *Report) Failed() *CheckStep {
	var first *CheckStep
	for i := range r.Steps {
		s := &r.Steps[i]
		switch {
		case s.Status != CheckFailed || s.Bypassed:
		case errors.Is(s.Err, ErrLogon):
			return s
		case first == nil:
			first = s
		}
	}
	return first
}

// Check finds out what stands between this client and a certificate, without submitting anything: it connects, logs on,
// and asks for a request that cannot exist. With TransportAuto every transport is tried until one leads to the CA. The
// credential is tried once: a refusal ends the check, and like every refused logon pauses the client.
//
// Every step is in the report, with its remedy if it failed. Steps that depend on one that failed, or on something that
// o does not have, are skipped and say so. Check takes as long as a call may take, at most twice.
func (c *Client) Check(ctx context.Context, o *CheckOptions) *Report {
	k := &checker{Client: c, report: &Report{}}
	if o != nil {
		k.opts = *o
	}
	k.run(ctx)
	return k.report
}
