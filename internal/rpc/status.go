package rpc

import "fmt"

// Status is the status code of a fault (C706 appendix E, MS-ERREF section 2.2).
type Status uint32

// The statuses that are told apart.
const (
	StatusAccessDenied    Status = 0x00000005
	StatusBadStubData     Status = 0x000006f7 // RPC_X_BAD_STUB_DATA
	StatusSecPkgError     Status = 0x00000721 // RPC_S_SEC_PKG_ERROR: the authentication did not complete
	StatusUnknownIf       Status = 0x1c010003 // nca_s_unk_if
	StatusOpRange         Status = 0x1c010002 // nca_s_op_rng_error
	StatusProtocol        Status = 0x1c01000b // nca_s_proto_error
	StatusServerTooBusy   Status = 0x1c010014 // nca_s_server_too_busy
	StatusContextMismatch Status = 0x1c00001a // nca_s_fault_context_mismatch
	StatusNotRegistered   Status = 0x16c9a0d6 // ept_s_not_registered
	StatusCantPerform     Status = 0x16c9a0cd // ept_s_cant_perform_op
	StatusFaultUnspec     Status = 0x1c000012 // nca_s_fault_unspec
)

// name is the name of a status, or nothing.
func (s Status) name() string {
	switch s {
	case StatusAccessDenied:
		return "access denied"
	case StatusBadStubData:
		return "bad stub data"
	case StatusSecPkgError:
		return "a security package error occurred"
	case StatusUnknownIf:
		return "unknown interface"
	case StatusOpRange:
		return "operation number out of range"
	case StatusProtocol:
		return "protocol error"
	case StatusServerTooBusy:
		return "server too busy"
	case StatusContextMismatch:
		return "context mismatch"
	case StatusNotRegistered:
		return "endpoint not registered"
	case StatusCantPerform:
		return "endpoint mapper cannot perform the operation"
	case StatusFaultUnspec:
		return "unspecified fault"
	default:
		return ""
	}
}

// Error names the status, so that a Status can be in the chain of an error.
func (s Status) Error() string {
	if n := s.name(); n != "" {
		return fmt.Sprintf("RPC status %#08x (%s)", uint32(s), n)
	}
	return fmt.Sprintf("RPC status %#08x", uint32(s))
}
