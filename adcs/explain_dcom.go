package adcs

import "errors"

// dcomAccess is what to do when a host does not let an account use the CA's objects. The group is made when a CA is
// installed: locally, or on a domain controller in the domain.
const dcomAccess = "Add the account, or a group that it is in, to the group Certificate Service DCOM Access on the CA's host " +
	"(of the domain, if the host is a domain controller), and check the limits of DCOM there (dcomcnfg, properties of the " +
	"computer, COM Security) and of CertSrv Request; or use the transport tcp or np."

// explainActivationLogon explains a refusal that may be about the password or about DCOM: to who has only NTLM, and has
// not logged on to the host before, Windows says both in the same way.
func explainActivationLogon(err error) (Explanation, bool) {
	e, ok := errors.AsType[*RPCError](err)
	if !ok || !errors.Is(err, ErrLogon) || e.Phase != PhaseActivate || !errors.Is(e.Err, ErrAccessDenied) {
		return Explanation{}, false
	}
	return Explanation{
		Summary: "The CA's host refused the logon, or the use of DCOM by this account; NTLM does not tell which.",
		Remedy:  "Check user name and password. " + dcomAccess,
		Retry:   RetryOperator,
	}, true
}

// explainActivation explains why a host did not make an object of the CA.
func explainActivation(err error) (Explanation, bool) {
	e, ok := errors.AsType[*RPCError](err)
	if !ok || e.Phase != PhaseActivate {
		return Explanation{}, false
	}
	const what = "The CA's host refused to make the CA's DCOM object, or calls on it"
	if _, rejected := errors.AsType[ContextRejection](e.Err); rejected {
		return Explanation{
			Summary: "The CA's host does not offer DCOM at its endpoint mapper.",
			Remedy:  "Check that the host is the CA's, and that Distributed COM is enabled on it; or use the transport tcp or np.",
			Retry:   RetryOperator,
		}, true
	}
	code, ok := errors.AsType[HResult](e.Err)
	if errors.Is(e.Err, ErrAccessDenied) {
		return Explanation{Summary: what + " for this account.", Remedy: dcomAccess, Retry: RetryOperator}, true
	}
	if !ok {
		return Explanation{}, false
	}
	info, known := hresults[code.canonical()]
	if !known {
		return explainUnknownCode(what, code), true
	}
	return info.explain(what), true
}
