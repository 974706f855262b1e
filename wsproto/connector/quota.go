package connector

import (
	"sync"
	"time"
)

// quota counts what was taken within any window of a fixed length. It keeps the time of each, so that the bound holds
// for every window and not only for those that begin at a full hour.
type quota struct {
	window time.Duration
	max    int

	mu   sync.Mutex
	ring []time.Time // the last max times, grown on demand
	next int         // the oldest, once the ring is full
}

func newQuota(limit int, window time.Duration) *quota {
	return &quota{window: window, max: limit}
}

func (q *quota) limit() int { return q.max }

// take counts one more, unless that would be too many.
func (q *quota) take(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ring) < q.max {
		q.ring = append(q.ring, now)
		return true
	}
	if q.max == 0 || now.Sub(q.ring[q.next]) < q.window {
		return false
	}
	q.ring[q.next] = now
	q.next = (q.next + 1) % q.max
	return true
}
