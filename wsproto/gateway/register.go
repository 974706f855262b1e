package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// failures counts wrong enrollment codes, and wrong evidence, of one source within a minute.
type failures struct {
	since time.Time
	count int
}

const (
	failureWindow = time.Minute
	maxSources    = 10_000 // whose failures are counted; beyond, none may try a code
	// staleRegistration is how long a pending registration is kept that nobody is connected for.
	staleRegistration = time.Hour
)

// register finds or makes the record of a connector that has proved its key, and makes this its session.
func (s *session) register(ctx context.Context, mac *wsproto.EnrollmentMAC) (*Connector, error) {
	for {
		c, tell, err := s.tryRegister(ctx, mac)
		switch {
		case err == nil:
			tell()
			return c, nil
		case !errors.Is(err, errAgain):
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
}

// tryRegister is one try. tell is to be called when it has succeeded.
func (s *session) tryRegister(ctx context.Context, mac *wsproto.EnrollmentMAC) (c *Connector, tell func(), err error) {
	if c, err = s.known(ctx); err != nil {
		return nil, nil, err
	}
	switch {
	case c.State == wsproto.StateRevoked:
		return nil, nil, s.revokedKey(c)
	case c.Instance != "" && c.Instance != s.handshake.hello.Instance:
		return nil, nil, s.duplicate(c.ID)
	}
	alarms, err := s.rate(c)
	if err != nil {
		return nil, nil, err
	}
	rotated, err := s.succeed(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if err := s.decide(ctx, c, mac); err != nil {
		return nil, nil, err
	}
	if err := s.prune(ctx, c); err != nil {
		return nil, nil, err
	}
	if moved := s.displaces(c); moved != nil {
		alarms = append(alarms, *moved)
	}
	s.describe(c)
	if s.peer.Err() != nil {
		return nil, nil, errEnded()
	}
	return c, func() { s.tellRegistered(c, alarms, rotated) }, s.put(ctx, c)
}

// tellRegistered tells what came with a registration that is written now.
func (s *session) tellRegistered(c *Connector, alarms []Alarm, rotated *succession) {
	for _, a := range alarms {
		s.g.alarm(a)
	}
	if rotated != nil {
		s.succeeded(c, rotated)
	}
}

// known returns the record of the connector, or a new one.
func (s *session) known(ctx context.Context) (*Connector, error) {
	id := s.fingerprint()
	c, err := s.g.cfg.Store.Connector(ctx, s.tenant, id)
	if errors.Is(err, ErrNotFound) {
		return &Connector{
			Tenant: s.tenant, ID: id, State: wsproto.StatePending, IdentityKey: s.handshake.hello.IdentityKey,
			Attestation: LevelSoftware, Registered: time.Now(),
		}, nil
	}
	return c, err
}

// errEnded refuses a connection that has ended: the connector is gone, and may be back already on another one, which this
// one must not supersede.
func errEnded() error {
	return &refusedError{wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, "the connection has ended"}
}

// revokedKey refuses a key that is not trusted any more. One that was replaced has no use but for the owner of a copy.
func (s *session) revokedKey(c *Connector) error {
	if c.Successor == "" {
		return &refusedError{wsproto.CodeRevoked, wsproto.CloseRevoked, "the registration of this key was rejected or revoked"}
	}
	s.g.alarm(Alarm{
		Tenant: s.tenant, Connector: c.ID, Kind: AlarmRotation, Source: s.source,
		Message: "keys that were replaced by those of " + c.Successor + " were used again: from a copy, or from a backup",
	})
	return &refusedError{wsproto.CodeRevoked, wsproto.CloseRevoked, "this key was replaced by a newer one"}
}

// duplicate refuses another installation with a key that has one.
func (s *session) duplicate(connector string) error {
	s.g.alarm(Alarm{
		Tenant: s.tenant, Connector: connector, Kind: AlarmDuplicateKey, Source: s.source,
		Message: "another installation uses the identity key of this connector",
	})
	return &refusedError{wsproto.CodeNotAuthenticated, wsproto.CloseDuplicateKey, "another installation uses this identity key"}
}

// displaces returns the alarm to raise if this session takes over from a connection that is alive, as far as is known
// here, and came from another address. A connection that was cut unnoticed looks the same.
func (s *session) displaces(c *Connector) *Alarm {
	if !s.g.connected(c, time.Now()) || c.Source == s.source {
		return nil
	}
	if old := s.g.session(c.Tenant, c.ID); old != nil && old.peer.Err() != nil {
		return nil
	}
	return &Alarm{
		Tenant: s.tenant, Connector: c.ID, Kind: AlarmTakeover, Source: s.source,
		Message: "took over from a connection from " + c.Source + "; if the connector has not moved, its state was copied",
	}
}

// describe takes over what the hello says.
func (s *session) describe(c *Connector) {
	h := &s.handshake.hello
	c.DecryptionKey, c.Instance, c.Capacity = h.DecryptionKey, h.Instance, h.Capacity
	c.Host, c.OS, c.Software, c.Source = clean(h.Host), clean(h.OS), clean(h.Software), s.source
	c.Session, c.Seen = s.name, time.Now()
}

// decide changes the state of a registration that came with an enrollment code, and says whether one without may wait.
func (s *session) decide(ctx context.Context, c *Connector, mac *wsproto.EnrollmentMAC) error {
	switch {
	case c.State == wsproto.StateActive:
		return nil // it needs no code, and may well repeat the one that it came with first
	case mac == nil:
		return s.admitPending(ctx, c)
	}
	code, err := s.useCode(ctx, c.ID, mac)
	if err != nil {
		return err
	}
	c.State, c.Code = wsproto.StateActive, code.ID
	if len(code.CAs) > 0 {
		c.CAs = slices.Clone(code.CAs)
		c.Revision++
	}
	return nil
}

// admitPending bounds the registrations that wait for a person. Those that nobody waits for any more make room.
func (s *session) admitPending(ctx context.Context, c *Connector) error {
	if c.Version != 0 {
		return nil
	}
	all, err := s.g.cfg.Store.Connectors(ctx, s.tenant)
	if err != nil {
		return err
	}
	waiting, now := 0, time.Now()
	for _, o := range all {
		if o.State != wsproto.StatePending || o.succeeds(all) { // one in a rotation waits for nobody
			continue
		}
		if !s.g.connected(o, now) && now.Sub(o.Seen) > staleRegistration {
			if err := tolerate(s.g.cfg.Store.DeleteConnector(ctx, o.Tenant, o.ID, o.Version)); err != nil {
				return err
			}
			continue
		}
		waiting++
	}
	if waiting >= s.g.limits.Pending {
		return &refusedError{wsproto.CodeLimit, wsproto.CloseFlood, "too many registrations wait for approval"}
	}
	return nil
}

// useCode checks the proof of an enrollment code and marks the code as used by this connector.
func (s *session) useCode(ctx context.Context, connector string, mac *wsproto.EnrollmentMAC) (*Code, error) {
	if !s.mayTry() {
		s.g.alarm(Alarm{
			Tenant: s.tenant, Connector: connector, Kind: AlarmEnrollment, Source: s.source,
			Message: "too many wrong enrollment codes from one source",
		})
		return nil, &refusedError{wsproto.CodeLimit, wsproto.CloseFlood, "too many wrong enrollment codes; wait a minute"}
	}
	for {
		code, err := s.g.cfg.Store.Code(ctx, s.tenant, mac.ID)
		switch {
		case err != nil && !errors.Is(err, ErrNotFound):
			return nil, err
		case err != nil || !wsproto.VerifyEnrollment(code.Verifier, s.handshake.binding, mac.MAC):
			return nil, s.wrongCode("the enrollment code is not valid for this tenant, or has expired")
		case !time.Now().Before(code.Expires):
			return nil, s.wrongCode("the enrollment code has expired")
		case code.UsedBy != "" && code.UsedBy != connector:
			return nil, s.wrongCode("the enrollment code was used by another connector")
		case code.UsedBy == connector:
			return code, nil
		}
		code.UsedBy = connector
		if err := s.g.cfg.Store.PutCode(ctx, code); err == nil {
			return code, nil
		} else if !errors.Is(err, ErrConflict) {
			return nil, fmt.Errorf("gateway: using an enrollment code: %w", err)
		}
	}
}

// mayTry reports whether this source may try an enrollment code, or have evidence looked at.
func (s *session) mayTry() bool {
	now := time.Now()
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	t := s.g.tenants[s.tenant]
	for source, f := range t.failures {
		if now.Sub(f.since) >= failureWindow {
			delete(t.failures, source)
		}
	}
	f := t.failures[s.source]
	return f == nil && len(t.failures) < maxSources || f != nil && f.count < s.g.limits.FailedEnrollments
}

// wrongCode counts a failure and returns the refusal.
func (s *session) wrongCode(text string) error {
	s.failed()
	return &refusedError{wsproto.CodeEnrollment, wsproto.CloseNotAuthenticated, text}
}

// failed counts a failure of this source.
func (s *session) failed() {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	t := s.g.tenants[s.tenant]
	f := t.failures[s.source]
	if f == nil {
		f = &failures{since: time.Now()}
		t.failures[s.source] = f
	}
	f.count++
}
