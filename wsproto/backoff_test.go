package wsproto_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/adcskit/adcskit/wsproto"
)

// newBackoff returns a Backoff whose random numbers are a fixed share of their bound, and the bounds it asked for.
func newBackoff(percent int64) (*wsproto.Backoff, *[]time.Duration) {
	windows := new([]time.Duration)
	return wsproto.NewBackoff(&wsproto.BackoffOptions{Rand: func(n int64) int64 {
		*windows = append(*windows, time.Duration(n))
		return n * percent / 100
	}}), windows
}

func TestBackoffWindowsDoubleToTheirMaximum(t *testing.T) {
	b, windows := newBackoff(50)
	for range 80 {
		b.Next(wsproto.ReconnectBackoff, 0, 0)
	}
	s := time.Second
	assert.Equal(t, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s}, (*windows)[:8])
	assert.Equal(t, 60*s, (*windows)[79])
}

func TestBackoffWaitsOutTheRemainder(t *testing.T) {
	b, _ := newBackoff(25)
	assert.Equal(t, 250*time.Millisecond, b.Next(wsproto.ReconnectBackoff, 0, 0))
	assert.Equal(t, 750*time.Millisecond+500*time.Millisecond, b.Next(wsproto.ReconnectBackoff, 0, 0))
	assert.Equal(t, 1500*time.Millisecond+time.Second, b.Next(wsproto.ReconnectBackoff, 0, 0))
}

func TestBackoffIsResetByAStableSessionOnly(t *testing.T) {
	b, windows := newBackoff(0)
	b.Next(wsproto.ReconnectBackoff, 0, 0)
	b.Next(wsproto.ReconnectBackoff, 59*time.Second, 0)
	b.Next(wsproto.ReconnectBackoff, time.Minute, 0)
	assert.Equal(t, []time.Duration{time.Second, 2 * time.Second, time.Second}, *windows)
}

func TestBackoffLaterAndRetryAfter(t *testing.T) {
	b, _ := newBackoff(50)
	assert.Equal(t, 60500*time.Millisecond, b.Next(wsproto.ReconnectLater, 0, 0))
	assert.Equal(t, 31*time.Second, b.Next(wsproto.ReconnectBackoff, 0, 30*time.Second), "and the jitter, so that not all come at once")
	assert.Equal(t, time.Hour+2*time.Second, b.Next(wsproto.ReconnectBackoff, 0, 1000*time.Hour), "an hour at most")
	assert.Equal(t, 4*time.Second, b.Next(wsproto.ReconnectBackoff, 0, time.Second), "longer anyhow")
}

func TestBackoffDefaultsAreInTheWindow(t *testing.T) {
	b := wsproto.NewBackoff(nil)
	for i := range 10 {
		wait := b.Next(wsproto.ReconnectBackoff, time.Hour, 0)
		assert.GreaterOrEqual(t, wait, time.Duration(0), i)
		assert.Less(t, wait, time.Second, i)
	}
}

func TestCloseCodes(t *testing.T) {
	seen := map[wsproto.CloseCode]bool{}
	last := wsproto.CloseCode(0)
	for _, info := range wsproto.CloseCodes() {
		assert.Greater(t, info.Code, last, "ascending, each once")
		last, seen[info.Code] = info.Code, true
		assert.Equal(t, info, info.Code.Info())
		assert.Contains(t, info.Code.String(), info.Name)
	}
	unknown := wsproto.CloseCode(4999).Info()
	assert.Equal(t, wsproto.ReconnectBackoff, unknown.Reconnect)
	assert.Equal(t, "4999 (unknown)", wsproto.CloseCode(4999).String())
}
