package due_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"log"
	"time"

	"github.com/adcskit/adcskit/adcs/due"
)

// Whoever has a scheduler asks it, with the latest certificate of each holder.
func Example() {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	certs := []*x509.Certificate{ // in life from a database, by holder
		cert(1, begin, begin.AddDate(0, 3, 0)),
		cert(2, begin, begin.AddDate(1, 0, 0)),
	}
	plan, err := due.Policy{Left: 0.25, Jitter: -1}.Plan(begin.AddDate(0, 0, 70), certs)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(plan.Due), "due, next on", plan.Next.Format(time.DateOnly))
	// Output: 1 due, next on 2026-10-01
}

// store is where the embedder keeps certificates.
type store interface {
	Latest() ([]*x509.Certificate, error) // of each holder

	// Renew orders a certificate and stores it. If that fails it says so to somebody: the old one stays due.
	Renew(ctx context.Context, old *x509.Certificate)

	// Expired tells somebody, and forgets it: only a new request helps now.
	Expired(ctx context.Context, cert *x509.Certificate)
}

// schedule renews what is due until the context ends. It looks again after an hour at the latest: what failed is tried
// again then, and what others have stored meanwhile is found.
func schedule(ctx context.Context, policy due.Policy, certs store) error {
	for {
		latest, err := certs.Latest()
		if err != nil {
			return err
		}
		plan, err := policy.Plan(time.Now(), latest)
		if err != nil {
			return err
		}
		for _, cert := range plan.Due { // the most urgent first
			certs.Renew(ctx, cert)
		}
		for _, cert := range plan.Expired {
			certs.Expired(ctx, cert)
		}
		wait := time.Hour
		if !plan.Next.IsZero() {
			wait = min(wait, time.Until(plan.Next))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Who has no scheduler gets along with this loop.
func Example_scheduler() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	certs := &fleet{life: 90 * 24 * time.Hour}
	certs.issue(1, time.Now().Add(-80*24*time.Hour)) // long due
	certs.renewed = func(*x509.Certificate) { stop() }
	err := schedule(ctx, due.Policy{Left: 0.25}, certs)
	fmt.Println(len(certs.latest), "certificate,", err)
	// Output: 1 certificate, context canceled
}
