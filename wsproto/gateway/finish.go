package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// errDelivery says that a bundle is not delivered in the way of the order.
var errDelivery = wsproto.Errorf(wsproto.CodeInvalidParams, "the bundle is not delivered in the way of the order")

// finish records an outcome. A nil error means that the tenant has it, now or since an earlier time. A bundle that anybody
// can open with the password in it, or in the order, is not taken for an order with a recipient.
func (j *Job) finish(connector string, p *wsproto.FinishParams, now time.Time, r *rules) error {
	o := p.Outcome
	certificate := hasCertificate(&o)
	newest := j.newest(connector, p.Attempt)
	switch {
	case len(o.PKCS12) > 0 && j.Sealed, len(o.Sealed) > 0 && !j.Sealed:
		return errDelivery
	case j.repeated(connector, p), certificate && j.known(&o):
		return nil
	case j.State == JobDone:
		return j.amend(connector, p, now, r)
	case newest && p.Sequence <= j.Sequence && !certificate:
		return superseded(j, p.Attempt)
	case newest && o.Kind == wsproto.Pending:
		j.held(p, now, r)
		return nil
	case newest, certificate && j.holds(connector, p.Attempt):
		j.settle(p, now, r)
		return nil
	}
	return superseded(j, p.Attempt)
}

// repeated reports whether this finish was recorded before. Sequence of an ended attempt is that of its finish.
func (j *Job) repeated(connector string, p *wsproto.FinishParams) bool {
	return j.Outcome != nil && p.Attempt == j.Attempt && connector == j.Connector && p.Sequence == j.Sequence &&
		j.Outcome.Kind == j.doubted(p.Outcome).Kind && !j.inFlight()
}

// hasCertificate reports whether the CA issued something, delivered or not.
func hasCertificate(o *wsproto.Outcome) bool {
	return o.Kind == wsproto.Issued || o.Kind == wsproto.Rejected && len(o.Thumbprint) > 0
}

// known reports whether the certificate of o is recorded. One that was rejected and is delivered now is not.
func (j *Job) known(o *wsproto.Outcome) bool {
	if j.accepts(o) {
		return false
	}
	if j.Outcome != nil && hasCertificate(j.Outcome) && bytes.Equal(j.Outcome.Thumbprint, o.Thumbprint) {
		return true
	}
	for i := range j.Extra {
		if bytes.Equal(j.Extra[i].Thumbprint, o.Thumbprint) {
			return true
		}
	}
	return false
}

// accepts reports whether o delivers the certificate that another attempt has rejected.
func (j *Job) accepts(o *wsproto.Outcome) bool {
	return j.Outcome != nil && j.Outcome.Kind == wsproto.Rejected && o.Kind == wsproto.Issued &&
		len(o.Thumbprint) > 0 && bytes.Equal(j.Outcome.Thumbprint, o.Thumbprint)
}

// amend handles an outcome for a job that has one: a certificate is always recorded, a definite outcome for the same
// public key replaces an unknown one, and a certificate the same one rejected.
func (j *Job) amend(connector string, p *wsproto.FinishParams, now time.Time, r *rules) error {
	open := j.Outcome.Kind == wsproto.Unknown || j.Outcome.Kind == wsproto.Lost
	switch {
	case !j.holds(connector, p.Attempt):
		return superseded(j, p.Attempt)
	case open && hasCertificate(&p.Outcome), j.accepts(&p.Outcome):
		j.settle(p, now, r)
		return nil
	case hasCertificate(&p.Outcome):
		extra := p.Outcome
		j.Extra = append(j.Extra, extra)
		j.release(p.Attempt)
		j.record(extra, true, now, r)
		return nil
	case j.Outcome.Kind == wsproto.Unknown && j.answers(p):
		j.settle(p, now, r)
		return nil
	}
	return superseded(j, p.Attempt)
}

// answers reports whether a finish tells what became of the request whose outcome is unknown. If the order allowed to
// submit again, only the newest attempt can tell, and not even that one while an older one may have submitted, too.
func (j *Job) answers(p *wsproto.FinishParams) bool {
	switch p.Outcome.Kind {
	case wsproto.Denied, wsproto.Failed, wsproto.Rejected, wsproto.Cancelled, wsproto.Expired:
	default:
		return false
	}
	if j.Doubt != nil && refutable(p.Outcome.Kind) {
		return false
	}
	same := len(p.Outcome.PublicKeyHash) > 0 && bytes.Equal(p.Outcome.PublicKeyHash, j.Outcome.PublicKeyHash)
	return same && (p.Attempt == j.Attempt || !j.Resubmit)
}

