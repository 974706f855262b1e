package adcs

// The statuses of DCE/RPC that this package knows, as faults and as answers of the endpoint mapper. Each one's
// Explanation says what it means, and [Explain] what to do. Values below 0x10000 are Win32 codes, as Windows sends them
// ([MS-RPCE], section 3.1.1.5.5); the others are those of C706, appendix E.
const (
	ErrRPCAccessDenied       RPCStatus = 0x00000005 // nca_s_fault_access_denied
	ErrLogonFailure          RPCStatus = 0x0000052E // ERROR_LOGON_FAILURE
	ErrAccountRestriction    RPCStatus = 0x0000052F // ERROR_ACCOUNT_RESTRICTION
	ErrLogonHours            RPCStatus = 0x00000530 // ERROR_INVALID_LOGON_HOURS
	ErrLogonWorkstation      RPCStatus = 0x00000531 // ERROR_INVALID_WORKSTATION
	ErrPasswordExpired       RPCStatus = 0x00000532 // ERROR_PASSWORD_EXPIRED
	ErrAccountDisabled       RPCStatus = 0x00000533 // ERROR_ACCOUNT_DISABLED
	ErrLogonTypeNotGranted   RPCStatus = 0x00000569 // ERROR_LOGON_TYPE_NOT_GRANTED
	ErrAccountExpired        RPCStatus = 0x00000701 // ERROR_ACCOUNT_EXPIRED
	ErrPasswordMustChange    RPCStatus = 0x00000773 // ERROR_PASSWORD_MUST_CHANGE
	ErrAccountLockedOut      RPCStatus = 0x00000775 // ERROR_ACCOUNT_LOCKED_OUT
	ErrLogonDenied           RPCStatus = 0x8009030C // SEC_E_LOGON_DENIED
	ErrRPCServerUnavailable  RPCStatus = 0x000006BA // RPC_S_SERVER_UNAVAILABLE
	ErrServerTooBusy         RPCStatus = 0x000006BB // RPC_S_SERVER_TOO_BUSY
	ErrCallFailed            RPCStatus = 0x000006BE // RPC_S_CALL_FAILED
	ErrCallFailedDNE         RPCStatus = 0x000006BF // RPC_S_CALL_FAILED_DNE
	ErrUnknownAuthnService   RPCStatus = 0x000006D3 // RPC_S_UNKNOWN_AUTHN_SERVICE
	ErrUnknownAuthnLevel     RPCStatus = 0x000006D4 // RPC_S_UNKNOWN_AUTHN_LEVEL
	ErrCannotPerformOp       RPCStatus = 0x000006D8 // EPT_S_CANT_PERFORM_OP
	ErrBadStubData           RPCStatus = 0x000006F7 // RPC_X_BAD_STUB_DATA
	ErrSecurityPackage       RPCStatus = 0x00000721 // RPC_S_SEC_PKG_ERROR
	ErrNotRegistered         RPCStatus = 0x16C9A0D6 // ept_s_not_registered
	ErrCommFailure           RPCStatus = 0x1C010001 // nca_s_comm_failure
	ErrUnknownOperation      RPCStatus = 0x1C010002 // nca_op_rng_error
	ErrUnknownInterface      RPCStatus = 0x1C010003 // nca_unk_if
	ErrOutArgsTooBig         RPCStatus = 0x1C010013 // nca_out_args_too_big
	ErrRPCProtocol           RPCStatus = 0x1C01000B // nca_proto_error
	ErrUnsupportedType       RPCStatus = 0x1C010017 // nca_unsupported_type
	ErrInvalidBound          RPCStatus = 0x1C000007 // nca_s_fault_invalid_bound
	ErrRPCVersion            RPCStatus = 0x1C000008 // nca_rpc_version_mismatch
	ErrUnspecifiedReject     RPCStatus = 0x1C000009 // nca_unspec_reject
	ErrFaultCancel           RPCStatus = 0x1C00000D // nca_s_fault_cancel
	ErrFaultUnspecified      RPCStatus = 0x1C000012 // nca_s_fault_unspec
	ErrContextMismatch       RPCStatus = 0x1C00001A // nca_s_fault_context_mismatch
	ErrRemoteNoMemory        RPCStatus = 0x1C00001B // nca_s_fault_remote_no_memory
	ErrInvalidPresContext    RPCStatus = 0x1C00001C // nca_invalid_pres_context_id
	ErrUnsupportedAuthnLevel RPCStatus = 0x1C00001D // nca_unsupported_authn_level
	ErrInvalidChecksum       RPCStatus = 0x1C00001F // nca_invalid_checksum
)

