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

func (s *service) event(e connector.Event) {
	level := slog.LevelInfo
	switch {
	case e.Alarm:
		level = slog.LevelError
	case e.Err != nil:
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "gateway", "state", e.State, "connector", e.Connector,
		"approveAt", e.RegistrationURL, "error", e.Err, "retryIn", e.RetryIn, "alarm", e.Alarm)
}

func (s *service) job(r connector.JobReport) {
	o := r.Outcome
	s.log.Info("job", "job", r.Job, "attempt", r.Attempt, "ca", r.Order.CA.Name, "template", r.Order.Template,
		"outcome", o.Kind, "reason", o.Reason, "request", o.RequestID, "serial", o.Serial, "error", r.Err)
}
