package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// Errors of a Store. Methods return them as they are or wrapped, so that errors.Is finds them.
var (
	// ErrNotFound says that there is no such record.
	ErrNotFound = errors.New("gateway: not found")
	// ErrConflict says that a record is not at the version that the writer had read, or exists already.
	ErrConflict = errors.New("gateway: changed by somebody else")
	// ErrFull says that a bounded store takes no new record.
	ErrFull = errors.New("gateway: store is full")
)

// A Store keeps what a gateway must not forget. Every key begins with the tenant. Several gateways may share one.
//
// A record is written with Put, which compares and swaps: the record's Version must be that of the stored one (zero: there
// must be none), or Put returns ErrConflict and changes nothing; on success the stored Version is one higher, and so
// is that of the record given. In SQL that is one statement: INSERT … ON CONFLICT DO NOTHING for version zero, otherwise
// UPDATE … WHERE tenant=? AND id=? AND version=?, and the count of rows says what happened. Put returns only after the
// record is durable: a connector is told so, and submits because of it.
//
// Records returned belong to the caller; what slices and pointers inside them refer to is never changed by anyone after
// it was put, so a store may share it. All fields survive encoding/json. The package storetest holds a store to this.
type Store interface {
	JobStore
	ConnectorStore
	CodeStore
}

// JobStore keeps jobs.
type JobStore interface {
	// Job returns one job, or ErrNotFound.
	Job(ctx context.Context, tenant, id string) (*Job, error)
	// PutJob compares and swaps. It may return ErrFull for a new job.
	PutJob(ctx context.Context, job *Job) error
	// DeleteJob removes a job that is at this version; otherwise it returns ErrConflict, or ErrNotFound.
	DeleteJob(ctx context.Context, tenant, id string, version int64) error
	// QueuedJobs returns jobs in state JobQueued, as the query says, ordered by (NotBefore, ID).
	QueuedJobs(ctx context.Context, query QueueQuery) ([]*Job, error)
	// HeldJobs returns the jobs in state JobOffered or JobRunning whose holder is this connector, in any order.
	HeldJobs(ctx context.Context, tenant, connector string) ([]*Job, error)
	// SealedJobs returns jobs that are not in state JobDone and whose checkpoint has a part for a decryption key, as the query
	// says, ordered by ID. In SQL the keys of the parts are a table of their own, written with the job.
	SealedJobs(ctx context.Context, query SealedQuery) ([]*Job, error)
	// TenantJobs returns jobs of one tenant, as the query says, ordered by (Created, ID), descending: newest first.
	TenantJobs(ctx context.Context, query JobQuery) ([]*Job, error)
	// DueJobs returns at most limit jobs of all tenants whose Due is not zero and not after now, earliest first.
	DueJobs(ctx context.Context, now time.Time, limit int) ([]*Job, error)
}

// ConnectorStore keeps connectors.
type ConnectorStore interface {
	// Connector returns one connector, or ErrNotFound.
	Connector(ctx context.Context, tenant, id string) (*Connector, error)
	// PutConnector compares and swaps. It may return ErrFull for a new connector.
	PutConnector(ctx context.Context, connector *Connector) error
	// DeleteConnector removes a connector that is at this version; otherwise it returns ErrConflict, or ErrNotFound.
	DeleteConnector(ctx context.Context, tenant, id string, version int64) error
	// Connectors returns all connectors of a tenant, ordered by ID.
	Connectors(ctx context.Context, tenant string) ([]*Connector, error)
}

// CodeStore keeps enrollment codes.
type CodeStore interface {
	// Code returns one enrollment code, or ErrNotFound. A store may forget a code once its Expires has passed.
	Code(ctx context.Context, tenant, id string) (*Code, error)
	// PutCode compares and swaps. It may return ErrFull for a new code.
	PutCode(ctx context.Context, code *Code) error
}