// rpcStatuses is never written to.
var rpcStatuses = map[RPCStatus]codeInfo{
	ErrRPCAccessDenied: {
		name: "nca_s_fault_access_denied",
		text: "the server refused the call: no right on the interface, or too low a security level",
		remedy: "Check that the account may access the CA from the network and has the right Request Certificates " +
			"on it.",
		retry: RetryOperator,
	},
	ErrLogonFailure: {
		name: "ERROR_LOGON_FAILURE",
		text: "wrong user name or password",
		remedy: "Check user name, domain and password; do not retry with the same password, since accounts get " +
			"locked.",
		retry: RetryOperator,
	},
	ErrAccountRestriction: {
		name: "ERROR_ACCOUNT_RESTRICTION",
		text: "account restrictions prevent the logon, for example an empty password",
		remedy: "Correct what the message says about the account, then give the new credential; do not retry with " +
			"the same one, since accounts get locked.",
		retry: RetryOperator,
	},
	ErrLogonHours: {
		name: "ERROR_INVALID_LOGON_HOURS",
		text: "the account may not log on at this time",
		remedy: "Correct what the message says about the account, then give the new credential; do not retry with " +
			"the same one, since accounts get locked.",
		retry: RetryOperator,
	},
	ErrLogonWorkstation: {
		name: "ERROR_INVALID_WORKSTATION",
		text: "the account may not log on from this host",
		remedy: "Correct what the message says about the account, then give the new credential; do not retry with " +
			"the same one, since accounts get locked.",
		retry: RetryOperator,
	},
	ErrPasswordExpired: {
		name: "ERROR_PASSWORD_EXPIRED",
		text: "the account's password has expired",
		remedy: "Correct what the message says about the account, then give the new credential; do not retry with " +
			"the same one, since accounts get locked.",
		retry: RetryOperator,
	},
	ErrAccountDisabled: {
		name: "ERROR_ACCOUNT_DISABLED",
		text: "the account is disabled",
		remedy: "Correct what the message says about the account, then give the new credential; do not retry with " +
			"the same one, since accounts get locked.",
		retry: RetryOperator,
	},
	ErrLogonTypeNotGranted: {
		name:   "ERROR_LOGON_TYPE_NOT_GRANTED",
		text:   "the account may not log on to the CA's host over the network",
		remedy: "Give the account the user right Access this computer from the network on the CA's host.",
		retry:  RetryOperator,
	},
	ErrAccountExpired: {
		name: "ERROR_ACCOUNT_EXPIRED",
		text: "the account has expired",
		remedy: "Correct what the message says about the account, then give the new credential; do not retry with " +
			"the same one, since accounts get locked.",
		retry: RetryOperator,
	},
	ErrPasswordMustChange: {
		name: "ERROR_PASSWORD_MUST_CHANGE",
		text: "the account's password must be changed before the first logon",
		remedy: "Correct what the message says about the account, then give the new credential; do not retry with " +
			"the same one, since accounts get locked.",
		retry: RetryOperator,
	},
	ErrAccountLockedOut: {
		name:   "ERROR_ACCOUNT_LOCKED_OUT",
		text:   "the account is locked, after too many wrong passwords",
		remedy: "Find out who used a wrong password, unlock the account, and only then try again.",
		retry:  RetryOperator,
	},
	ErrLogonDenied: {
		name: "SEC_E_LOGON_DENIED",
		text: "the logon was denied",
		remedy: "Check user name, domain and password; do not retry with the same password, since accounts get " +
			"locked.",
		retry: RetryOperator,
	},
	ErrRPCServerUnavailable: {
		name: "RPC_S_SERVER_UNAVAILABLE",
		text: "the CA's RPC server is not available",
		remedy: "Check that the service certsvc runs on the CA and that its RPC interface is not turned off " +
			"(IF_NORPCICERTREQUEST).",
		retry: RetryOperator,
	},
	ErrServerTooBusy: {
		name:   "RPC_S_SERVER_TOO_BUSY",
		text:   "the server is too busy",
		remedy: "Try again later, or send fewer requests in parallel.",
		retry:  RetryAfter,
	},
	ErrCallFailed: {
		name:   "RPC_S_CALL_FAILED",
		text:   "the call failed in the server",
		remedy: "Look into the CA's event log.",
		retry:  RetryOperator,
	},
	ErrCallFailedDNE: {
		name:   "RPC_S_CALL_FAILED_DNE",
		text:   "the server failed before it executed the call",
		remedy: "Try again later; if it stays, look into the CA's event log.",
		retry:  RetryAfter,
	},
	ErrUnknownAuthnService: {
		name:   "RPC_S_UNKNOWN_AUTHN_SERVICE",
		text:   "the server does not know the authentication service",
		remedy: "Check which authentication (Kerberos, NTLM) the CA's host allows.",
		retry:  RetryOperator,
	},
	ErrUnknownAuthnLevel: {
		name: "RPC_S_UNKNOWN_AUTHN_LEVEL",
		text: "the server does not support packet privacy",
		remedy: "Check the RPC security policy of the CA's host; packet privacy cannot be turned off in this " +
			"client.",
		retry: RetryOperator,
	},
	ErrCannotPerformOp: {
		name:   "EPT_S_CANT_PERFORM_OP",
		text:   "the endpoint mapper cannot perform the operation",
		remedy: "Look into the event log of the CA's host; its endpoint mapper (service RpcEptMapper) may be ill.",
		retry:  RetryOperator,
	},
	ErrBadStubData: {
		name: "RPC_X_BAD_STUB_DATA",
		text: "the server could not decode the arguments of the call",
		remedy: "This points to a defect in this client, in the server, or in something between them; please " +
			"report it.",
		retry: RetryNever,
	},
	ErrSecurityPackage: {
		name: "RPC_S_SEC_PKG_ERROR",
		text: "the server rejected the logon: wrong user name or password, a locked or restricted account, or " +
			"NTLM not allowed",
		remedy: "Check user name, domain and password, whether the account is locked or expired, and whether " +
			"policy allows NTLM on the CA's host; do not retry with the same password, since accounts get " +
			"locked.",
		retry: RetryOperator,
	},
	ErrNotRegistered: {
		name: "ept_s_not_registered",
		text: "the endpoint mapper knows no CA on this host",
		remedy: "Check that this is the CA's host, that the service certsvc runs on it, and that its RPC " +
			"interface is not turned off (IF_NORPCICERTREQUEST).",
		retry: RetryOperator,
	},
	ErrCommFailure: {
		name:   "nca_s_comm_failure",
		text:   "communication with the server failed",
		remedy: "Try again later and check the network between here and the CA.",
		retry:  RetryAfter,
	},
	ErrUnknownOperation: {
		name:   "nca_op_rng_error",
		text:   "the server does not know the operation",
		remedy: "Check that host and port belong to a CA.",
		retry:  RetryOperator,
	},
	ErrUnknownInterface: {
		name:   "nca_unk_if",
		text:   "the server at this port does not offer the CA's interface",
		remedy: "Check that host and port belong to a CA; if it was restarted, it may listen on another port now.",
		retry:  RetryOperator,
	},
	ErrOutArgsTooBig: {
		name:   "nca_out_args_too_big",
		text:   "the answer is too big for the server",
		remedy: "Look into the CA's event log.",
		retry:  RetryOperator,
	},
	ErrRPCProtocol: {
		name: "nca_proto_error",
		text: "the server saw a violation of the RPC protocol",
		remedy: "This points to a defect in this client, in the server, or in something between them; please " +
			"report it.",
		retry: RetryNever,
	},
	ErrUnsupportedType: {
		name:   "nca_unsupported_type",
		text:   "the server does not support the object's type",
		remedy: "Check that host and port belong to a CA.",
		retry:  RetryOperator,
	},
	ErrInvalidBound: {
		name: "nca_s_fault_invalid_bound",
		text: "an array of the call is out of bounds",
		remedy: "This points to a defect in this client, in the server, or in something between them; please " +
			"report it.",
		retry: RetryNever,
	},
	ErrRPCVersion: {
		name:   "nca_rpc_version_mismatch",
		text:   "the server speaks another version of RPC",
		remedy: "Check that host and port belong to a CA.",
		retry:  RetryOperator,
	},
	ErrUnspecifiedReject: {
		name:   "nca_unspec_reject",
		text:   "the server rejected the call without a reason",
		remedy: "Look into the event log of the CA's host.",
		retry:  RetryOperator,
	},
	ErrFaultCancel: {
		name:   "nca_s_fault_cancel",
		text:   "the call was cancelled on the server",
		remedy: "Try again later.",
		retry:  RetryAfter,
	},
	ErrFaultUnspecified: {
		name:   "nca_s_fault_unspec",
		text:   "the call failed in the server without a reason",
		remedy: "Look into the CA's event log.",
		retry:  RetryOperator,
	},
	ErrContextMismatch: {
		name:   "nca_s_fault_context_mismatch",
		text:   "the server does not know the context of the call any more",
		remedy: "Try again; if it stays, restart the service certsvc on the CA.",
		retry:  RetryAfter,
	},
	ErrRemoteNoMemory: {
		name:   "nca_s_fault_remote_no_memory",
		text:   "the server is out of memory",
		remedy: "Try again later and check the memory of the CA's host.",
		retry:  RetryAfter,
	},
	ErrInvalidPresContext: {
		name: "nca_invalid_pres_context_id",
		text: "the server does not know the presentation context of the call",
		remedy: "This points to a defect in this client, in the server, or in something between them; please " +
			"report it.",
		retry: RetryNever,
	},
	ErrUnsupportedAuthnLevel: {
		name: "nca_unsupported_authn_level",
		text: "the server does not support the authentication level",
		remedy: "Check the RPC security policy of the CA's host; packet privacy cannot be turned off in this " +
			"client.",
		retry: RetryOperator,
	},
	ErrInvalidChecksum: {
		name: "nca_invalid_checksum",
		text: "the server found a wrong checksum",
		remedy: "Something between here and the CA changes traffic, or the two disagree about keys; check the " +
			"network, and clocks if Kerberos is used.",
		retry: RetryOperator,
	},
}

