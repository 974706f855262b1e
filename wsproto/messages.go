package wsproto

import (
	"encoding/json"
	"time"
)

// Method names of protocol v1. The comment says who calls it, what the params are, and what the result is. Every one
// is a request, answered with a result or an error, unless it is called a notification. See [Methods].
const (
	MethodHello          = "session.hello"          // connector: Hello -> SignedChallenge; the first request
	MethodAuthenticate   = "session.authenticate"   // connector: Authenticate -> State; the second request
	MethodReauthenticate = "session.reauthenticate" // tenant: SignedChallenge -> Authenticate; see Binding.Again
	MethodDrain          = "session.drain"          // both: Drain -> {}; no new jobs, finish, then close 1001
	MethodApproved       = "registration.approved"  // tenant: notification, State; ends Pending
	MethodRejected       = "registration.rejected"  // tenant: notification, State; close 4403 follows
	MethodConfigure      = "connector.configure"    // tenant: Configure -> {}; the CAs assigned to this connector
	MethodStatus         = "connector.status"       // connector: notification, Status
	MethodOffer          = "job.offer"              // tenant: Offer -> OfferResult
	MethodCheckpoint     = "job.checkpoint"         // connector: CheckpointParams -> CheckpointAck with the lease
	MethodFinish         = "job.finish"             // connector: FinishParams -> FinishAck: the tenant has it durably
	MethodCancel         = "job.cancel"             // tenant: Cancel -> CancelResult
)

// Hello is the first message of a connector.
type Hello struct {
	Versions      []int           `json:"versions"`
	Instance      string          `json:"instance"`      // random per installation, stable over restarts
	IdentityKey   []byte          `json:"identityKey"`   // SubjectPublicKeyInfo, DER, P-256
	DecryptionKey []byte          `json:"decryptionKey"` // SubjectPublicKeyInfo, DER, P-256
	Nonce         []byte          `json:"nonce"`         // 32 random bytes
	Capacity      int             `json:"capacity"`      // jobs it works on at once
	Host          string          `json:"host"`
	OS            string          `json:"os"`
	Software      string          `json:"software"`
	Attestation   json.RawMessage `json:"attestation,omitempty"` // evidence; absent means software keys
	Rotation      *Rotation       `json:"rotation,omitempty"`    // until the tenant has answered active to these keys
}

// SignedChallenge is the answer to a Hello. Challenge is the exact JSON text of a Challenge, so that both sides sign
// the same bytes.
type SignedChallenge struct {
	Challenge []byte `json:"challenge"`
	Signature []byte `json:"signature"` // by the tenant's key, over the transcript
}

// Challenge is what a tenant asks a connector to prove.
type Challenge struct {
	Version     int             `json:"version"`
	Session     string          `json:"session"`
	Nonce       []byte          `json:"nonce"`     // 32 random bytes
	TenantKey   []byte          `json:"tenantKey"` // SubjectPublicKeyInfo, DER
	Limits      Limits          `json:"limits"`
	Credentials json.RawMessage `json:"credentials,omitempty"` // what attested keys have to prove, if the tenant wants proof now
}

// Limits are what the gateway grants a session.
type Limits struct {
	MaxMessageBytes int   `json:"maxMessageBytes"`
	HeartbeatMS     int64 `json:"heartbeatMs"`
	RPCDeadlineMS   int64 `json:"rpcDeadlineMs"` // longest time a connector may wait for a CA after its lease ended
}

// Authenticate proves the identity key, and on registration the enrollment code.
type Authenticate struct {
	Signature  []byte          `json:"signature"`
	Enrollment *EnrollmentMAC  `json:"enrollment,omitempty"`
	Activation json.RawMessage `json:"activation,omitempty"`
}

// EnrollmentMAC proves knowledge of a one-time enrollment code without sending it.
type EnrollmentMAC struct {
	ID  string `json:"id"`
	MAC []byte `json:"mac"`
}

// RegistrationState is what the tenant holds about a connector's identity key.
type RegistrationState string

// The states of a registration.
const (
	StatePending RegistrationState = "pending"
	StateActive  RegistrationState = "active"
	StateRevoked RegistrationState = "revoked"
)

// State is the answer to Authenticate.
type State struct {
	State           RegistrationState `json:"state"`
	Connector       string            `json:"connector,omitempty"`       // the tenant's id for this connector
	RegistrationURL string            `json:"registrationUrl,omitempty"` // while Pending
	// FormerKeys are the SHA-256 of decryption keys that the connector had before a rotation and still needs. In an answer
	// to Authenticate that says active it may forget the others. At most [MaxFormerKeys].
	FormerKeys [][]byte `json:"formerKeys,omitempty"`
}

