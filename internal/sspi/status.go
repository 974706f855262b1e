package sspi

import (
	"fmt"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// The codes that say something about who has to do what.
const (
	statusTargetUnknown  Status = 0x80090303
	statusInvalidToken   Status = 0x80090308
	statusLogonDenied    Status = 0x8009030C
	statusNoCredentials  Status = 0x8009030E
	statusMessageAltered Status = 0x8009030F
	statusOutOfSequence  Status = 0x80090310
	statusNoAuthority    Status = 0x80090311
	statusWrongPrincipal Status = 0x80090322
	statusTimeSkew       Status = 0x80090324
	statusEncryptionType Status = 0x80090342
	statusPolicy         Status = 0x8009035D
	statusDowngrade      Status = 0x80090350
)

// statusNames are from winerror.h. The map is never written to.
var statusNames = map[Status]string{
	0x80090300: "SEC_E_INSUFFICIENT_MEMORY", 0x80090301: "SEC_E_INVALID_HANDLE", 0x80090302: "SEC_E_UNSUPPORTED_FUNCTION",
	statusTargetUnknown: "SEC_E_TARGET_UNKNOWN", 0x80090304: "SEC_E_INTERNAL_ERROR", 0x80090305: "SEC_E_SECPKG_NOT_FOUND",
	statusInvalidToken: "SEC_E_INVALID_TOKEN", statusLogonDenied: "SEC_E_LOGON_DENIED",
	0x8009030D: "SEC_E_UNKNOWN_CREDENTIALS", statusNoCredentials: "SEC_E_NO_CREDENTIALS",
	statusMessageAltered: "SEC_E_MESSAGE_ALTERED", statusOutOfSequence: "SEC_E_OUT_OF_SEQUENCE",
	statusNoAuthority: "SEC_E_NO_AUTHENTICATING_AUTHORITY", 0x80090317: "SEC_E_CONTEXT_EXPIRED",
	0x80090321: "SEC_E_BUFFER_TOO_SMALL", statusWrongPrincipal: "SEC_E_WRONG_PRINCIPAL", statusTimeSkew: "SEC_E_TIME_SKEW",
	statusEncryptionType: "SEC_E_KDC_UNKNOWN_ETYPE", statusDowngrade: "SEC_E_DOWNGRADE_DETECTED",
	statusPolicy: "SEC_E_POLICY_NLTM_ONLY",
}

// statusReasons are what Kerberos would have said. The map is never written to.
var statusReasons = map[Status]krb5.Reason{
	statusTargetUnknown:  krb5.ReasonService,
	statusNoCredentials:  krb5.ReasonNoCredential,
	statusNoAuthority:    krb5.ReasonNoKDC,
	statusWrongPrincipal: krb5.ReasonServiceTicket,
	statusTimeSkew:       krb5.ReasonClock,
	statusEncryptionType: krb5.ReasonEncryption,
	statusDowngrade:      krb5.ReasonNoKDC,
}

// failed makes an error of a status that can be told apart as those of the other mechanisms can.
func failed(what string, s Status) error {
	if s == statusLogonDenied {
		return fmt.Errorf("sspi: %s: %w (%w)", what, assoc.ErrLogon, s)
	}
	if reason, ok := statusReasons[s]; ok {
		return &krb5.Error{Reason: reason, Detail: "sspi: " + what, Err: s}
	}
	return fmt.Errorf("sspi: %s: %w", what, s)
}
