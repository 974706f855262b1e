package wsproto

import (
	"math/rand/v2"
	"time"
)

// BackoffOptions change a [Backoff]. Zero fields mean the defaults.
type BackoffOptions struct {
	Base   time.Duration       // the first window; default 1 s
	Max    time.Duration       // the longest window; default 60 s
	Stable time.Duration       // a session that lived this long resets the window; default 60 s
	Rand   func(n int64) int64 // a random number in [0, n); default math/rand/v2
}

// Backoff decides when to dial again: after a random part of a window (full jitter) that doubles with each attempt,
// and after the unused remainder of the window before, so that there is one attempt a window on the average and
// clients that lost their gateway together do not come back together. It is not safe for concurrent use.
type Backoff struct {
	opts      BackoffOptions
	attempt   int
	remainder time.Duration
}

// NewBackoff returns a Backoff. opts may be nil.
func NewBackoff(opts *BackoffOptions) *Backoff {
	b := new(Backoff)
	if opts != nil {
		b.opts = *opts
	}
	if b.opts.Base <= 0 {
		b.opts.Base = time.Second
	}
	if b.opts.Max < b.opts.Base {
		b.opts.Max = max(time.Minute, b.opts.Base)
	}
	if b.opts.Stable <= 0 {
		b.opts.Stable = time.Minute
	}
	if b.opts.Rand == nil {
		b.opts.Rand = rand.Int64N
	}
	return b
}

// Next returns how long to wait before the next dial. lived is how long the session that ended was authenticated (zero
// when the dial failed): only a stable one resets the window. retryAfter is the wait that the gateway asked for, or
// zero; no more than an hour of it is honoured. With [ReconnectLater] at least the longest window passes first.
// [ReconnectOnce] and [ReconnectStop] are for the caller to obey.
func (b *Backoff) Next(policy Reconnect, lived, retryAfter time.Duration) time.Duration {
	if lived >= b.opts.Stable {
		b.attempt, b.remainder = 0, 0
	}
	window := b.opts.Max
	if b.attempt < 32 {
		if w := b.opts.Base << b.attempt; w > 0 && w < b.opts.Max {
			window = w
		}
		b.attempt++
	}
	jitter := time.Duration(b.opts.Rand(int64(window)))
	wait := b.remainder + jitter
	b.remainder = window - jitter
	if policy == ReconnectLater {
		wait, b.remainder = b.opts.Max+jitter, 0
	}
	if after := min(retryAfter, time.Hour); after > 0 && wait < after {
		wait, b.remainder = after+jitter, 0
	}
	return wait
}
