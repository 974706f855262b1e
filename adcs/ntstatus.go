package adcs

import (
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/smbpipe"
)

// NTStatus is a status of SMB as an error: what the CA's host answered when the named pipe was opened
// ([MS-ERREF] section 2.3).
//
// [MS-ERREF]: https://learn.microsoft.com/openspecs/windows_protocols/ms-erref
type NTStatus uint32

// Statuses of SMB that have a meaning for a caller.
const (
	// ErrNoPipe says that the CA does not serve the pipe: its service is stopped, or ICertPassage is switched off.
	ErrNoPipe = NTStatus(smbpipe.StatusObjectNameNotFound)
	// ErrPipeAccessDenied says that the account may not use the pipe, or not log on to SMB.
	ErrPipeAccessDenied = NTStatus(smbpipe.StatusAccessDenied)
	// ErrPipeBusy says that every instance of the pipe is in use.
	ErrPipeBusy = NTStatus(smbpipe.StatusPipeNotAvailable)
	// ErrPipeClockSkew says that the clocks of the caller, the host and its domain controller differ too much.
	ErrPipeClockSkew = NTStatus(smbpipe.StatusTimeDifference)
	// ErrNTLMBlocked says that the host takes no NTLM.
	ErrNTLMBlocked = NTStatus(smbpipe.StatusNTLMBlocked)
)

// Name returns the symbolic name, e.g. "STATUS_LOGON_FAILURE", or "" for a status that this package does not know.
func (s NTStatus) Name() string { return ntStatuses[s].name }

// Explanation returns one line that says what the status means when the host of a CA answers with it, or "".
func (s NTStatus) Explanation() string { return ntStatuses[s].text }

// Error returns the name, the number and the explanation.
func (s NTStatus) Error() string {
	if info, ok := ntStatuses[s]; ok {
		return fmt.Sprintf("%s (0x%08X): %s", info.name, uint32(s), info.text)
	}
	return fmt.Sprintf("NTSTATUS 0x%08X", uint32(s))
}

// Is reports whether target is the same status. A pipe that is not there matches [ErrNotRegistered], the same from the
// endpoint mapper, and a missing right [ErrAccessDenied].
func (s NTStatus) Is(target error) bool {
	switch t := target.(type) {
	case NTStatus:
		return s == t
	case RPCStatus:
		return s == ErrNoPipe && t == ErrNotRegistered
	case HResult:
		return s == ErrPipeAccessDenied && t == ErrAccessDenied
	}
	return false
}

// The rest of the statuses by which a server refuses a logon to SMB.
const (
	statusLogonFailure        = NTStatus(smbpipe.StatusLogonFailure)
	statusWrongPassword       = NTStatus(smbpipe.StatusWrongPassword)
	statusNoSuchUser          = NTStatus(smbpipe.StatusNoSuchUser)
	statusAccountRestriction  = NTStatus(smbpipe.StatusAccountRestriction)
	statusInvalidLogonHours   = NTStatus(smbpipe.StatusInvalidLogonHours)
	statusInvalidWorkstation  = NTStatus(smbpipe.StatusInvalidWorkstation)
	statusPasswordExpired     = NTStatus(smbpipe.StatusPasswordExpired)
	statusPasswordMustChange  = NTStatus(smbpipe.StatusPasswordMustChange)
	statusAccountDisabled     = NTStatus(smbpipe.StatusAccountDisabled)
	statusAccountExpired      = NTStatus(smbpipe.StatusAccountExpired)
	statusAccountLockedOut    = NTStatus(smbpipe.StatusAccountLockedOut)
	statusLogonTypeNotGranted = NTStatus(smbpipe.StatusLogonTypeNotGranted)
	statusLogonNotGranted     = NTStatus(smbpipe.StatusLogonNotGranted)
	statusNotFound            = NTStatus(smbpipe.StatusNotFound)
	statusSmartcardRequired   = NTStatus(smbpipe.StatusSmartcardRequired)
	statusFirewall            = NTStatus(smbpipe.StatusFirewall)
	statusNotSupported        = NTStatus(smbpipe.StatusNotSupported)
	statusBadNetworkName      = NTStatus(smbpipe.StatusBadNetworkName)
)

