package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// A rotation is three writes, each by compare and swap, so that it can be interrupted and repeated anywhere, and several
// gateways can be asked for it at once:
//
//  1. the new keys get a record, pending, that names its predecessor;
//  2. the predecessor is revoked, and names its successor: of several successors this decides for one;
//  3. the successor takes over what the predecessor had, and is active.
//
// Without the first one a repeated statement could not be told from one that comes back after the new connector was
// removed. The jobs of the predecessor follow when they are touched: see Job.inherit.

// maxFormer bounds Connector.Former: a connector may rotate its keys as often as it likes. Of the ids that are forgotten a
// job can only be one that it gave up long ago.
const maxFormer = 256

// follows reports whether c has taken over from the connector with this id.
func (c *Connector) follows(id string) bool {
	return slices.ContainsFunc(c.Former, func(f FormerKeys) bool { return f.Connector == id })
}

// handsOver reports whether c is revoked because another connector is about to take over from it.
func (c *Connector) handsOver(all []*Connector) bool {
	return c.Successor != "" && slices.ContainsFunc(all, func(s *Connector) bool {
		return s.ID == c.Successor && s.State != wsproto.StateRevoked && s.Predecessor == c.ID && !s.follows(c.ID)
	})
}

// succeeds reports whether c is about to take over from a connector that is revoked because of that.
func (c *Connector) succeeds(all []*Connector) bool {
	return slices.ContainsFunc(all, func(o *Connector) bool { return o.ID == c.Predecessor && o.Successor == c.ID })
}

// canOpen reports whether a checkpoint is encrypted to a key that the connector has.
func (c *Connector) canOpen(p *wsproto.Checkpoint) bool {
	id := wsproto.FingerprintSPKI(c.DecryptionKey)
	return slices.ContainsFunc(p.Sealed, func(part wsproto.SealedPart) bool {
		return id.Equal(part.Key) || slices.ContainsFunc(c.Former, func(f FormerKeys) bool { return bytes.Equal(f.Decryption, part.Key) })
	})
}

// formerKeys are the fingerprints of former decryption keys that the connector has to keep.
func (c *Connector) formerKeys() [][]byte {
	var out [][]byte
	for _, f := range c.Former {
		if len(f.Decryption) > 0 {
			out = append(out, f.Decryption)
		}
	}
	return out
}

// ids are all ids that the connector had and has.
func (c *Connector) ids() []string {
	out := []string{c.ID}
	for _, f := range c.Former {
		out = append(out, f.Connector)
	}
	return out
}

// takeOver gives the successor what its predecessor had.
func (c *Connector) takeOver(old *Connector, now time.Time) {
	key := wsproto.FingerprintSPKI(old.DecryptionKey)
	c.Former = append(c.Former, old.Former...)
	c.Former = append(c.Former, FormerKeys{Connector: old.ID, Decryption: key[:], Replaced: now})
	for len(c.Former) > maxFormer {
		i := slices.IndexFunc(c.Former, func(f FormerKeys) bool { return len(f.Decryption) == 0 })
		if i < 0 {
			break // not reached: mayReplace bounds those
		}
		c.Former = slices.Delete(c.Former, i, i+1)
	}
	for _, ca := range old.CAs {
		if !slices.Contains(c.CAs, ca) {
			c.CAs = append(c.CAs, ca)
		}
	}
	c.Revision = max(c.Revision, old.Revision) + 1
	c.Registered = old.Registered
	c.State = wsproto.StateActive
}

// succession is what a rotation has done so far.
type succession struct {
	old    *Connector // that was replaced on this connection; nil: none was
	alarms []Alarm    // to be raised when it is complete
}

// errAgain says that a record was changed by somebody else: everything is read and decided again.
var errAgain = errors.New("gateway: begin again")

