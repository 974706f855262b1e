package gateway

import (
	"cmp"
	"context"
	"slices"
)

// TenantJobs implements [JobStore].
func (m *MemoryStore) TenantJobs(_ context.Context, q JobQuery) ([]*Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	jobs := m.tenants[q.Tenant]
	if q.BeforeID != "" {
		at, _ := slices.BinarySearchFunc(jobs, &memoryJob{Job: Job{Created: q.BeforeTime, ID: q.BeforeID}}, compareCreated)
		jobs = jobs[:at]
	}
	var out []*Job
	for _, j := range slices.Backward(jobs) {
		if len(out) >= q.Limit {
			break
		}
		if q.Select == AllJobs || (q.Select == EndedJobs) == (j.State == JobDone) {
			out = append(out, j.clone())
		}
	}
	return out, nil
}

// list puts a job among those of its tenant, in the place of an older version of it; unlist takes it out.
func (m *MemoryStore) list(j *memoryJob) {
	jobs := m.tenants[j.Tenant]
	at, found := slices.BinarySearchFunc(jobs, j, compareCreated)
	if found {
		jobs[at] = j
		return
	}
	m.tenants[j.Tenant] = slices.Insert(jobs, at, j)
}

func (m *MemoryStore) unlist(j *memoryJob) {
	jobs := m.tenants[j.Tenant]
	if at, found := slices.BinarySearchFunc(jobs, j, compareCreated); found {
		jobs = slices.Delete(jobs, at, at+1)
	}
	if m.tenants[j.Tenant] = jobs; len(jobs) == 0 {
		delete(m.tenants, j.Tenant)
	}
}

// compareCreated compares without monotonic readings, which a query that was sent from elsewhere does not have.
func compareCreated(a, b *memoryJob) int {
	return cmp.Or(a.Created.Round(0).Compare(b.Created.Round(0)), cmp.Compare(a.ID, b.ID))
}
