package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// service is a connector with what it is made of.
type service struct {
	config    *config
	log       *slog.Logger
	issuer    *swapped
	pool      *keygen.Pool // of the keys of all issuers
	connector *connector.Connector

	fingerprint string // of the identity key: the gateway's id for this connector
	told        string // the last error that was logged
}

// newService reads everything that the configuration names.
func newService(c *config, k *keys, log *slog.Logger) (*service, error) {
	s, err := buildService(c, k, log)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.file, err)
	}
	return s, nil
}

func buildService(c *config, k *keys, log *slog.Logger) (*service, error) {
	fingerprint, err := wsproto.FingerprintKey(k.identity.Signer().Public())
	if err != nil {
		return nil, err
	}
	s := &service{config: c, log: log, fingerprint: fingerprint.String()}
	cfg, err := c.connectorConfig(k)
	if err != nil {
		return nil, err
	}
	cfg.Options.OnEvent, cfg.Options.OnJob, cfg.Options.OnRefused = s.event, s.job, s.refused
	if s.pool, err = c.keyPool(); err != nil {
		return nil, err
	}
	first, err := s.newIssuer()
	if err != nil {
		return nil, err
	}
	s.issuer = new(swapped)
	s.issuer.swap(first)
	cfg.Issuer = s.issuer
	if s.connector, err = connector.New(*cfg); err != nil {
		s.issuer.Close()
		return nil, err
	}
	return s, nil
}

// newIssuer reads the credentials of the CAs; keys come from the pool.
func (s *service) newIssuer() (*issuer.Issuer, error) {
	next, err := s.config.newIssuer()
	if err == nil {
		next.Keys = s.pool
	}
	return next, err
}

// serve runs the connector until ctx ends.
func serve(ctx context.Context, c *config, k *keys, log *slog.Logger) error {
	release, err := k.identity.Hold() // nobody rotates the keys meanwhile
	if err != nil {
		return err
	}
	defer release()
	s, err := newService(c, k, log)
	if err != nil {
		return err
	}
	defer s.issuer.Close()
	k.log(ctx, log)
	for _, w := range c.warnings() {
		log.Warn("configuration", "problem", w)
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(reload, done) })
	defer s.makeKeys(ctx)()
	defer watching.Wait()
	defer close(done)
	err = s.connector.Run(ctx)
	if errors.Is(err, connector.ErrStopped) {
		log.Error("stopped until a person has acted", "todo", s.advice(err))
	}
	return err
}

// watch reads the credentials again when a person asks for it.
func (s *service) watch(reload <-chan os.Signal, done <-chan struct{}) {
	for {
		select {
		case <-reload:
		case <-done:
			return
		}
		next, err := s.newIssuer()
		if err != nil {
			s.log.Error("the credentials stay as they are", "error", err)
			continue
		}
		s.issuer.swap(next)
		s.connector.Reload("")
		s.log.Info("credentials read again")
	}
}
