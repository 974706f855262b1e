package adcs

import (
	"context"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/smbpipe"
)

// RetryClass says whether it helps to try again after an error.
type RetryClass string

// The retry classes.
const (
	RetryNever    RetryClass = "never"    // the same request will not succeed; order something else
	RetryAfter    RetryClass = "after"    // the same request may succeed later, without anybody changing anything
	RetryOperator RetryClass = "operator" // the same request may succeed once a person has changed something
)

// Explanation is what a person can be told about an error.
type Explanation struct {
	Summary string // one sentence: what happened
	Remedy  string // what an administrator can do about it
	Retry   RetryClass
}

// Explain says what an error of this package means for the person who runs it, and what can be done. It knows every
// code of the tables, and the errors of the network below; for nil it returns the zero Explanation. Nothing of the
// error's own text is repeated, except what this package itself wrote into a [VerifyError] or [AnswerError]: an
// explanation never holds a secret.
func Explain(err error) Explanation {
	if err == nil {
		return Explanation{}
	}
	// The order matters: what happened to the request comes before the cause, which may be wrapped in the same error.
	for _, explain := range []func(error) (Explanation, bool){
		explainAction, explainUnknown, explainVerify, explainLadder, explainKerberos, explainActivationLogon, explainLogon, explainNotOwner,
		explainActivation, explainRefusal, explainLocal, explainPipe, explainRPC, explainContext, explainBroken,
		explainNetwork,
	} {
		if e, ok := explain(err); ok {
			return e
		}
	}
	return Explanation{
		Summary: "The call failed for a reason that this program has no advice about.",
		Remedy:  "Look at the error itself and into the CA's event log.",
		Retry:   RetryOperator,
	}
}

func explainUnknown(err error) (Explanation, bool) {
	if !errors.Is(err, ErrOutcomeUnknown) {
		return Explanation{}, false
	}
	summary := "The CA's answer was lost after the request may have reached it: a certificate may have been issued."
	if fault, ok := errors.AsType[RPCStatus](err); ok {
		summary = fmt.Sprintf("The fault %v came in place of the CA's answer, without a proof that the request was not "+
			"executed: a certificate may have been issued.", fault.String())
	}
	return Explanation{
		Summary: summary,
		Remedy: "Do not submit again. Look into the CA's database (certsrv.msc, Issued Certificates and Pending Requests) for " +
			"a request of this account at that time with this public key; retrieve it by its request id, or revoke it.",
		Retry: RetryOperator,
	}, true
}

func explainVerify(err error) (Explanation, bool) {
	e, ok := errors.AsType[*VerifyError](err)
	if !ok {
		return Explanation{}, false
	}
	return Explanation{
		Summary: fmt.Sprintf("The CA issued a certificate that is not what was ordered (%s): %s.", string(e.Mismatch), e.Detail),
		Remedy:  mismatchRemedies[e.Mismatch] + " Revoke the certificate if it is of no use.",
		Retry:   RetryOperator,
	}, true
}

// mismatchRemedies is never written to.
var mismatchRemedies = map[Mismatch]string{
	MismatchKey:      "The CA or something between changed the request; find out which.",
	MismatchCA:       "The template makes certification authorities; use another one.",
	MismatchLeaf:     "The CA sent certificates that nobody ordered; find out why.",
	MismatchValidity: "Set the clocks of this host and the CA, and check the validity period of the template.",
	MismatchSubject: "Let the template take the subject from the request (tab Subject Name, Supply in the request), or " +
		"order a subject from the directory.",
	MismatchNames: "Let the template take the names from the request (tab Subject Name, Supply in the request), or order " +
		"names from the directory.",
	MismatchSID:      "Check whether the template adds the SID of the requester, or removes it (CT_FLAG_NO_SECURITY_EXTENSION).",
	MismatchUsage:    "Add the missing usage to the template (Extensions, Application Policies), or order from another one.",
	MismatchTemplate: "Check which template the CA used for the request.",
	MismatchChain:    "Check that the configured roots are those of this CA, and that its own certificates are valid.",
}

func explainLogon(err error) (Explanation, bool) {
	if !errors.Is(err, ErrLogon) {
		return Explanation{}, false
	}
	if errors.Is(err, smbpipe.ErrAnonymous) {
		return Explanation{
			Summary: "The CA's host takes the user for a guest, as it does with accounts that it does not know.",
			Remedy:  "Check user name and domain.",
			Retry:   RetryOperator,
		}, true
	}
	info := rpcStatuses[ErrSecurityPackage]
	if status, ok := errors.AsType[RPCStatus](err); ok && status.isLogon() {
		info = rpcStatuses[status]
	} else if reason, ok := errors.AsType[BindNak](err); ok {
		info = bindNaks[reason]
	} else if status, ok := errors.AsType[NTStatus](err); ok {
		info = ntStatuses[status]
	}
	return info.explain("The logon to the CA's host failed"), true
}

// explain makes a sentence of a table's text.
func (i codeInfo) explain(what string) Explanation {
	return Explanation{Summary: what + ": " + i.text + ".", Remedy: i.remedy, Retry: i.retry}
}

func explainNotOwner(err error) (Explanation, bool) {
	if !errors.Is(err, ErrNotOwner) {
		return Explanation{}, false
	}
	return Explanation{
		Summary: "The CA does not show the request to this account: another account has submitted it. Nothing is known about " +
			"what became of it.",
		Remedy: "Retrieve it as the account that submitted it, or give this one the permission Read on the CA (its properties, " +
			"tab Security); check the request id.",
		Retry: RetryOperator,
	}, true
}

