package main

import (
	"context"
	"errors"
	"sync"

	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// swapped is the issuer in use, which another one can replace. The older ones stay open until the end, since calls may
// be under way: closing them would lose answers.
type swapped struct {
	mu  sync.RWMutex
	all []*issuer.Issuer
}

var (
	_ connector.Issuer        = (*swapped)(nil)
	_ connector.PartialFinder = (*swapped)(nil)
)

func (s *swapped) swap(next *issuer.Issuer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, next)
}

func (s *swapped) current() *issuer.Issuer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.all[len(s.all)-1]
}

func (s *swapped) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, i := range s.all {
		errs = append(errs, i.Close())
	}
	return errors.Join(errs...)
}

func (s *swapped) Account(ca wsproto.CAAssignment) (string, error) { return s.current().Account(ca) }

func (s *swapped) Prepare(ctx context.Context, o *connector.Order) (*connector.Prepared, error) {
	return s.current().Prepare(ctx, o)
}

func (s *swapped) Submit(ctx context.Context, o *connector.Order, p *connector.Prepared) (*connector.CAResult, error) {
	return s.current().Submit(ctx, o, p)
}

func (s *swapped) Retrieve(ctx context.Context, o *connector.Order, requestID uint32) (*connector.CAResult, error) {
	return s.current().Retrieve(ctx, o, requestID)
}

func (s *swapped) Finish(
	ctx context.Context, o *connector.Order, p *connector.Prepared, issued *connector.CAResult,
) (*connector.Bundle, error) {
	return s.current().Finish(ctx, o, p, issued)
}

func (s *swapped) Finds(ca wsproto.CAAssignment) bool { return s.current().Finds(ca) }

func (s *swapped) Find(ctx context.Context, o *connector.Order, l connector.Lookup) (*connector.CAResult, error) {
	return s.current().Find(ctx, o, l)
}
