package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

const (
	// sweepEvery is how many polls pass between two looks at the queue of every tenant with a connector here: for what
	// another gateway stored, and for refusals that have ended.
	sweepEvery = 5
	// dueBatch is how many due jobs are read at once, queuePage how many queued ones.
	dueBatch  = 64
	queuePage = 64
)

// Run assigns jobs to connectors, does what time brings, and delivers outcomes, until ctx or the gateway ends. It waits
// for what it started. Connections are accepted without it, but get no work. One Run at a time: a second is an error.
// After Close it returns net.ErrClosed, otherwise the error of ctx.
func (g *Gateway) Run(ctx context.Context) error {
	if err := g.enter(); err != nil {
		return err
	}
	defer g.running.Done()
	g.mu.Lock()
	again := g.started
	g.started = true
	g.mu.Unlock()
	if again {
		return errors.New("gateway: Run is running already")
	}
	defer func() {
		g.mu.Lock()
		g.started = false
		g.mu.Unlock()
	}()
	bound, cancel := g.bound(ctx)
	defer cancel()
	r := &runner{g: g}
	defer r.deliveries.Wait()
	r.loop(bound)
	if err := ctx.Err(); err != nil {
		return err
	}
	return g.open()
}

// runner is one Run.
type runner struct {
	g          *Gateway
	deliveries sync.WaitGroup

	mu      sync.Mutex
	outbox  []*Job // whose first event is claimed
	workers int
}

func (r *runner) loop(ctx context.Context) {
	poll := time.NewTicker(r.g.timing.Poll)
	defer poll.Stop()
	for n := 0; ; {
		r.housekeep(ctx)
		for _, tenant := range r.g.takeDirty() {
			if err := r.g.assign(ctx, tenant); err != nil && ctx.Err() == nil {
				r.g.report(fmt.Errorf("gateway: assigning jobs: %w", err))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-r.g.wake:
		case <-poll.C:
			r.g.sweep(n%sweepEvery == 0)
			n++
		}
	}
}

func (g *Gateway) takeDirty() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for tenant := range g.dirty {
		out = append(out, tenant)
	}
	clear(g.dirty)
	return out
}

// sweep marks tenants whose queue may have something new for a connector: all that have one, or those with a connector
// that was busy until now.
func (g *Gateway) sweep(all bool) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, t := range g.tenants {
		for _, s := range t.sessions {
			if s.rested(now) || all {
				g.dirty[name] = struct{}{}
			}
		}
	}
}

// housekeep does what is due. Every job that it handles gets a later Due, so the loop ends; the number of rounds is
// bounded all the same. A job that fails does not keep the others waiting, and is tried again the next time.
func (r *runner) housekeep(ctx context.Context) {
	failed := make(map[key]struct{})
	for range 100 {
		jobs, err := r.g.cfg.Store.DueJobs(ctx, time.Now(), dueBatch)
		if err != nil {
			if ctx.Err() == nil {
				r.g.report(fmt.Errorf("gateway: looking for due jobs: %w", err))
			}
			return
		}
		if !r.dueJobs(ctx, jobs, failed) || len(jobs) < dueBatch {
			return
		}
	}
}

// dueJobs handles jobs that have not failed yet, and reports whether any of them made progress.
func (r *runner) dueJobs(ctx context.Context, jobs []*Job, failed map[key]struct{}) (progress bool) {
	for _, j := range jobs {
		k := key{j.Tenant, j.ID}
		if _, again := failed[k]; again {
			continue
		}
		err := r.due(ctx, j)
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			failed[k] = struct{}{}
			r.g.report(fmt.Errorf("gateway: looking at due job %s of %q: %w", j.ID, j.Tenant, err))
			continue
		}
		progress = true
	}
	return progress
}

// due handles one job whose time has come.
func (r *runner) due(ctx context.Context, j *Job) error {
	now := time.Now()
	switch {
	case j.undelivered(&r.g.rules) && !j.DeliverAt.After(now):
		return r.deliver(ctx, j)
	case j.State == JobDone && !j.undelivered(&r.g.rules) && !j.Ended.Add(r.g.timing.Retention).After(now):
		return tolerate(r.g.cfg.Store.DeleteJob(ctx, j.Tenant, j.ID, j.Version))
	}
	o, err := r.g.outlook(ctx, j)
	if err != nil {
		return err
	}
	version := j.Version
	_, err = r.g.change(ctx, j.Tenant, j.ID, func(j *Job, now time.Time) error {
		if j.Version != version {
			return errUnchanged
		}
		j.tick(o, now, &r.g.rules)
		return nil
	})
	return tolerate(err)
}

// tolerate ignores that somebody else handled a job meanwhile.
func tolerate(err error) error {
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// outlook looks up what tick has to know.
func (g *Gateway) outlook(ctx context.Context, j *Job) (outlook, error) {
	var o outlook
	if j.inFlight() {
		c, err := g.cfg.Store.Connector(ctx, j.Tenant, j.Connector)
		if tolerate(err) != nil {
			return o, err
		}
		o.connected = err == nil && g.connected(c, time.Now())
	}
	if j.State != JobDone && j.Checkpoint != nil {
		all, err := g.cfg.Store.Connectors(ctx, j.Tenant)
		if err != nil {
			return o, err
		}
		o.openable = j.openable(all)
	}
	return o, nil
}

// openable reports whether a connector that is not revoked can open the job's checkpoint.
func (j *Job) openable(all []*Connector) bool {
	return slices.ContainsFunc(all, func(c *Connector) bool {
		return j.Checkpoint != nil && c.canOpen(j.Checkpoint) && (c.State != wsproto.StateRevoked || c.handsOver(all))
	})
}

// connected reports whether a connector has a session, here or at another gateway.
func (g *Gateway) connected(c *Connector, now time.Time) bool {
	return c.Session != "" && now.Sub(c.Seen) <= 3*g.timing.Heartbeat
}