// Configure assigns CAs to a connector.
type Configure struct {
	Revision int64          `json:"revision"`      // a lower one than the last in this session is ignored
	CAs      []CAAssignment `json:"cas,omitempty"` // absent: none
}

// CAAssignment names a CA. Host and Name must be in the connector's local policy.
type CAAssignment struct {
	Host string `json:"host"`
	Name string `json:"name"`
}

// Offer offers a job.
type Offer struct {
	Job         string          `json:"job"` // UUID; the idempotency key
	Attempt     int64           `json:"attempt"`
	TimeLeftMS  int64           `json:"timeLeftMs"`
	Order       json.RawMessage `json:"order"` // an Order; its exact bytes are what digests cover
	Checkpoint  *Checkpoint     `json:"checkpoint,omitempty"`
	Traceparent string          `json:"traceparent,omitempty"`
}

// OfferAnswer is a connector's answer to an Offer.
type OfferAnswer string

// The answers to an offer.
const (
	OfferAccepted OfferAnswer = "accepted"
	OfferBusy     OfferAnswer = "busy"
	OfferRefused  OfferAnswer = "refused"
)

// RefusalScope says whether another connector may be asked.
type RefusalScope string

// The scopes of a refusal.
const (
	RefusedElsewhere RefusalScope = "elsewhere" // not by this connector; another may
	RefusedNever     RefusalScope = "never"     // the order itself is bad
)

// OfferResult answers an Offer.
type OfferResult struct {
	Answer       OfferAnswer  `json:"answer"`
	Scope        RefusalScope `json:"scope,omitempty"`
	Reason       Reason       `json:"reason,omitempty"`
	Message      string       `json:"message,omitempty"`
	RetryAfterMS int64        `json:"retryAfterMs,omitempty"`
}

// Order is what a tenant wants of a CA.
type Order struct {
	CA            CAAssignment `json:"ca"`
	Template      string       `json:"template"`
	SubjectSource string       `json:"subjectSource,omitempty"` // "request" (default) or "directory"
	Subject       string       `json:"subject,omitempty"`       // RFC 4514
	DNS           []string     `json:"dns,omitempty"`
	Email         []string     `json:"email,omitempty"`
	URI           []string     `json:"uri,omitempty"`
	IP            []string     `json:"ip,omitempty"`
	UPN           []string     `json:"upn,omitempty"`
	SID           string       `json:"sid,omitempty"`
	SIDForm       string       `json:"sidForm,omitempty"` // "extension" (default), "uri" or "both"
	Key           string       `json:"key"`               // keygen's algorithm name, e.g. "rsa2048", "p256"
	Profile       string       `json:"profile,omitempty"` // of the .p12: "compat" (default), "modern", "pbmac1", or a platform, e.g. "ios-17.4"
	Password      string       `json:"password,omitempty"`
	Recipient     *Recipient   `json:"recipient,omitempty"`
	Resubmit      bool         `json:"resubmit,omitempty"` // a request whose outcome is unknown may be submitted again
	Critical      []string     `json:"critical,omitempty"` // names of members that must be understood
}

// Recipient is who can open a sealed bundle.
type Recipient struct {
	ID        string `json:"id"`
	Key       []byte `json:"key"`                 // SubjectPublicKeyInfo, DER, P-256 or X25519: see ParseRecipientKey
	Signature []byte `json:"signature,omitempty"` // by an ordering key: see SignRecipient
}

// CheckpointState is how far a job has come.
type CheckpointState string

// The states of a checkpoint.
const (
	CheckpointSubmitting CheckpointState = "submitting" // may have been submitted once it is acknowledged
	CheckpointPending    CheckpointState = "pending"    // the CA holds it under RequestID
)

// Checkpoint lets this connector, or a pinned sibling, go on with a job.
type Checkpoint struct {
	State         CheckpointState `json:"state"`
	CA            CAAssignment    `json:"ca"`
	Account       string          `json:"account"`       // the CA account that submits
	PublicKeyHash []byte          `json:"publicKeyHash"` // SHA-256 of the SubjectPublicKeyInfo
	RequestID     uint32          `json:"requestId,omitempty"`
	Time          time.Time       `json:"time"`     // the maker's clock, for a look-up at the CA; nothing is decided by it
	Tenant        string          `json:"tenant"`   // bound by the signature
	Job           string          `json:"job"`      // bound by the signature
	Attempt       int64           `json:"attempt"`  // bound by the signature
	Sequence      int64           `json:"sequence"` // bound by the signature
	OrderDigest   []byte          `json:"orderDigest"`
	Maker         []byte          `json:"maker"`  // SHA-256 of the maker's identity key (SubjectPublicKeyInfo)
	Sealed        []SealedPart    `json:"sealed"` // private key and request, once per decryption key
	Signature     []byte          `json:"signature"`
}

