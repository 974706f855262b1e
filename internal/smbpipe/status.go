package smbpipe

import "fmt"

// Status is an NTSTATUS ([MS-ERREF] section 2.3).
type Status uint32

// The statuses that mean something here.
const (
	statusSuccess        Status = 0
	statusPending        Status = 0x00000103
	statusBufferOverflow Status = 0x80000005 // more of a message is left to be read
	statusMoreProcessing Status = 0xC0000016 // of authentication: the next leg

	statusEndOfFile        Status = 0xC0000011
	statusPipeDisconnected Status = 0xC00000B0
	statusPipeClosing      Status = 0xC00000B1
	statusPipeBroken       Status = 0xC000014B
)

// Statuses that tell a caller what is wrong.
const (
	StatusAccessDenied        Status = 0xC0000022
	StatusObjectNameNotFound  Status = 0xC0000034 // there is no such pipe
	StatusNoSuchUser          Status = 0xC0000064
	StatusWrongPassword       Status = 0xC000006A
	StatusLogonFailure        Status = 0xC000006D // user name or password
	StatusAccountRestriction  Status = 0xC000006E
	StatusInvalidLogonHours   Status = 0xC000006F
	StatusInvalidWorkstation  Status = 0xC0000070
	StatusPasswordExpired     Status = 0xC0000071
	StatusAccountDisabled     Status = 0xC0000072
	StatusPipeNotAvailable    Status = 0xC00000AC // every instance of the pipe is in use
	StatusNotSupported        Status = 0xC00000BB // of a server that takes no NTLM
	StatusBadNetworkName      Status = 0xC00000CC // there is no such share
	StatusTimeDifference      Status = 0xC0000133 // clocks differ
	StatusLogonNotGranted     Status = 0xC0000155
	StatusLogonTypeNotGranted Status = 0xC000015B
	StatusAccountExpired      Status = 0xC0000193
	StatusPasswordMustChange  Status = 0xC0000224
	StatusNotFound            Status = 0xC0000225 // by Samba, of a wrong password for name@realm
	StatusAccountLockedOut    Status = 0xC0000234
	StatusSmartcardRequired   Status = 0xC00002FA
	StatusFirewall            Status = 0xC0000413 // the account's forest may use selected hosts only
	StatusNTLMBlocked         Status = 0xC0000418
)

// LogonRefused holds for the statuses by which a server refuses an account or its password for good.
func (s Status) LogonRefused() bool {
	switch s {
	case StatusAccessDenied, StatusNoSuchUser, StatusWrongPassword, StatusLogonFailure, StatusAccountRestriction,
		StatusInvalidLogonHours, StatusInvalidWorkstation, StatusPasswordExpired, StatusAccountDisabled,
		StatusLogonNotGranted, StatusLogonTypeNotGranted, StatusAccountExpired, StatusPasswordMustChange, StatusNotFound,
		StatusAccountLockedOut, StatusSmartcardRequired, StatusFirewall, StatusNTLMBlocked:
		return true
	}
	return false
}

// isEnd holds for the statuses that say that the other end of the pipe was closed.
func (s Status) isEnd() bool {
	switch s {
	case statusEndOfFile, statusPipeDisconnected, statusPipeClosing, statusPipeBroken:
		return true
	}
	return false
}

// Error names the number.
func (s Status) Error() string { return fmt.Sprintf("NTSTATUS 0x%08X", uint32(s)) }

// Step is what an error belongs to.
type Step string

// The steps, in their order.
const (
	StepNegotiate Step = "SMB negotiation"
	StepSession   Step = "SMB session"
	StepTree      Step = "share IPC$"
	StepOpen      Step = "opening the pipe"
	StepRead      Step = "reading from the pipe"
	StepWrite     Step = "writing to the pipe"
)

// StatusError is a refusal: the server answered a step with a status.
type StatusError struct {
	Step   Step
	Status Status
	// Signed is true when the answer carried a right signature, or was encrypted. What a server says before a session
	// exists is neither, and anybody on the network may have made it.
	Signed bool
}

// Error names the step and the status.
func (e *StatusError) Error() string { return fmt.Sprintf("%s: %v", e.Step, e.Status) }

// Unwrap returns the status.
func (e *StatusError) Unwrap() error { return e.Status }
