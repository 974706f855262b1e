package connector

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// maxLeases is how often a lease is asked for that ended before it could be used.
const maxLeases = 5

// errLease says that no lease was granted that could be used.
var errLease = errors.New("connector: no lease, or it ended before the request could be submitted")

// lease is the tenant's permission to submit. What was submitted with it may be waited for until its window ends.
type lease struct {
	sent        time.Time // when the checkpoint was sent that it was granted for
	length      time.Duration
	rpcDeadline time.Duration
}

// running reports whether the lease still holds. The monotonic clock decides; the wall clock can only end the lease
// earlier, because the monotonic one stands still while a machine sleeps.
func (l lease) running(now time.Time) bool {
	monotonic, wall := now.Sub(l.sent), now.Round(0).Sub(l.sent.Round(0))
	return monotonic < l.length && wall < l.length
}

// windowEnd is when whatever was submitted with the lease has been answered or never will be.
func (l lease) windowEnd() time.Time { return l.sent.Add(l.length + l.rpcDeadline) }

// obtainLease sends the checkpoint that says "may have been submitted from now on" and returns with a running lease and
// the job committed. Any error means that nothing was submitted and nothing will be.
func (j *job) obtainLease() (lease, error) {
	defer j.stage("checkpoint")()
	params, err := j.sealWithin(j.early, sealPatience, wsproto.CheckpointSubmitting, 0)
	if isKeyFailure(err) {
		j.c.signing.failed()
	}
	if err != nil {
		return lease{}, err
	}
	for range maxLeases {
		l, err := j.send(j.early, params)
		if err != nil {
			return lease{}, err
		}
		// Nothing may come between these checks and the submit but the call itself.
		if err := j.c.credentials.paused(j.account); err != nil {
			return lease{}, err
		}
		if !l.running(time.Now()) {
			continue // the same checkpoint again asks for a new one
		}
		return l, j.commit()
	}
	return lease{}, errLease
}

// send sends a checkpoint, over reconnects too, until the tenant has it.
func (j *job) send(ctx context.Context, params *wsproto.CheckpointParams) (lease, error) {
	var l lease
	err := j.c.link.repeat(ctx, func(ctx context.Context, s tenant) error {
		var ack wsproto.CheckpointAck
		sent := time.Now()
		if err := s.call(ctx, wsproto.MethodCheckpoint, params, &ack); err != nil {
			return err
		}
		l = lease{sent: sent, length: time.Duration(ack.LeaseMS) * time.Millisecond, rpcDeadline: s.rpcDeadline()}
		return nil
	})
	return l, err
}

// sealPatience bounds how long an identity key that fails is tried again before anything is submitted.
const sealPatience = 10 * time.Second

// sealWithin makes the next checkpoint, with patience for a key that fails.
func (j *job) sealWithin(ctx context.Context, patience time.Duration, state wsproto.CheckpointState, requestID uint32) (
	params *wsproto.CheckpointParams, err error,
) {
	err = whileKeyFails(ctx, patience, func() error {
		params, err = j.seal(state, requestID)
		return err
	})
	return params, err
}

// seal makes the next checkpoint of this attempt.
func (j *job) seal(state wsproto.CheckpointState, requestID uint32) (*wsproto.CheckpointParams, error) {
	if j.secret == nil {
		der, err := x509.MarshalPKCS8PrivateKey(j.prepared.Key)
		if err != nil {
			return nil, fmt.Errorf("connector: the prepared key cannot be kept: %w", err)
		}
		j.secret = &wsproto.CheckpointSecret{PrivateKey: der, Request: j.prepared.Request}
	}
	if j.attempted.IsZero() {
		j.attempted = time.Now()
	}
	c, err := wsproto.SealCheckpoint(wsproto.Checkpoint{
		State: state, CA: j.order.CA, Account: j.account, RequestID: requestID, Time: j.attempted,
		Tenant: j.c.cfg.Tenant, Job: j.id, Attempt: j.attempt, Sequence: j.sequence + 1, OrderDigest: j.digest,
	}, *j.secret, j.c.cfg.Identity, j.c.readers...)
	if err != nil {
		return nil, fmt.Errorf("connector: checkpoint: %w", err)
	}
	j.sequence++
	j.keyHash = c.PublicKeyHash
	return &wsproto.CheckpointParams{Job: j.id, Attempt: j.attempt, Sequence: j.sequence, Checkpoint: *c}, nil
}
