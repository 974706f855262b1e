package connector

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/adcskit/adcskit/internal/wipe"
	"github.com/adcskit/adcskit/wsproto"
)

// Why a job ends before its request is submitted, or is dropped.
var (
	errCancelled  = errors.New("connector: cancelled by the tenant")
	errSuperseded = errors.New("connector: superseded by a newer attempt")
	errExpired    = errors.New("connector: the time of the job ran out")
	errCut        = errors.New("connector: the connector stopped")
)

// maxTimeLeft bounds the time of a job, so that no arithmetic overflows.
const maxTimeLeft = 10 * 365 * 24 * time.Hour

// job is one attempt of a job, from its offer to the acknowledged outcome. Its steps run in one goroutine, in run; offers
// and cancellations reach it from others, through abort and supersede.
type job struct {
	c       *Connector
	id      string
	attempt int64
	order   Order
	digest  []byte // of the order's exact bytes
	// recipient is for whom the bundle is sealed; nil is delivery by password.
	recipient *recipient
	account   string

	resumed  *wsproto.Checkpoint // of an earlier attempt, verified
	prepared *Prepared
	secret   *wsproto.CheckpointSecret
	keyHash  []byte
	outdated bool  // resumed was made with a former key of this connector
	trouble  error // why the offer was refused, or the outcome not taken as it was, for this side only

	// current lives until a newer attempt takes the place of this one: then an outcome without a certificate is of no use.
	current    context.Context
	endCurrent context.CancelCauseFunc
	// early lives while the job may also end without a trace at the CA: until its time is over or it is cancelled.
	early    context.Context
	endEarly context.CancelCauseFunc
	stop     context.CancelFunc // frees both

	accepted  atomic.Bool // the offer was answered
	finishing atomic.Bool // the outcome is known and on its way

	mu        sync.Mutex
	committed bool // a request may be at the CA
	settled   bool // the outcome is known

	sequence  int64
	attempted time.Time // when the request may first have been submitted
	timings   map[string]int64
}

// newJob makes the job of an offer. life is how long anything about it may go on.
func newJob(life context.Context, c *Connector, o *wsproto.Offer) *job {
	j := &job{
		c: c, id: o.Job, attempt: o.Attempt, digest: wsproto.OrderDigest(o.Order),
		timings: make(map[string]int64),
	}
	j.order.Tenant, j.order.Job, j.order.Traceparent = c.cfg.Tenant, o.Job, o.Traceparent
	left := time.Duration(min(o.TimeLeftMS, maxTimeLeft.Milliseconds())) * time.Millisecond
	var cancelled context.Context
	var stopTimer context.CancelFunc
	j.current, j.endCurrent = context.WithCancelCause(life)
	cancelled, j.endEarly = context.WithCancelCause(j.current)
	j.early, stopTimer = context.WithTimeoutCause(cancelled, left, errExpired)
	j.stop = func() {
		stopTimer()
		j.endEarly(nil)
		j.endCurrent(nil)
	}
	return j
}

// run works on an accepted job until the tenant has its outcome, or until it is dropped.
func (j *job) run(life context.Context) {
	defer j.c.jobs.remove(j)
	defer j.stop()
	report := JobReport{Job: j.id, Attempt: j.attempt, Order: j.order.Order}
	report.Order.Password = ""
	outcome, err := j.work(life)
	if outcome = j.settle(outcome); outcome != nil {
		bundle := outcome.PKCS12
		sent := j.deliver(life, outcome)
		report.Outcome, err = *outcome, errors.Join(err, j.trouble, sent)
		clear(bundle)
		report.Outcome.PKCS12, report.Outcome.Sealed = nil, nil
		if sent != nil {
			report.Outcome = wsproto.Outcome{}
		}
	}
	report.Err = err
	j.forget()
	j.c.status.kick()
	j.c.opts.OnJob(report)
}

// settle makes an outcome final: after it, nothing can be cancelled any more. A cancellation that was granted stands,
// whatever else went wrong meanwhile.
func (j *job) settle(o *wsproto.Outcome) *wsproto.Outcome {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.settled = true
	j.finishing.Store(true)
	if o != nil && !j.committed && errors.Is(context.Cause(j.early), errCancelled) {
		return j.earlyEnd(errCancelled)
	}
	return o
}

// abort ends the job because the tenant cancelled it, if nothing of it can be at the CA and its outcome is not known. It
// reports whether it did.
func (j *job) abort() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.committed || j.settled {
		return false
	}
	j.endEarly(errCancelled)
	return errors.Is(context.Cause(j.early), errCancelled)
}

// supersede ends the job because the tenant has given this attempt up. What may be at the CA is still waited for, since
// a certificate is always told.
func (j *job) supersede() { j.endCurrent(errSuperseded) }

// commit is the last step before a request leaves: it fails if the job has ended meanwhile. After it the job goes on to
// its outcome.
func (j *job) commit() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if cause := context.Cause(j.early); cause != nil {
		return cause
	}
	j.committed = true
	return nil
}

// forget wipes what would open or be the private key, as far as it can be reached.
func (j *job) forget() {
	j.forgetKey()
	j.order.Password = ""
}

func (j *job) forgetKey() {
	if j.secret != nil {
		clear(j.secret.PrivateKey)
	}
	if j.prepared != nil {
		wipe.Key(j.prepared.Key)
	}
	j.secret, j.prepared = nil, nil
}

// stage measures a stage of the job: it returns what ends the measurement.
func (j *job) stage(name string) func() {
	begin := time.Now()
	return func() { j.timings[name] += time.Since(begin).Milliseconds() }
}
