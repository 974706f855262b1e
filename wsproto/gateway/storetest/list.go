package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/gateway"
)

func listed(t *testing.T, s gateway.Store, q gateway.JobQuery) []string {
	t.Helper()
	jobs, err := s.TenantJobs(t.Context(), q)
	require.NoError(t, err)
	return ids(jobs)
}

// putCreated puts jobs of tenant t that were created so many seconds after base, and one of another tenant.
func putCreated(t *testing.T, s gateway.Store, seconds map[string]time.Duration) {
	t.Helper()
	for id, after := range seconds {
		job := newJob("t", id)
		job.Created = base().Add(after * time.Second)
		require.NoError(t, s.PutJob(t.Context(), job))
	}
	require.NoError(t, s.PutJob(t.Context(), newJob("u", "other tenant")))
}

func tenantOrder(t *testing.T, s gateway.Store) {
	putCreated(t, s, map[string]time.Duration{"d": 2, "b": 1, "a": 1, "c": 1, "e": 0})
	q := gateway.JobQuery{Tenant: "t", Limit: 99}
	require.Equal(t, []string{"d", "c", "b", "a", "e"}, listed(t, s, q))
	require.Empty(t, listed(t, s, gateway.JobQuery{Tenant: "v", Limit: 9}))

	for q.Limit = 1; q.Limit <= 5; q.Limit++ {
		q.BeforeTime, q.BeforeID = time.Time{}, ""
		var got []string
		for len(got) <= 5 { // a store may give the same page for ever
			page, err := s.TenantJobs(t.Context(), q)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			require.LessOrEqual(t, len(page), q.Limit)
			got = append(got, ids(page)...)
			last := page[len(page)-1]
			q.BeforeTime, q.BeforeID = last.Created, last.ID
		}
		require.Equal(t, []string{"d", "c", "b", "a", "e"}, got, "pages of %d", q.Limit)
	}
	q = gateway.JobQuery{Tenant: "t", BeforeTime: base().Add(time.Second), BeforeID: "bb", Limit: 9}
	require.Equal(t, []string{"b", "a", "e"}, listed(t, s, q), "the job at the end of the last page may be gone")
}

func tenantSelection(t *testing.T, s gateway.Store) {
	ctx := t.Context()
	for i, state := range []gateway.JobState{gateway.JobQueued, gateway.JobOffered, gateway.JobRunning, gateway.JobDone} {
		job := newJob("t", fmt.Sprint(i))
		job.State, job.Created = state, base().Add(time.Duration(i)*time.Second)
		require.NoError(t, s.PutJob(ctx, job))
	}
	of := func(which gateway.JobSelection, limit int) []string {
		return listed(t, s, gateway.JobQuery{Tenant: "t", Select: which, Limit: limit})
	}
	require.Equal(t, []string{"3", "2", "1", "0"}, of(gateway.AllJobs, 9))
	require.Equal(t, []string{"2", "1", "0"}, of(gateway.OpenJobs, 9))
	require.Equal(t, []string{"2"}, of(gateway.OpenJobs, 1), "the limit counts what is selected")
	require.Equal(t, []string{"3"}, of(gateway.EndedJobs, 9))

	job, err := s.Job(ctx, "t", "1")
	require.NoError(t, err)
	job.State = gateway.JobDone
	require.NoError(t, s.PutJob(ctx, job))
	require.Equal(t, []string{"2", "0"}, of(gateway.OpenJobs, 9))
	require.Equal(t, []string{"3", "1"}, of(gateway.EndedJobs, 9))
	require.Equal(t, []string{"3", "2", "1", "0"}, of(gateway.AllJobs, 9), "each is there once")
	job, err = s.Job(ctx, "t", "0")
	require.NoError(t, err)
	job.Created = base().Add(10 * time.Second)
	require.NoError(t, s.PutJob(ctx, job))
	require.Equal(t, []string{"0", "3", "2", "1"}, of(gateway.AllJobs, 9), "it is where it says")
	job.Created = base()
	require.NoError(t, s.PutJob(ctx, job))
	require.NoError(t, s.DeleteJob(ctx, "t", "3", 1))
	require.Equal(t, []string{"1"}, of(gateway.EndedJobs, 9))
	require.Equal(t, []string{"2", "1", "0"}, of(gateway.AllJobs, 9))
}
