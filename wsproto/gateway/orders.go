package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

var (
	// ErrOrderConflict says that a job with the same id exists, for another order.
	ErrOrderConflict = errors.New("gateway: a job with this id exists for another order")
	// ErrTooLate says that a job cannot be cancelled any more: it is done, or its request may be at the CA.
	ErrTooLate = errors.New("gateway: too late to cancel the job")
)

// OrderError says what is wrong with an order. It never holds the value.
type OrderError struct {
	Field   string // the member, as it is named in the order; empty for the order as a whole
	Problem string
	cause   error
}

// Error names the member and the problem.
func (e *OrderError) Error() string {
	if e.Field == "" {
		return "gateway: order refused: " + e.Problem
	}
	return fmt.Sprintf("gateway: order refused: %s: %s", e.Field, e.Problem)
}

// Unwrap returns what wsproto found, if that was it.
func (e *OrderError) Unwrap() error { return e.cause }

// OrderOptions are what the tenant may say about an order besides the order. Nil is all defaults.
type OrderOptions struct {
	// ID is the id of the job, a UUID. The same id with the same order is the same job. Empty: a new one.
	ID string
	// Life is how long the order waits for a connector; zero is Timing.Life.
	Life time.Duration
	// Traceparent is the W3C trace context that travels with the job to its outcome.
	Traceparent string
}

// Order takes an order and returns the id of its job. An order that can be seen to be wrong is refused with an
// *OrderError before anything is stored. Errors match ErrOrderConflict when the id is taken, and ErrFull.
func (g *Gateway) Order(ctx context.Context, tenant string, order wsproto.Order, opts *OrderOptions) (string, error) {
	text, err := wsproto.EncodeOrder(order)
	if err != nil {
		return "", &OrderError{Problem: "it cannot be encoded"}
	}
	return g.OrderText(ctx, tenant, text, opts)
}

// OrderText is Order for the JSON text of one, with members that this version does not know: what is not named critical
// travels to the connector as it is.
func (g *Gateway) OrderText(ctx context.Context, tenant string, text []byte, opts *OrderOptions) (string, error) {
	if err := g.open(); err != nil {
		return "", err
	}
	var o OrderOptions
	if opts != nil {
		o = *opts
	}
	order, err := checkOrder(text)
	if err != nil {
		return "", err
	}
	raw, err := wsproto.CanonicalOrder(text)
	if err != nil {
		return "", &OrderError{Problem: "malformed", cause: err}
	}
	if o.ID, err = jobID(o.ID); err != nil {
		return "", err
	}
	if len(o.Traceparent) > 255 {
		return "", &OrderError{Field: "traceparent", Problem: "longer than 255 bytes"}
	}
	if o.Life <= 0 {
		o.Life = g.timing.Life
	}
	now := time.Now()
	job := &Job{
		Tenant: tenant, ID: o.ID, CA: order.CA, Order: raw, OrderDigest: wsproto.OrderDigest(raw),
		Resubmit: order.Resubmit, Sealed: order.Recipient != nil, Traceparent: o.Traceparent, Created: now,
		Deadline: now.Add(o.Life),
	}
	job.queue(now, now, &g.rules)
	return job.ID, g.insert(ctx, job)
}

// insert stores a new job, unless it is there already.
func (g *Gateway) insert(ctx context.Context, job *Job) error {
	err := g.cfg.Store.PutJob(ctx, job)
	if errors.Is(err, ErrConflict) {
		old, err := g.cfg.Store.Job(ctx, job.Tenant, job.ID)
		if err != nil {
			return err
		}
		if !bytes.Equal(old.OrderDigest, job.OrderDigest) {
			return ErrOrderConflict
		}
		return nil
	}
	if err == nil {
		g.changed(job)
	}
	return err
}

// checkOrder refuses what no connector could serve.
func checkOrder(text []byte) (*wsproto.Order, error) {
	o, err := wsproto.DecodeOrder(text)
	if err != nil {
		return nil, &OrderError{Problem: err.Error(), cause: err}
	}
	subject := len(o.DNS)+len(o.Email)+len(o.URI)+len(o.IP)+len(o.UPN) > 0 || o.Subject != ""
	printable := !strings.ContainsFunc(o.Password, func(r rune) bool { return r < ' ' || r > '~' })
	for _, c := range []struct {
		ok             bool
		field, problem string
	}{
		{oneOf(o.SubjectSource, "", "request", "directory"), "subjectSource", `must be "request" or "directory"`},
		{oneOf(o.SIDForm, "", "extension", "uri", "both"), "sidForm", `must be "extension", "uri" or "both"`},
		{o.SIDForm == "" || o.SID != "", "sidForm", "without a sid"},
		{subject || o.SubjectSource == "directory", "subject", "neither a subject nor an alternative name is ordered"},
		{o.Password == "" || o.Recipient == nil, "recipient", "a password and a recipient exclude each other"},
		{o.Password != "" || o.Recipient != nil, "password", "neither a password nor a recipient is given"},
		{printable, "password", "must be printable ASCII"},
	} {
		if !c.ok {
			return nil, &OrderError{Field: c.field, Problem: c.problem}
		}
	}
	return o, nil
}

func oneOf(s string, of ...string) bool {
	for _, v := range of {
		if s == v {
			return true
		}
	}
	return false
}

// jobID checks the id that a caller gave, or makes one: a UUID, version 4 (RFC 9562, section 5.4).
func jobID(id string) (string, error) {
	if id == "" {
		var b [16]byte
		rand.Read(b[:]) // never fails since Go 1.24
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
	}
	ok := len(id) == 36
	for i, r := range id {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			ok = ok && r == '-'
		} else {
			ok = ok && strings.ContainsRune("0123456789abcdef", r)
		}
	}
	if !ok {
		return "", &OrderError{Field: "id", Problem: "not a UUID in lower case"}
	}
	return id, nil
}

