// Package due says which certificates are due for renewal. It is a function of the certificates, a time and a [Policy]:
// it has no clock, no goroutine and no chance in it, so a scheduler calls it when it likes, on as many machines as it
// likes, and gets the same answer. It needs nothing of package adcs and brings in none of it.
//
// A certificate is due when a share of its life is left, one third unless the policy says otherwise. Certificates that
// were issued together would be due together too; so each has a moment of its own within a jitter before that, which
// comes out of a hash of the certificate and stays the same for all of its life.
package due

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Defaults of a [Policy], as shares of a certificate's life.
const (
	DefaultLeft   = 1.0 / 3
	DefaultJitter = 1.0 / 20
)

// Errors of this package match one of these with errors.Is.
var (
	// ErrPolicy is for shares that are no shares, or are more than a life together.
	ErrPolicy = errors.New("due: policy refused")
	// ErrCertificate is for a certificate that is missing.
	ErrCertificate = errors.New("due: certificate refused")
)

// Policy says when a certificate is due. The zero Policy has the defaults.
type Policy struct {
	// Left is the share of its life that a certificate has left when it is due at the latest: above 0 and below 1. 0
	// is DefaultLeft. What fails and is tried again has this time to succeed.
	Left float64

	// Jitter is the share of its life by which a certificate can be due earlier than that: below 1, and together with
	// Left below 1. 0 is DefaultJitter; a negative number is no jitter.
	Jitter float64
}

// Plan is what [Policy.Plan] answers.
type Plan struct {
	// Due are the certificates to renew now, the one that ends first in front.
	Due []*x509.Certificate

	// Expired are those whose end has passed, in the same order. They are not in Due: a CA takes no renewal that is
	// signed with one, only a new request.
	Expired []*x509.Certificate

	// Next is when the first of the others becomes due, in UTC; zero if there are none. Until then, with the same
	// certificates, none is added to Due; one in it can still expire.
	Next time.Time
}

// Plan sorts certificates by whether they are due at a time. It does not know which replaced which: give it the latest
// of each holder. It changes neither the slice nor the certificates. Errors match [ErrPolicy] and [ErrCertificate].
func (p Policy) Plan(now time.Time, certs []*x509.Certificate) (Plan, error) {
	if _, _, err := p.shares(); err != nil { // also if there is nothing to plan yet
		return Plan{}, err
	}
	var plan Plan
	for i, cert := range certs {
		at, err := p.At(cert)
		if err != nil {
			return Plan{}, fmt.Errorf("%w (number %d of %d)", err, i+1, len(certs))
		}
		switch {
		case now.After(cert.NotAfter):
			plan.Expired = append(plan.Expired, cert)
		case !now.Before(at):
			plan.Due = append(plan.Due, cert)
		case plan.Next.IsZero() || at.Before(plan.Next):
			plan.Next = at
		}
	}
	slices.SortStableFunc(plan.Due, endsFirst)
	slices.SortStableFunc(plan.Expired, endsFirst)
	return plan, nil
}

func endsFirst(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }

// At returns the time from which a certificate is due, to the second, in UTC. It is after the certificate's beginning
// and not after its end; for one that ends before it begins, it is the end. Errors match [ErrPolicy] and
// [ErrCertificate].
func (p Policy) At(cert *x509.Certificate) (time.Time, error) {
	left, jitter, err := p.shares()
	if err != nil {
		return time.Time{}, err
	}
	if cert == nil || len(cert.Raw) == 0 {
		return time.Time{}, fmt.Errorf("%w: it is missing", ErrCertificate)
	}
	// Seconds and not a time.Duration, which ends after 292 years; some certificates do not before the year 9999.
	life := max(0, cert.NotAfter.Unix()-cert.NotBefore.Unix())
	early := int64((left + jitter*fraction(cert.Raw)) * float64(life))
	return time.Unix(cert.NotAfter.Unix()-early, 0).UTC(), nil
}

// shares returns the shares that the policy means.
func (p Policy) shares() (left, jitter float64, err error) {
	left, jitter = cmp.Or(p.Left, DefaultLeft), cmp.Or(p.Jitter, DefaultJitter)
	if jitter < 0 {
		jitter = 0
	}
	// Written so that what is not a number is refused.
	if !(left > 0 && jitter >= 0 && left+jitter < 1) {
		return 0, 0, fmt.Errorf("%w: left %v and jitter %v must be shares of one life", ErrPolicy, p.Left, p.Jitter)
	}
	return left, jitter, nil
}

// fraction returns a number in [0, 1) that looks random and belongs to the certificate.
func fraction(der []byte) float64 {
	sum := sha256.Sum256(der)
	const bits = 53 // of a float64
	return float64(binary.BigEndian.Uint64(sum[:])>>(64-bits)) / (1 << bits)
}