// A QueueQuery selects queued jobs of one tenant for one CA.
type QueueQuery struct {
	Tenant string
	CA     wsproto.CAAssignment // compared exactly
	// Before bounds NotBefore: later jobs are left out.
	Before time.Time
	// AfterTime and AfterID continue behind the last job of an earlier page; AfterID is empty for the first page.
	AfterTime time.Time
	AfterID   string
	// Limit is the largest number of jobs to return, at least one.
	Limit int
}

// A SealedQuery selects jobs of one tenant by a key that their checkpoint is encrypted to: [wsproto.SealedPart].
type SealedQuery struct {
	Tenant string
	Key    wsproto.Fingerprint // of the decryption key
	// AfterID continues behind the last job of an earlier page; it is empty for the first page.
	AfterID string
	// Limit is the largest number of jobs to return, at least one.
	Limit int
}

// JobState is where a job stands.
type JobState string

// The states of a job.
const (
	// JobQueued waits for a connector. With a checkpoint in state pending, the CA holds its request meanwhile.
	JobQueued JobState = "queued"
	// JobOffered was sent to a connector, which has not answered yet.
	JobOffered JobState = "offered"
	// JobRunning is being worked on by a connector, or was until that vanished.
	JobRunning JobState = "running"
	// JobDone has a final outcome. It is replaced if it is unknown or lost, or when a rejected certificate is delivered.
	JobDone JobState = "done"
)

// A Job is one certificate that a tenant wants, and how far it has come.
type Job struct {
	Tenant  string
	ID      string // UUID
	Version int64

	State JobState
	CA    wsproto.CAAssignment

	// Order is the JSON text that the tenant gave, byte for byte. It may hold a password. When the job is done it is replaced
	// by one without the password, and is no longer what OrderDigest covers.
	Order       []byte
	OrderDigest []byte
	// Resubmit is the order's permission to submit again after an unknown outcome.
	Resubmit bool
	// Sealed says that the order names a recipient: what delivers it is sealed for it, and never a .p12.
	Sealed      bool
	Traceparent string

	Created time.Time
	// Deadline is until when a connector must have taken the job.
	Deadline time.Time
	// NotBefore is the earliest time of the next offer, while queued.
	NotBefore time.Time
	// Due is when the gateway has to look at the job again, whatever happens; zero is never.
	Due time.Time
	// GiveUp is when a queued job with a checkpoint is concluded as unknown or lost.
	GiveUp time.Time

	// Attempt counts offers. Sequence is that of the last checkpoint or finish within the attempt.
	Attempt  int64
	Sequence int64
	// Connector is who was offered the current attempt.
	Connector string
	// Patience is when the holder of the current attempt counts as stalled.
	Patience time.Time
	// LeaseEnd is when the holder must have submitted. Zero: the holder was granted nothing, so it cannot have submitted.
	LeaseEnd time.Time
	// Checkpoint is the newest, of this attempt or an earlier one.
	Checkpoint *wsproto.Checkpoint
	// Anew says that the order is offered without that checkpoint, to be submitted again: the order allows it, and nobody
	// can go on from there.
	Anew bool
	// Doubt is the checkpoint of an older attempt that may have submitted, too, after the order allowed to submit again; its
	// sealed part is left out. As long as it is set, no newer attempt can tell that there is no certificate.
	Doubt *wsproto.Checkpoint
	// Holders are the attempts that may have been accepted and have not ended, oldest first.
	Holders []Holder
	// Refusals are connectors not to be asked for now.
	Refusals []Refusal
	// LastRefusal says why a connector did not take the job last; nil if none refused.
	LastRefusal *Refusal

	// Outcome is the newest; pending while the CA holds the request, final in state JobDone.
	Outcome *wsproto.Outcome
	// Ended is when the newest outcome was recorded.
	Ended time.Time
	// Extra are certificates that were issued for older attempts besides the one in Outcome. Somebody must revoke them.
	Extra []wsproto.Outcome
	// Recorded counts outcomes, extra ones too, and makes the ids of events. OutcomeNumber is the number of Outcome.
	Recorded      int64
	OutcomeNumber int64
	// Events are outcomes that the embedder has not acknowledged, oldest first.
	Events []Event
	// DeliverAt is the earliest next delivery of the first event, Deliveries how often that was tried.
	DeliverAt  time.Time
	Deliveries int
}

