package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/adcskit/adcskit/wsproto/connector"
)

// service is a connector with what it is made of.
type service struct {
	config    *config
	log       *slog.Logger
	issuer    *swapped
	connector *connector.Connector
}

func newService(c *config, identity *connector.Identity, log *slog.Logger) (*service, error) {
	rules, err := c.Policy.Compile()
	if err != nil {
		return nil, err
	}
	s := &service{config: c, log: log}
	cfg := connector.Config{
		URL: c.Gateway.URL, Tenant: c.Gateway.Tenant,
		Identity: identity.Signer(), Decryption: identity.Decryption(), Instance: identity.Instance(),
		Policy: rules.Allow,
	}
	if cfg.Options, err = c.options(); err != nil {
		return nil, err
	}
	cfg.Options.Grace = time.Duration(c.GraceSeconds) * time.Second
	cfg.Options.PendingRetry = time.Duration(c.HeldSeconds) * time.Second
	cfg.Options.OnEvent, cfg.Options.OnJob, cfg.Options.OnRegistered = s.event, s.job, identity.Register
	if err := c.trust(&cfg, identity.Registration()); err != nil {
		return nil, err
	}
	first, err := c.newIssuer()
	if err != nil {
		return nil, err
	}
	s.issuer = new(swapped)
	s.issuer.swap(first)
	cfg.Issuer = s.issuer
	if s.connector, err = connector.New(cfg); err != nil {
		s.issuer.Close()
		return nil, err
	}
	return s, nil
}

// serve runs the connector until ctx ends.
func serve(ctx context.Context, c *config, identity *connector.Identity, log *slog.Logger) error {
	s, err := newService(c, identity, log)
	if err != nil {
		return err
	}
	defer s.issuer.Close()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(reload, done) })
	defer watching.Wait()
	defer close(done)
	return s.connector.Run(ctx)
}

// watch reads the credentials again when a person asks for it.
func (s *service) watch(reload <-chan os.Signal, done <-chan struct{}) {
	for {
		select {
		case <-reload:
		case <-done:
			return
		}
		next, err := s.config.newIssuer()
		if err != nil {
			s.log.Error("the credentials stay as they are", "error", err)
			continue
		}
		s.issuer.swap(next)
		s.connector.Reload("")
		s.log.Info("credentials read again")
	}
}

// event logs what there is to say: an empty value says nothing.
func (s *service) event(e connector.Event) {
	level, attrs := slog.LevelInfo, []any{"state", e.State}
	switch {
	case e.Alarm:
		level = slog.LevelError
		attrs = append(attrs, "alarm", true)
	case e.Err != nil:
		level = slog.LevelWarn
	}
	if e.Connector != "" {
		attrs = append(attrs, "connector", e.Connector)
	}
	if e.RegistrationURL != "" {
		attrs = append(attrs, "approveAt", e.RegistrationURL)
	}
	if e.Err != nil {
		attrs = append(attrs, "error", e.Err)
	}
	if e.RetryIn > 0 {
		attrs = append(attrs, "retryIn", e.RetryIn.Round(time.Millisecond))
	}
	s.log.Log(context.Background(), level, "gateway", attrs...)
}

func (s *service) job(r connector.JobReport) {
	o := r.Outcome
	attrs := []any{"job", r.Job, "attempt", r.Attempt, "ca", r.Order.CA.Name, "template", r.Order.Template}
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
	s.log.Log(context.Background(), level, "job", attrs...)
}
