package due_test

import (
	"crypto/x509"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/due"
)

func begin() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

const day = 24 * time.Hour

// cert is a certificate as far as this package looks at one.
func cert(id uint32, notBefore, notAfter time.Time) *x509.Certificate {
	return &x509.Certificate{Raw: binary.BigEndian.AppendUint32(nil, id), NotBefore: notBefore, NotAfter: notAfter}
}

func TestAt(t *testing.T) {
	after := func(d time.Duration) time.Time { return begin().Add(d) }
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	second2 := year(1).Add(time.Second)
	for _, test := range []struct {
		name         string
		policy       due.Policy
		begins, ends time.Time
		first, last  time.Time
	}{
		{"exactly", due.Policy{Left: 0.25, Jitter: -1}, begin(), after(400 * day), after(300 * day), after(300 * day)},
		{"default", due.Policy{}, begin(), after(300 * day), after(185 * day), after(200 * day)},
		{"short", due.Policy{Left: 0.5, Jitter: 0.25}, begin(), after(4 * time.Hour), after(time.Hour), after(2 * time.Hour)},
		{"longer than a time.Duration", due.Policy{Left: 0.5, Jitter: -1}, year(2000), year(9998), year(5999), year(5999)},
		{"all but a second", due.Policy{Left: math.Nextafter(1, 0), Jitter: -1}, year(1), year(9999), second2, second2},
		{"ends before it begins", due.Policy{}, begin(), after(-day), after(-day), after(-day)},
		{"no life", due.Policy{}, begin(), begin(), begin(), begin()},
	} {
		t.Run(test.name, func(t *testing.T) {
			for id := range uint32(100) {
				at, err := test.policy.At(cert(id, test.begins, test.ends))
				require.NoError(t, err)
				assert.WithinRange(t, at, test.first, test.last)
				assert.Equal(t, time.UTC, at.Location())
			}
		})
	}
}

// Certificates of one day are spread over the whole jitter, evenly, and each keeps its time.
func TestJitterSpreads(t *testing.T) {
	policy := due.Policy{Left: 0.2, Jitter: 0.1}
	const n = 10_000
	var tenths [10]int
	for id := range uint32(n) {
		c := cert(id, begin(), begin().Add(1000*day))
		at, err := policy.At(c)
		require.NoError(t, err)
		again, err := policy.At(cert(id, begin(), begin().Add(1000*day)))
		require.NoError(t, err)
		require.Equal(t, at, again)
		early := begin().Add(800 * day).Sub(at)
		require.True(t, early >= 0 && early < 100*day+time.Second, early)
		tenths[min(9, int(early/(10*day)))]++
	}
	for _, count := range tenths {
		assert.InDelta(t, n/10, count, n/50)
	}
}

func TestPlan(t *testing.T) {
	policy := due.Policy{Left: 0.25, Jitter: -1}
	fresh := cert(1, begin(), begin().Add(400*day))                    // due on day 300
	soon := cert(2, begin(), begin().Add(200*day))                     // on day 150
	urgent := cert(3, begin(), begin().Add(120*day))                   // on day 90
	expired := cert(4, begin(), begin().Add(99*day))                   //
	future := cert(5, begin().Add(500*day), begin().Add(900*day))      // not before day 800
	exactly := cert(6, begin().Add(-200*day), begin().Add(200*day))    // on day 100, now
	lastSecond := cert(7, begin().Add(-200*day), begin().Add(100*day)) // ends now: RFC 5280 counts the last second in
	certs := []*x509.Certificate{exactly, future, fresh, expired, urgent, soon, lastSecond}
	given := slices.Clone(certs)

	plan, err := policy.Plan(begin().Add(100*day), certs)
	require.NoError(t, err)
	assert.Equal(t, []*x509.Certificate{lastSecond, urgent, exactly}, plan.Due)
	assert.Equal(t, []*x509.Certificate{expired}, plan.Expired)
	assert.Equal(t, begin().Add(150*day), plan.Next)
	assert.Equal(t, given, certs, "what was given is left alone")

	plan, err = policy.Plan(plan.Next.Add(-time.Nanosecond), []*x509.Certificate{fresh, soon})
	require.NoError(t, err)
	assert.Equal(t, due.Plan{Next: begin().Add(150 * day)}, plan)
	plan, err = policy.Plan(plan.Next, []*x509.Certificate{fresh, soon})
	require.NoError(t, err)
	assert.Equal(t, due.Plan{Due: []*x509.Certificate{soon}, Next: begin().Add(300 * day)}, plan)

	plan, err = policy.Plan(begin(), nil)
	require.NoError(t, err)
	assert.Zero(t, plan)
}

func TestRefused(t *testing.T) {
	good := cert(1, begin(), begin().Add(day))
	for _, policy := range []due.Policy{
		{Left: 1}, {Left: -0.1}, {Left: math.NaN()}, {Left: math.Inf(1)}, {Left: 0.5, Jitter: 0.5},
		{Left: 0.5, Jitter: math.NaN()}, {Jitter: 0.7}, {Jitter: math.Inf(1)}, {Left: 0.99},
	} {
		_, err := policy.Plan(begin(), []*x509.Certificate{good})
		assert.ErrorIs(t, err, due.ErrPolicy, "%+v", policy)
		_, err = policy.Plan(begin(), nil)
		assert.ErrorIs(t, err, due.ErrPolicy, "%+v", policy)
	}
	for _, missing := range []*x509.Certificate{nil, {}} {
		_, err := due.Policy{}.Plan(begin(), []*x509.Certificate{good, missing})
		assert.ErrorIs(t, err, due.ErrCertificate)
		assert.ErrorContains(t, err, "number 2 of 2")
	}
}

// FuzzPlan: whatever the validity, nobody is lost, and who is due keeps being so.
func FuzzPlan(f *testing.F) {
	f.Add(int64(0), int64(1000), int64(900), 0.3, 0.05)
	f.Add(int64(math.MinInt32), int64(253402300799), int64(0), 0.5, -1.0)
	f.Add(int64(10), int64(5), int64(7), 0.9, 0.05)
	f.Fuzz(func(t *testing.T, begins, ends, now int64, left, jitter float64) {
		const first, last = -62135596800, 253402300799 // the years 1 to 9999, which certificates have
		for _, at := range []int64{begins, ends, now} {
			if at < first || at > last {
				return
			}
		}
		c := cert(1, time.Unix(begins, 0), time.Unix(ends, 0))
		policy := due.Policy{Left: left, Jitter: jitter}
		at, err := policy.At(c)
		if err != nil {
			require.ErrorIs(t, err, due.ErrPolicy)
			return
		}
		require.False(t, at.After(c.NotAfter))
		if ends > begins {
			require.True(t, at.After(c.NotBefore))
		}
		plan, err := policy.Plan(time.Unix(now, 0), []*x509.Certificate{c})
		require.NoError(t, err)
		found := len(plan.Due) + len(plan.Expired)
		if !plan.Next.IsZero() {
			require.Equal(t, at, plan.Next)
			found++
		}
		require.Equal(t, 1, found)
		if len(plan.Due) == 1 && now < ends {
			later, err := policy.Plan(time.Unix(now+1, 0), []*x509.Certificate{c})
			require.NoError(t, err)
			require.Len(t, later.Due, 1)
		}
	})
}
