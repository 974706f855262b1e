package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// handle answers what a connector sends.
func (s *session) handle(ctx context.Context, r *wsproto.Request) (any, error) {
	switch r.Method {
	case wsproto.MethodHello:
		return s.hello(ctx, r)
	case wsproto.MethodAuthenticate:
		return s.authenticate(ctx, r)
	}
	if !s.handshake.isProved() {
		return nil, failure(wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, "the handshake comes first")
	}
	switch r.Method {
	case wsproto.MethodStatus:
		return nil, s.takeStatus(r)
	case wsproto.MethodDrain:
		return nil, s.takeDrain(r)
	case wsproto.MethodCheckpoint:
		return s.takeCheckpoint(ctx, r)
	case wsproto.MethodFinish:
		return s.takeFinish(ctx, r)
	}
	return nil, wsproto.Errorf(wsproto.CodeMethodNotFound, "no such method")
}

// takeStatus keeps the connector's health for its record. It is written with the next sign of life.
func (s *session) takeStatus(r *wsproto.Request) error {
	var status wsproto.Status
	if err := r.Decode(&status); err != nil {
		return err
	}
	for i := range status.CAs {
		h := &status.CAs[i]
		h.CA.Host, h.CA.Name = clean(h.CA.Host), clean(h.CA.Name)
		h.Reason, h.Message = wsproto.Reason(clean(string(h.Reason))), clean(h.Message)
	}
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	s.status = status
	return nil
}

// takeDrain stops offers to a connector that is about to end. It closes the connection when it has finished.
func (s *session) takeDrain(r *wsproto.Request) error {
	var drain wsproto.Drain
	if err := r.Decode(&drain); err != nil {
		return err
	}
	s.stopOffers()
	return nil
}

// active returns an error unless the connector is active now, whichever gateway changed that.
func (s *session) active(ctx context.Context) error {
	c, err := s.g.cfg.Store.Connector(ctx, s.tenant, s.connector())
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return s.unavailable(err)
	case err != nil || c.State == wsproto.StateRevoked:
		return failure(wsproto.CodeRevoked, wsproto.CloseRevoked, "the registration was rejected or revoked")
	case c.State != wsproto.StateActive:
		return wsproto.Errorf(wsproto.CodeNotActive, "the registration waits for approval")
	}
	return nil
}

// connector returns the id of the connector.
func (s *session) connector() string {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	return s.id
}

// registration returns the connector's record as it was last read. It is not to be changed.
func (s *session) registration() *Connector {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	return s.record
}

// unavailable reports an error of the store, and answers that it should be tried again.
func (s *session) unavailable(err error) error {
	s.g.report(fmt.Errorf("gateway: store: %w", err))
	return wsproto.Errorf(wsproto.CodeUnavailable, "the message cannot be stored now")
}

// answer turns an error of the state machine or the store into an answer.
func (s *session) answer(err error) error {
	var answer *wsproto.Error
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.Is(err, ErrNotFound):
		return wsproto.Errorf(wsproto.CodeUnknownJob, "there is no such job")
	}
	return s.unavailable(err)
}

// takeCheckpoint stores a checkpoint and grants a lease.
func (s *session) takeCheckpoint(ctx context.Context, r *wsproto.Request) (any, error) {
	var p wsproto.CheckpointParams
	if err := r.Decode(&p); err != nil {
		return nil, err
	}
	if err := s.active(ctx); err != nil {
		return nil, err
	}
	job, err := s.g.cfg.Store.Job(ctx, s.tenant, p.Job)
	if err != nil {
		return nil, s.answer(err)
	}
	if err := wsproto.VerifyCheckpoint(&p, s.tenant, job.OrderDigest, s.handshake.identity); err != nil {
		s.g.alarm(Alarm{
			Tenant: s.tenant, Connector: s.connector(), Kind: AlarmCheckpoint, Source: s.source, Message: err.Error(),
		})
		return nil, wsproto.Errorf(wsproto.CodeCheckpoint, "%v", err)
	}
	var lease time.Duration
	_, err = s.g.change(ctx, s.tenant, p.Job, func(j *Job, now time.Time) (err error) {
		j.inherit(s.registration())
		lease, err = j.checkpoint(s.connector(), &p, now, &s.g.rules)
		return err
	})
	if err != nil {
		return nil, s.answer(err)
	}
	return wsproto.CheckpointAck{LeaseMS: lease.Milliseconds()}, nil
}

// takeFinish stores an outcome.
func (s *session) takeFinish(ctx context.Context, r *wsproto.Request) (any, error) {
	var p wsproto.FinishParams
	if err := r.Decode(&p); err != nil {
		return nil, err
	}
	if err := s.active(ctx); err != nil {
		return nil, err
	}
	p.Outcome.Reason, p.Outcome.Message = wsproto.Reason(clean(string(p.Outcome.Reason))), clean(p.Outcome.Message)
	p.Outcome.Sealed = bytes.Clone(p.Outcome.Sealed) // it shares the memory of the message
	_, err := s.g.change(ctx, s.tenant, p.Job, func(j *Job, now time.Time) error {
		if j.Traceparent != "" {
			p.Outcome.Traceparent = j.Traceparent
		}
		j.inherit(s.registration())
		return j.finish(s.connector(), &p, now, &s.g.rules)
	})
	if errors.Is(err, errDelivery) && len(p.Outcome.PKCS12) > 0 {
		s.g.alarm(Alarm{
			Tenant: s.tenant, Connector: s.connector(), Kind: AlarmDelivery, Source: s.source,
			Message: fmt.Sprintf("a .p12 was sent for the recipient of job %q without being sealed; it was not stored", p.Job),
		})
	}
	if err != nil {
		return nil, s.answer(err)
	}
	return wsproto.FinishAck{Recorded: true}, nil
}
