package gateway

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// Pauses after an answer that was not accepted.
const (
	busyPause   = 2 * time.Second
	refusePause = time.Minute
	maxPause    = time.Hour
)

// assign offers queued jobs of a tenant to its connectors that have room.
func (g *Gateway) assign(ctx context.Context, tenant string) error {
	for _, ca := range g.openCAs(tenant) {
		if err := g.assignCA(ctx, tenant, ca); err != nil {
			return err
		}
	}
	return nil
}

// openCAs returns the CAs that some connector with room serves, in random order so that none of them is always last.
func (g *Gateway) openCAs(tenant string) []wsproto.CAAssignment {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tenants[tenant]
	if t == nil || g.draining {
		return nil
	}
	seen := make(map[wsproto.CAAssignment]struct{})
	for _, s := range t.sessions {
		if s.room(now) > 0 {
			for _, ca := range s.record.CAs {
				seen[ca] = struct{}{}
			}
		}
	}
	out := make([]wsproto.CAAssignment, 0, len(seen))
	for ca := range seen { // random order
		out = append(out, ca)
	}
	return out
}

// assignCA walks over the queue of one CA, oldest first, until no connector has room.
func (g *Gateway) assignCA(ctx context.Context, tenant string, ca wsproto.CAAssignment) error {
	q := QueueQuery{Tenant: tenant, CA: ca, Before: time.Now(), Limit: queuePage}
	for {
		jobs, err := g.cfg.Store.QueuedJobs(ctx, q)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			s, room := g.pick(j, time.Now())
			if !room {
				return nil
			}
			if s == nil {
				continue
			}
			if err := g.claim(ctx, s, j); err != nil {
				return err
			}
		}
		if len(jobs) < q.Limit {
			return nil
		}
		last := jobs[len(jobs)-1]
		q.AfterTime, q.AfterID = last.NotBefore, last.ID
	}
}

// pick returns the connector that a job is offered to: of those that can take it the one with the smallest share of its
// capacity in use, and of those the one that has waited longest. room tells whether any connector of the CA has room.
func (g *Gateway) pick(j *Job, now time.Time) (best *session, room bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tenants[j.Tenant]
	if t == nil || g.draining {
		return nil, false
	}
	for _, s := range t.sessions {
		if s.room(now) == 0 || !slices.Contains(s.record.CAs, j.CA) {
			continue
		}
		room = true
		if c := j.toOffer(); j.refusedBy(s.id, now) || c != nil && !s.record.canOpen(c) {
			continue
		}
		if best == nil || s.before(best) {
			best = s
		}
	}
	if best != nil {
		best.lastOffer = now
	}
	return best, room
}

// before orders connectors by how much they deserve a job.
func (s *session) before(o *session) bool {
	return cmp.Or(
		cmp.Compare(len(s.held)*o.capacity(), len(o.held)*s.capacity()),
		s.lastOffer.Compare(o.lastOffer),
		cmp.Compare(s.id, o.id),
	) < 0
}

// claim makes the offer durable, then sends it on a goroutine of the session. The connector's record says whether it is
// trusted: another gateway may have revoked it, or the tenant may ask for more now than when it connected.
func (g *Gateway) claim(ctx context.Context, s *session, j *Job) error {
	c, err := g.cfg.Store.Connector(ctx, j.Tenant, s.connector())
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	case err != nil || c.State != wsproto.StateActive || rank(c.Attestation) < g.least(j.Tenant):
		s.bar()
		s.look()
		g.poke(j.Tenant) // there may be others for the job
		return nil
	}
	now := time.Now()
	version := j.Version
	j.offer(s.id, now, &g.rules)
	switch err := g.cfg.Store.PutJob(ctx, j); {
	case errors.Is(err, ErrConflict):
		return nil // another gateway was faster, or it was cancelled
	case err != nil:
		j.Version = version
		return err
	}
	g.changed(j)
	if !s.start(func(ctx context.Context) { g.sendOffer(ctx, s, j) }) {
		g.giveBack(context.WithoutCancel(ctx), j)
	}
	return nil
}

