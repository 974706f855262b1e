// Package storetest holds a [gateway.Store] to its contract. A store of your own needs one test:
//
//	func TestStore(t *testing.T) {
//		storetest.Test(t, func(t *testing.T) gateway.Store { return newEmptyStore(t) })
//	}
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// Test runs the whole contract, each part on a store that open makes; it must be empty.
func Test(t *testing.T, open func(t *testing.T) gateway.Store) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, s gateway.Store)
	}{
		{"job compare and swap", jobSwap},
		{"job fields", jobFields},
		{"job delete", jobDelete},
		{"job isolation", jobIsolation},
		{"queue order and pages", queueOrder},
		{"queue selection", queueSelection},
		{"held jobs", heldJobs},
		{"sealed jobs", sealedJobs},
		{"due jobs", dueJobs},
		{"jobs of a tenant: order and pages", tenantOrder},
		{"jobs of a tenant: selection", tenantSelection},
		{"concurrent jobs", concurrentJobs},
		{"concurrent insert", concurrentInsert},
		{"connectors", connectors},
		{"concurrent connector", concurrentConnector},
		{"codes", codes},
		{"concurrent code", concurrentCode},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, open(t)) })
	}
}

// base is a time as a database keeps it: UTC, whole microseconds, no monotonic reading.
func base() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC) }

func ca(name string) wsproto.CAAssignment {
	return wsproto.CAAssignment{Host: "ca.corp.test", Name: name}
}

func newJob(tenant, id string) *gateway.Job {
	return &gateway.Job{
		Tenant: tenant, ID: id, State: gateway.JobQueued, CA: ca("CA"), Order: []byte(`{"template":"T"}`),
		OrderDigest: []byte{1, 2, 3}, Created: base(), Deadline: base().Add(time.Hour), NotBefore: base(),
	}
}

func jobSwap(t *testing.T, s gateway.Store) {
	ctx := t.Context()
	_, err := s.Job(ctx, "t", "a")
	require.ErrorIs(t, err, gateway.ErrNotFound)

	stray := newJob("t", "a")
	stray.Version = 1
	require.ErrorIs(t, s.PutJob(ctx, stray), gateway.ErrConflict, "an update of nothing")
	require.EqualValues(t, 1, stray.Version, "a refused put leaves the record as it was")

	job := newJob("t", "a")
	require.NoError(t, s.PutJob(ctx, job))
	require.EqualValues(t, 1, job.Version)
	require.ErrorIs(t, s.PutJob(ctx, newJob("t", "a")), gateway.ErrConflict, "a second insert")

	first, err := s.Job(ctx, "t", "a")
	require.NoError(t, err)
	second, err := s.Job(ctx, "t", "a")
	require.NoError(t, err)
	first.Attempt = 7
	require.NoError(t, s.PutJob(ctx, first))
	require.EqualValues(t, 2, first.Version)
	second.Attempt = 9
	require.ErrorIs(t, s.PutJob(ctx, second), gateway.ErrConflict, "a stale update")
	require.NoError(t, s.PutJob(ctx, first), "the winner may go on")

	got, err := s.Job(ctx, "t", "a")
	require.NoError(t, err)
	require.EqualValues(t, 7, got.Attempt)
	require.EqualValues(t, 3, got.Version)
}

func fullJob() *gateway.Job {
	end := base().Add(240 * time.Hour)
	outcome := wsproto.Outcome{
		Kind: wsproto.Issued, Reason: "r", Message: "m", RequestID: 5, Serial: "1f", Thumbprint: []byte{1},
		NotBefore: new(base()), NotAfter: &end, PublicKeyHash: []byte{2}, PKCS12: []byte{3, 4},
		TimingsMS: map[string]int64{"key": 3},
	}
	job := newJob("t", "full")
	job.State = gateway.JobDone
	job.Resubmit, job.Sealed, job.Traceparent = true, true, "00-1-2-01"
	job.Due, job.GiveUp, job.LeaseEnd = base().Add(time.Second), base().Add(2*time.Second), base().Add(3*time.Second)
	job.Patience = base().Add(4 * time.Second)
	job.Attempt, job.Sequence, job.Connector = 3, 4, "c"
	job.Checkpoint = &wsproto.Checkpoint{
		State: wsproto.CheckpointPending, CA: ca("CA"), Account: `CORP\svc`, PublicKeyHash: []byte{5}, RequestID: 6,
		Time: base(), Tenant: "t", Job: "full", Attempt: 3, Sequence: 4, OrderDigest: []byte{7}, Maker: []byte{8},
		Sealed:    []wsproto.SealedPart{{Key: []byte{9}, Encapsulation: []byte{10}, Ciphertext: []byte{11}}},
		Signature: []byte{12},
	}
	job.Anew = true
	doubt := *job.Checkpoint
	doubt.State, doubt.RequestID, doubt.Attempt, doubt.Sealed = wsproto.CheckpointSubmitting, 0, 2, nil
	job.Doubt = &doubt
	job.Holders = []gateway.Holder{{Attempt: 2, Connector: "b", Leased: true}, {Attempt: 3, Connector: "c"}}
	job.Refusals = []gateway.Refusal{{Connector: "d", Until: base()}}
	job.LastRefusal = &gateway.Refusal{Connector: "d", Until: base(), Reason: "policy", Message: "m"}
	job.Outcome, job.Ended, job.Recorded, job.OutcomeNumber = &outcome, base(), 2, 1
	job.Extra = []wsproto.Outcome{outcome}
	job.Events = []gateway.Event{{ID: "full/2", Time: base(), Outcome: outcome, Extra: true}}
	job.DeliverAt, job.Deliveries = base().Add(time.Minute), 2
	return job
}

