package adcs

import (
	"errors"
	"fmt"
)

// Errors that calls of this package match, besides the codes of type [HResult] and [RPCStatus].
var (
	// ErrInvalidRequest is matched when a request was refused here, before anything was sent.
	ErrInvalidRequest = errors.New("adcs: invalid request")

	// ErrLogon is matched when the server refused the credential. Retries lock accounts out: whatever uses this
	// credential should stop until a person has looked at it.
	ErrLogon = errors.New("adcs: logon failed")
)

// RequestError is a refusal: the CA answered and did not issue. Its Code is matched by [errors.Is]:
//
//	errors.Is(err, adcs.ErrTemplateDenied)
type RequestError struct {
	// RequestID is the CA's id of the request; zero if the CA made no row for it.
	RequestID uint32

	// Disposition is as the CA sent it. A CA may send an HRESULT in its place, which is then also in Code.
	Disposition Disposition

	// Code is the CA's reason: the call's return value, or the HRESULT in the place of the disposition. It is zero if
	// the CA gave none, as for some requests that its manager denied.
	Code HResult

	// Message is the CA's text, in its language: not to be parsed. Control characters were removed and its length is
	// bounded, but it is still what a remote host wrote.
	Message string
}

// Error names the request, the code and the CA's text.
func (e *RequestError) Error() string {
	s := "adcs: request refused"
	if e.RequestID != 0 {
		s = fmt.Sprintf("adcs: request %d refused", e.RequestID)
	}
	if e.Code != 0 {
		s += ": " + e.Code.Error()
	} else {
		s += ": disposition " + e.Disposition.String()
	}
	if e.Message != "" {
		s += fmt.Sprintf(" (the CA says %q)", e.Message)
	}
	return s
}

// Unwrap returns Code if the CA gave one.
func (e *RequestError) Unwrap() error {
	if e.Code == 0 {
		return nil
	}
	return e.Code
}

// AnswerError is returned when the CA answered, and its answer is malformed or contradicts itself or the question. What
// the CA did is then not known from it: for a submit, [ErrOutcomeUnknown] is matched too.
type AnswerError struct {
	// RequestID is the id in the answer; it may be zero, and it may be wrong.
	RequestID uint32

	// Reason says what is wrong with the answer.
	Reason string
}

// Error says what is wrong with the answer.
func (e *AnswerError) Error() string {
	if e.RequestID != 0 {
		return fmt.Sprintf("adcs: unusable answer to request %d: %s", e.RequestID, e.Reason)
	}
	return "adcs: unusable answer: " + e.Reason
}
