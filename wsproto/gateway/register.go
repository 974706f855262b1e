package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// failures counts wrong enrollment codes of one source within a minute.
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
	hello := &s.handshake.hello
	fingerprint := wsproto.FingerprintSPKI(hello.IdentityKey)
	id := fingerprint.String()
	for {
		c, err := s.g.cfg.Store.Connector(ctx, s.tenant, id)
		if errors.Is(err, ErrNotFound) {
			c, err = &Connector{
				Tenant: s.tenant, ID: id, State: wsproto.StatePending, IdentityKey: hello.IdentityKey,
				Attestation: "software", Registered: time.Now(),
			}, nil
		}
		if err != nil {
			return nil, err
		}
		if err := s.decide(ctx, c, mac); err != nil {
			return nil, err
		}
		moved := s.displaces(c)
		s.describe(c)
		if s.peer.Err() != nil {
			// The connector is gone, and may be back already on another connection: this one must not supersede it.
			return nil, &refusedError{wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, "the connection has ended"}
		}
		switch err := s.g.cfg.Store.PutConnector(ctx, c); {
		case err == nil:
			if moved != nil {
				s.g.alarm(*moved)
			}
			return c, nil
		case !errors.Is(err, ErrConflict):
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
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

// decide says whether this connection may be the connector's, and changes the state of its registration if it came with
// an enrollment code.
func (s *session) decide(ctx context.Context, c *Connector, mac *wsproto.EnrollmentMAC) error {
	if c.State == wsproto.StateRevoked {
		return &refusedError{wsproto.CodeRevoked, wsproto.CloseRevoked, "the registration of this key was rejected or revoked"}
	}
	other := c.Instance != "" && c.Instance != s.handshake.hello.Instance
	if other || c.State == wsproto.StatePending && mac == nil {
		if other {
			s.g.alarm(Alarm{
				Tenant: s.tenant, Connector: c.ID, Kind: AlarmDuplicateKey, Source: s.source,
				Message: "another installation uses the identity key of this connector",
			})
			return &refusedError{wsproto.CodeNotAuthenticated, wsproto.CloseDuplicateKey, "another installation uses this identity key"}
		}
		return s.admitPending(ctx, c)
	}
	if c.State == wsproto.StateActive {
		return nil // it needs no code, and may well repeat the one that it came with first
	}
	code, err := s.useCode(ctx, c.ID, mac)
	if err != nil {
		return err
	}
	c.State = wsproto.StateActive
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
		if o.State != wsproto.StatePending {
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

// mayTry reports whether this source may try an enrollment code.
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
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	t := s.g.tenants[s.tenant]
	f := t.failures[s.source]
	if f == nil {
		f = &failures{since: time.Now()}
		t.failures[s.source] = f
	}
	f.count++
	return &refusedError{wsproto.CodeEnrollment, wsproto.CloseNotAuthenticated, text}
}
