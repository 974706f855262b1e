package adcs

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// WaitOptions say how [Client.Wait] polls. Nil and the zero value of each field mean the defaults.
type WaitOptions struct {
	// First is the time between the first two questions; it grows by half with each. Zero means 5 seconds.
	First time.Duration

	// Longest bounds the time between two questions. Zero means 5 minutes.
	Longest time.Duration

	// For bounds the time until the last question, which Options.Timeout bounds. If its answer is pending too, it is what
	// Wait returns. Zero means a day.
	For time.Duration
}

const (
	defaultFirst   = 5 * time.Second
	defaultLongest = 5 * time.Minute
	defaultFor     = 24 * time.Hour

	// maxFailures is how many questions in a row may fail before Wait gives up: a CA that is restarted comes back.
	maxFailures = 5
)

func (o *WaitOptions) withDefaults() WaitOptions {
	var d WaitOptions
	if o != nil {
		d = *o
	}
	if d.First <= 0 {
		d.First = defaultFirst
	}
	if d.Longest <= 0 {
		d.Longest = defaultLongest
	}
	if d.For <= 0 {
		d.For = defaultFor
	}
	return d
}

// Wait retrieves a pending request until the CA has decided, or until WaitOptions.For is over; the result is then still
// Pending. There is no way for a CA to report a decision, so it asks again and again, ever less often, at times that
// are a little random.
//
// Errors are those of [Client.Retrieve], at once for a refusal, [ErrNotOwner], a refused logon and the end of ctx or
// client, and after a few in a row for the others, and for a CA that says that it is suspended or busy.
func (c *Client) Wait(ctx context.Context, requestID uint32, opts *WaitOptions) (*Result, error) {
	return poll(ctx, c.pool.done, opts.withDefaults(), func(ctx context.Context) (*Result, error) {
		return c.Retrieve(ctx, requestID)
	})
}

// poll does the work of Wait. It ends with ctx and, as closed, with closing.
func poll(ctx, closing context.Context, o WaitOptions, ask func(context.Context) (*Result, error)) (*Result, error) {
	end := time.Now().Add(o.For)
	pause, failures := o.First, 0
	for {
		result, err := ask(ctx)
		switch {
		case err == nil && result.Disposition != Pending:
			return result, nil
		case err == nil:
			failures = 0
		case final(err) || ctx.Err() != nil:
			return nil, err
		default:
			if failures++; failures == maxFailures {
				return nil, err
			}
		}
		left := time.Until(end)
		if left <= 0 {
			return result, err
		}
		// A quarter of randomness keeps many that began together from staying together.
		wait := min(pause-pause/8+rand.N(pause/4+1), left)
		if err := sleep(ctx, closing, wait); err != nil {
			return nil, err
		}
		pause = min(pause+pause/2, o.Longest)
	}
}

// final reports whether asking again would be of no use.
func final(err error) bool {
	var refused *RequestError
	return errors.As(err, &refused) && !passing(refused) || errors.Is(err, ErrLogon) || errors.Is(err, ErrInvalidRequest) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, ErrNotOwner)
}

// passing reports whether a refusal is about the state of the CA, and not about the request.
func passing(refused *RequestError) bool {
	return slices.ContainsFunc([]HResult{ErrServerSuspended, ErrNoDBSessions, ErrServerUnavailable}, func(c HResult) bool {
		return errors.Is(refused, c)
	})
}

func sleep(ctx, closing context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return assoc.Ended(ctx)
	case <-closing.Done():
		return net.ErrClosed
	}
}
