package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// Delete removes a connector that is lost or not wanted any more: its connection is closed with 4403, and its record is
// forgotten. Jobs that it held are offered to others as soon as nothing that it may have submitted can still come; a
// job that it has left at the CA goes on at a sibling that the checkpoint is encrypted to, or ends at once: as lost, or as
// unknown if nobody knows whether the CA has it. Should it connect again, it registers like a connector that never was
// here; the enrollment code that it came with is good no more. With [Gateway.Revoke] instead it is refused for good.
//
// It may be repeated after an error. ErrNotFound: there is no such connector.
func (g *Gateway) Delete(ctx context.Context, tenant, connector string) error {
	if err := g.open(); err != nil {
		return err
	}
	c, err := g.changeConnector(ctx, tenant, connector, func(c *Connector) error {
		c.State = wsproto.StateRevoked // first, so that nobody offers it anything, and no checkpoint waits for it
		return nil
	})
	if err != nil {
		return err
	}
	s := g.session(tenant, connector)
	if s != nil {
		s.bar()
	}
	if err := g.orphan(ctx, c); err != nil {
		return fmt.Errorf("gateway: the jobs of connector %s: %w", connector, err)
	}
	if err := g.endCode(ctx, c); err != nil {
		return fmt.Errorf("gateway: the enrollment code of connector %s: %w", connector, err)
	}
	if err := g.forget(ctx, c); err != nil {
		return err
	}
	if s != nil {
		s.look()
	}
	return nil
}

// endCode makes the enrollment code that a connector came with expire: for as long as it is good the same key may come
// with it again, since an answer may have been lost.
func (g *Gateway) endCode(ctx context.Context, c *Connector) error {
	for c.Code != "" {
		code, err := g.cfg.Store.Code(ctx, c.Tenant, c.Code)
		now := time.Now()
		if err != nil || code.UsedBy != c.ID || !now.Before(code.Expires) {
			return tolerate(err)
		}
		code.Expires = now
		if err := g.cfg.Store.PutCode(ctx, code); !errors.Is(err, ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// Replace moves the CAs of a connector to another one, which is active, and deletes the first as [Gateway.Delete] does.
// It is for a connector that was lost, and registered anew with other keys. (A connector that has its previous keys
// still takes new ones by itself: PROTOCOL.md, section 6.4.) It may be repeated after an error.
func (g *Gateway) Replace(ctx context.Context, tenant, lost, by string) error {
	if err := g.open(); err != nil {
		return err
	}
	if lost == by {
		return fmt.Errorf("gateway: connector %s cannot replace itself", lost)
	}
	old, err := g.cfg.Store.Connector(ctx, tenant, lost)
	if err != nil {
		return err
	}
	err = g.alter(ctx, tenant, by, func(c *Connector) error {
		if c.State != wsproto.StateActive {
			return fmt.Errorf("%w: connector %s is %s, not active", ErrConflict, by, c.State)
		}
		return c.serveToo(old.CAs)
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return err
	}
	return g.Delete(ctx, tenant, lost)
}

// serveToo assigns more CAs to a connector.
func (c *Connector) serveToo(cas []wsproto.CAAssignment) error {
	all := slices.Clone(c.CAs)
	for _, ca := range cas {
		if !slices.Contains(all, ca) {
			all = append(all, ca)
		}
	}
	if len(all) == len(c.CAs) {
		return errUnchanged
	}
	if err := checkCAs(all); err != nil {
		return err
	}
	c.CAs = all
	c.Revision++
	return nil
}

// forget removes the record of a connector that is revoked.
func (g *Gateway) forget(ctx context.Context, c *Connector) error {
	for {
		err := g.cfg.Store.DeleteConnector(ctx, c.Tenant, c.ID, c.Version)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if c, err = g.cfg.Store.Connector(ctx, c.Tenant, c.ID); err != nil {
			return tolerate(err) // somebody else has removed it
		}
		if c.State != wsproto.StateRevoked {
			return fmt.Errorf("%w: connector %s was approved meanwhile", ErrConflict, c.ID)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// orphan looks at every job that a revoked connector holds, or could have gone on with.
func (g *Gateway) orphan(ctx context.Context, c *Connector) error {
	for _, id := range c.ids() {
		held, err := g.cfg.Store.HeldJobs(ctx, c.Tenant, id)
		if err != nil {
			return err
		}
		if err := g.orphans(ctx, c, held); err != nil {
			return err
		}
	}
	key := wsproto.FingerprintSPKI(c.DecryptionKey)
	for _, k := range append(c.formerKeys(), key[:]) {
		q := SealedQuery{Tenant: c.Tenant, Limit: queuePage}
		copy(q.Key[:], k)
		for {
			jobs, err := g.cfg.Store.SealedJobs(ctx, q)
			if err != nil {
				return err
			}
			if err := g.orphans(ctx, c, jobs); err != nil {
				return err
			}
			if len(jobs) < q.Limit {
				break
			}
			q.AfterID = jobs[len(jobs)-1].ID
		}
	}
	return nil
}

// orphans tells jobs that this connector will not come back.
func (g *Gateway) orphans(ctx context.Context, c *Connector, jobs []*Job) error {
	all, err := g.cfg.Store.Connectors(ctx, c.Tenant)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		_, err := g.change(ctx, j.Tenant, j.ID, func(j *Job, now time.Time) error {
			o := outlook{openable: j.openable(all)}
			switch {
			case j.inFlight() && slices.Contains(c.ids(), j.Connector):
				j.orphaned(o, now, &g.rules)
			case j.State == JobQueued && j.Checkpoint != nil && !o.openable && !j.Anew:
				j.settleQueued(o, now, &g.rules)
			default:
				return errUnchanged
			}
			return nil
		})
		if tolerate(err) != nil {
			return err
		}
	}
	return nil
}
