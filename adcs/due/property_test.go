package due_test

import (
	"context"
	"crypto/x509"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/due"
)

// some returns certificates of all ages and lengths of life around a time.
func some(random *rand.Rand, now time.Time, n int) []*x509.Certificate {
	certs := make([]*x509.Certificate, n)
	for i := range certs {
		life := time.Duration(random.Int64N(int64(1) << (22 + random.IntN(36)))) // up to nine years
		begins := now.Add(-time.Duration(random.Float64() * 1.3 * float64(life)))
		certs[i] = cert(random.Uint32(), begins.Truncate(time.Second), begins.Add(life).Truncate(time.Second))
	}
	return certs
}

func somePolicy(random *rand.Rand) due.Policy {
	left := 0.01 + 0.9*random.Float64()
	return due.Policy{Left: left, Jitter: (0.98 - left) * random.Float64()}
}

// What holds for every set of certificates, every policy and every time.
func TestProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var totals [3]int
	for range 300 {
		policy := somePolicy(random)
		now := begin().Add(time.Duration(random.Int64N(int64(1000 * day))))
		certs := some(random, now, random.IntN(20))
		given := slices.Clone(certs)
		plan, err := policy.Plan(now, certs)
		require.NoError(t, err)
		require.Equal(t, given, certs, "what was given is left alone")

		// Each is in one place, and there for a reason.
		var next time.Time
		rest := 0
		for _, c := range certs {
			at, err := policy.At(c)
			require.NoError(t, err)
			life := c.NotAfter.Sub(c.NotBefore)
			latest := c.NotAfter.Add(-time.Duration(policy.Left * float64(life)))
			earliest := c.NotAfter.Add(-time.Duration((policy.Left + policy.Jitter) * float64(life)))
			require.WithinRange(t, at, earliest.Add(-time.Second), latest.Add(time.Second))
			expired, isDue := now.After(c.NotAfter), !now.Before(at) && !now.After(c.NotAfter)
			require.Equal(t, expired, slices.Contains(plan.Expired, c))
			require.Equal(t, isDue, slices.Contains(plan.Due, c))
			if !expired && !isDue {
				rest++
				if next.IsZero() || at.Before(next) {
					next = at
				}
			}
		}
		require.Equal(t, next, plan.Next)
		require.Equal(t, len(certs), rest+len(plan.Due)+len(plan.Expired))
		byEnd := func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }
		require.True(t, slices.IsSortedFunc(plan.Due, byEnd) && slices.IsSortedFunc(plan.Expired, byEnd))
		totals[0], totals[1], totals[2] = totals[0]+len(plan.Due), totals[1]+len(plan.Expired), totals[2]+rest

		// Neither the order nor the time zone matters, nor who else is asked about.
		random.Shuffle(len(certs), func(i, j int) { certs[i], certs[j] = certs[j], certs[i] })
		half := random.IntN(len(certs) + 1)
		elsewhere := now.In(time.FixedZone("", 7*3600))
		one, err := policy.Plan(elsewhere, certs[:half])
		require.NoError(t, err)
		two, err := policy.Plan(elsewhere, certs[half:])
		require.NoError(t, err)
		require.ElementsMatch(t, plan.Due, slices.Concat(one.Due, two.Due))
		require.ElementsMatch(t, plan.Expired, slices.Concat(one.Expired, two.Expired))

		// Until Next none becomes due, at Next one does; and who is due stays so until the end.
		if plan.Next.IsZero() {
			continue
		}
		before, err := policy.Plan(plan.Next.Add(-time.Nanosecond), certs)
		require.NoError(t, err)
		for _, c := range before.Due {
			require.Contains(t, plan.Due, c)
		}
		after, err := policy.Plan(plan.Next, certs)
		require.NoError(t, err)
		require.Less(t, len(plan.Due)+len(plan.Expired), len(after.Due)+len(after.Expired))
		for _, c := range plan.Due {
			require.True(t, slices.Contains(after.Due, c) || slices.Contains(after.Expired, c))
		}
	}
	for _, n := range totals {
		require.Greater(t, n, 300, "all kinds are among them")
	}
}

// Who wants more time left is due earlier, and jitter never makes a certificate late.
func TestPoliciesCompare(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		c := some(random, begin(), 1)[0]
		policy := somePolicy(random)
		at, err := policy.At(c)
		require.NoError(t, err)
		more := due.Policy{Left: policy.Left + 0.01, Jitter: policy.Jitter}
		earlier, err := more.At(c)
		require.NoError(t, err)
		require.False(t, earlier.After(at))
		without, err := due.Policy{Left: policy.Left, Jitter: -1}.At(c)
		require.NoError(t, err)
		require.False(t, at.After(without))
	}
}

// fleet is a store of certificates in memory.
type fleet struct {
	life    time.Duration
	latest  map[uint32]*x509.Certificate // by holder
	holders map[*x509.Certificate]uint32
	serial  uint32
	renewed func(*x509.Certificate) // may be nil
	fails   func() bool             // may be nil
	expired int
}

func (f *fleet) issue(holder uint32, begins time.Time) {
	if f.latest == nil {
		f.latest, f.holders = map[uint32]*x509.Certificate{}, map[*x509.Certificate]uint32{}
	}
	f.serial++
	c := cert(f.serial, begins.Truncate(time.Second), begins.Add(f.life).Truncate(time.Second))
	f.latest[holder], f.holders[c] = c, holder
}

func (f *fleet) Latest() ([]*x509.Certificate, error) {
	return slices.Collect(maps.Values(f.latest)), nil
}

func (f *fleet) Renew(_ context.Context, old *x509.Certificate) {
	if f.fails != nil && f.fails() {
		return
	}
	f.issue(f.holders[old], time.Now())
	if f.renewed != nil {
		f.renewed(old)
	}
}

func (f *fleet) Expired(_ context.Context, cert *x509.Certificate) {
	f.expired++
	delete(f.latest, f.holders[cert])
}

// The scheduler of the example, for a year: a fleet that was issued in one hour is spread over the jitter, nobody
// expires although the CA is often away, and nobody is renewed before it is time.
func TestScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(5, 6))
		const size = 100
		life := 100 * day
		policy := due.Policy{Left: 0.2, Jitter: 0.1}
		certs := &fleet{life: life, fails: func() bool { return random.IntN(3) == 0 }}
		for holder := range uint32(size) {
			certs.issue(holder, time.Now().Add(time.Duration(random.Int64N(int64(time.Hour)))))
		}
		first, renewals := map[int]int{}, 0
		certs.renewed = func(old *x509.Certificate) {
			left := time.Until(old.NotAfter)
			assert.LessOrEqual(t, left, life*3/10+time.Second)
			assert.Greater(t, left, life*2/10-day, "a day of failures at most")
			if renewals++; renewals <= size {
				first[int(left/(10*time.Hour))]++
			}
		}
		ctx, stop := context.WithTimeout(t.Context(), 4*life)
		defer stop()
		require.ErrorIs(t, schedule(ctx, policy, certs), context.DeadlineExceeded)
		assert.Len(t, certs.latest, size)
		assert.Zero(t, certs.expired)
		assert.InDelta(t, 5*size, renewals, size/2, "one in three quarters of a life, for each")
		assert.Greater(t, len(first), 20, "of 24 parts of the jitter have a first renewal")
	})
}
