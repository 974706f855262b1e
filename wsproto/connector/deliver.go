package connector

import (
	"context"
	"errors"

	"github.com/adcskit/adcskit/wsproto"
)

// errNotRecorded says that the tenant answered, but did not record the outcome.
var errNotRecorded = errors.New("connector: the tenant did not record the outcome")

// deliver sends an outcome until the tenant has it. It gives up only when the connector stops, or when the tenant says
// that it will never take it.
func (j *job) deliver(life context.Context, o *wsproto.Outcome) error {
	o.TimingsMS = j.timings
	j.sequence++
	params := &wsproto.FinishParams{Job: j.id, Attempt: j.attempt, Sequence: j.sequence, Outcome: *o}
	ctx := j.current
	if len(o.Thumbprint) > 0 { // a certificate is told even if the tenant has given this attempt up
		ctx = life
	}
	err := j.finish(ctx, params)
	if err == nil || isDrop(err) {
		return err
	}
	// The tenant can never take this message. What matters still fits into a smaller one.
	j.trouble = err
	j.sequence++
	params.Sequence, params.Outcome = j.sequence, smaller(o, err)
	err = j.finish(ctx, params)
	*o = params.Outcome
	return err
}

// finish sends one message until it is answered for good.
func (j *job) finish(ctx context.Context, params *wsproto.FinishParams) error {
	if err := params.Validate(); err != nil {
		return err
	}
	return j.c.link.repeat(ctx, func(ctx context.Context, s tenant) error {
		var ack wsproto.FinishAck
		if err := s.call(ctx, wsproto.MethodFinish, params, &ack); err != nil {
			return err
		}
		if !ack.Recorded {
			return errNotRecorded // is repeated, like a lost answer
		}
		return nil
	})
}

// smaller is the same outcome without anything that could be too large or out of bounds. A bundle that cannot be sent is
// not delivered, and says so, and why.
func smaller(o *wsproto.Outcome, refusal error) wsproto.Outcome {
	s := wsproto.Outcome{
		Kind: o.Kind, Reason: o.Reason, Retry: o.Retry, RetryAfterMS: o.RetryAfterMS, RequestID: o.RequestID,
		Disposition: o.Disposition, HResult: o.HResult, Serial: o.Serial, Thumbprint: o.Thumbprint,
		PublicKeyHash: o.PublicKeyHash,
	}
	if s.Kind == wsproto.Issued {
		s.Kind, s.Reason, s.Retry = wsproto.Rejected, wsproto.ReasonBundle, wsproto.RetryOperator
		s.Message = "the outcome is larger than the tenant takes"
		if errors.Is(refusal, wsproto.CodeInvalidParams) { // say, one that does not know sealed bundles
			s.Message = "the tenant did not take the outcome with its bundle: it called it invalid"
		}
	}
	return s
}