// ntStatuses is never written to.
var ntStatuses = map[NTStatus]codeInfo{
	ErrNoPipe: {"STATUS_OBJECT_NAME_NOT_FOUND", "the host has no named pipe of a CA",
		`Check that the service certsvc runs and serves \pipe\cert (certutil -getreg CA\InterfaceFlags without ` +
			`IF_NORPCICERTREQUEST), or use TCP or DCOM.`, RetryOperator},
	ErrPipeBusy: {"STATUS_PIPE_NOT_AVAILABLE", "every instance of the CA's pipe is in use",
		"Try again later; use TCP if it stays.", RetryAfter},
	ErrPipeAccessDenied: {"STATUS_ACCESS_DENIED", "the account may not use SMB or the CA's pipe on this host",
		"Give the account the right to access the CA's host from the network (secpol.msc, User Rights Assignment), or use TCP.",
		RetryOperator},
	ErrPipeClockSkew: {"STATUS_TIME_DIFFERENCE_AT_DC", "the clocks differ too much",
		"Set the clocks of this host, the CA's host and its domain controller.", RetryOperator},
	ErrNTLMBlocked: {"STATUS_NTLM_BLOCKED", "the host takes no NTLM", remedyNTLM, RetryOperator},
	statusNotSupported: {"STATUS_NOT_SUPPORTED", "the host does not support what SMB was asked for, such as NTLM", remedyNTLM,
		RetryOperator},
	statusBadNetworkName: {"STATUS_BAD_NETWORK_NAME", "the host has no share IPC$",
		"Check that the host is a Windows server, or use TCP.", RetryOperator},
	statusLogonFailure: {"STATUS_LOGON_FAILURE", "the user name or the password is wrong",
		"Check user name, domain and password; do not try again and again, lest the account be locked.", RetryOperator},
	statusWrongPassword: {"STATUS_WRONG_PASSWORD", "the password is wrong",
		"Check the password; do not try again and again, lest the account be locked.", RetryOperator},
	statusNoSuchUser: {"STATUS_NO_SUCH_USER", "there is no such user", "Check user name and domain.", RetryOperator},
	statusAccountRestriction: {"STATUS_ACCOUNT_RESTRICTION", "a restriction of the account forbids the logon",
		"Check the account: empty password, Protected Users, authentication policies.", RetryOperator},
	statusInvalidLogonHours: {"STATUS_INVALID_LOGON_HOURS", "the account may not log on at this hour",
		"Change the logon hours of the account.", RetryAfter},
	statusInvalidWorkstation: {"STATUS_INVALID_WORKSTATION", "the account may not log on from this host",
		"Change the workstations of the account.", RetryOperator},
	statusPasswordExpired: {"STATUS_PASSWORD_EXPIRED", "the password has expired", remedyPassword, RetryOperator},
	statusPasswordMustChange: {"STATUS_PASSWORD_MUST_CHANGE", "the password must be changed first", remedyPassword,
		RetryOperator},
	statusAccountDisabled: {"STATUS_ACCOUNT_DISABLED", "the account is disabled", "Enable the account, or use another one.",
		RetryOperator},
	statusAccountExpired: {"STATUS_ACCOUNT_EXPIRED", "the account has expired",
		"Change the expiry of the account, or use another one.", RetryOperator},
	statusAccountLockedOut: {"STATUS_ACCOUNT_LOCKED_OUT", "the account is locked",
		"Unlock the account, and find out who tries wrong passwords.", RetryOperator},
	statusNotFound: {"STATUS_NOT_FOUND", "the user name or the password is wrong",
		"Check user name, domain and password; do not try again and again, lest the account be locked.", RetryOperator},
	statusSmartcardRequired: {"STATUS_SMARTCARD_LOGON_REQUIRED", "the account may log on with a smart card only",
		"Use another account, or take this restriction from it.", RetryOperator},
	statusFirewall: {"STATUS_AUTHENTICATION_FIREWALL_FAILED", "the account is of another forest, and may not use this host",
		"Give the account the right Allowed to Authenticate on the computer object of the CA's host.", RetryOperator},
	statusLogonNotGranted: {"STATUS_LOGON_NOT_GRANTED", "the host does not let the account log on",
		"Give the account the right to access the CA's host from the network (secpol.msc, User Rights Assignment).",
		RetryOperator},
	statusLogonTypeNotGranted: {"STATUS_LOGON_TYPE_NOT_GRANTED", "the account may not log on over the network",
		"Give the account the right to access the CA's host from the network (secpol.msc, User Rights Assignment).",
		RetryOperator},
}

const (
	remedyNTLM     = "Use Kerberos, or allow NTLM for this server (policy Network security: Restrict NTLM)."
	remedyPassword = "Change the password of the account."
)

// explainPipe explains what SMB said.
func explainPipe(err error) (Explanation, bool) {
	status, ok := errors.AsType[NTStatus](err)
	if !ok {
		return Explanation{}, false
	}
	if info, known := ntStatuses[status]; known {
		return info.explain("The CA's host refused the named pipe"), true
	}
	return Explanation{
		Summary: fmt.Sprintf("The CA's host refused the named pipe with the NTSTATUS 0x%08X.", uint32(status)),
		Remedy:  "Look into the event log of the CA's host, or use TCP.",
		Retry:   RetryOperator,
	}, true
}