// bindNaks is never written to.
var bindNaks = map[BindNak]codeInfo{
	BindNakUnspecified: {
		name:   "reason_not_specified",
		text:   "the server gave no reason",
		remedy: "Look into the event log of the CA's host; check the account and the allowed authentication.",
		retry:  RetryOperator,
	},
	BindNakCongestion: {
		name:   "temporary_congestion",
		text:   "the server is short of resources",
		remedy: "Try again later.",
		retry:  RetryAfter,
	},
	BindNakLocalLimit: {
		name:   "local_limit_exceeded",
		text:   "the server is short of resources",
		remedy: "Try again later, or use fewer connections.",
		retry:  RetryAfter,
	},
	BindNakAddressUnknown: {
		name:   "called_paddr_unknown",
		text:   "the server does not know the address that was called",
		remedy: "Check that host and port belong to a CA.",
		retry:  RetryOperator,
	},
	BindNakVersion: {
		name:   "protocol_version_not_supported",
		text:   "the server does not support this version of RPC",
		remedy: "Check that host and port belong to a CA and not to something else.",
		retry:  RetryOperator,
	},
	BindNakDefaultContext: {
		name:   "default_context_not_supported",
		text:   "the server does not support a default context",
		remedy: "Check that host and port belong to a CA and not to something else.",
		retry:  RetryOperator,
	},
	BindNakUserDataNotReadable: {
		name: "user_data_not_readable",
		text: "the server could not read the bind",
		remedy: "This points to a defect in this client, in the server, or in something between them; please " +
			"report it.",
		retry: RetryNever,
	},
	BindNakNoPSAP: {
		name:   "no_psap_available",
		text:   "the server has no service access point",
		remedy: "Try again later.",
		retry:  RetryAfter,
	},
	BindNakAuthTypeUnrecognized: {
		name:   "authentication_type_not_recognized",
		text:   "the server does not know this authentication",
		remedy: "Check which authentication (Kerberos, NTLM) the CA's host allows.",
		retry:  RetryOperator,
	},
	BindNakInvalidChecksum: {
		name:   "invalid_checksum",
		text:   "the security package of the server failed, most often because of a logon that it refuses",
		remedy: "Check user name, domain and password, and that the clocks agree if Kerberos is used.",
		retry:  RetryOperator,
	},
}

// contextRejections is never written to.
var contextRejections = map[ContextRejection]codeInfo{
	ContextNotSpecified: {
		name:   "reason_not_specified",
		text:   "the server gave no reason",
		remedy: "Look into the event log of the CA's host.",
		retry:  RetryOperator,
	},
	ContextInterfaceUnknown: {
		name:   "abstract_syntax_not_supported",
		text:   "the server at this port does not offer the CA's interface",
		remedy: "Check that host and port belong to a CA; if it was restarted, it may listen on another port now.",
		retry:  RetryOperator,
	},
	ContextTransferUnsupported: {
		name:   "proposed_transfer_syntaxes_not_supported",
		text:   "the server does not support the encoding of the arguments",
		remedy: "Check that host and port belong to a CA and not to something else.",
		retry:  RetryOperator,
	},
	ContextLocalLimit: {
		name:   "local_limit_exceeded",
		text:   "the server is short of resources",
		remedy: "Try again later, or use fewer connections.",
		retry:  RetryAfter,
	},
}
