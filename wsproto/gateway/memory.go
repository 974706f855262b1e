package gateway

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// Bounds of a MemoryStore.
const (
	maxMemoryJobs       = 100_000
	maxMemoryConnectors = 20_000
	maxMemoryCodes      = 10_000
)

// A MemoryStore is a Store in memory, for one process that may forget: tests, trials, and gateways whose tenants order
// again. It holds at most 100,000 jobs, 20,000 connectors and 10,000 enrollment codes. It is safe for concurrent use.
type MemoryStore struct {
	mu         sync.Mutex
	jobs       map[key]*memoryJob
	queues     map[queue][]*memoryJob
	held       map[key]map[*memoryJob]struct{}
	sealed     map[sealedKey][]*memoryJob // by ID
	tenants    map[string][]*memoryJob    // by (Created, ID)
	due        dueHeap
	connectors map[string]map[string]*Connector
	nConnector int
	codes      map[key]*Code
}

type key struct{ tenant, id string }

// sealedKey is a decryption key that checkpoints of a tenant are encrypted to.
type sealedKey struct {
	tenant string
	key    wsproto.Fingerprint
}

type queue struct {
	tenant string
	ca     wsproto.CAAssignment
}

// memoryJob is a job with its place in the heap of due jobs, -1 if it is not there.
type memoryJob struct {
	Job
	place int
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{
		jobs:       make(map[key]*memoryJob),
		queues:     make(map[queue][]*memoryJob),
		held:       make(map[key]map[*memoryJob]struct{}),
		sealed:     make(map[sealedKey][]*memoryJob),
		tenants:    make(map[string][]*memoryJob),
		connectors: make(map[string]map[string]*Connector),
		codes:      make(map[key]*Code),
	}
}

// Job implements [JobStore].
func (m *MemoryStore) Job(_ context.Context, tenant, id string) (*Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j, ok := m.jobs[key{tenant, id}]
	if !ok {
		return nil, fmt.Errorf("%w: job %s", ErrNotFound, id)
	}
	return j.clone(), nil
}

// PutJob implements [JobStore].
func (m *MemoryStore) PutJob(_ context.Context, job *Job) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := key{job.Tenant, job.ID}
	var stored int64
	old, ok := m.jobs[k]
	if ok {
		stored = old.Version
	}
	if err := admit(job.Version, stored, len(m.jobs), maxMemoryJobs); err != nil {
		return fmt.Errorf("%w: job %s", err, job.ID)
	}
	job.Version++
	kept := &memoryJob{Job: *job.clone(), place: -1}
	if ok {
		m.unlink(old)
		if compareCreated(old, kept) != 0 {
			m.unlist(old)
		}
	}
	m.jobs[k] = kept
	m.link(kept)
	m.list(kept)
	return nil
}

// admit applies the rule of Put. The version of a record that is not there is zero.
func admit(version, stored int64, count, limit int) error {
	switch {
	case version != stored:
		return ErrConflict
	case stored == 0 && count >= limit:
		return ErrFull
	}
	return nil
}

// DeleteJob implements [JobStore].
func (m *MemoryStore) DeleteJob(_ context.Context, tenant, id string, version int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	j, ok := m.jobs[key{tenant, id}]
	switch {
	case !ok:
		return fmt.Errorf("%w: job %s", ErrNotFound, id)
	case j.Version != version:
		return fmt.Errorf("%w: job %s", ErrConflict, id)
	}
	m.unlink(j)
	m.unlist(j)
	delete(m.jobs, key{tenant, id})
	return nil
}

// QueuedJobs implements [JobStore].
func (m *MemoryStore) QueuedJobs(_ context.Context, q QueueQuery) ([]*Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	jobs := m.queues[queue{q.Tenant, q.CA}]
	start := 0
	if q.AfterID != "" {
		after := &memoryJob{Job: Job{NotBefore: q.AfterTime, ID: q.AfterID}}
		at, found := slices.BinarySearchFunc(jobs, after, compareQueued)
		if start = at; found {
			start++
		}
	}
	var out []*Job
	for _, j := range jobs[start:] {
		if len(out) >= q.Limit || j.NotBefore.After(q.Before) {
			break
		}
		out = append(out, j.clone())
	}
	return out, nil
}

// HeldJobs implements [JobStore].
func (m *MemoryStore) HeldJobs(_ context.Context, tenant, connector string) ([]*Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Job
	for j := range m.held[key{tenant, connector}] {
		out = append(out, j.clone())
	}
	return out, nil
}