// settle ends the job with a connector's outcome.
func (j *Job) settle(p *wsproto.FinishParams, now time.Time, r *rules) {
	if p.Attempt == j.Attempt {
		j.Sequence = p.Sequence
	}
	if p.Outcome.Kind != wsproto.Unknown {
		j.release(p.Attempt)
	}
	j.conclude(j.doubted(p.Outcome), now, r)
}

// refutable reports whether an outcome says that there is no certificate, which is true of one attempt only.
func refutable(kind wsproto.OutcomeKind) bool {
	switch kind {
	case wsproto.Failed, wsproto.Denied, wsproto.Cancelled, wsproto.Expired:
		return true
	}
	return false
}

// doubted returns the outcome to record for that of an attempt: unknown instead of one that says there is no certificate,
// if an earlier attempt may have submitted. It names the key of that one, which is what has to be looked up at the CA.
func (j *Job) doubted(o wsproto.Outcome) wsproto.Outcome {
	earlier := j.Doubt
	if j.Anew {
		earlier = j.Checkpoint
	}
	if earlier == nil || !refutable(o.Kind) {
		return o
	}
	message := "an earlier attempt may have submitted the request; look it up at the CA; the last attempt ended as " + string(o.Kind)
	if o.Message != "" {
		message += ": " + o.Message
	}
	return wsproto.Outcome{
		Kind: wsproto.Unknown, Reason: wsproto.ReasonAnswerLost, Retry: wsproto.RetryOperator,
		PublicKeyHash: earlier.PublicKeyHash, Message: clean(message), Traceparent: o.Traceparent,
	}
}

// held records that the CA holds the request: the job waits in the queue, with its checkpoint.
func (j *Job) held(p *wsproto.FinishParams, now time.Time, r *rules) {
	j.release(p.Attempt)
	j.Sequence = p.Sequence
	if j.Checkpoint == nil || j.Checkpoint.State != wsproto.CheckpointPending {
		lost := p.Outcome
		lost.Kind, lost.Reason, lost.Retry = wsproto.Lost, wsproto.ReasonCheckpointSealed, wsproto.RetryOperator
		j.conclude(lost, now, r)
		return
	}
	first := j.Outcome == nil || j.Outcome.Kind != wsproto.Pending
	outcome := p.Outcome
	j.Outcome, j.Ended = &outcome, now
	wait := time.Duration(p.Outcome.RetryAfterMS) * time.Millisecond
	if wait <= 0 {
		wait = r.Retrieve
	}
	j.queue(now.Add(min(wait, 24*time.Hour)), now, r)
	if first {
		j.record(outcome, false, now, r)
	}
}

// conclude ends the job.
func (j *Job) conclude(o wsproto.Outcome, now time.Time, r *rules) {
	j.State = JobDone
	j.Outcome, j.Ended = &o, now
	j.LeaseEnd, j.Patience, j.GiveUp, j.NotBefore = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	j.Refusals = nil
	j.forget()
	j.record(o, false, now, r)
}

// forget removes the password from the order. The sealed part of the checkpoint goes too: nobody will open it.
func (j *Job) forget() {
	j.Order, _ = withoutPassword(j.Order)
	if j.Checkpoint != nil {
		clear := *j.Checkpoint
		clear.Sealed = nil
		j.Checkpoint = &clear
	}
}

// withoutPassword returns the text of an order without that member, and nothing if it is no JSON object.
func withoutPassword(order []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(order, &members); err != nil {
		return nil, err
	}
	if _, ok := members["password"]; !ok {
		return order, nil
	}
	delete(members, "password")
	return json.Marshal(members)
}

// eventID makes the stable id of the job's nth outcome.
func (j *Job) eventID(n int64) string { return fmt.Sprintf("%s/%d", j.ID, n) }

// record counts an outcome and queues its event.
func (j *Job) record(o wsproto.Outcome, extra bool, now time.Time, r *rules) {
	j.Recorded++
	if !extra {
		j.OutcomeNumber = j.Recorded
	}
	if r.events {
		if len(j.Events) == 0 {
			j.DeliverAt, j.Deliveries = now, 0
		}
		j.Events = append(j.Events, Event{ID: j.eventID(j.Recorded), Time: now, Outcome: o, Extra: extra})
	}
	j.schedule(now, r)
}
