package tpm

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/google/go-tpm/tpm2"
)

// idleTime is how long keys and a session stay loaded that nobody uses. A session that is saved for weeks by a resource
// manager would block others (part 1, 30.5: the gap of context ids), and a bare TPM has no room for two programs.
const idleTime = 30 * time.Second

// closeTime is how long [TPM.Close] waits for a command.
const closeTime = 10 * time.Second

// TPM is a TPM 2.0. Its methods may be called from any number of goroutines: one at a time works with the TPM, the others
// wait. It keeps a session and up to two keys loaded; after half a minute without use it flushes them and hangs up.
type TPM struct {
	path   string  // that was opened
	opts   Options // without the authorization values
	auth   auths
	turn   chan struct{} // holds one token while somebody is in the exclusive section
	closed chan struct{}
	once   sync.Once
	closeE error

	// What follows belongs to who is in the exclusive section.
	wire  wire
	cache cache
	idle  *time.Timer // nil: not used yet
}

// New uses a TPM by a transport of the caller's, such as one of go-tpm's. It does no I/O. The transport belongs to the
// returned TPM; if it is an io.Closer, [TPM.Close] closes it. Options may be nil.
func New(t Transport, opts *Options) (*TPM, error) {
	if t == nil {
		return nil, errors.New("tpm: the transport is nil")
	}
	o, err := opts.checked()
	if err != nil {
		return nil, err
	}
	return newTPM(t, o, shared), nil
}

func newTPM(t Transport, o Options, r reach) *TPM {
	auth := o.auths()
	o.KeyAuth, o.OwnerAuth, o.EndorsementAuth = nil, nil, nil
	return &TPM{
		opts: o, auth: auth, turn: make(chan struct{}, 1), closed: make(chan struct{}),
		wire:  wire{transport: t, reach: r, timeout: o.Timeout, loaded: ledger{}, abort: make(chan struct{})},
		cache: newCache(o.ParentName),
	}
}

// String names the type and nothing that is inside.
func (t *TPM) String() string { return "tpm.TPM" }

// GoString is String.
func (t *TPM) GoString() string { return t.String() }

// Close ends what is under way after the command that the TPM works on, flushes whatever is loaded and closes the
// transport. It gives up a command that takes longer than ten seconds more. It can be called again, and waits then too.
// Calls after it return net.ErrClosed.
func (t *TPM) Close() error {
	t.once.Do(func() {
		close(t.closed)
		patience := time.AfterFunc(closeTime, func() { close(t.wire.abort) })
		defer patience.Stop() // after the last flush: the TPM may not answer that one either
		t.turn <- struct{}{}
		if t.idle != nil {
			t.idle.Stop()
		}
		t.empty()
		t.closeE = t.wire.close()
		<-t.turn
	})
	return t.closeE
}

// empty flushes everything that is loaded.
func (t *TPM) empty() {
	t.cache.drop()
	c := &conn{t: t, ctx: context.Background()}
	c.sweep()
}

// rest empties the TPM and hangs up, unless somebody uses it at the moment: who does has set the timer anew by the end.
func (t *TPM) rest() {
	select {
	case t.turn <- struct{}{}:
	default:
		return
	}
	defer func() { <-t.turn }()
	select {
	case <-t.closed:
	default:
		t.empty()
		t.wire.hangUp()
	}
}

// leave ends the exclusive section.
func (t *TPM) leave() {
	if t.idle == nil {
		t.idle = time.AfterFunc(idleTime, t.rest)
	} else {
		t.idle.Reset(idleTime)
	}
	<-t.turn
}

// use runs a function that has the TPM for itself. The context bounds waiting for the others, and no command is sent any
// more when it is cancelled; one that is under way is waited for. Whatever the function has made the TPM load is flushed
// afterwards, except for what is in the cache.
//
// The function is run a second time if the TPM has forgotten what was loaded, or the connection was lost: so it must be
// one that can be repeated. It must not wait for another section, such as that of a signature.
func (t *TPM) use(ctx context.Context, f func(c *conn) error) error {
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.leave()
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

// family20 is what a TPM 2.0 says of its family: "2.0" and a zero (part 2, 6.13, TPM_PT_FAMILY_INDICATOR).
const family20 = 0x322e3000

// probe asks the TPM what it is, so that something else than a TPM 2.0 is noticed.
func (t *TPM) probe() error {
	return t.use(context.Background(), func(c *conn) error {
		response, err := run(c, tpm2.GetCapability{
			Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTFamilyIndicator), PropertyCount: 1,
		})
		if err != nil {
			return err
		}
		list, err := response.CapabilityData.Data.TPMProperties()
		if err != nil || len(list.TPMProperty) == 0 || list.TPMProperty[0].Value != family20 {
			return c.malformed(errors.Join(errors.New("it does not say that it is a TPM 2.0"), err))
		}
		return nil
	})
}