// JobInfo is what a tenant can know about a job.
type JobInfo struct {
	ID          string
	State       JobState
	CA          wsproto.CAAssignment
	Order       json.RawMessage // without its password
	Traceparent string
	Created     time.Time
	Deadline    time.Time
	Attempt     int64
	Connector   string // that was offered the newest attempt; empty if none was
	// Outcome is nil until there is one. In state queued it is pending: the CA holds the request, and is asked again at
	// NextTry.
	Outcome   *wsproto.Outcome
	Ended     time.Time // when Outcome was recorded
	NextTry   time.Time
	OutcomeID string // as in OutcomeEvent
	// LastRefusal says why a connector did not take the job last; nil if none refused.
	LastRefusal *Refusal
	// Extra are certificates that were issued besides; somebody must revoke them.
	Extra []wsproto.Outcome
}

// Job returns what is known about a job. The error matches ErrNotFound if there is none.
func (g *Gateway) Job(ctx context.Context, tenant, id string) (JobInfo, error) {
	if err := g.open(); err != nil {
		return JobInfo{}, err
	}
	job, err := g.cfg.Store.Job(ctx, tenant, id)
	if err != nil {
		return JobInfo{}, err
	}
	return job.info(), nil
}

func (j *Job) info() JobInfo {
	order, _ := withoutPassword(j.Order)
	info := JobInfo{
		ID: j.ID, State: j.State, CA: j.CA, Order: order, Traceparent: j.Traceparent, Created: j.Created,
		Deadline: j.Deadline, Attempt: j.Attempt, Connector: j.Connector, Outcome: j.Outcome, Ended: j.Ended, Extra: j.Extra,
		LastRefusal: j.LastRefusal,
	}
	if j.State == JobQueued {
		info.NextTry = j.NotBefore
	}
	if j.Outcome != nil {
		info.OutcomeID = j.eventID(j.OutcomeNumber)
	}
	return info
}

// Wait waits until a job is done and returns its outcome. Unknown ends the wait too, though a definite outcome may follow.
func (g *Gateway) Wait(ctx context.Context, tenant, id string) (wsproto.Outcome, error) {
	told := make(chan struct{}, 1)
	k := key{tenant, id}
	g.mu.Lock()
	if g.waiters[k] == nil {
		g.waiters[k] = make(map[chan struct{}]struct{})
	}
	g.waiters[k][told] = struct{}{}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if delete(g.waiters[k], told); len(g.waiters[k]) == 0 {
			delete(g.waiters, k)
		}
	}()
	poll := time.NewTicker(sweepEvery * g.timing.Poll) // for what another gateway records
	defer poll.Stop()
	for {
		info, err := g.Job(ctx, tenant, id)
		if err != nil {
			return wsproto.Outcome{}, err
		}
		if info.State == JobDone {
			return *info.Outcome, nil
		}
		select {
		case <-told:
		case <-poll.C:
		case <-g.closing:
		case <-ctx.Done():
			return wsproto.Outcome{}, ctx.Err()
		}
	}
}

// Cancel ends a job whose request cannot have reached the CA; its outcome is then cancelled. A connector that has a lease
// but has not used it is asked, if it is connected to this gateway. Otherwise the error is ErrTooLate and the job goes
// on. A job that was cancelled before is no error. If the order allowed to submit again, and an earlier attempt may have
// done it, the job ends as unknown when the connector gives it up, and the error is ErrTooLate.
func (g *Gateway) Cancel(ctx context.Context, tenant, id string) error {
	if err := g.open(); err != nil {
		return err
	}
	busy := false
	job, err := g.change(ctx, tenant, id, func(j *Job, now time.Time) error {
		if j.State == JobDone && j.Outcome.Kind == wsproto.Cancelled {
			return errUnchanged
		}
		if busy = j.inFlight(); !j.cancel(now, &g.rules) {
			return ErrTooLate
		}
		return nil
	})
	if err != nil && (!errors.Is(err, ErrTooLate) || !job.inFlight() || job.Checkpoint.Attempt != job.Attempt) {
		return err
	}
	if !busy {
		return nil
	}
	s := g.session(tenant, job.Connector)
	if s == nil {
		return err
	}
	confirmed := s.cancelJob(ctx, job.ID, job.Attempt)
	if err == nil || !confirmed {
		return err
	}
	job, err = g.change(ctx, tenant, id, func(j *Job, now time.Time) error {
		if !j.inFlight() || j.Attempt != job.Attempt || j.Checkpoint.State != wsproto.CheckpointSubmitting {
			return ErrTooLate
		}
		j.conclude(j.doubted(cancelled()), now, &g.rules)
		return nil
	})
	if err == nil && job.Outcome.Kind != wsproto.Cancelled {
		return ErrTooLate
	}
	return err
}

// Forget removes a finished job before its retention is over. It is an error while the job is not done, or its outcome
// not acknowledged.
func (g *Gateway) Forget(ctx context.Context, tenant, id string) error {
	if err := g.open(); err != nil {
		return err
	}
	job, err := g.cfg.Store.Job(ctx, tenant, id)
	if err != nil {
		return err
	}
	if job.State != JobDone || job.undelivered(&g.rules) {
		return fmt.Errorf("gateway: job %s is not finished and delivered", id)
	}
	return g.cfg.Store.DeleteJob(ctx, tenant, id, job.Version)
}
