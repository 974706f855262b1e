package due_test

import (
	"crypto/x509"
	"fmt"
	"log"
	"time"

	"github.com/adcskit/adcskit/adcs/due"
)

// A scheduler asks, renews what is due, and sleeps.
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
