package connector

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/adcskit/adcskit/wsproto"
)

// maxSerial is the longest serial number in bytes (RFC 5280, section 4.1.2.2).
const maxSerial = 20

// classify returns what a failed call to a CA means, or nil for no error. What nobody classified may have been executed.
func classify(err error) *CAError {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*CAError](err); ok && e != nil {
		return e
	}
	return &CAError{Kind: CAUnknown, Err: err}
}

// isDrop reports whether an error ends a job without an outcome: the tenant has given the attempt up, or the connector
// stops.
func isDrop(err error) bool {
	return droppedByTenant(err) || errors.Is(err, errSuperseded) || errors.Is(err, errCut)
}

// notSubmitted makes the outcome of an attempt that has submitted nothing.
func (j *job) notSubmitted(err error) (*wsproto.Outcome, error) {
	switch {
	case isDrop(err):
		return nil, err
	case j.resumed != nil: // but an earlier attempt may have
		return j.unknown(), err
	case errors.Is(err, errExpired), errors.Is(err, errCancelled):
		return j.earlyEnd(err), nil
	}
	o := j.outcome(wsproto.Failed)
	o.Reason, o.Retry, o.Message = wsproto.ReasonInternal, wsproto.RetryOperator, "nothing was submitted"
	paused, isPaused := errors.AsType[*pausedError](err)
	rejection, isRejection := errors.AsType[*Rejection](err)
	switch {
	case isPaused:
		o.Reason, o.RetryAfterMS = wsproto.ReasonCredential, paused.left.Milliseconds()+1
		o.Retry, o.Message = wsproto.RetryAfter, "the credential is stopped after a failed logon; nothing was submitted"
	case isRejection:
		o.Reason, o.Retry, o.Message = rejection.Reason, wsproto.RetryNever, boundText(rejection.Message)
	case isKeyFailure(err):
		o.Retry, o.RetryAfterMS = wsproto.RetryAfter, keyRetry.Milliseconds()
		o.Message = "the connector's identity key cannot be used now; nothing was submitted"
	case errors.Is(err, errLease):
		o.Reason, o.Retry = wsproto.ReasonLease, wsproto.RetryAfter
	}
	return o, err
}

// earlyEnd is the outcome of a job that ended before anything was submitted.
func (j *job) earlyEnd(cause error) *wsproto.Outcome {
	if errors.Is(cause, errCancelled) {
		o := j.outcome(wsproto.Cancelled)
		o.Reason, o.Retry = wsproto.ReasonCancelled, wsproto.RetryAfter
		return o
	}
	o := j.outcome(wsproto.Expired)
	o.Reason, o.Retry = wsproto.ReasonDeadline, wsproto.RetryAfter
	return o
}

// failed is the outcome after an answer of the CA, or a call that certainly did not reach it.
func (j *job) failed(e *CAError) *wsproto.Outcome {
	o := j.outcome(wsproto.Failed)
	switch e.Kind {
	case CARefused:
		o.Kind, o.Reason, o.Retry = wsproto.Denied, wsproto.ReasonCADenied, wsproto.RetryNever
	case CALogon:
		o.Reason, o.Retry = wsproto.ReasonCALogon, wsproto.RetryOperator
	case CAUnavailable:
		o.Reason, o.Retry = wsproto.ReasonCAUnavailable, wsproto.RetryAfter
	case CAInvalid:
		o.Reason, o.Retry = wsproto.ReasonCARequest, wsproto.RetryNever
	case CAFailed:
		o.Reason, o.Retry = wsproto.ReasonCAFailed, wsproto.RetryAfter
	case CAUnknown:
		return j.unknown()
	}
	e.describe(o)
	return o
}

// describe copies what the CA said.
func (e *CAError) describe(o *wsproto.Outcome) {
	if e.Reason != "" {
		o.Reason = e.Reason
	}
	if e.Retry != "" {
		o.Retry = e.Retry
	}
	if e.RequestID != 0 {
		o.RequestID = e.RequestID
	}
	o.Disposition, o.HResult, o.Message = e.Disposition, e.HResult, boundText(e.Message)
}

