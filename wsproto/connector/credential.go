package connector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// logonPause is how long nothing uses a credential after a logon failure: domains lock accounts after a few of them.
const logonPause = time.Hour

// askAgain is the longest time after which a tenant is told to ask again for work that waits for a credential. A person
// may mend it at any moment, and an offer that is refused for it costs nobody a logon.
const askAgain = time.Minute

// pausedError says that a credential is stopped.
type pausedError struct {
	account string
	left    time.Duration
}

func (e *pausedError) Error() string {
	return fmt.Sprintf("connector: the account %q is not used for %v more, after a failed logon; reload the credential once it is corrected",
		e.account, e.left.Round(time.Second))
}

// retry is when the tenant should ask again.
func (e *pausedError) retry() time.Duration { return min(e.left+time.Millisecond, askAgain) }

// credentials says which credential may be used now. Until a credential has worked at a CA, one call at a time uses it
// there, so that a wrong password fails once and not once for every job in flight.
type credentials struct {
	mu       sync.Mutex
	accounts map[string]*account
}

type account struct {
	pausedUntil time.Time
	generation  int // grows when what is known about the credential is forgotten; older permits then prove nothing
	gates       map[wsproto.CAAssignment]*gate
}

// gate lets one call through until one has worked.
type gate struct {
	proven bool
	busy   bool
	freed  chan struct{} // closed when busy ends
}

// permit is the right to make one call. Its holder calls done exactly once.
type permit struct {
	c          *credentials
	account    string
	generation int
	gate       *gate
	holds      bool
}

// acquire waits until the credential may be used at the CA. It fails with *pausedError or the cause of ctx.
func (c *credentials) acquire(ctx context.Context, name string, ca wsproto.CAAssignment) (*permit, error) {
	for {
		p, freed, err := c.try(name, ca)
		if p != nil || err != nil {
			return p, err
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// try returns a permit, or what to wait for.
func (c *credentials) try(name string, ca wsproto.CAAssignment) (*permit, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.get(name)
	if left := time.Until(a.pausedUntil); left > 0 {
		return nil, nil, &pausedError{account: name, left: left}
	}
	g := a.gates[ca]
	if g == nil {
		g = new(gate)
		a.gates[ca] = g
	}
	p := &permit{c: c, account: name, generation: a.generation, gate: g}
	if g.proven {
		return p, nil, nil
	}
	if g.busy {
		return nil, g.freed, nil
	}
	g.busy, g.freed, p.holds = true, make(chan struct{}), true
	return p, nil, nil
}

func (c *credentials) get(name string) *account {
	if c.accounts == nil {
		c.accounts = make(map[string]*account)
	}
	a := c.accounts[name]
	if a == nil {
		a = &account{gates: make(map[wsproto.CAAssignment]*gate)}
		c.accounts[name] = a
	}
	return a
}

// paused returns a *pausedError while the credential is stopped.
func (c *credentials) paused(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if left := time.Until(c.get(name).pausedUntil); left > 0 {
		return &pausedError{account: name, left: left}
	}
	return nil
}

// reload ends the pause of one credential, or of all with the empty name, and lets it be tried anew, one call at a time.
func (c *credentials) reload(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, a := range c.accounts {
		if name == "" || n == name {
			a.reset(time.Time{})
		}
	}
}

func (a *account) reset(pausedUntil time.Time) {
	a.pausedUntil = pausedUntil
	a.generation++
	for _, g := range a.gates {
		g.proven = false
	}
}

// use says how a call went that had a permit.
type use int

const (
	useNone    use = iota // no call was made, or nothing is known
	useWorked             // the CA accepted the credential
	useRefused            // the CA did not accept it
)

func (p *permit) done(u use) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if a := p.c.get(p.account); a.generation == p.generation {
		switch u {
		case useWorked:
			p.gate.proven = true
		case useRefused:
			a.reset(time.Now().Add(logonPause))
		case useNone:
		}
	}
	if p.holds {
		p.holds, p.gate.busy = false, false
		close(p.gate.freed)
	}
}