// succeed does what the rotation in the hello asks for, up to the write of c itself, which the caller makes. c holds what is
// proved of the new keys.
func (s *session) succeed(ctx context.Context, c *Connector) (*succession, error) {
	statement := s.handshake.hello.Rotation
	if statement == nil {
		return nil, nil
	}
	if err := wsproto.VerifyRotation(s.tenant, &s.handshake.hello); err != nil {
		return nil, &refusedError{wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, "the rotation does not verify"}
	}
	id := wsproto.FingerprintSPKI(statement.IdentityKey).String()
	if c.follows(id) {
		return nil, nil // repeated
	}
	old, err := s.g.cfg.Store.Connector(ctx, s.tenant, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil // the new key registers like any other
	case err != nil:
		return nil, err
	case old.State == wsproto.StateActive:
		return s.replace(ctx, c, old)
	case old.State == wsproto.StatePending:
		return nil, nil
	case old.Successor != c.ID:
		return nil, s.rotationRefused(ctx, c, old)
	case c.Version == 0 || c.Predecessor != old.ID:
		return nil, nil // it was complete once; the successor has been removed since
	}
	done := &succession{old: old}
	if rank(c.Attestation) < rank(old.Attestation) { // accepted before the interruption, and perhaps not told
		done.alarms = append(done.alarms, s.lowered(c, old))
	}
	c.takeOver(old, time.Now())
	return done, nil
}

// replace makes c the successor of an active connector.
func (s *session) replace(ctx context.Context, c, old *Connector) (*succession, error) {
	alarms, err := s.mayReplace(ctx, c, old)
	if err != nil {
		return nil, err
	}
	if moved := s.displaces(old); moved != nil {
		alarms = append(alarms, *moved)
	}
	if s.peer.Err() != nil {
		return nil, errEnded()
	}
	if c.Version == 0 || c.Predecessor != old.ID {
		c.Predecessor = old.ID
		s.describe(c)
		if err := s.put(ctx, c); err != nil {
			return nil, err
		}
	}
	old.State, old.Successor, old.Session = wsproto.StateRevoked, c.ID, ""
	if err := s.put(ctx, old); err != nil {
		return nil, err
	}
	c.takeOver(old, time.Now())
	return &succession{old: old, alarms: alarms}, nil
}

// put writes a record; errAgain says that somebody else was faster.
func (s *session) put(ctx context.Context, c *Connector) error {
	err := s.g.cfg.Store.PutConnector(ctx, c)
	if errors.Is(err, ErrConflict) {
		return errAgain
	}
	return err
}

// mayReplace says whether these keys may take the place of those of an active connector.
func (s *session) mayReplace(ctx context.Context, c, old *Connector) ([]Alarm, error) {
	hello := &s.handshake.hello
	switch {
	case old.Instance != "" && old.Instance != hello.Instance:
		return nil, s.duplicate(old.ID)
	case !bytes.Equal(old.DecryptionKey, hello.Rotation.DecryptionKey):
		return nil, &refusedError{wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated,
			"the rotation names another decryption key than the one that is registered"}
	}
	if err := s.prune(ctx, old); err != nil {
		return nil, err
	}
	if len(old.formerKeys())+len(c.formerKeys()) >= wsproto.MaxFormerKeys {
		return nil, &refusedError{wsproto.CodeBusy, wsproto.CloseUnavailable,
			"too many former keys are still needed; use the previous keys until requests that the CA holds are decided"}
	}
	if rank(c.Attestation) >= rank(old.Attestation) {
		return nil, nil
	}
	lowered := s.lowered(c, old)
	if s.g.least(s.tenant) > rankSoftware {
		s.alarmAttestation(old.ID, lowered.Message+" was refused")
		return nil, attestationRefused(lowered.Message + " is not accepted")
	}
	return []Alarm{lowered}, nil
}

// lowered is the alarm about a rotation to keys of a lower level.
func (s *session) lowered(c, old *Connector) Alarm {
	return Alarm{
		Tenant: s.tenant, Connector: c.ID, Kind: AlarmAttestation, Source: s.source,
		Message: fmt.Sprintf("rotation from keys that are %q to keys that are %q", old.Attestation, c.Attestation),
	}
}

