package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

const (
	// maxDeliveries is how many calls of OnOutcome run at once, deliverTime how long each may take.
	maxDeliveries = 8
	deliverTime   = time.Minute
	// claimTime is how long an event is left to the gateway that claimed it.
	claimTime = 3 * time.Minute
	// The pause before an outcome is delivered again doubles from the first to the last.
	firstRedelivery = time.Second
	lastRedelivery  = 5 * time.Minute
)

// An OutcomeEvent tells the embedder of one outcome. Job is authoritative: by the time an event is delivered, another
// outcome may have replaced this one.
type OutcomeEvent struct {
	ID      string // the same at each delivery, and unique within the tenant
	Tenant  string
	Job     string
	Time    time.Time // when it was recorded
	Outcome wsproto.Outcome
	// Extra says that the certificate was issued for an attempt that had been given up, and the job has another outcome:
	// somebody must revoke it.
	Extra bool
	// Delivery counts the times that this event was handed over, from 1 on.
	Delivery int
}

// deliver claims the first event of a job, so that no other gateway delivers it meanwhile, and queues it.
func (r *runner) deliver(ctx context.Context, j *Job) error {
	version, claimed := j.Version, false
	j, err := r.g.change(ctx, j.Tenant, j.ID, func(j *Job, now time.Time) error {
		if claimed = j.Version == version; !claimed {
			return errUnchanged
		}
		j.Deliveries++
		j.DeliverAt = now.Add(claimTime)
		j.schedule(now, &r.g.rules)
		return nil
	})
	if err != nil || !claimed {
		return tolerate(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outbox = append(r.outbox, j)
	if r.workers < maxDeliveries {
		r.workers++
		r.deliveries.Go(func() { r.work(ctx) })
	}
	return nil
}

// work delivers until the outbox is empty.
func (r *runner) work(ctx context.Context) {
	for {
		r.mu.Lock()
		if len(r.outbox) == 0 || ctx.Err() != nil {
			r.workers--
			r.mu.Unlock()
			return
		}
		j := r.outbox[0]
		r.outbox = r.outbox[1:]
		r.mu.Unlock()
		if time.Until(j.DeliverAt) > deliverTime { // otherwise the claim is too old, and the event comes up again
			r.handOver(ctx, j)
		}
	}
}

// handOver calls OnOutcome and records whether it was acknowledged.
func (r *runner) handOver(ctx context.Context, j *Job) {
	e := j.Events[0]
	limited, cancel := context.WithTimeout(ctx, deliverTime)
	refused := r.g.cfg.OnOutcome(limited, OutcomeEvent{
		ID: e.ID, Tenant: j.Tenant, Job: j.ID, Time: e.Time, Outcome: e.Outcome, Extra: e.Extra, Delivery: j.Deliveries,
	})
	cancel()
	if refused != nil && ctx.Err() == nil {
		r.g.report(fmt.Errorf("gateway: outcome %s was not acknowledged: %w", e.ID, refused))
	}
	_, err := r.g.change(context.WithoutCancel(ctx), j.Tenant, j.ID, func(j *Job, now time.Time) error {
		if len(j.Events) == 0 || j.Events[0].ID != e.ID {
			return errUnchanged
		}
		if refused == nil {
			j.Events = j.Events[1:]
			j.Deliveries, j.DeliverAt = 0, now
		} else {
			j.DeliverAt = now.Add(redelivery(j.Deliveries))
		}
		j.schedule(now, &r.g.rules)
		return nil
	})
	r.g.report(tolerate(err))
}

// redelivery returns the pause after the nth delivery in vain.
func redelivery(n int) time.Duration {
	pause := firstRedelivery
	for ; n > 1 && pause < lastRedelivery; n-- {
		pause *= 2
	}
	return min(pause, lastRedelivery)
}
