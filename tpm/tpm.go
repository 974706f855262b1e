package tpm

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/google/go-tpm/tpm2"
)

// TPM is a TPM 2.0. Its methods may be called from any number of goroutines: one at a time works with the TPM, the others
// wait. It holds a session and two keys loaded while it is used; after half a minute without use it flushes them.
type TPM struct {
	opts   Options
	turn   chan struct{} // holds one token while somebody is in the exclusive section
	closed chan struct{}
	once   sync.Once
	closeE error

	// What follows belongs to who is in the exclusive section.
	wire  wire
	cache cache
}

// New uses a TPM by a transport of the caller's, such as one of go-tpm's. It does no I/O. The transport belongs to the
// returned TPM; if it is an io.Closer, [TPM.Close] closes it. Options may be nil.
func New(t Transport, opts *Options) (*TPM, error) {
	o, err := opts.checked()
	if err != nil {
		return nil, err
	}
	return newTPM(t, o, shared), nil
}

func newTPM(t Transport, o Options, r reach) *TPM {
	return &TPM{
		opts: o, turn: make(chan struct{}, 1), closed: make(chan struct{}),
		wire:  wire{transport: t, reach: r, timeout: o.Timeout, loaded: ledger{}},
		cache: newCache(o.ParentName),
	}
}

// Close ends what is under way after the command that the TPM works on, flushes whatever is loaded and closes the
// transport. It can be called again, and waits then too. Calls after it return net.ErrClosed.
func (t *TPM) Close() error {
	t.once.Do(func() {
		close(t.closed)
		t.turn <- struct{}{}
		t.cache.drop()
		c := &conn{t: t, ctx: context.Background(), closing: true}
		c.sweep()
		t.closeE = t.wire.close()
		<-t.turn
	})
	return t.closeE
}

// use runs a function that has the TPM for itself. The context bounds waiting for the others, and no command is sent any
// more when it is cancelled; one that is under way is waited for. Whatever the function has made the TPM load is flushed
// afterwards, except for what is in the cache.
//
// The function is run a second time if the TPM has forgotten what was loaded, or the connection was lost: so it must be
// one that can be repeated.
func (t *TPM) use(ctx context.Context, f func(c *conn) error) error {
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer func() { <-t.turn }()
	err := t.attempt(ctx, f)
	if forgotten(err) && ctx.Err() == nil {
		t.cache.drop()
		err = t.attempt(ctx, f)
	}
	return err
}

// enter waits for the exclusive section.
func (t *TPM) enter(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.closed:
		return net.ErrClosed
	}
	select {
	case <-t.closed:
	default:
		err := context.Cause(ctx)
		if err == nil {
			return nil
		}
		<-t.turn
		return err
	}
	<-t.turn
	return net.ErrClosed
}

func (t *TPM) attempt(ctx context.Context, f func(c *conn) error) error {
	c := &conn{t: t, ctx: ctx}
	defer c.sweep()
	if err := c.reclaimLost(); err != nil {
		return err
	}
	return f(c)
}

// probe asks the TPM a question, so that something else than a TPM 2.0 is noticed.
func (t *TPM) probe() error {
	return t.use(context.Background(), func(c *conn) error {
		_, err := run(c, tpm2.GetCapability{
			Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTFamilyIndicator), PropertyCount: 1,
		})
		return err
	})
}

// pause waits between attempts. It is false when the context is cancelled or the TPM closed meanwhile.
func (t *TPM) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-t.closed:
	}
	return false
}
