package connector

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// Order is what a connector is asked to do, as local policy and the issuer see it.
type Order struct {
	wsproto.Order

	// Tenant is the connector's own, as configured. A recipient's signature covers it.
	Tenant string
	// Job is the tenant's id of the job.
	Job string
	// Retrieval says that the CA already has the request and that this attempt only fetches the answer: no key is made
	// and nothing is submitted.
	Retrieval bool
	// Traceparent is the W3C trace context of the order, or empty.
	Traceparent string
}

// Preparer makes what a CA is asked to sign.
type Preparer interface {
	// Prepare makes the key pair and the certification request of an order, without network I/O. It refuses what could
	// not be delivered after the CA has issued (an unknown profile, a password that the .p12 cannot take), because after
	// it nothing may fail any more. Its error ends the job as failed; a *[Rejection] says why.
	Prepare(ctx context.Context, order *Order) (*Prepared, error)
}

// Submitter hands a request to the CA of an order.
type Submitter interface {
	// Submit is called at most once for a [Prepared] request, with a running lease. It must give up when ctx ends. Its
	// error must be a *CAError; any other error is taken as [CAUnknown], since nothing says that the CA did not get it.
	Submit(ctx context.Context, order *Order, prepared *Prepared) (*CAResult, error)
}

// Retriever fetches the answer to a request that the CA holds.
type Retriever interface {
	// Retrieve asks the CA for a request that it answered with pending. It may be called again. [CARefused] says that the
	// CA has decided against the request, or that there is none, and ends the job; after any other error it is asked
	// again later, since it may still hold the request.
	Retrieve(ctx context.Context, order *Order, requestID uint32) (*CAResult, error)
}

// Finisher turns an issued certificate into what is delivered.
type Finisher interface {
	// Finish verifies the certificate against the order, with the roots of local configuration, and encodes the .p12.
	// For a recipient it makes the password: see [Bundle]. An error, usually a *[Rejection], means that the certificate is
	// not delivered: the outcome is rejected and names the serial number.
	Finish(ctx context.Context, order *Order, prepared *Prepared, issued *CAResult) (*Bundle, error)
}

// Issuer makes keys and certificates. Its methods are called from many goroutines at once.
type Issuer interface {
	Preparer
	Submitter
	Retriever
	Finisher

	// Account names the credential that is used for a CA, such as "CORP\svc-adcs". It does no I/O. Checkpoints carry it,
	// a pinned sibling must use the same one, and a logon failure stops everything with the same name. An error means
	// that this connector cannot serve the CA.
	Account(ca wsproto.CAAssignment) (string, error)
}

// Finder is an Issuer whose credential may read the CA's database.
type Finder interface {
	// Find looks for the one row whose raw request is lookup.Request. Nil without an error means that no row was found,
	// which proves nothing. A *CAError with a request id says that there is a row, even if it does not say what came of
	// it: the request is not submitted again then, whatever the order allows.
	Find(ctx context.Context, order *Order, lookup Lookup) (*CAResult, error)
}

// PartialFinder is a [Finder] that cannot look up at every CA. Where it cannot, nothing waits for it.
type PartialFinder interface {
	Finder

	// Finds reports whether Find is of use for a CA. It does no I/O.
	Finds(ca wsproto.CAAssignment) bool
}

// Lookup says what Find looks for.
type Lookup struct {
	Account string
	Time    time.Time // when the request was about to be submitted, by the maker's clock; zero if not known
	Request []byte    // the exact request, DER
}

// Prepared is a key pair with its certification request.
type Prepared struct {
	// Key is a software key, *rsa.PrivateKey or *ecdsa.PrivateKey, of this order alone: it is wiped when the job ends.
	Key     crypto.Signer
	Request []byte // PKCS#10, DER
}

// String tells nothing: both parts are private, the key by itself and the request by what it names.
func (p Prepared) String() string { return "[a prepared request]" }

// Format writes what String returns, whatever the verb.
func (p Prepared) Format(f fmt.State, _ rune) { io.WriteString(f, p.String()) }

// LogValue returns what String returns.
func (p Prepared) LogValue() slog.Value { return slog.StringValue(p.String()) }

// CAResult is an answer of a CA that is not a refusal.
type CAResult struct {
	Pending     bool // held for the manager, under RequestID; else issued
	RequestID   uint32
	Disposition uint32
	Message     string   // the CA's text, untrusted
	Certificate []byte   // DER, when issued
	Chain       [][]byte // DER, as the CA sent it, without the leaf; untrusted
}

// Bundle is what is delivered for an issued certificate.
type Bundle struct {
	PKCS12 []byte // under the password of the order or, if that names a recipient, under Password; wiped after use
	// Password is a new random one, with at least 128 bits, if the order names a recipient: the connector encrypts both and
	// signs them. Otherwise it goes nowhere.
	Password string
}

// String tells the length.
func (b Bundle) String() string { return fmt.Sprintf("a bundle of %d bytes", len(b.PKCS12)) }

// Format writes what String returns, whatever the verb.
func (b Bundle) Format(f fmt.State, _ rune) { io.WriteString(f, b.String()) }

// LogValue returns what String returns.
func (b Bundle) LogValue() slog.Value { return slog.StringValue(b.String()) }

// CAErrorKind says what a failed call to a CA means for the job.
type CAErrorKind int

// The kinds. The zero value is CAUnknown, so that an error nobody classified never allows a second submission.
const (
	CAUnknown     CAErrorKind = iota // the request may have been executed
	CARefused                        // the CA decided against it
	CALogon                          // the CA did not accept the credential; nothing was submitted
	CAUnavailable                    // the CA was not reached; nothing was submitted
	CAInvalid                        // the request cannot be made; nothing was submitted
	CAFailed                         // the CA answered, but decided nothing; nothing was submitted
)

// CAError is a failed call to a CA.
type CAError struct {
	Kind        CAErrorKind
	RequestID   uint32
	Disposition uint32
	HResult     uint32
	Message     string         // for people: the CA's text or what an administrator can do; bounded before it is sent
	Reason      wsproto.Reason // empty takes the kind's own
	Retry       wsproto.Retry  // empty takes the kind's own
	Err         error          // the cause, for errors.Is; its text is not sent
}

// Error names the kind and the numbers. It repeats no text of the CA, which Message holds.
func (e *CAError) Error() string {
	text := "connector: the CA " + e.Kind.String()
	if e.RequestID != 0 {
		text += fmt.Sprintf(", request %d", e.RequestID)
	}
	if e.HResult != 0 {
		text += fmt.Sprintf(", HRESULT 0x%08x", e.HResult)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *CAError) Unwrap() error { return e.Err }

// String says what the kind means, as the end of a sentence that begins with "the CA".
func (k CAErrorKind) String() string {
	switch k {
	case CARefused:
		return "refused the request"
	case CALogon:
		return "did not accept the credential"
	case CAUnavailable:
		return "was not reached"
	case CAInvalid:
		return "was not asked, because the request cannot be made"
	case CAFailed:
		return "answered, but decided nothing about the request"
	}
	return "may have executed the request, but its answer is lost"
}

// Rejection is an error of [Issuer.Finish] or [Issuer.Prepare] with the reason that the tenant is told. Any other error
// is told as an internal one, without its text.
type Rejection struct {
	Reason  wsproto.Reason
	Message string // for people; never secrets
	Err     error  // the cause, for errors.Is; its text is not sent
}

// Error returns the reason and the message.
func (e *Rejection) Error() string { return fmt.Sprintf("connector: %s: %s", e.Reason, e.Message) }

// Unwrap returns the cause.
func (e *Rejection) Unwrap() error { return e.Err }