// String names the job, and tells nothing of its order.
func (j Job) String() string {
	return fmt.Sprintf("job %s of %q, %s, attempt %d", j.ID, j.Tenant, j.State, j.Attempt)
}

// Format writes what String returns, whatever the verb.
func (j Job) Format(f fmt.State, _ rune) { io.WriteString(f, j.String()) }

// LogValue returns what String returns.
func (j Job) LogValue() slog.Value { return slog.StringValue(j.String()) }

// A Holder is a connector that was offered an attempt.
type Holder struct {
	Attempt   int64
	Connector string
	Leased    bool // it was granted a lease: it may have submitted
}

// A Refusal is a connector that would not take a job, and why.
type Refusal struct {
	Connector string
	Until     time.Time // it is not asked again before
	Reason    wsproto.Reason
	Message   string // for people; bounded
}

// An Event is one outcome, for the embedder.
type Event struct {
	// ID is stable over repetitions and unique within the tenant.
	ID      string
	Time    time.Time
	Outcome wsproto.Outcome
	// Extra says that this certificate belongs to an attempt that was given up, and that the job has another outcome.
	Extra bool
}

// A Connector is what a tenant knows about one connector.
type Connector struct {
	Tenant  string
	ID      string // hexadecimal SHA-256 of its identity key
	Version int64

	State         wsproto.RegistrationState
	IdentityKey   []byte // SubjectPublicKeyInfo, DER
	DecryptionKey []byte // SubjectPublicKeyInfo, DER
	Instance      string

	Host     string
	OS       string
	Software string
	Source   string // network address it last came from
	Capacity int

	// Attestation is the level that was proved of both keys: LevelVerified, LevelUnverified or LevelSoftware.
	// AttestationDetail says more for people, and Evidence is the SHA-256 of the evidence it was proved by: empty if none was,
	// or if it has to be proved again.
	Attestation       string
	AttestationDetail string
	Evidence          []byte

	// Predecessor is the connector whose keys this one's have replaced or are about to replace, Successor the one whose keys
	// have replaced this one's: it is revoked then. Both are empty as a rule; they are ids.
	Predecessor string
	Successor   string
	// Former are the keys that it had before, oldest first.
	Former []FormerKeys

	Registered time.Time
	// Code is the id of the enrollment code that it came with, empty if it was approved without one.
	Code string
	// CAs are assigned to it; Revision grows with every change of them.
	CAs      []wsproto.CAAssignment
	Revision int64

	// Session names the session that is connected, empty if none is; Seen is when it last gave a sign of life.
	Session string
	Seen    time.Time
	Status  wsproto.Status
}

// FormerKeys are what is left of the keys that a connector had before a rotation.
type FormerKeys struct {
	Connector string // the id that it had
	// Decryption is the SHA-256 of the decryption key (SubjectPublicKeyInfo); empty once the connector was told that
	// no checkpoint needs it any more.
	Decryption []byte
	Replaced   time.Time
}

// A Code is an enrollment code: what checks it, never the code itself.
type Code struct {
	Tenant  string
	ID      string
	Version int64

	Verifier []byte // see [wsproto.EnrollmentCode]
	Expires  time.Time
	// UsedBy is the connector that registered with it; the same one may use it again until it expires.
	UsedBy string
	// CAs are assigned to the connector that registers.
	CAs []wsproto.CAAssignment
}

// String names the code, and tells nothing of what checks it: that is as good as the code until it is used or expires.
func (c Code) String() string {
	return fmt.Sprintf("enrollment code %s of %q, until %s", c.ID, c.Tenant, c.Expires.UTC().Format(time.RFC3339))
}

// Format writes what String returns, whatever the verb.
func (c Code) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue returns what String returns.
func (c Code) LogValue() slog.Value { return slog.StringValue(c.String()) }