// sendOffer offers a claimed job and records the answer.
func (g *Gateway) sendOffer(ctx context.Context, s *session, j *Job) {
	left := time.Until(j.Deadline)
	if j.Checkpoint != nil {
		left = time.Until(j.GiveUp)
	}
	offer := wsproto.Offer{
		Job: j.ID, Attempt: j.Attempt, TimeLeftMS: max(left, 0).Milliseconds(), Order: j.Order,
		Checkpoint: j.toOffer(), Traceparent: j.Traceparent,
	}
	var answer wsproto.OfferResult
	limited, cancel := context.WithTimeout(ctx, g.timing.Offer)
	err := s.call(limited, wsproto.MethodOffer, offer, &answer)
	cancel()
	ctx = context.WithoutCancel(ctx) // what was answered is recorded, even if the session ends now
	if err != nil {
		g.offerFailed(ctx, s, j, err)
		return
	}
	g.answered(ctx, s, j, &answer)
}

// answered records a connector's answer to an offer.
func (g *Gateway) answered(ctx context.Context, s *session, offered *Job, a *wsproto.OfferResult) {
	a.Reason = wsproto.Reason(clean(string(a.Reason)))
	retry := time.Duration(min(a.RetryAfterMS, int64(math.MaxInt64/time.Millisecond))) * time.Millisecond
	switch {
	case a.Answer == wsproto.OfferAccepted:
		g.onOffered(ctx, offered, func(j *Job, now time.Time) { j.accepted(now, &g.rules) })
		if j, err := g.cfg.Store.Job(ctx, offered.Tenant, offered.ID); err == nil && j.State == JobDone {
			s.cancelJob(ctx, j.ID, offered.Attempt) // cancelled meanwhile
		}
	case a.Answer == wsproto.OfferBusy:
		s.rest(min(max(retry, busyPause), maxPause))
		g.onOffered(ctx, offered, func(j *Job, now time.Time) { j.declined(nil, now, &g.rules) })
	case a.Scope == wsproto.RefusedNever:
		g.onOffered(ctx, offered, func(j *Job, now time.Time) { j.refused(a, now, &g.rules) })
	default:
		pause := min(max(retry, refusePause), maxPause)
		g.onOffered(ctx, offered, func(j *Job, now time.Time) {
			j.declined(&Refusal{Until: now.Add(pause), Reason: a.Reason, Message: clean(a.Message)}, now, &g.rules)
		})
	}
}

// offerFailed records that no answer came, or an error. In the first case the connector may have accepted; it learns
// that it was superseded when it sends its first checkpoint.
func (g *Gateway) offerFailed(ctx context.Context, s *session, offered *Job, err error) {
	var answered *wsproto.Error
	switch {
	case !errors.As(err, &answered):
		s.rest(busyPause)
		g.giveBack(ctx, offered)
	case answered.Code == wsproto.CodeBusy, answered.Code == wsproto.CodeDraining:
		s.rest(busyPause)
		g.onOffered(ctx, offered, func(j *Job, now time.Time) { j.declined(nil, now, &g.rules) })
	default:
		g.onOffered(ctx, offered, func(j *Job, now time.Time) {
			j.declined(&Refusal{Until: now.Add(refusePause), Message: clean(answered.Message)}, now, &g.rules)
		})
	}
}

// giveBack queues a job again whose holder is gone, if nothing of it can have been submitted.
func (g *Gateway) giveBack(ctx context.Context, offered *Job) {
	g.onOffered(ctx, offered, func(j *Job, now time.Time) { j.vanished(now, &g.rules) })
}

// onOffered changes a job that still waits for the answer to this attempt.
func (g *Gateway) onOffered(ctx context.Context, offered *Job, f func(*Job, time.Time)) {
	_, err := g.change(ctx, offered.Tenant, offered.ID, func(j *Job, now time.Time) error {
		if !j.offered(offered.Attempt) {
			return errUnchanged // a checkpoint was faster than the answer, or the job was cancelled
		}
		f(j, now)
		return nil
	})
	g.report(tolerate(err))
}