func jobFields(t *testing.T, s gateway.Store) {
	job := fullJob()
	require.NoError(t, s.PutJob(t.Context(), job))
	got, err := s.Job(t.Context(), "t", "full")
	require.NoError(t, err)
	assert.Equal(t, job, got)
}

func jobDelete(t *testing.T, s gateway.Store) {
	ctx := t.Context()
	require.ErrorIs(t, s.DeleteJob(ctx, "t", "a", 1), gateway.ErrNotFound)
	job := newJob("t", "a")
	job.Due = base()
	require.NoError(t, s.PutJob(ctx, job))
	require.ErrorIs(t, s.DeleteJob(ctx, "t", "a", 2), gateway.ErrConflict)
	require.ErrorIs(t, s.DeleteJob(ctx, "u", "a", 1), gateway.ErrNotFound)
	require.NoError(t, s.DeleteJob(ctx, "t", "a", 1))
	_, err := s.Job(ctx, "t", "a")
	require.ErrorIs(t, err, gateway.ErrNotFound)
	assert.Empty(t, due(t, s, base(), 9))
	assert.Empty(t, queued(t, s, gateway.QueueQuery{Tenant: "t", CA: ca("CA"), Before: base(), Limit: 9}))
	require.NoError(t, s.PutJob(ctx, newJob("t", "a")), "the id is free again")
}

func jobIsolation(t *testing.T, s gateway.Store) {
	ctx := t.Context()
	job := newJob("t", "a")
	job.Holders = []gateway.Holder{{Attempt: 1, Connector: "c"}}
	require.NoError(t, s.PutJob(ctx, job))
	require.NoError(t, s.PutJob(ctx, newJob("u", "a")), "another tenant may use the same id")
	job.Holders[0].Connector = "changed by the writer"
	job.State = gateway.JobDone

	got, err := s.Job(ctx, "t", "a")
	require.NoError(t, err)
	require.Equal(t, "c", got.Holders[0].Connector)
	got.Holders[0].Connector = "changed by the reader"
	again, err := s.Job(ctx, "t", "a")
	require.NoError(t, err)
	require.Equal(t, "c", again.Holders[0].Connector)
	require.Equal(t, gateway.JobQueued, again.State)
}

func queued(t *testing.T, s gateway.Store, q gateway.QueueQuery) []string {
	t.Helper()
	jobs, err := s.QueuedJobs(t.Context(), q)
	require.NoError(t, err)
	return ids(jobs)
}

func due(t *testing.T, s gateway.Store, now time.Time, limit int) []string {
	t.Helper()
	jobs, err := s.DueJobs(t.Context(), now, limit)
	require.NoError(t, err)
	return ids(jobs)
}

func ids(jobs []*gateway.Job) []string {
	var out []string
	for _, j := range jobs {
		out = append(out, j.ID)
	}
	return out
}

func queueOrder(t *testing.T, s gateway.Store) {
	for _, j := range []struct {
		id    string
		after time.Duration
	}{{"d", 2}, {"b", 1}, {"a", 1}, {"c", 1}, {"e", 0}, {"late", 9}} {
		job := newJob("t", j.id)
		job.NotBefore = base().Add(j.after * time.Second)
		require.NoError(t, s.PutJob(t.Context(), job))
	}
	q := gateway.QueueQuery{Tenant: "t", CA: ca("CA"), Before: base().Add(2 * time.Second), Limit: 99}
	require.Equal(t, []string{"e", "a", "b", "c", "d"}, queued(t, s, q))

	q.Limit = 2
	var got []string
	for {
		page, err := s.QueuedJobs(t.Context(), q)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		require.LessOrEqual(t, len(page), 2)
		got = append(got, ids(page)...)
		last := page[len(page)-1]
		q.AfterTime, q.AfterID = last.NotBefore, last.ID
	}
	require.Equal(t, []string{"e", "a", "b", "c", "d"}, got)

	q.AfterTime, q.AfterID = base().Add(time.Second), "aa"
	require.Equal(t, []string{"b", "c"}, queued(t, s, q), "the job at the end of the last page may be gone")
}

