package adcs

import (
	"errors"
	"fmt"
)

// explainAction explains the errors of a manager and of a look-up.
func explainAction(err error) (Explanation, bool) {
	if unknown, ok := errors.AsType[*ActionUnknownError](err); ok {
		what := ActionError{Action: unknown.Action, RequestID: unknown.RequestID, Serial: unknown.Serial}
		return Explanation{
			Summary: fmt.Sprintf("The CA may have done what it was asked for (%s): its answer was lost.",
				what.object()),
			Remedy: "Repeat it: what was done already is not done a second time. A request that was approved or denied is " +
				"not held any more then.",
			Retry: RetryAfter,
		}, true
	}
	e, ok := errors.AsType[*ActionError](err)
	if !ok {
		return Explanation{}, false
	}
	what := fmt.Sprintf("The CA did not do what it was asked for (%s)", e.object())
	switch {
	case errors.Is(e, ErrAccessDenied):
		return Explanation{
			Summary: what + ": the account lacks the right to do so.",
			Remedy: fmt.Sprintf("Give the account the right %s (certsrv.msc, properties of the CA, tab Security), and let "+
				"it use DCOM there (group Certificate Service DCOM Access).", e.Action.right()),
			Retry: RetryOperator,
		}, true
	case errors.Is(e, ErrBadRequestStatus):
		state := ""
		if e.Disposition != 0 {
			state = fmt.Sprintf(" (it is %v)", e.Disposition)
		}
		return Explanation{
			Summary: what + ": the request is not held" + state + ".",
			Remedy:  "Nothing needs to be done if it was decided already; retrieve it to see how.",
			Retry:   RetryNever,
		}, true
	case errors.Is(e, ErrUnknownSerial):
		return Explanation{
			Summary: what + ": it has issued no certificate with this serial number.",
			Remedy:  "Check the serial number, and that the certificate is one of this CA.",
			Retry:   RetryNever,
		}, true
	case errors.Is(e, ErrAlreadyRevoked):
		return Explanation{
			Summary: what + ": the certificate is revoked already, for another reason.",
			Remedy:  "Nothing needs to be done if it only has to be revoked; else replace reason and date explicitly.",
			Retry:   RetryNever,
		}, true
	case errors.Is(e, ErrTooManyRows):
		return Explanation{
			Summary: what + ": too many rows of its database would have to be looked at.",
			Remedy:  "Look for less: name the account as DOMAIN\\name, and the time more precisely.",
			Retry:   RetryNever,
		}, true
	}
	if code, ok := errors.AsType[HResult](e.Err); ok {
		if info, known := hresults[code.canonical()]; known {
			return info.explain(what), true
		}
		return explainUnknownCode(what, code), true
	}
	return Explanation{}, false
}

// right is what the CA's administrator gives an account that needs it.
func (a Action) right() string {
	switch a {
	case ActionFind:
		return "Read"
	case ActionPublishCRL:
		return "Manage CA"
	}
	return "Issue and Manage Certificates"
}
