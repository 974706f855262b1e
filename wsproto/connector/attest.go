package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// evidenceTimeout bounds how long the hardware may take to say what it is: some make a key for it first.
const evidenceTimeout = 2 * time.Minute

// ErrAttester is matched by the error of an [Event] when the [Attester] failed. The connection is tried again.
var ErrAttester = errors.New("connector: the keys cannot be attested now")

// evidence is asked for before the gateway is dialled, which waits for nobody's hardware.
func (c *Connector) evidence(ctx context.Context) (json.RawMessage, error) {
	if c.opts.Attester == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	evidence, err := c.opts.Attester.Evidence(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAttester, err)
	}
	return evidence, nil
}

// activation answers credentials, if the tenant wants proof.
func (c *Connector) activation(ctx context.Context, credentials json.RawMessage) (json.RawMessage, error) {
	if c.opts.Attester == nil || len(credentials) == 0 {
		return nil, nil
	}
	activation, err := c.opts.Attester.Activate(ctx, credentials)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAttester, err)
	}
	return activation, nil
}

// isKeyFailure reports whether this connector's own keys are in the way: they may work again later, and nothing is wrong
// with the tenant.
func isKeyFailure(err error) bool {
	_, failed := errors.AsType[*wsproto.KeyError](err)
	return failed || errors.Is(err, ErrAttester)
}

// provePatience bounds how long a key that fails is tried again while a session waits for its proof.
const provePatience = 5 * time.Second

// proveAgain proves the key in a running session, which is worth more than one try.
func (s *session) proveAgain(ctx context.Context, m *wsproto.SignedChallenge) (auth *wsproto.Authenticate, err error) {
	err = whileKeyFails(ctx, provePatience, func() error {
		auth, err = s.prove(ctx, m, true)
		return err
	})
	return auth, err
}

// whileKeyFails repeats f as long as the connector's own keys are in the way, for as long as patience says; zero is until
// ctx ends. It returns what f returned last, or the cause of ctx.
func whileKeyFails(ctx context.Context, patience time.Duration, f func() error) error {
	backoff := wsproto.NewBackoff(nil)
	begin := time.Now()
	for {
		err := f()
		if !isKeyFailure(err) || patience > 0 && time.Since(begin) >= patience {
			return err
		}
		timer := time.NewTimer(backoff.Next(wsproto.ReconnectBackoff, 0, 0))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(context.Cause(ctx), err)
		}
	}
}