// unknown is the outcome when the request may have been executed and nobody could find out.
func (j *job) unknown() *wsproto.Outcome {
	o := j.outcome(wsproto.Unknown)
	o.Reason, o.Retry = wsproto.ReasonAnswerLost, wsproto.RetryOperator
	if j.order.Resubmit {
		o.Retry = wsproto.RetryAfter
	}
	o.Message = "the request may have been submitted; look it up at the CA by its public key"
	return o
}

// pending is the outcome while the CA holds the request.
func (j *job) pending(r *CAResult) *wsproto.Outcome {
	o := j.outcome(wsproto.Pending)
	o.Reason, o.Retry, o.RetryAfterMS = wsproto.ReasonCAHeld, wsproto.RetryAfter, j.c.opts.PendingRetry.Milliseconds()
	o.RequestID, o.Disposition, o.Message = r.RequestID, r.Disposition, boundText(r.Message)
	return o
}

// notRetrieved is the outcome when the CA could not be asked for a request that it holds.
func (j *job) notRetrieved(requestID uint32, e *CAError) *wsproto.Outcome {
	o := j.pending(&CAResult{RequestID: requestID})
	o.Reason = wsproto.ReasonCAUnavailable
	switch e.Kind {
	case CALogon:
		o.Reason, o.RetryAfterMS = wsproto.ReasonCALogon, askAgain.Milliseconds()
	case CAFailed:
		o.Reason = wsproto.ReasonCAFailed
	}
	e.describe(o)
	o.Retry, o.RequestID = wsproto.RetryAfter, requestID
	if p, ok := errors.AsType[*pausedError](e.Err); ok {
		o.RetryAfterMS = p.retry().Milliseconds()
	}
	return o
}

// rejected is the outcome for a certificate that is not delivered. leaf is nil if it cannot be read.
func (j *job) rejected(r *CAResult, leaf *x509.Certificate, err error) *wsproto.Outcome {
	o := j.outcome(wsproto.Rejected)
	o.Reason, o.Retry, o.Message = wsproto.ReasonBundle, wsproto.RetryOperator, "the bundle could not be made"
	if rejection, ok := errors.AsType[*Rejection](err); ok {
		o.Reason, o.Message = rejection.Reason, boundText(rejection.Message)
	}
	o.RequestID, o.Disposition = r.RequestID, r.Disposition
	describeCertificate(o, r.Certificate, leaf)
	return o
}

// delivered is the outcome with a bundle.
func (j *job) delivered(r *CAResult, leaf *x509.Certificate, d delivery) *wsproto.Outcome {
	o := j.outcome(wsproto.Issued)
	o.RequestID, o.Disposition, o.Message = r.RequestID, r.Disposition, boundText(r.Message)
	o.PKCS12, o.Sealed = d.pkcs12, d.sealed
	describeCertificate(o, r.Certificate, leaf)
	return o
}

func describeCertificate(o *wsproto.Outcome, der []byte, leaf *x509.Certificate) {
	thumbprint := sha256.Sum256(der)
	o.Thumbprint = thumbprint[:]
	if leaf == nil {
		return
	}
	o.Serial = serialOf(leaf)
	notBefore, notAfter := leaf.NotBefore.UTC(), leaf.NotAfter.UTC()
	o.NotBefore, o.NotAfter = &notBefore, &notAfter
}

// serialOf returns an even number of hexadecimal digits, or "" for a number that RFC 5280 does not allow.
func serialOf(c *x509.Certificate) string {
	b := c.SerialNumber.Bytes()
	if c.SerialNumber.Sign() <= 0 || len(b) > maxSerial {
		return ""
	}
	return hex.EncodeToString(b)
}

func (j *job) outcome(kind wsproto.OutcomeKind) *wsproto.Outcome {
	return &wsproto.Outcome{Kind: kind, PublicKeyHash: j.keyHash, Traceparent: j.order.Traceparent}
}

func sameKey(leaf *x509.Certificate, hash []byte) bool {
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return bytes.Equal(sum[:], hash)
}

// boundText makes a text fit for a message: valid UTF-8, at most wsproto.MaxText bytes.
func boundText(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), 2*wsproto.MaxText)], "\uFFFD")
	if len(s) <= wsproto.MaxText {
		return s
	}
	n := wsproto.MaxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
