package gateway

import (
	"bytes"
	"slices"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// This file and finish.go are the state machine of a job, without I/O: each method changes the record as one event asks
// for, and the caller puts it into the store with compare and swap. Two facts carry it:
//
//   - A connector submits only with a lease, and a lease is granted only with a checkpoint that is in the store. So while
//     LeaseEnd is zero, nothing of the current attempt can have been submitted, and the job may move at once.
//   - Once a lease was granted, the job moves only after LeaseEnd + RPCDeadline + Margin, and only with its checkpoint.

// rules are the configuration of the state machine.
type rules struct {
	Timing
	attempts int  // see [Limits]
	events   bool // somebody wants the events
}

// maxRefusals bounds Job.Refusals.
const maxRefusals = 256

// offer claims a queued job for a connector: the next attempt begins.
func (j *Job) offer(connector string, now time.Time, r *rules) {
	j.State = JobOffered
	j.Attempt++
	j.Sequence = 0
	j.Connector = connector
	j.LeaseEnd = time.Time{}
	j.Patience = now.Add(r.Offer + r.Heartbeat)
	j.Holders = append(j.Holders, Holder{Attempt: j.Attempt, Connector: connector})
	j.schedule(now, r)
}

// offered reports whether this attempt still waits for the connector's answer.
func (j *Job) offered(attempt int64) bool { return j.State == JobOffered && j.Attempt == attempt }

// accepted records the answer accepted.
func (j *Job) accepted(now time.Time, r *rules) {
	j.State = JobRunning
	j.Patience = now.Add(r.Stall)
	j.schedule(now, r)
}

// declined records that the connector does not take the job now. If it refused, it is asked again at why.Until.
func (j *Job) declined(why *Refusal, now time.Time, r *rules) {
	j.release(j.Attempt)
	if why != nil {
		why.Connector = j.Connector
		j.LastRefusal = why
		j.Refusals = slices.DeleteFunc(j.Refusals, func(f Refusal) bool {
			return f.Connector == j.Connector || !f.Until.After(now)
		})
		if len(j.Refusals) >= maxRefusals {
			j.Refusals = slices.Delete(j.Refusals, 0, 1)
		}
		j.Refusals = append(j.Refusals, *why)
	}
	j.queue(now, now, r)
}

// refusedBy reports whether the connector is not to be asked now.
func (j *Job) refusedBy(connector string, now time.Time) bool {
	return slices.ContainsFunc(j.Refusals, func(f Refusal) bool { return f.Connector == connector && f.Until.After(now) })
}

// vanished records that the holder of the current attempt is not connected any more.
func (j *Job) vanished(now time.Time, r *rules) {
	if !j.inFlight() || now.Before(j.free(r)) {
		return
	}
	j.giveBack(now, r)
}

// hurry bounds the patience with a holder that has a new session: its process may be a new one too, which knows nothing of
// the job. If it is not, a checkpoint will show that; otherwise nothing but some work is lost.
func (j *Job) hurry(now time.Time, r *rules) error {
	limit := now.Add(2 * r.Offer)
	if !j.inFlight() || !j.LeaseEnd.IsZero() || !limit.Before(j.Patience) {
		return errUnchanged
	}
	j.Patience = limit
	j.schedule(now, r)
	return nil
}

// inFlight reports whether a connector may be working on the job.
func (j *Job) inFlight() bool { return j.State == JobOffered || j.State == JobRunning }

// free is when the job may move to another connector. It is in the past if nothing was granted.
func (j *Job) free(r *rules) time.Time {
	if j.LeaseEnd.IsZero() {
		return time.Time{}
	}
	return j.LeaseEnd.Add(r.RPCDeadline + r.Margin)
}

// giveBack queues a job whose holder is gone or stalled. That has an end: an order that kills every connector that takes
// it must not go round for ever.
func (j *Job) giveBack(now time.Time, r *rules) {
	if len(j.Holders) >= r.attempts {
		if j.Checkpoint == nil {
			j.conclude(wsproto.Outcome{
				Kind: wsproto.Failed, Reason: wsproto.ReasonNoConnector, Retry: wsproto.RetryOperator,
				Message: "every connector that took the job vanished with it",
			}, now, r)
			return
		}
		if j.Checkpoint.State == wsproto.CheckpointSubmitting {
			j.concludeUnknown(now, r)
			return
		}
		j.evict()
	}
	j.queue(now, now, r)
}

// evict forgets the oldest attempt that cannot have submitted: of the others a certificate may still come.
func (j *Job) evict() {
	n := slices.IndexFunc(j.Holders, func(h Holder) bool { return !h.Leased && h.Attempt != j.Checkpoint.Attempt })
	if n >= 0 {
		j.Holders = slices.Delete(j.Holders, n, n+1)
	}
}

// queue makes the job wait for a connector, from notBefore on.
func (j *Job) queue(notBefore, now time.Time, r *rules) {
	j.State = JobQueued
	j.NotBefore = notBefore
	j.LeaseEnd = time.Time{}
	if j.Checkpoint != nil && j.GiveUp.IsZero() {
		j.GiveUp = now.Add(r.Hold)
		if j.Checkpoint.State == wsproto.CheckpointSubmitting {
			j.GiveUp = now.Add(r.Resolve)
		}
	}
	j.schedule(now, r)
}

// schedule sets Due to the next time at which something happens by itself.
func (j *Job) schedule(now time.Time, r *rules) {
	j.Due = time.Time{}
	due := func(t time.Time) {
		if j.Due.IsZero() || t.Before(j.Due) {
			j.Due = t
		}
	}
	undelivered := j.undelivered(r)
	if undelivered {
		due(j.DeliverAt)
	}
	switch {
	case j.State == JobDone && !undelivered:
		due(j.Ended.Add(r.Retention))
	case j.inFlight():
		due(j.Patience)
	case j.State == JobQueued:
		if j.NotBefore.After(now) {
			due(j.NotBefore)
		}
		if j.Checkpoint == nil {
			due(j.Deadline)
			return
		}
		due(j.GiveUp)
		due(later(j.NotBefore, now).Add(r.Stall)) // is there still somebody who can open it?
	}
}

// undelivered reports whether somebody waits for an event of the job. Without OnOutcome nobody does, though a gateway with
// another configuration may have stored some.
func (j *Job) undelivered(r *rules) bool { return r.events && len(j.Events) > 0 }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// outlook is what the state machine has to know about the connectors when time has passed.
type outlook struct {
	connected bool // the holder of the job
	openable  bool // some connector that is not revoked can open the checkpoint
}

// tick does what is due.
func (j *Job) tick(o outlook, now time.Time, r *rules) {
	switch {
	case j.State == JobQueued && j.Checkpoint == nil:
		if !now.Before(j.Deadline) {
			j.conclude(j.untaken(), now, r)
			return
		}
	case j.State == JobQueued:
		if !o.openable && !j.Anew || !now.Before(j.GiveUp) {
			j.abandon(now, r)
			return
		}
	case j.inFlight():
		limit := later(j.Patience, j.free(r))
		if o.connected && !j.LeaseEnd.IsZero() {
			limit = later(limit, j.free(r).Add(r.Stall))
		}
		if !now.Before(limit) {
			j.giveBack(now, r)
			j.settleQueued(o, now, r)
			return
		}
		j.Patience = limit
	}
	j.schedule(now, r)
}

// orphaned records that the holder of the current attempt will not come back, and that others can go on with the job if
// the outlook says so.
func (j *Job) orphaned(o outlook, now time.Time, r *rules) {
	if free := later(j.free(r), now); j.inFlight() && now.Before(free) {
		j.Patience = free // what was submitted is waited for
		j.schedule(now, r)
		return
	}
	j.vanished(now, r)
	j.settleQueued(o, now, r)
}

// settleQueued ends the wait of a queued job for somebody who can open its checkpoint, if nobody is left who can.
func (j *Job) settleQueued(o outlook, now time.Time, r *rules) {
	if j.State == JobQueued && j.Checkpoint != nil && !j.Anew && !o.openable {
		j.abandon(now, r)
	}
}

// untaken is the outcome of a job that no connector took in time. What the last one said is all that a person has to go by.
func (j *Job) untaken() wsproto.Outcome {
	o := wsproto.Outcome{
		Kind: wsproto.Expired, Reason: wsproto.ReasonNoConnector, Retry: wsproto.RetryOperator,
		Message: "no connector took the job in time",
	}
	if why := j.LastRefusal; why != nil {
		o.Message = clean(o.Message + "; the last one that was asked refused: " + why.Message)
		if why.Reason != "" {
			o.Reason = why.Reason
		}
	}
	return o
}

// abandon ends the wait for somebody who can open the checkpoint.
func (j *Job) abandon(now time.Time, r *rules) {
	switch {
	case j.Checkpoint.State == wsproto.CheckpointPending:
		j.conclude(wsproto.Outcome{
			Kind: wsproto.Lost, Reason: wsproto.ReasonNoConnector, Retry: wsproto.RetryOperator,
			RequestID: j.Checkpoint.RequestID, PublicKeyHash: j.Checkpoint.PublicKeyHash,
			Message: "the CA holds the request, but no connector could go on with it",
		}, now, r)
	case j.Resubmit && now.Before(j.Deadline):
		j.Anew, j.GiveUp = true, j.Deadline
		j.queue(now, now, r)
	default:
		j.concludeUnknown(now, r)
	}
}

// concludeUnknown ends the job from the clear part of its checkpoint.
func (j *Job) concludeUnknown(now time.Time, r *rules) {
	j.conclude(wsproto.Outcome{
		Kind: wsproto.Unknown, Reason: wsproto.ReasonAnswerLost, Retry: wsproto.RetryOperator,
		RequestID: j.Checkpoint.RequestID, PublicKeyHash: j.Checkpoint.PublicKeyHash,
		Message: "a connector may have submitted the request and did not come back; look it up at the CA",
	}, now, r)
}

// toOffer is the checkpoint that goes with an offer.
func (j *Job) toOffer() *wsproto.Checkpoint {
	if j.Anew {
		return nil
	}
	return j.Checkpoint
}

// cancel ends the job if nothing can have been submitted, and reports whether it did.
func (j *Job) cancel(now time.Time, r *rules) bool {
	if j.State == JobDone || j.Checkpoint != nil {
		return false
	}
	j.conclude(cancelled(), now, r)
	return true
}

// cancelled is the outcome of a cancelled job.
func cancelled() wsproto.Outcome {
	return wsproto.Outcome{Kind: wsproto.Cancelled, Reason: wsproto.ReasonCancelled, Retry: wsproto.RetryAfter}
}

// holds reports whether the connector may hold this attempt.
func (j *Job) holds(connector string, attempt int64) bool {
	return slices.ContainsFunc(j.Holders, func(h Holder) bool { return h.Attempt == attempt && h.Connector == connector })
}

// release ends an attempt.
func (j *Job) release(attempt int64) {
	j.Holders = slices.DeleteFunc(j.Holders, func(h Holder) bool { return h.Attempt == attempt })
}

// newest reports whether a message belongs to the current attempt and to its holder.
func (j *Job) newest(connector string, attempt int64) bool {
	return attempt == j.Attempt && connector == j.Connector && j.holds(connector, attempt)
}

// checkpoint records a checkpoint whose signature the caller has verified, and returns the lease to grant: zero when the
// request is at the CA already.
func (j *Job) checkpoint(connector string, p *wsproto.CheckpointParams, now time.Time, r *rules) (time.Duration, error) {
	c := &p.Checkpoint
	switch {
	case j.State == JobDone, !j.newest(connector, p.Attempt):
		return 0, superseded(j, p.Attempt)
	case c.CA != j.CA:
		return 0, wsproto.Errorf(wsproto.CodeCheckpoint, "the checkpoint is for another CA than the order")
	case p.Sequence < j.Sequence, p.Sequence == j.Sequence && !j.repeats(c):
		return 0, superseded(j, p.Attempt)
	}
	if err := j.follows(c); err != nil {
		return 0, err
	}
	if old := j.Checkpoint; old == nil || old.State != c.State || c.State == wsproto.CheckpointSubmitting {
		j.GiveUp = time.Time{} // a new wait, when it comes to that; a request that is held does not begin again
	}
	j.State = JobRunning
	j.Sequence = p.Sequence
	j.doubt(c)
	j.Checkpoint, j.Anew = c, false
	if c.State == wsproto.CheckpointSubmitting {
		j.leased(p.Attempt)
		j.LeaseEnd = now.Add(r.Lease)
		j.Patience = j.free(r)
		j.schedule(now, r)
		return r.Lease, nil
	}
	j.Patience = later(j.free(r), now.Add(r.Stall))
	j.schedule(now, r)
	return 0, nil
}

// doubt keeps what the new checkpoint would make forgotten: that an older attempt may have submitted, too.
func (j *Job) doubt(c *wsproto.Checkpoint) {
	old := j.Checkpoint
	if old == nil || old.Attempt == c.Attempt ||
		old.State != wsproto.CheckpointSubmitting || c.State != wsproto.CheckpointSubmitting {
		return
	}
	clear := *old
	clear.Sealed = nil // nobody will open it
	j.Doubt = &clear
}

// leased notes that an attempt may submit.
func (j *Job) leased(attempt int64) {
	for i := range j.Holders {
		if j.Holders[i].Attempt == attempt {
			j.Holders[i].Leased = true
		}
	}
}

// repeats reports whether the checkpoint is the stored one, sent again.
func (j *Job) repeats(c *wsproto.Checkpoint) bool {
	return j.Checkpoint != nil && bytes.Equal(j.Checkpoint.Signature, c.Signature)
}

// follows holds a checkpoint against the one before it: nobody submits again what may have been submitted, unless the
// order allows it, and never what the CA holds.
func (j *Job) follows(c *wsproto.Checkpoint) error {
	old := j.Checkpoint
	if old == nil {
		return nil
	}
	same := bytes.Equal(old.PublicKeyHash, c.PublicKeyHash)
	submit := c.State == wsproto.CheckpointSubmitting
	switch {
	case submit && old.State == wsproto.CheckpointPending:
		return wsproto.Errorf(wsproto.CodeCheckpoint, "the CA holds request %d of this job; retrieve it", old.RequestID)
	case submit && old.Attempt != c.Attempt && !j.Resubmit:
		return wsproto.Errorf(wsproto.CodeCheckpoint, "the request may have been submitted; the order does not allow it again")
	case !same && (!submit || !j.Resubmit):
		return wsproto.Errorf(wsproto.CodeCheckpoint, "the checkpoint has another public key than the one before it")
	case !submit && old.State == wsproto.CheckpointPending && old.RequestID != c.RequestID:
		return wsproto.Errorf(wsproto.CodeCheckpoint, "the CA holds this job as request %d", old.RequestID)
	}
	return nil
}

// superseded refuses a message of an older attempt.
func superseded(j *Job, attempt int64) error {
	return wsproto.Errorf(wsproto.CodeSuperseded, "attempt %d is not the current one (%s, attempt %d)", attempt, j.State, j.Attempt)
}

// refused records the answer that no connector should be asked for this order. That ends a job that no connector can have
// submitted; another one waits for a connector that knows better.
func (j *Job) refused(a *wsproto.OfferResult, now time.Time, r *rules) {
	if j.Checkpoint != nil {
		j.declined(&Refusal{Until: now.Add(maxPause), Reason: a.Reason, Message: clean(a.Message)}, now, r)
		return
	}
	j.release(j.Attempt)
	j.conclude(wsproto.Outcome{
		Kind: wsproto.Failed, Reason: a.Reason, Retry: wsproto.RetryNever, Message: clean(a.Message),
	}, now, r)
}