// SealedPart is the encrypted part of a checkpoint for one decryption key.
type SealedPart struct {
	Key           []byte `json:"key"` // SHA-256 of the decryption key's SubjectPublicKeyInfo
	Encapsulation []byte `json:"enc"`
	Ciphertext    []byte `json:"ciphertext"`
}

// CheckpointParams carries a checkpoint to the tenant.
type CheckpointParams struct {
	Job        string     `json:"job"`
	Attempt    int64      `json:"attempt"`
	Sequence   int64      `json:"sequence"`
	Checkpoint Checkpoint `json:"checkpoint"`
}

// CheckpointAck says that the tenant holds a checkpoint durably.
type CheckpointAck struct {
	LeaseMS int64 `json:"leaseMs,omitempty"` // submit within; counted from the moment the checkpoint was sent
}

// FinishParams carries an outcome to the tenant.
type FinishParams struct {
	Job      string  `json:"job"`
	Attempt  int64   `json:"attempt"`
	Sequence int64   `json:"sequence"`
	Outcome  Outcome `json:"outcome"`
}

// FinishAck says that the tenant has the outcome durably.
type FinishAck struct {
	Recorded bool `json:"recorded"`
}

// OutcomeKind is how a job ended.
type OutcomeKind string

// The outcomes.
const (
	Issued    OutcomeKind = "issued"
	Pending   OutcomeKind = "pending"   // held by the CA's manager; offered again later
	Denied    OutcomeKind = "denied"    // by the CA
	Failed    OutcomeKind = "failed"    // before or at the CA, nothing was issued
	Rejected  OutcomeKind = "rejected"  // issued, but not what was ordered: not delivered
	Unknown   OutcomeKind = "unknown"   // may have been issued
	Cancelled OutcomeKind = "cancelled" // by the tenant, before it was submitted
	Expired   OutcomeKind = "expired"   // no connector took it in time
	Lost      OutcomeKind = "lost"      // held by the CA, but nobody can open the checkpoint any more
)

// Retry says whether an order may be tried again.
type Retry string

// The retry classes.
const (
	RetryNever    Retry = "never"
	RetryAfter    Retry = "after"
	RetryOperator Retry = "operator" // after a person changed something
)

// Outcome is how a job ended.
type Outcome struct {
	Kind          OutcomeKind      `json:"kind"`
	Reason        Reason           `json:"reason,omitempty"`
	Retry         Retry            `json:"retry,omitempty"`
	RetryAfterMS  int64            `json:"retryAfterMs,omitempty"`
	Message       string           `json:"message,omitempty"` // for people; bounded, never matched
	RequestID     uint32           `json:"requestId,omitempty"`
	Disposition   uint32           `json:"disposition,omitempty"`
	HResult       uint32           `json:"hresult,omitempty"`
	Serial        string           `json:"serial,omitempty"`     // hexadecimal
	Thumbprint    []byte           `json:"thumbprint,omitempty"` // SHA-256 of the certificate
	NotBefore     *time.Time       `json:"notBefore,omitempty"`
	NotAfter      *time.Time       `json:"notAfter,omitempty"`
	PublicKeyHash []byte           `json:"publicKeyHash,omitempty"`
	PKCS12        []byte           `json:"pkcs12,omitempty"`
	Sealed        json.RawMessage  `json:"sealed,omitempty"`    // for the recipient of the order: pkcs12/sealed opens it
	TimingsMS     map[string]int64 `json:"timingsMs,omitempty"` // milliseconds in each stage
	Traceparent   string           `json:"traceparent,omitempty"`
}

// Cancel asks a connector to give a job up if it has not been submitted.
type Cancel struct {
	Job     string `json:"job"`
	Attempt int64  `json:"attempt"`
}

// CancelResult answers Cancel.
type CancelResult struct {
	Cancelled bool `json:"cancelled"` // false: too late, an outcome follows
}

// Status is a connector's health.
type Status struct {
	InFlight int        `json:"inFlight"`
	CAs      []CAHealth `json:"cas,omitempty"`
}

// CAHealth is how a CA looked the last time it was used.
type CAHealth struct {
	CA      CAAssignment `json:"ca"`
	Healthy bool         `json:"healthy"`
	Reason  Reason       `json:"reason,omitempty"`
	Message string       `json:"message,omitempty"`
}

// Drain announces that the sender takes or offers no new jobs.
type Drain struct {
	Reason     string `json:"reason,omitempty"`
	DeadlineMS int64  `json:"deadlineMs,omitempty"`
}