func queueSelection(t *testing.T, s gateway.Store) {
	ctx := t.Context()
	put := func(tenant, id string, change func(*gateway.Job)) {
		job := newJob(tenant, id)
		change(job)
		require.NoError(t, s.PutJob(ctx, job))
	}
	put("t", "yes", func(*gateway.Job) {})
	put("u", "other tenant", func(*gateway.Job) {})
	put("t", "other CA", func(j *gateway.Job) { j.CA = ca("Other") })
	put("t", "other host", func(j *gateway.Job) { j.CA.Host = "other" })
	put("t", "other case", func(j *gateway.Job) { j.CA.Name = "ca" })
	put("t", "running", func(j *gateway.Job) { j.State = gateway.JobRunning })
	put("t", "done", func(j *gateway.Job) { j.State = gateway.JobDone })
	q := gateway.QueueQuery{Tenant: "t", CA: ca("CA"), Before: base(), Limit: 99}
	require.Equal(t, []string{"yes"}, queued(t, s, q))

	job, err := s.Job(ctx, "t", "yes")
	require.NoError(t, err)
	job.State = gateway.JobOffered
	require.NoError(t, s.PutJob(ctx, job))
	require.Empty(t, queued(t, s, q))
	job.State = gateway.JobQueued
	require.NoError(t, s.PutJob(ctx, job))
	require.Equal(t, []string{"yes"}, queued(t, s, q))
}

func heldJobs(t *testing.T, s gateway.Store) {
	ctx := t.Context()
	states := []gateway.JobState{gateway.JobQueued, gateway.JobOffered, gateway.JobRunning, gateway.JobDone}
	for _, tenant := range []string{"t", "u"} {
		for _, connector := range []string{"c", "d"} {
			for _, state := range states {
				job := newJob(tenant, fmt.Sprint(connector, "-", state))
				job.State, job.Connector = state, connector
				require.NoError(t, s.PutJob(ctx, job))
			}
		}
	}
	held := func(connector string) []string {
		jobs, err := s.HeldJobs(ctx, "t", connector)
		require.NoError(t, err)
		return ids(jobs)
	}
	require.ElementsMatch(t, []string{"c-offered", "c-running"}, held("c"))
	require.Empty(t, held("nobody"))

	job, err := s.Job(ctx, "t", "c-running")
	require.NoError(t, err)
	job.Connector = "d"
	require.NoError(t, s.PutJob(ctx, job))
	require.ElementsMatch(t, []string{"c-offered"}, held("c"))
	require.ElementsMatch(t, []string{"d-offered", "d-running", "c-running"}, held("d"))
}

func sealedJobs(t *testing.T, s gateway.Store) {
	ctx := t.Context()
	one, two := wsproto.Fingerprint{1}, wsproto.Fingerprint{2}
	put := func(tenant, id string, state gateway.JobState, keys ...wsproto.Fingerprint) {
		job := newJob(tenant, id)
		job.State = state
		job.Checkpoint = &wsproto.Checkpoint{State: wsproto.CheckpointSubmitting, Time: base(), Job: id}
		for _, k := range keys {
			job.Checkpoint.Sealed = append(job.Checkpoint.Sealed, wsproto.SealedPart{Key: k[:]})
		}
		require.NoError(t, s.PutJob(ctx, job))
	}
	sealed := func(q gateway.SealedQuery) []string {
		jobs, err := s.SealedJobs(ctx, q)
		require.NoError(t, err)
		return ids(jobs)
	}
	require.NoError(t, s.PutJob(ctx, newJob("t", "without checkpoint")))
	put("t", "d", gateway.JobQueued, one, two)
	put("t", "b", gateway.JobRunning, two, one)
	put("t", "c", gateway.JobOffered, one)
	put("t", "a", gateway.JobQueued, two)
	put("t", "twice", gateway.JobQueued, one, one)
	put("t", "done", gateway.JobDone, one)
	put("t", "no part", gateway.JobQueued)
	put("u", "other tenant", gateway.JobQueued, one)
	require.Equal(t, []string{"b", "c", "d", "twice"}, sealed(gateway.SealedQuery{Tenant: "t", Key: one, Limit: 9}))
	require.Equal(t, []string{"a", "b", "d"}, sealed(gateway.SealedQuery{Tenant: "t", Key: two, Limit: 9}))
	require.Empty(t, sealed(gateway.SealedQuery{Tenant: "t", Key: wsproto.Fingerprint{3}, Limit: 9}))
	require.Empty(t, sealed(gateway.SealedQuery{Tenant: "v", Key: one, Limit: 9}))
	require.Equal(t, []string{"b"}, sealed(gateway.SealedQuery{Tenant: "t", Key: one, Limit: 1}))
	require.Equal(t, []string{"c", "d"}, sealed(gateway.SealedQuery{Tenant: "t", Key: one, AfterID: "b", Limit: 2}))
	require.Equal(t, []string{"c", "d", "twice"}, sealed(gateway.SealedQuery{Tenant: "t", Key: one, AfterID: "bb", Limit: 9}),
		"the job at the end of the last page may be gone")

	job, err := s.Job(ctx, "t", "b")
	require.NoError(t, err)
	clear := *job.Checkpoint
	clear.Sealed = clear.Sealed[:1]
	job.Checkpoint = &clear
	require.NoError(t, s.PutJob(ctx, job))
	require.Equal(t, []string{"c", "d", "twice"}, sealed(gateway.SealedQuery{Tenant: "t", Key: one, Limit: 9}))
	job.State = gateway.JobDone
	require.NoError(t, s.PutJob(ctx, job))
	require.Equal(t, []string{"a", "d"}, sealed(gateway.SealedQuery{Tenant: "t", Key: two, Limit: 9}))
	require.NoError(t, s.DeleteJob(ctx, "t", "d", 1))
	require.Equal(t, []string{"a"}, sealed(gateway.SealedQuery{Tenant: "t", Key: two, Limit: 9}))
}

