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

// caError translates an error of [adcs.Client]. What the client does not call unknown was not sent: that is its contract.
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
			e.Message = refusal.Message + " " + e.Message
		}
	case errors.Is(err, adcs.ErrLogon):
		e.Kind = connector.CALogon
	case errors.Is(err, adcs.ErrInvalidRequest):
		e.Kind = connector.CAInvalid
	}
	return e
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
