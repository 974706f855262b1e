package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// event logs what there is to say: an empty value says nothing, and the same error is not said at each step of an end.
func (s *service) event(e connector.Event) {
	level, attrs := slog.LevelInfo, []any{"state", e.State}
	if e.Connector != "" {
		attrs = append(attrs, "connector", e.Connector)
	}
	if e.RegistrationURL != "" {
		attrs = append(attrs, "approveAt", e.RegistrationURL)
	}
	if e.State == connector.StatePending {
		attrs = append(attrs, "fingerprint", s.fingerprint,
			"todo", "compare the fingerprint with what the gateway shows, then: gateway approve "+s.config.Gateway.Tenant+" "+s.fingerprint)
	}
	if e.Err != nil && !s.ending(e) {
		s.told = e.Err.Error()
		level = slog.LevelWarn
		if e.Alarm {
			level = slog.LevelError
			attrs = append(attrs, "alarm", true)
		}
		attrs = append(attrs, "error", e.Err)
		if todo := s.advice(e.Err); todo != "" && e.RetryIn > 0 {
			attrs = append(attrs, "todo", todo)
		}
	}
	if e.RetryIn > 0 {
		attrs = append(attrs, "retryIn", e.RetryIn.Round(time.Millisecond))
	}
	s.log.Log(context.Background(), level, "gateway", attrs...)
}

// ending reports whether the event repeats, on the way to the end, what was logged before.
func (s *service) ending(e connector.Event) bool {
	last := e.State == connector.StateDraining || e.State == connector.StateStopped
	return last && s.told != "" && strings.Contains(e.Err.Error(), s.told)
}

// refused logs an offer that was not taken: the tenant may wait for it.
func (s *service) refused(r connector.RefusedOffer) {
	s.log.Warn("refused", "job", r.Job, "ca", r.Order.CA.Name, "template", r.Order.Template, "reason", r.Reason, "why", r.Message)
}

// job logs how a job ended.
func (s *service) job(r connector.JobReport) {
	o := r.Outcome
	attrs := []any{"job", r.Job, "attempt", r.Attempt, "ca", r.Order.CA.Name, "template", r.Order.Template}
	if r.Order.Recipient != nil {
		attrs = append(attrs, "recipient", r.Order.Recipient.ID)
	}
	if o.Kind == "" {
		attrs = append(attrs, "outcome", "dropped")
	} else {
		attrs = append(attrs, "outcome", o.Kind)
	}
	if o.Reason != "" {
		attrs = append(attrs, "reason", o.Reason)
	}
	if o.RequestID != 0 {
		attrs = append(attrs, "request", o.RequestID)
	}
	if o.Serial != "" {
		attrs = append(attrs, "serial", o.Serial)
	}
	level := slog.LevelInfo
	if r.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, "error", r.Err)
	}
	if o.Reason == wsproto.ReasonCALogon {
		level = slog.LevelError
		attrs = append(attrs, "todo", "the credential rests until SIGHUP or an hour has passed, since retries lock accounts: "+
			"correct user or passwordFile, then send SIGHUP")
	}
	s.log.Log(context.Background(), level, "job", attrs...)
}