func dueJobs(t *testing.T, s gateway.Store) {
	ctx := t.Context()
	for i, id := range []string{"c", "a", "d", "b"} {
		job := newJob("tenant"+id, id)
		job.Due = base().Add(time.Duration(i) * time.Second)
		job.State = []gateway.JobState{gateway.JobQueued, gateway.JobOffered, gateway.JobRunning, gateway.JobDone}[i]
		require.NoError(t, s.PutJob(ctx, job))
	}
	require.NoError(t, s.PutJob(ctx, newJob("t", "never")))
	require.Empty(t, due(t, s, base().Add(-time.Second), 9))
	require.Equal(t, []string{"c"}, due(t, s, base(), 9), "due now is due")
	require.Equal(t, []string{"c", "a", "d", "b"}, due(t, s, base().Add(time.Hour), 9))
	require.Equal(t, []string{"c", "a"}, due(t, s, base().Add(time.Hour), 2))
	require.Equal(t, []string{"c", "a", "d", "b"}, due(t, s, base().Add(time.Hour), 9), "asking changes nothing")

	job, err := s.Job(ctx, "tenantc", "c")
	require.NoError(t, err)
	job.Due = base().Add(2500 * time.Millisecond)
	require.NoError(t, s.PutJob(ctx, job))
	require.Equal(t, []string{"a", "d", "c", "b"}, due(t, s, base().Add(time.Hour), 9))
	job.Due = time.Time{}
	require.NoError(t, s.PutJob(ctx, job))
	require.Equal(t, []string{"a", "d", "b"}, due(t, s, base().Add(time.Hour), 9))
}

// together runs f n times at once and returns how many returned nil; any error but a conflict fails the test.
func together(t *testing.T, n int, f func(i int) error) (won int) {
	t.Helper()
	var wg sync.WaitGroup
	start, errs := make(chan struct{}), make([]error, n)
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, gateway.ErrConflict) {
			t.Errorf("only a conflict may be returned: %v", err)
		}
	}
	return won
}

func concurrentJobs(t *testing.T, s gateway.Store) {
	const writers, rounds = 8, 25
	ctx := context.WithoutCancel(t.Context())
	require.NoError(t, s.PutJob(ctx, newJob("t", "a")))
	won := together(t, writers, func(int) error {
		for done := 0; done < rounds; {
			job, err := s.Job(ctx, "t", "a")
			if err != nil {
				return err
			}
			job.Attempt++
			switch err := s.PutJob(ctx, job); {
			case err == nil:
				done++
			case !errors.Is(err, gateway.ErrConflict):
				return err
			}
		}
		return nil
	})
	require.Equal(t, writers, won)
	job, err := s.Job(ctx, "t", "a")
	require.NoError(t, err)
	require.EqualValues(t, writers*rounds, job.Attempt, "an update was lost")
	require.EqualValues(t, writers*rounds+1, job.Version)
}

func concurrentInsert(t *testing.T, s gateway.Store) {
	ctx := context.WithoutCancel(t.Context())
	won := together(t, 8, func(i int) error {
		job := newJob("t", "a")
		job.Attempt = int64(i)
		return s.PutJob(ctx, job)
	})
	require.Equal(t, 1, won)
}