// rotationRefused refuses a statement of a key that is revoked, or has another successor.
func (s *session) rotationRefused(ctx context.Context, c, old *Connector) error {
	text := "the previous key was revoked; it cannot be replaced"
	if old.Successor != "" {
		text = "the previous key was replaced by other keys already"
	}
	if c.Version != 0 && c.State == wsproto.StatePending && c.Predecessor == old.ID { // it lost the race
		s.g.report(tolerate(s.g.cfg.Store.DeleteConnector(ctx, c.Tenant, c.ID, c.Version)))
	}
	s.g.alarm(Alarm{
		Tenant: s.tenant, Connector: old.ID, Kind: AlarmRotation, Source: s.source,
		Message: "new keys (" + c.ID + ") were to take its place: " + text,
	})
	return &refusedError{wsproto.CodeRevoked, wsproto.CloseRevoked, text}
}

// succeeded ends what is left of a connector whose keys were replaced.
func (s *session) succeeded(c *Connector, done *succession) {
	for _, a := range done.alarms {
		s.g.alarm(a)
	}
	s.g.tellConnector(ConnectorEvent{
		Kind: ConnectorRotated, Tenant: c.Tenant, Connector: c.ID, Host: c.Host, Source: s.source, CAs: c.CAs,
		Attestation: c.Attestation, AttestationDetail: c.AttestationDetail, Message: "its keys took the place of " + done.old.ID,
	})
	if old := s.g.session(s.tenant, done.old.ID); old != nil {
		old.bar()
		old.look()
	}
}

// prune forgets former keys that no checkpoint needs any more. Ids stay as long as a job can name them, that of the
// predecessor for good: it says that the rotation is complete.
func (s *session) prune(ctx context.Context, c *Connector) error {
	now, t := time.Now(), &s.g.timing
	for i := range c.Former {
		idle, err := s.idleKey(ctx, &c.Former[i], now)
		if err != nil {
			return err
		}
		if idle {
			c.Former[i].Decryption = nil
		}
	}
	c.Former = slices.DeleteFunc(c.Former, func(f FormerKeys) bool {
		return len(f.Decryption) == 0 && f.Connector != c.Predecessor && now.After(f.Replaced.Add(t.Life+t.Hold+t.Retention))
	})
	return nil
}

// idleKey reports whether the connector still has a former key that no checkpoint needs. A key is needed at least as long as
// a message of its connector may be on its way to the store.
func (s *session) idleKey(ctx context.Context, f *FormerKeys, now time.Time) (bool, error) {
	t := &s.g.timing
	if len(f.Decryption) == 0 || now.Before(f.Replaced.Add(t.Lease+t.RPCDeadline+t.Margin)) {
		return false, nil
	}
	q := SealedQuery{Tenant: s.tenant, Limit: 1}
	copy(q.Key[:], f.Decryption)
	jobs, err := s.g.cfg.Store.SealedJobs(ctx, q)
	return err == nil && len(jobs) == 0, err
}

// relieve makes a connector that has former keys which nothing needs any more connect again: then it is told so.
func (s *session) relieve(ctx context.Context) {
	for _, f := range s.registration().Former {
		switch idle, err := s.idleKey(ctx, &f, time.Now()); {
		case err != nil:
			s.g.report(fmt.Errorf("gateway: looking for jobs that need former keys: %w", err))
			return
		case idle:
			s.start(func(ctx context.Context) { s.leave(ctx, wsproto.CloseGoingAway, "former keys are not needed any more") })
			return
		}
	}
}

// inherit makes jobs of former keys those of the connector that has replaced them.
func (j *Job) inherit(c *Connector) bool {
	changed := false
	rename := func(id *string) {
		if *id != c.ID && c.follows(*id) {
			*id, changed = c.ID, true
		}
	}
	rename(&j.Connector)
	for i := range j.Holders {
		rename(&j.Holders[i].Connector)
	}
	for i := range j.Refusals {
		rename(&j.Refusals[i].Connector)
	}
	return changed
}

// inheritJobs gives the connector the jobs that its former keys hold.
func (s *session) inheritJobs(ctx context.Context, c *Connector) error {
	for _, f := range c.Former {
		held, err := s.g.cfg.Store.HeldJobs(ctx, s.tenant, f.Connector)
		if err != nil {
			return err
		}
		for _, j := range held {
			_, err := s.g.change(ctx, j.Tenant, j.ID, func(j *Job, _ time.Time) error {
				if !j.inherit(c) {
					return errUnchanged
				}
				return nil
			})
			if tolerate(err) != nil {
				return err
			}
		}
	}
	return nil
}
