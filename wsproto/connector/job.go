package connector

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

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
	account string

	resumed  *wsproto.Checkpoint // of an earlier attempt, verified
	prepared *Prepared
	secret   *wsproto.CheckpointSecret
	keyHash  []byte

	// early lives while the job may end without a trace at the CA: until its time is over, it is cancelled, or a newer
	// attempt takes its place.
	early    context.Context
	endEarly context.CancelCauseFunc
	stop     context.CancelFunc // frees early

	accepted  atomic.Bool // the offer was answered
	finishing atomic.Bool // the outcome is known and on its way

	mu         sync.Mutex
	committed  bool          // a request may be at the CA
	settled    bool          // the outcome is known
	superseded chan struct{} // closed when an outcome without a certificate is of no use any more
	once       sync.Once     // closes superseded

	sequence int64
	timings  map[string]int64
}

// newJob makes the job of an offer. life is how long anything about it may go on.
func newJob(life context.Context, c *Connector, o *wsproto.Offer) *job {
	j := &job{
		c: c, id: o.Job, attempt: o.Attempt, digest: wsproto.OrderDigest(o.Order),
		superseded: make(chan struct{}), timings: make(map[string]int64),
	}
	j.order.Job, j.order.Traceparent = o.Job, o.Traceparent
	left := time.Duration(min(o.TimeLeftMS, maxTimeLeft.Milliseconds())) * time.Millisecond
	ctx, end := context.WithCancelCause(life)
	j.endEarly = end
	j.early, j.stop = context.WithTimeoutCause(ctx, left, errExpired)
	return j
}

// run works on an accepted job until the tenant has its outcome, or until it is dropped.
func (j *job) run(life context.Context) {
	outcome, err := j.work(life)
	report := JobReport{Job: j.id, Attempt: j.attempt, Order: j.order.Order, Err: err}
	report.Order.Password = ""
	if outcome = j.settle(outcome); outcome != nil {
		report.Outcome, report.Err = j.deliver(life, outcome), errors.Join(err, j.dropCause)
	}
	j.end()
	j.c.opts.OnJob(report)
}

// abort ends the job if nothing of it can be at the CA and its outcome is not known. It reports whether it did.
func (j *job) abort(cause error) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.committed || j.settled {
		return false
	}
	j.endEarly(cause)
	return context.Cause(j.early) == cause
}
