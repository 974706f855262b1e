package krb5

import (
	"errors"
	"fmt"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
)

// Reason says why Kerberos failed, in the terms of a person who can do something about it.
type Reason string

// The reasons.
const (
	ReasonOther         Reason = "refused"                       // the code and the text of the other side tell
	ReasonClock         Reason = "clock skew too great"          // this host's clock and the other's differ too much
	ReasonPrincipal     Reason = "unknown principal"             // the KDC does not know the user
	ReasonPassword      Reason = "wrong password or key"         // the KDC refused the secret
	ReasonAccount       Reason = "account may not log on"        // disabled, locked, expired, or its password is
	ReasonService       Reason = "unknown service principal"     // nobody has this service principal name
	ReasonExpired       Reason = "ticket expired"                // and there is nothing to get another one with
	ReasonNoKDC         Reason = "no KDC can be reached"         // or none is known
	ReasonNoCredential  Reason = "no credential for it"          // the cache or the keytab has nothing that could be used
	ReasonRealm         Reason = "unknown realm"                 // the realm cannot be told, or nobody knows the way there
	ReasonServiceTicket Reason = "the server refused the ticket" // mostly: the name belongs to another account's key
	ReasonEncryption    Reason = "no common encryption type"
	ReasonConfig        Reason = "krb5.conf cannot be used"
)

// Refused reports whether the KDC has refused the secret itself, or the account: to try again counts towards a
// lock-out, and cannot help before a person has done something.
func (r Reason) Refused() bool { return r == ReasonPassword || r == ReasonAccount }

// Error is a failure of Kerberos with a known reason.
type Error struct {
	Reason Reason
	Code   int32  // of the KRB-ERROR (RFC 4120 section 7.5.9); zero if there was none
	Detail string // for people; it never has a secret in it
	// Skew is how far the other side's clock is ahead of this host's, if it refused because of that and told its time.
	Skew time.Duration
	Err  error // the cause; may be nil
}

// Error says it all in one line.
func (e *Error) Error() string {
	s := "Kerberos: " + string(e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ReasonOf is the reason in an error's chain; empty if it has none.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

func fail(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// kdcReasons tell what an error of a KDC means. The map is never written to.
var kdcReasons = map[int32]Reason{
	errorcode.KDC_ERR_NAME_EXP:             ReasonAccount,
	errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN:  ReasonPrincipal,
	errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN:  ReasonService,
	errorcode.KDC_ERR_SERVICE_EXP:          ReasonService,
	errorcode.KDC_ERR_PRINCIPAL_NOT_UNIQUE: ReasonService, // two accounts with one name: a common mistake in domains
	errorcode.KDC_ERR_SERVICE_REVOKED:      ReasonService,
	errorcode.KDC_ERR_NULL_KEY:             ReasonAccount,
	errorcode.KDC_ERR_POLICY:               ReasonAccount,
	errorcode.KDC_ERR_ETYPE_NOSUPP:         ReasonEncryption,
	errorcode.KDC_ERR_CLIENT_REVOKED:       ReasonAccount,
	errorcode.KDC_ERR_CLIENT_NOTYET:        ReasonAccount,
	errorcode.KDC_ERR_KEY_EXPIRED:          ReasonAccount,
	errorcode.KDC_ERR_PREAUTH_FAILED:       ReasonPassword,
	errorcode.KDC_ERR_TGT_REVOKED:          ReasonExpired,
	errorcode.KDC_ERR_NEVER_VALID:          ReasonClock,
	errorcode.KDC_ERR_WRONG_REALM:          ReasonRealm,
	errorcode.KRB_AP_ERR_TKT_EXPIRED:       ReasonExpired,
	errorcode.KRB_AP_ERR_TKT_NYV:           ReasonClock,
	errorcode.KRB_AP_ERR_SKEW:              ReasonClock,
}

// serverReasons tell what an error of an application server means. The map is never written to.
var serverReasons = map[int32]Reason{
	errorcode.KRB_AP_ERR_TKT_EXPIRED:   ReasonExpired,
	errorcode.KRB_AP_ERR_TKT_NYV:       ReasonClock,
	errorcode.KRB_AP_ERR_SKEW:          ReasonClock,
	errorcode.KRB_AP_ERR_MODIFIED:      ReasonServiceTicket,
	errorcode.KRB_AP_ERR_BAD_INTEGRITY: ReasonServiceTicket,
	errorcode.KRB_AP_ERR_BADKEYVER:     ReasonServiceTicket,
	errorcode.KRB_AP_ERR_NOKEY:         ReasonServiceTicket,
	errorcode.KRB_AP_ERR_NOT_US:        ReasonServiceTicket,
	errorcode.KDC_ERR_ETYPE_NOSUPP:     ReasonEncryption,
}

// maxText bounds what a peer's text adds to an error, in bytes.
const maxText = 200

// krbError turns a KRB-ERROR to an error. Nothing proves who sent it.
func krbError(e *messages.KRBError, reasons map[int32]Reason, about string, now time.Time) *Error {
	reason, ok := reasons[e.ErrorCode]
	if !ok {
		reason = ReasonOther
	}
	detail := fmt.Sprintf("%s: error %s", about, errorcode.Lookup(e.ErrorCode))
	if e.EText != "" {
		detail += fmt.Sprintf(" %q", e.EText[:min(len(e.EText), maxText)])
	}
	var skew time.Duration
	if reason == ReasonClock && !e.STime.IsZero() {
		skew = e.STime.Sub(now)
		detail += fmt.Sprintf("; its clock says %s, this host's %s", e.STime.UTC().Format(time.RFC3339),
			now.UTC().Format(time.RFC3339))
	}
	return &Error{Reason: reason, Code: e.ErrorCode, Detail: detail, Skew: skew}
}