// SealedJobs implements [JobStore].
func (m *MemoryStore) SealedJobs(_ context.Context, q SealedQuery) ([]*Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	jobs := m.sealed[sealedKey{q.Tenant, q.Key}]
	if q.AfterID != "" {
		at, found := slices.BinarySearchFunc(jobs, q.AfterID, compareSealed)
		if found {
			at++
		}
		jobs = jobs[at:]
	}
	var out []*Job
	for _, j := range jobs[:min(q.Limit, len(jobs))] {
		out = append(out, j.clone())
	}
	return out, nil
}

// DueJobs implements [JobStore].
func (m *MemoryStore) DueJobs(_ context.Context, now time.Time, limit int) ([]*Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var taken []*memoryJob
	for len(taken) < limit && len(m.due) > 0 && !m.due[0].Due.After(now) {
		taken = append(taken, heap.Pop(&m.due).(*memoryJob))
	}
	out := make([]*Job, len(taken))
	for i, j := range taken {
		heap.Push(&m.due, j)
		out[i] = j.clone()
	}
	return out, nil
}

// link puts a job into the indexes, unlink takes it out.
func (m *MemoryStore) link(j *memoryJob) {
	switch j.State {
	case JobQueued:
		q := queue{j.Tenant, j.CA}
		at, _ := slices.BinarySearchFunc(m.queues[q], j, compareQueued)
		m.queues[q] = slices.Insert(m.queues[q], at, j)
	case JobOffered, JobRunning:
		k := key{j.Tenant, j.Connector}
		if m.held[k] == nil {
			m.held[k] = make(map[*memoryJob]struct{})
		}
		m.held[k][j] = struct{}{}
	}
	for _, k := range j.sealedKeys() {
		if at, found := slices.BinarySearchFunc(m.sealed[k], j.ID, compareSealed); !found {
			m.sealed[k] = slices.Insert(m.sealed[k], at, j)
		}
	}
	if !j.Due.IsZero() {
		heap.Push(&m.due, j)
	}
}

// sealedKeys are the keys by which SealedJobs finds the job; a key may be named twice.
func (j *memoryJob) sealedKeys() []sealedKey {
	if j.State == JobDone || j.Checkpoint == nil {
		return nil
	}
	var out []sealedKey
	for _, part := range j.Checkpoint.Sealed {
		if k := (sealedKey{tenant: j.Tenant}); len(part.Key) == len(k.key) {
			copy(k.key[:], part.Key)
			out = append(out, k)
		}
	}
	return out
}

func (m *MemoryStore) unlink(j *memoryJob) {
	switch j.State {
	case JobQueued:
		q := queue{j.Tenant, j.CA}
		if at, found := slices.BinarySearchFunc(m.queues[q], j, compareQueued); found {
			m.queues[q] = slices.Delete(m.queues[q], at, at+1)
		}
		if len(m.queues[q]) == 0 {
			delete(m.queues, q)
		}
	case JobOffered, JobRunning:
		k := key{j.Tenant, j.Connector}
		if delete(m.held[k], j); len(m.held[k]) == 0 {
			delete(m.held, k)
		}
	}
	for _, k := range j.sealedKeys() {
		if at, found := slices.BinarySearchFunc(m.sealed[k], j.ID, compareSealed); found {
			m.sealed[k] = slices.Delete(m.sealed[k], at, at+1)
		}
		if len(m.sealed[k]) == 0 {
			delete(m.sealed, k)
		}
	}
	if j.place >= 0 {
		heap.Remove(&m.due, j.place)
	}
}

func compareQueued(a, b *memoryJob) int {
	return cmp.Or(a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.ID, b.ID))
}

func compareSealed(j *memoryJob, id string) int { return cmp.Compare(j.ID, id) }

// dueHeap is a heap of jobs, the earliest Due on top.
type dueHeap []*memoryJob

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(a, b int) bool { return h[a].Due.Before(h[b].Due) }
func (h dueHeap) Swap(a, b int) {
	h[a], h[b] = h[b], h[a]
	h[a].place, h[b].place = a, b
}

// Push and Pop are for container/heap.
func (h *dueHeap) Push(x any) {
	j := x.(*memoryJob)
	j.place = len(*h)
	*h = append(*h, j)
}

func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	j := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	j.place = -1
	return j
}
