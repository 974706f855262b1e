package adcstest

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxReplays bounds the authenticators that are remembered; a client needs a ticket to add one.
const maxReplays = 1 << 18

// replayCache remembers authenticators for as long as their time is acceptable, so that none is used twice (RFC 4120
// section 3.2.3). It is safe for concurrent use.
type replayCache struct {
	mu             sync.Mutex
	current, older map[[sha256.Size]byte]struct{}
	since          time.Time // when current was begun
}

// first reports whether an authenticator, encrypted as it came, is seen for the first time. It is false too when there
// is no room left to remember it.
func (c *replayCache) first(authenticator []byte, now time.Time) bool {
	sum := sha256.Sum256(authenticator)
	c.mu.Lock()
	defer c.mu.Unlock()
	// An authenticator is acceptable for twice the skew at most: from that far ahead of the clock to that far behind.
	if age := now.Sub(c.since); c.current == nil || age > 2*maxSkew || age < -2*maxSkew {
		c.older, c.current, c.since = c.current, map[[sha256.Size]byte]struct{}{}, now
	}
	if _, seen := c.current[sum]; seen {
		return false
	}
	if _, seen := c.older[sum]; seen || len(c.current) >= maxReplays {
		return false
	}
	c.current[sum] = struct{}{}
	return true
}
