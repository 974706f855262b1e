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

	// ErrNotOwner is matched when a retrieval was refused because the CA does not show the request to this account: it was
	// submitted by another one, and this one may not read the CA's database. It says nothing about the request itself,
	// which may be pending, issued or denied, and is no [RequestError].
	ErrNotOwner = errors.New("adcs: the CA does not show the request to this account")
)

// notOwnerError is a refused retrieval of another account's request.
type notOwnerError struct {
	requestID uint32
	code      HResult
	message   string // the CA's
}

// Error names the request and the CA's text.
func (e *notOwnerError) Error() string {
	s := fmt.Sprintf("%v: request %d: %v", ErrNotOwner, e.requestID, e.code)
	if e.message != "" {
		s += fmt.Sprintf(" (the CA says %q)", e.message)
	}
	return s
}

// Unwrap returns ErrNotOwner and the code.
func (e *notOwnerError) Unwrap() []error { return []error{ErrNotOwner, e.code} }

// notOwner reports whether the return value of a retrieval is about the caller. A CA returns the same code for a
// request that was denied and for one that it does not show to the caller: the first comes with the disposition denied
// ([MS-WCCE], section 3.2.1.4.2.1.3), the second without one, so that the field holds zero, an error or the code again.
func notOwner(code HResult, disposition Disposition) bool {
	return code.canonical() == ErrAdminDeniedRequest && disposition != Denied
}

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

	// CMC is the CA's full response, if one was asked for and the CA sent one; else nil. See [Request.FullResponse].
	CMC *CMCResponse
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
