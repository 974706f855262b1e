package issuer

import (
	"errors"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// result translates an answer of a CA.
func result(r *adcs.Result, err error) (*connector.CAResult, error) {
	if err != nil {
		return nil, caError(err)
	}
	out := &connector.CAResult{
		Pending: r.Disposition == adcs.Pending, RequestID: r.RequestID, Disposition: uint32(r.Disposition), Message: r.Message,
	}
	if r.Certificate != nil {
		out.Certificate = r.Certificate.Raw
	}
	for _, c := range r.Chain {
		out.Chain = append(out.Chain, c.Raw)
	}
	return out, nil
}

// caError translates an error of [adcs.Client]. What the client does not call unknown was not sent: that is its
// contract.
func caError(err error) error {
	explained := adcs.Explain(err)
	e := &connector.CAError{
		Kind: connector.CAUnavailable, Message: strings.TrimSpace(explained.Summary + " " + explained.Remedy),
		Retry: wsproto.Retry(explained.Retry), Err: err,
	}
	refusal, refused := errors.AsType[*adcs.RequestError](err)
	switch {
	case errors.Is(err, adcs.ErrOutcomeUnknown):
		e.Kind, e.Retry = connector.CAUnknown, ""
	case refused:
		e.Kind, e.Reason = connector.CARefused, refusalReason(refusal)
		e.RequestID, e.Disposition, e.HResult = refusal.RequestID, uint32(refusal.Disposition), uint32(refusal.Code)
		if refusal.Message != "" {
			e.Message = strings.TrimRight(refusal.Message, ". ") + ". " + e.Message
		}
	case errors.Is(err, adcs.ErrNotOwner): // of a retrieval: the job stays pending
		e.Kind, e.Reason, e.HResult = connector.CAFailed, wsproto.ReasonCAAccess, uint32(adcs.ErrAdminDeniedRequest)
	case errors.Is(err, adcs.ErrLogon):
		e.Kind = connector.CALogon
	case errors.Is(err, adcs.ErrInvalidRequest):
		e.Kind = connector.CAInvalid
	}
	return e
}

// retrieved translates an answer to a retrieval. Not every refusal of one is a decision about the request.
func retrieved(r *adcs.Result, err error) (*connector.CAResult, error) {
	out, err := result(r, err)
	e, failed := errors.AsType[*connector.CAError](err)
	refusal, refused := errors.AsType[*adcs.RequestError](err)
	if failed && refused && !decides(refusal) {
		e.Kind, e.Retry = connector.CAFailed, wsproto.RetryAfter
	}
	return out, err
}

// decides reports whether a refused retrieval says that the CA has decided against the request or does not have it. The
// disposition is that of the request; a return value without one is of the call: the CA is suspended, or its database
// is busy. That the account may not read the request is [adcs.ErrNotOwner], which is no refusal.
func decides(refusal *adcs.RequestError) bool {
	for _, passing := range []adcs.HResult{adcs.ErrServerSuspended, adcs.ErrNoDBSessions, adcs.ErrServerUnavailable} {
		if errors.Is(refusal, passing) {
			return false
		}
	}
	if errors.Is(refusal, adcs.ErrPropertyEmpty) {
		return true // there is no such request
	}
	switch refusal.Disposition {
	case adcs.Denied, adcs.Failed, adcs.Revoked:
		return true
	case adcs.Incomplete:
		return refusal.Code == 0
	case adcs.Issued, adcs.IssuedOutOfBand, adcs.Pending:
		return false // the return value contradicts it
	}
	const failure = 1 << 31
	return refusal.Disposition&failure != 0 && refusal.Code == adcs.HResult(refusal.Disposition)
}

// refusalReason is the machine reason for a refusal.
func refusalReason(refusal error) wsproto.Reason {
	is := func(codes ...adcs.HResult) bool {
		return slices.ContainsFunc(codes, func(c adcs.HResult) bool { return errors.Is(refusal, c) })
	}
	switch {
	case is(adcs.ErrUnsupportedCertType, adcs.ErrTemplateDenied, adcs.ErrNoCertType, adcs.ErrTemplateConflict,
		adcs.ErrBadTemplateVersion):
		return wsproto.ReasonCATemplate
	case is(adcs.ErrEnrollDenied, adcs.ErrAccessDenied):
		return wsproto.ReasonCAAccess
	case is(adcs.ErrKeyLength, adcs.ErrWeakSignatureOrKey, adcs.ErrBadRequestSubject, adcs.ErrSubjectAltNameRequired,
		adcs.ErrSubjectDNSRequired, adcs.ErrSubjectUPNRequired, adcs.ErrSubjectEmailRequired, adcs.ErrInvalidArg):
		return wsproto.ReasonCARequest
	case is(adcs.ErrServerSuspended, adcs.ErrRevocationOffline, adcs.ErrServerUnavailable, adcs.ErrNoDBSessions):
		return wsproto.ReasonCAFailed
	}
	return wsproto.ReasonCADenied
}

// rejection translates an error of [adcs.Verify].
func rejection(err error) error {
	reason := wsproto.ReasonCertificateMismatch
	switch {
	case errors.Is(err, adcs.MismatchKey):
		reason = wsproto.ReasonCertificateKey
	case errors.Is(err, adcs.MismatchSubject), errors.Is(err, adcs.MismatchNames), errors.Is(err, adcs.MismatchSID):
		reason = wsproto.ReasonCertificateName
	case errors.Is(err, adcs.MismatchChain):
		reason = wsproto.ReasonCertificateChain
	}
	return &connector.Rejection{Reason: reason, Message: err.Error(), Err: err}
}
