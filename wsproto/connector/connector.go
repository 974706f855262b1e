package connector

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// Connector takes jobs from a gateway and brings each to its outcome.
type Connector struct {
	cfg  Config
	opts Options

	makers  []*ecdsa.PublicKey // whose checkpoints are opened
	readers []*ecdh.PublicKey  // for whom checkpoints are encrypted
	hello   wsproto.Hello      // without a nonce
	former  formerKeys

	jobs        *jobs
	link        *link
	credentials credentials
	signing     signing
	health      health
	status      status
	registered  atomic.Bool // the registration is active: enrollment code and rotation are not needed any more
	running     atomic.Bool
	events      sync.Mutex // one call of OnEvent at a time
	configuring sync.Mutex // one assignment of CAs at a time
}

// New checks a configuration and returns a Connector. It does no I/O and starts no goroutine.
func New(cfg Config) (*Connector, error) {
	c := &Connector{cfg: cfg, opts: cfg.Options.withDefaults(), jobs: newJobs(), link: newLink(), status: newStatus()}
	c.cfg.Options = nil
	if err := c.cfg.check(&c.opts); err != nil {
		return nil, err
	}
	c.health.changed = c.status.kick
	if err := c.pin(); err != nil {
		return nil, err
	}
	err := c.former.set(c.opts.Former)
	if err != nil {
		return nil, err
	}
	if c.hello, err = c.describe(); err != nil {
		return nil, err
	}
	return c, nil
}

// pin collects the keys of this connector and of its siblings. Its own come first.
func (c *Connector) pin() error {
	if len(c.opts.Siblings) >= wsproto.MaxSealedParts {
		return fmt.Errorf("connector: configuration: more than %d siblings", wsproto.MaxSealedParts-1)
	}
	c.makers = []*ecdsa.PublicKey{c.cfg.Identity.Public().(*ecdsa.PublicKey)}
	c.readers = []*ecdh.PublicKey{c.cfg.Decryption.PublicKey()}
	for i := range c.opts.Siblings {
		keys, err := c.opts.Siblings[i].parse()
		if err != nil {
			return err
		}
		if keys.identity.Equal(c.makers[0]) || keys.decryption.Equal(c.readers[0]) {
			return fmt.Errorf("connector: configuration: sibling %q has a key of this connector", c.opts.Siblings[i].Name)
		}
		c.makers, c.readers = append(c.makers, keys.identity), append(c.readers, keys.decryption)
	}
	return nil
}

// Reload lets the credential of an account be used again after a logon failure, or every credential with the empty name.
// It is called when a person has corrected it.
func (c *Connector) Reload(account string) {
	c.credentials.reload(account)
	c.health.reloaded()
}

// Jobs returns how many jobs are in flight, those included whose outcome the tenant has not acknowledged yet.
func (c *Connector) Jobs() int { return c.jobs.count() }

// defaultCallDeadline bounds a call to a CA while no session says how long it may take.
const defaultCallDeadline = 2 * time.Minute

// callDeadline bounds a call that submits nothing.
func (c *Connector) callDeadline() time.Duration {
	if s, _ := c.link.get(); s != nil {
		return s.rpcDeadline()
	}
	return defaultCallDeadline
}

// Errors of Run.
var (
	// ErrStopped is matched when the gateway ended the connection in a way after which a connector must not come back
	// by itself, such as a revoked registration.
	ErrStopped = errors.New("connector: stopped until a person has acted")
	// ErrJobsCut is matched when jobs were in flight at the end of the grace period. Their tenant treats them like those
	// of a connector that has crashed.
	ErrJobsCut = errors.New("connector: jobs were cut")
	// ErrRunning says that Run was called twice.
	ErrRunning = errors.New("connector: Run was called twice")
)

// Run connects, takes jobs, and comes back when the connection is lost. When ctx ends it drains: it takes no new jobs,
// lets those in flight end for [Options.Grace], cuts what is left, and returns nil, or an error that matches ErrJobsCut. It
// returns an error that matches ErrStopped, and *wsproto.CloseError if a close code says so, when a person has to act.
// Run may be called once.
func (c *Connector) Run(ctx context.Context) error {
	if c.running.Swap(true) {
		return ErrRunning
	}
	life, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(errCut)
	connected, disconnect := context.WithCancel(life)
	defer disconnect()
	ended := make(chan error, 1)
	go func() { ended <- c.sessions(connected, life) }()

	var stopped error
	select {
	case stopped = <-ended:
	case <-ctx.Done():
	}
	c.jobs.drain()
	c.event(Event{State: StateDraining, Err: stopped})
	left := 0
	if stopped == nil {
		left, stopped = c.drain(life, ended)
	}
	if stopped != nil {
		left = c.jobs.count() // nothing can be delivered any more
	}
	cut(errCut)
	c.jobs.wg.Wait()
	disconnect()
	if stopped == nil {
		stopped = <-ended
	}
	if left > 0 {
		stopped = errors.Join(stopped, fmt.Errorf("%w: %d", ErrJobsCut, left))
	}
	c.event(Event{State: StateStopped, Err: stopped})
	return stopped
}

func (c *Connector) event(e Event) {
	c.events.Lock()
	defer c.events.Unlock()
	c.opts.OnEvent(e)
}

// drain tells the tenant that no new jobs are taken, and lets those in flight end. It returns how many are left, and what
// ended the sessions if that came first.
func (c *Connector) drain(life context.Context, ended chan error) (int, error) {
	ctx, cancel := context.WithTimeout(life, c.opts.Grace)
	defer cancel()
	var stopped error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		c.announceDrain(ctx)
		c.jobs.idle(ctx)
	}()
	select {
	case stopped = <-ended:
		cancel()
	case <-done:
	}
	<-done
	return c.jobs.count(), stopped
}

// announceTimeout bounds how long the end of a connector waits for a tenant that does not answer.
const announceTimeout = 5 * time.Second

// announceDrain is a courtesy: without it the tenant learns from the answers to its offers.
func (c *Connector) announceDrain(ctx context.Context) {
	s, _ := c.link.get()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	d := wsproto.Drain{Reason: "the connector stops", DeadlineMS: c.opts.Grace.Milliseconds()}
	// Whatever the answer, draining goes on.
	_ = s.call(ctx, wsproto.MethodDrain, d, nil)
}
