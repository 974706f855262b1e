package adcs

import "fmt"

// Phase is the step of a call that an [RPCError] or a network error belongs to.
type Phase string

// The phases of a call, in their order.
const (
	PhaseMap      Phase = "endpoint mapper" // asking the endpoint mapper (port 135) where the CA listens
	PhasePipe     Phase = "named pipe"      // logging on to SMB (port 445) and opening the CA's pipe
	PhaseActivate Phase = "activation"      // having the CA's host (port 135) make an object of the CA, for DCOM
	PhaseBind     Phase = "bind"            // connecting to the CA and authenticating
	PhaseCall     Phase = "call"            // the call itself
)

// RPCError is a failure that the remote side reported on the level of DCE/RPC, below the CA: a fault, a refused bind, a
// status of the endpoint mapper, or the refusal to make an object. Most servers sign none of these, so anybody on the
// path may have made one up. Err is an [RPCStatus], a [BindNak], a [ContextRejection], of SMB an [NTStatus], or of an
// activation, which is sealed, an [HResult]; errors.Is finds it.
type RPCError struct {
	Phase Phase
	Err   error

	// DidNotExecute says that the server marked a fault with PFC_DID_NOT_EXECUTE: it did not begin the call
	// (C706, section 12.6.3.1).
	DidNotExecute bool
}

// Error says in which phase the remote side refused, and why.
func (e *RPCError) Error() string {
	return fmt.Sprintf("adcs: %s: %v", e.Phase, e.Err)
}

// Unwrap returns Err.
func (e *RPCError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrLogon] and the server refused the credential when it was presented. The same numbers
// mean something else from the endpoint mapper, which sees no credential, and in a call, where the server has accepted
// it already.
func (e *RPCError) Is(target error) bool {
	if target != ErrLogon || e.Phase != PhaseBind {
		return false
	}
	switch refused := e.Err.(type) {
	case RPCStatus:
		return refused.isLogon()
	case BindNak: // with which a server answers when its security package fails
		return refused == BindNakInvalidChecksum
	}
	return false
}

// RPCStatus is a status code of DCE/RPC as an error: that of a fault (C706, appendix E; [MS-RPCE], section 2.2.2.6,
// where Windows sends Win32 codes), or of the endpoint mapper.
type RPCStatus uint32

// Is reports whether target is the same status, or the [HResult] of the same Win32 code: a CA reports a missing right
// as fault 5 or as HRESULT 0x80070005, and both match [ErrAccessDenied]. The forms of one status that C706 and Windows
// number differently are equal too.
func (s RPCStatus) Is(target error) bool {
	switch t := target.(type) {
	case RPCStatus:
		return s.canonical() == t.canonical()
	case HResult:
		return hresultFromWin32(uint32(s.canonical())) == t.canonical()
	}
	return false
}

// isLogon holds for the statuses that say that a server refused the credential.
func (s RPCStatus) isLogon() bool {
	switch s {
	case ErrSecurityPackage, ErrLogonFailure, ErrAccountRestriction, ErrLogonHours, ErrLogonWorkstation,
		ErrPasswordExpired, ErrAccountDisabled, ErrLogonTypeNotGranted, ErrAccountExpired, ErrPasswordMustChange,
		ErrAccountLockedOut, ErrLogonDenied:
		return true
	}
	return false
}

// canonical maps the statuses that C706 and Windows number differently to one of the two.
func (s RPCStatus) canonical() RPCStatus {
	switch s {
	case 0x6D9: // EPT_S_NOT_REGISTERED as a Win32 code
		return ErrNotRegistered
	case 0x6B5: // RPC_S_UNKNOWN_IF
		return ErrUnknownInterface
	case 0x6D1: // RPC_S_PROCNUM_OUT_OF_RANGE
		return ErrUnknownOperation
	case 0x6C0: // RPC_S_PROTOCOL_ERROR
		return ErrRPCProtocol
	case 0x1C010014: // nca_server_too_busy
		return ErrServerTooBusy
	}
	return s
}

// Name returns the symbolic name, e.g. "ept_s_not_registered", or "" for a status that this package does not know.
func (s RPCStatus) Name() string { return rpcStatuses[s.canonical()].name }

// Explanation returns one line that says what the status means when it comes from a CA, or "" for a status that this
// package does not know. [Explain] says what to do about it.
func (s RPCStatus) Explanation() string { return rpcStatuses[s.canonical()].text }

// String returns the name and the number, or the number alone.
func (s RPCStatus) String() string {
	if name := s.Name(); name != "" {
		return fmt.Sprintf("%s (0x%08X)", name, uint32(s))
	}
	return fmt.Sprintf("RPC status 0x%08X", uint32(s))
}

// Error returns the name, the number and the explanation.
func (s RPCStatus) Error() string {
	if text := s.Explanation(); text != "" {
		return s.String() + ": " + text
	}
	return s.String()
}

// BindNak is the reason of a bind_nak: the server refused the association as a whole (C706, section 12.6.4.5; reasons 8
// and 9 from [MS-RPCE], section 2.2.2.5).
type BindNak uint16

// The reasons of a bind_nak.
const (
	BindNakUnspecified          BindNak = 0
	BindNakCongestion           BindNak = 1
	BindNakLocalLimit           BindNak = 2
	BindNakAddressUnknown       BindNak = 3
	BindNakVersion              BindNak = 4
	BindNakDefaultContext       BindNak = 5
	BindNakUserDataNotReadable  BindNak = 6
	BindNakNoPSAP               BindNak = 7
	BindNakAuthTypeUnrecognized BindNak = 8
	BindNakInvalidChecksum      BindNak = 9
)

// Name returns the reason's name, or "" for a reason that this package does not know.
func (r BindNak) Name() string { return bindNaks[r].name }

// Explanation returns one line that says what the reason means, or "".
func (r BindNak) Explanation() string { return bindNaks[r].text }

// Error returns the number, the name and the explanation.
func (r BindNak) Error() string {
	if info, ok := bindNaks[r]; ok {
		return fmt.Sprintf("bind refused, reason %d (%s): %s", uint16(r), info.name, info.text)
	}
	return fmt.Sprintf("bind refused, reason %d", uint16(r))
}

// ContextRejection is the reason for which a server accepted the association but not the interface in it: result 1 or 2
// of a bind_ack or alter_context_resp (C706, section 12.6.3.1, p_provider_reason_t).
type ContextRejection uint16

// The reasons for rejecting a presentation context.
const (
	ContextNotSpecified        ContextRejection = 0
	ContextInterfaceUnknown    ContextRejection = 1
	ContextTransferUnsupported ContextRejection = 2
	ContextLocalLimit          ContextRejection = 3
)

// Name returns the reason's name, or "" for a reason that this package does not know.
func (r ContextRejection) Name() string { return contextRejections[r].name }

// Explanation returns one line that says what the reason means, or "".
func (r ContextRejection) Explanation() string { return contextRejections[r].text }

// Error returns the number, the name and the explanation.
func (r ContextRejection) Error() string {
	if info, ok := contextRejections[r]; ok {
		return fmt.Sprintf("interface refused, reason %d (%s): %s", uint16(r), info.name, info.text)
	}
	return fmt.Sprintf("interface refused, reason %d", uint16(r))
}
