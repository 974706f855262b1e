package connector

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// Why a job ends before its request is submitted.
var (
	errCancelled  = errors.New("connector: cancelled by the tenant")
	errSuperseded = errors.New("connector: superseded by a newer attempt")
	errExpired    = errors.New("connector: the time of the job ran out")
	errCut        = errors.New("connector: the connector stopped")
)

// job is one attempt of a job, from its offer to the acknowledged outcome. The steps run in one goroutine; offers and
// cancellations reach it from others.
type job struct {
	c       *Connector
	id      string
	attempt int64
	order   Order
	digest  []byte // of the order's exact bytes
	account string
	resumed *wsproto.Checkpoint // the checkpoint of an earlier attempt, verified
	secret  *jobSecret          // what was in it
	keyHash []byte

	// early lives until the request is submitted: it ends with the time of the job, a cancellation or a newer attempt.
	early     context.Context
	endEarly  context.CancelCauseFunc
	stopTimer context.CancelFunc

	accepted  atomic.Bool // the offer was answered
	finishing atomic.Bool // the outcome is known and on its way
	gone      chan struct{}

	mu        sync.Mutex
	submitted bool // the request may be at the CA
	dropped   bool // an outcome without a certificate is of no use any more

	sequence int64
	timings  map[string]int64
}

// jobSecret is what the encrypted part of a checkpoint holds.
type jobSecret = wsproto.CheckpointSecret

func newJob(c *Connector, o *wsproto.Offer) *job {
	j := &job{
		c: c, id: o.Job, attempt: o.Attempt, digest: wsproto.OrderDigest(o.Order),
		gone: make(chan struct{}), timings: make(map[string]int64),
	}
	j.order.Job, j.order.Traceparent = o.Job, o.Traceparent
	left := min(time.Duration(min(o.TimeLeftMS, int64(maxTimeLeft/time.Millisecond)))*time.Millisecond, maxTimeLeft)
	early, end := context.WithCancelCause(c.jobsContext)
	j.endEarly = end
	j.early, j.stopTimer = context.WithTimeoutCause(early, left, errExpired)
	return j
}
