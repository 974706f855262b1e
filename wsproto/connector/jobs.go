package connector

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// How long a tenant is asked to wait before it offers again.
const (
	busyRetry       = 5 * time.Second
	supersededRetry = time.Second
)

// jobs holds the jobs of a connector, over all its sessions.
type jobs struct {
	mu       sync.Mutex
	byID     map[string]*job
	draining bool
	wg       sync.WaitGroup
	changed  chan struct{} // closed and replaced when a job ends
}

func newJobs() *jobs {
	return &jobs{byID: make(map[string]*job), changed: make(chan struct{})}
}

// reserve keeps a place for a job, or says why there is none. working bounds the jobs before their outcome, all bounds
// those whose outcome is not acknowledged yet as well.
func (t *jobs) reserve(j *job, working, all int) *wsproto.OfferResult {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.draining {
		return busy(wsproto.ReasonDraining, busyRetry)
	}
	if old := t.byID[j.id]; old != nil {
		return t.answerAgain(old, j)
	}
	n := 0
	for _, other := range t.byID {
		if !other.finishing.Load() {
			n++
		}
	}
	if n >= working || len(t.byID) >= all {
		return busy(wsproto.ReasonBusy, busyRetry)
	}
	t.byID[j.id] = j
	t.wg.Add(1)
	return nil
}

// answerAgain answers an offer of a job that is here already. A newer attempt means that the tenant has given the older
// one up: it ends, and the newer one is taken once it has. The same attempt with another order is not the one that is here.
func (t *jobs) answerAgain(old, j *job) *wsproto.OfferResult {
	switch {
	case j.attempt == old.attempt && old.accepted.Load() && bytes.Equal(old.digest, j.digest):
		return &wsproto.OfferResult{Answer: wsproto.OfferAccepted}
	case j.attempt > old.attempt:
		old.supersede()
		return busy(wsproto.ReasonBusy, supersededRetry)
	}
	return busy(wsproto.ReasonSuperseded, busyRetry)
}

func busy(reason wsproto.Reason, retry time.Duration) *wsproto.OfferResult {
	return &wsproto.OfferResult{Answer: wsproto.OfferBusy, Reason: reason, RetryAfterMS: retry.Milliseconds()}
}

// remove ends what reserve began.
func (t *jobs) remove(j *job) {
	t.mu.Lock()
	delete(t.byID, j.id)
	close(t.changed)
	t.changed = make(chan struct{})
	t.mu.Unlock()
	t.wg.Done()
}

func (t *jobs) get(id string) *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

func (t *jobs) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}

// drain takes no new jobs from now on.
func (t *jobs) drain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draining = true
}

// idle waits until there are no jobs, or until ctx ends; it reports how many are left.
func (t *jobs) idle(ctx context.Context) int {
	for {
		t.mu.Lock()
		n, changed := len(t.byID), t.changed
		t.mu.Unlock()
		if n == 0 {
			return 0
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return n
		}
	}
}

// offer answers an offer and begins the job if it is accepted. ctx is that of the call, life that of jobs.
func (c *Connector) offer(ctx, life context.Context, o *wsproto.Offer) *wsproto.OfferResult {
	j := newJob(life, c, o)
	if answer := c.jobs.reserve(j, c.opts.Capacity, unacknowledgedFactor*c.opts.Capacity); answer != nil {
		j.stop()
		return answer
	}
	if answer := j.admit(ctx, o); answer != nil {
		j.forget()
		c.opts.OnRefused(RefusedOffer{
			Job: j.id, Attempt: j.attempt, Order: j.order.Order, Scope: answer.Scope, Reason: answer.Reason, Message: answer.Message,
			Err: j.trouble,
		})
		j.stop()
		c.jobs.remove(j)
		return answer
	}
	j.accepted.Store(true)
	c.status.kick()
	go j.run(life)
	return &wsproto.OfferResult{Answer: wsproto.OfferAccepted}
}

// unacknowledgedFactor times the capacity is how many jobs there may be, those included whose outcome the tenant has not
// acknowledged.
const unacknowledgedFactor = 3

