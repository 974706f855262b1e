package adcs

import (
	"errors"
	"fmt"
)

// Action is what was to be done at a CA, in errors.
type Action string

// The actions.
const (
	ActionApprove    Action = "approve"
	ActionDeny       Action = "deny"
	ActionRevoke     Action = "revoke"
	ActionRelease    Action = "release"
	ActionPublishCRL Action = "publish CRLs"
	ActionFind       Action = "find"
)

// Errors of [Manager].
var (
	// ErrUnknownSerial is matched when the CA has issued no certificate with a serial number.
	ErrUnknownSerial = errors.New("the CA has issued no certificate with this serial number")

	// ErrAlreadyRevoked is matched when a certificate is revoked already, and otherwise than it was to be.
	ErrAlreadyRevoked = errors.New("the certificate is revoked already")
)

// ActionError is returned when the CA refused what a [Manager] or [Client.Find] asked for, or when there is nothing to
// act on. Nothing was changed. Err is matched by [errors.Is]:
//
//	errors.Is(err, adcs.ErrAccessDenied)     // the account lacks a right on the CA
//	errors.Is(err, adcs.ErrBadRequestStatus) // the request is not held
//	errors.Is(err, adcs.ErrPropertyEmpty)    // there is no such request
//	errors.Is(err, adcs.ErrUnknownSerial)
//	errors.Is(err, adcs.ErrAlreadyRevoked)
type ActionError struct {
	Action      Action
	RequestID   uint32      // zero if the action is not about a request
	Serial      string      // hexadecimal, as the caller gave it; empty if it is not about a certificate
	Disposition Disposition // of a request that is not held; else zero
	Err         error       // an [HResult], or one of the errors above
}

// Error names the action, what it was about, and the reason.
func (e *ActionError) Error() string {
	s := fmt.Sprintf("adcs: %s: %v", e.object(), e.Err)
	if e.Disposition != 0 {
		s += fmt.Sprintf(" (the request is %v)", e.Disposition)
	}
	return s
}

// Unwrap returns Err.
func (e *ActionError) Unwrap() error { return e.Err }

// object is the action with what it was about.
func (e *ActionError) object() string {
	switch {
	case e.RequestID != 0:
		return fmt.Sprintf("%s request %d", e.Action, e.RequestID)
	case e.Serial != "":
		return fmt.Sprintf("%s certificate %s", e.Action, bounded(e.Serial))
	}
	return string(e.Action)
}

// because returns a copy of the error with its reason.
func (e ActionError) because(err error) error {
	e.Err = err
	return &e
}

// result is what a return value says.
func (e ActionError) result(returned uint32) error {
	if returned == 0 {
		return nil
	}
	return e.because(hresultFromWin32(returned))
}

// failed is the error of a call that changes nothing. A missing right that the server reports by a fault is the same as
// one that the CA reports.
func (e ActionError) failed(err error) error {
	if err == nil {
		return nil
	}
	if call, ok := errors.AsType[*adminError](err); ok {
		err = call.err
	}
	code, refused := errors.AsType[HResult](err)
	switch {
	case errors.Is(err, ErrRPCAccessDenied):
		return e.because(ErrAccessDenied)
	case refused:
		return e.because(code)
	case errors.Is(err, ErrTooManyRows):
		return e.because(ErrTooManyRows)
	}
	return err
}

// administered is the error of what was done with an administration object. That the host does not let the account make
// one is a missing right as well: unlike requests, this has no other way.
func (e ActionError) administered(err error) error {
	activation, ok := errors.AsType[*RPCError](err)
	if ok && activation.Phase == PhaseActivate && errors.Is(activation.Err, ErrAccessDenied) {
		return e.because(ErrAccessDenied)
	}
	return err
}

// unknown is the error of a call that changes something.
func (e ActionError) unknown(ca string, err error) error {
	if call, ok := errors.AsType[*adminError](err); ok && call.executed {
		return &ActionUnknownError{CA: ca, Action: e.Action, RequestID: e.RequestID, Serial: e.Serial, Err: call.err}
	}
	return e.failed(err)
}

// ActionUnknownError is returned when the CA may have done what a [Manager] asked for, and its answer did not arrive or
// cannot be used. It matches [ErrOutcomeUnknown]. The action may be repeated.
type ActionUnknownError struct {
	CA        string
	Action    Action
	RequestID uint32 // zero if the action is not about a request
	Serial    string // hexadecimal, as the caller gave it; empty if it is not about a certificate
	Err       error  // why the answer is missing
}

// Error says what is not known.
func (e *ActionUnknownError) Error() string {
	what := ActionError{Action: e.Action, RequestID: e.RequestID, Serial: e.Serial}
	return fmt.Sprintf("adcs: %s: %q may have done it: %v", what.object(), e.CA, e.Err)
}

// Unwrap returns ErrOutcomeUnknown and the cause.
func (e *ActionUnknownError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Err} }