func explainRefusal(err error) (Explanation, bool) {
	what := "The CA refused"
	refusal, ok := errors.AsType[*RequestError](err)
	if ok && refusal.RequestID != 0 {
		what = fmt.Sprintf("The CA refused request %d", refusal.RequestID)
	}
	if ok && refusal.Code == 0 {
		return explainDisposition(what, refusal.Disposition), true
	}
	if code, isCode := errors.AsType[HResult](err); isCode {
		info, known := hresults[code.canonical()]
		if !known {
			return explainUnknownCode(what, code), true
		}
		return info.explain(what), true
	}
	return Explanation{}, false
}

// explainUnknownCode is for codes outside the table, which policy modules may make up.
func explainUnknownCode(what string, code HResult) Explanation {
	return Explanation{
		Summary: fmt.Sprintf("%s with the code 0x%08X.", what, uint32(code)),
		Remedy: fmt.Sprintf("Look into Failed Requests in the CA's console (certsrv.msc); certutil -error 0x%08X says what "+
			"Windows knows about the code.", uint32(code)),
		Retry: RetryOperator,
	}
}

func explainDisposition(what string, d Disposition) Explanation {
	e := Explanation{
		Summary: fmt.Sprintf("%s without a reason (disposition: %v).", what, d),
		Remedy:  "Look at the request in the CA's console (certsrv.msc, Failed Requests).",
		Retry:   RetryOperator,
	}
	switch d {
	case Denied:
		e.Summary = what + ": its policy or its manager denied it."
		e.Remedy = "Ask the CA's manager why the request was denied."
		e.Retry = RetryNever
	case Revoked:
		e.Summary = what + ": the certificate was issued and has been revoked since."
		e.Remedy = "Submit a new request."
		e.Retry = RetryNever
	}
	return e
}

func explainLocal(err error) (Explanation, bool) {
	if errors.Is(err, errors.ErrUnsupported) {
		return Explanation{
			Summary: "This system does not support what was asked for.",
			Remedy:  "Choose another credential, as the error says.",
			Retry:   RetryNever,
		}, true
	}
	if errors.Is(err, ErrInvalidRequest) {
		return Explanation{
			Summary: "The request was not sent, since it is not one that a CA could or should accept.",
			Remedy:  "Correct the certification request or its attributes as the error says.",
			Retry:   RetryNever,
		}, true
	}
	if e, ok := errors.AsType[*AnswerError](err); ok {
		return Explanation{
			Summary: "The answer of the CA could not be used: " + e.Reason + ".",
			Remedy:  "Check that host and port belong to a CA and that nothing in between changes traffic; please report it.",
			Retry:   RetryOperator,
		}, true
	}
	return Explanation{}, false
}

// explainBroken is for peers that do not speak the protocol, or not as the one that knows the session's key.
func explainBroken(err error) (Explanation, bool) {
	switch {
	case errors.Is(err, rpc.ErrIntegrity), errors.Is(err, smbpipe.ErrIntegrity):
		return Explanation{
			Summary: "What arrived is not what the CA's host signed and encrypted.",
			Remedy: "Something between here and the CA changes traffic, or the other side is not the CA: find out which. Nothing of " +
				"the answer was used.",
			Retry: RetryOperator,
		}, true
	case errors.Is(err, smbpipe.ErrMalformed):
		return Explanation{
			Summary: "The other side does not speak SMB 2 as a Windows host does.",
			Remedy:  "Check that port 445 belongs to the CA's host and not to something else, such as a proxy.",
			Retry:   RetryOperator,
		}, true
	case errors.Is(err, rpc.ErrMalformed):
		return Explanation{
			Summary: "The other side does not speak RPC as a CA does.",
			Remedy:  "Check that host and port belong to a CA and not to something else, such as a web server or a proxy.",
			Retry:   RetryOperator,
		}, true
	}
	return Explanation{}, false
}

func explainRPC(err error) (Explanation, bool) {
	what := "The CA's host refused the call"
	if e, ok := errors.AsType[*RPCError](err); ok && e.Phase == PhaseMap {
		what = "The endpoint mapper of the CA's host refused the call"
	}
	if status, ok := errors.AsType[RPCStatus](err); ok {
		if info, known := rpcStatuses[status.canonical()]; known {
			return info.explain(what), true
		}
		return explainUnknownCode(what, HResult(status)), true
	}
	if reason, ok := errors.AsType[BindNak](err); ok {
		if info, known := bindNaks[reason]; known {
			return info.explain(what), true
		}
	}
	if reason, ok := errors.AsType[ContextRejection](err); ok {
		if info, known := contextRejections[reason]; known {
			return info.explain(what), true
		}
	}
	if e, ok := errors.AsType[*RPCError](err); ok {
		return Explanation{
			Summary: fmt.Sprintf("%s, in phase %q, for a reason that is not known.", what, bounded(string(e.Phase))),
			Remedy:  "Check that host and port belong to a CA, and look into its event log.",
			Retry:   RetryOperator,
		}, true
	}
	return Explanation{}, false
}

func explainContext(err error) (Explanation, bool) {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Explanation{
			Summary: "The CA did not answer in time.",
			Remedy: "Check that the CA's host is reachable on port 135 and on its RPC port (49152 to 65535 by default), and how " +
				"busy the CA is; allow more time if its policy takes long.",
			Retry: RetryAfter,
		}, true
	case errors.Is(err, context.Canceled):
		return Explanation{
			Summary: "The call was cancelled here.",
			Remedy:  "Nothing needs to be changed; try again if the certificate is still wanted.",
			Retry:   RetryAfter,
		}, true
	}
	return Explanation{}, false
}