// admit decides whether a job is taken. Nothing is made for it before.
func (j *job) admit(ctx context.Context, o *wsproto.Offer) *wsproto.OfferResult {
	order, err := wsproto.DecodeOrder(o.Order)
	if critical, ok := errors.AsType[*wsproto.CriticalError](err); ok {
		// Another connector may be newer and understand it.
		return refused(wsproto.RefusedElsewhere, wsproto.ReasonOrderCritical, critical.Error())
	}
	if err != nil {
		return refused(wsproto.RefusedNever, wsproto.ReasonOrderInvalid, err.Error())
	}
	if err := checkSense(order); err != nil {
		return refused(wsproto.RefusedNever, wsproto.ReasonOrderInvalid, err.Error())
	}
	j.order.Order = *order
	// Without a request id it is only looked up, unless the order allows to submit again.
	j.order.Retrieval = o.Checkpoint != nil && (o.Checkpoint.RequestID != 0 || !order.Resubmit)
	if err := j.c.cfg.Policy(ctx, j.order); err != nil {
		return refusedByPolicy(err)
	}
	if err := j.address(order); err != nil {
		return refused(wsproto.RefusedNever, wsproto.ReasonOrderInvalid, err.Error())
	}
	if j.account, err = j.c.cfg.Issuer.Account(order.CA); err != nil {
		return refused(wsproto.RefusedElsewhere, wsproto.ReasonPolicyCA, "this connector has no credential for the CA")
	}
	if p, ok := errors.AsType[*pausedError](j.c.credentials.paused(j.account)); ok {
		answer := refused(wsproto.RefusedElsewhere, wsproto.ReasonCredential, "the credential is stopped after a failed logon")
		answer.RetryAfterMS = p.retry().Milliseconds()
		return answer
	}
	if o.Checkpoint != nil {
		return j.open(o)
	}
	if err := j.c.signing.check(j.c.cfg.Identity); err != nil {
		return j.keyAway(err, "the connector's identity key cannot be used now")
	}
	return nil
}

// keyRetry is when the tenant is asked to try again after one of this connector's keys has failed.
const keyRetry = time.Minute

// keyAway leaves an offer to others for a while, because a key of this connector fails.
func (j *job) keyAway(err error, message string) *wsproto.OfferResult {
	j.trouble = err
	answer := refused(wsproto.RefusedElsewhere, wsproto.ReasonInternal, message)
	answer.RetryAfterMS = keyRetry.Milliseconds()
	return answer
}

// open resumes from a checkpoint.
func (j *job) open(o *wsproto.Offer) *wsproto.OfferResult {
	former := j.c.former.get()
	makers := slices.Clone(j.c.makers)
	for _, k := range former {
		makers = append(makers, k.maker)
	}
	secret, err := wsproto.OpenCheckpoint(o.Checkpoint, j.c.opener(o.Checkpoint, former), wsproto.CheckpointExpectation{
		Makers: makers, Tenant: j.c.cfg.Tenant, Job: o.Job, Attempt: o.Attempt,
		OrderDigest: j.digest, CA: j.order.CA, Account: j.account,
	})
	if isKeyFailure(err) { // which says nothing about the checkpoint
		return j.keyAway(err, "the connector's decryption key cannot be used now")
	}
	if err != nil {
		reason := wsproto.ReasonInternal
		if e, ok := errors.AsType[wsproto.CheckpointError](err); ok {
			reason = e.Reason()
		}
		return refused(wsproto.RefusedElsewhere, reason, err.Error())
	}
	key, err := x509.ParsePKCS8PrivateKey(secret.PrivateKey)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		clear(secret.PrivateKey)
		return refused(wsproto.RefusedElsewhere, wsproto.ReasonCheckpointKey, "the key in the checkpoint cannot be used")
	}
	j.prepared = &Prepared{Key: signer, Request: secret.Request}
	j.secret, j.resumed, j.keyHash = secret, o.Checkpoint, o.Checkpoint.PublicKeyHash
	j.attempted = o.Checkpoint.Time
	j.outdated = madeBefore(o.Checkpoint, former)
	j.committed = true // an earlier attempt may have submitted: too late to cancel or to call it expired
	return nil
}

func refused(scope wsproto.RefusalScope, reason wsproto.Reason, message string) *wsproto.OfferResult {
	return &wsproto.OfferResult{Answer: wsproto.OfferRefused, Scope: scope, Reason: reason, Message: boundText(message)}
}

// refusedByPolicy tells the tenant which rule refused. The text of an error that is not ours is not told.
func refusedByPolicy(err error) *wsproto.OfferResult {
	if p, ok := errors.AsType[*PolicyError](err); ok {
		return refused(wsproto.RefusedElsewhere, p.Reason(), p.Error())
	}
	return refused(wsproto.RefusedElsewhere, wsproto.ReasonPolicy, "refused by local policy")
}

// cancel answers a cancellation.
func (c *Connector) cancel(m *wsproto.Cancel) (*wsproto.CancelResult, error) {
	j := c.jobs.get(m.Job)
	if j == nil || j.attempt != m.Attempt {
		return nil, wsproto.Errorf(wsproto.CodeUnknownJob, "attempt %d of the job is not here", m.Attempt)
	}
	return &wsproto.CancelResult{Cancelled: j.abort()}, nil
}
