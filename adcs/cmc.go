package adcs

import (
	"encoding/asn1"
	"fmt"
	"time"
)

// CMCStatus is the status in a CMC full response: RFC 5272, section 6.1.3.
type CMCStatus int

// The statuses that a CA sends ([MS-WCCE], section 3.2.1.4.2.1.4.8.2); RFC 5272 has more.
const (
	CMCSuccess CMCStatus = 0
	CMCFailed  CMCStatus = 2
	CMCPending CMCStatus = 3
)

// noCMCStatus is that of a response without one.
const noCMCStatus CMCStatus = -1

// String returns the name of RFC 5272, or the number of a status that has none.
func (s CMCStatus) String() string {
	switch s {
	case CMCSuccess:
		return "success"
	case CMCFailed:
		return "failed"
	case CMCPending:
		return "pending"
	case 4:
		return "noSupport"
	case 5:
		return "confirmRequired"
	case 6:
		return "popRequired"
	case 7:
		return "partial"
	}
	return fmt.Sprintf("CMC status %d", int(s))
}

// CMCResponse is what a CA says in a CMC full response (RFC 5272, section 4.2; [MS-WCCE], section 3.2.1.4.2.1.4.8.2),
// for which [Request.FullResponse] asks. Its signature is not verified, and nothing in it is trusted more than the rest
// of the answer, which came over an authenticated connection; whether a certificate is good is for [Verify] to say. The
// certificates in the response are in [Result.Chain].
type CMCResponse struct {
	// Status is what became of the request. An answer with a certificate in which it is not CMCSuccess is an
	// [AnswerError].
	Status CMCStatus

	// BodyParts are the ids of the parts of the request that the status is about; for AD CS, 1. There are at most 32.
	BodyParts []uint32

	// Text is the CA's text, cleaned as in [RequestError] and bounded; it may be empty.
	Text string

	// Failure is the name of the reason in RFC 5272, section 6.1.4, say "badRequest", and for reasons without a name the
	// number; empty if the CA gave none.
	Failure string

	// ExtendedFailure is the kind of a reason outside of RFC 5272; nil if the CA gave none.
	ExtendedFailure asn1.ObjectIdentifier

	// PendToken and PendTime identify a pending request: for AD CS, its request id and the time when it came in. Nil and
	// the zero time if the CA gave none.
	PendToken []byte
	PendTime  time.Time

	// IssuedHash is the SHA-1 of the issued certificate; nil if the CA gave none. An answer in which it is that of another
	// certificate is an [AnswerError].
	IssuedHash []byte
}

// cmcFailures are the names of CMCFailInfo: RFC 5272, section 6.1.4. It is never written to.
var cmcFailures = map[int64]string{
	0: "badAlg", 1: "badMessageCheck", 2: "badRequest", 3: "badTime", 4: "badCertId", 5: "unsupportedExt",
	6: "mustArchiveKeys", 7: "badIdentity", 8: "popRequired", 9: "popFailed", 10: "noKeyReuse", 11: "internalCAError",
	12: "tryLater", 13: "authDataFail",
}
