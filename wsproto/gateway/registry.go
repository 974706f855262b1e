package gateway

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// CodeOptions are what the tenant may say about an enrollment code. Nil is all defaults.
type CodeOptions struct {
	// CAs are assigned to the connector that registers with the code. Without any it gets no jobs until [Gateway.Assign].
	CAs []wsproto.CAAssignment
	// Life is how long the code is good for; zero is Timing.Code, which also bounds it.
	Life time.Duration
}

// NewEnrollmentCode makes a code with which one connector registers, and returns when it ends. Only a hash is stored. The
// connector gets jobs for the CAs in opts, and none while no CA is assigned to it.
func (g *Gateway) NewEnrollmentCode(ctx context.Context, tenant string, opts *CodeOptions) (wsproto.EnrollmentCode, time.Time, error) {
	var o CodeOptions
	if opts != nil {
		o = *opts
	}
	if err := g.open(); err != nil {
		return wsproto.EnrollmentCode{}, time.Time{}, err
	}
	if err := checkCAs(o.CAs); err != nil {
		return wsproto.EnrollmentCode{}, time.Time{}, err
	}
	key, err := g.tenantKey(ctx, tenant)
	if err != nil {
		return wsproto.EnrollmentCode{}, time.Time{}, err
	}
	fingerprint, err := wsproto.FingerprintKey(key.Public())
	if err != nil {
		return wsproto.EnrollmentCode{}, time.Time{}, fmt.Errorf("gateway: the key of the tenant: %w", err)
	}
	life := g.timing.Code
	if o.Life > 0 {
		life = min(life, o.Life)
	}
	code := wsproto.NewEnrollmentCode(fingerprint)
	expires := time.Now().Add(life)
	err = g.cfg.Store.PutCode(ctx, &Code{
		Tenant: tenant, ID: code.ID(), Verifier: code.Hash(), Expires: expires, CAs: slices.Clone(o.CAs),
	})
	if err != nil {
		return wsproto.EnrollmentCode{}, time.Time{}, err
	}
	return code, expires, nil
}

func (g *Gateway) tenantKey(ctx context.Context, tenant string) (crypto.Signer, error) {
	key, err := g.cfg.TenantKey(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("gateway: the key of the tenant: %w", err)
	}
	if key == nil {
		return nil, errors.New("gateway: the tenant has no key")
	}
	return key, nil
}

func checkCAs(cas []wsproto.CAAssignment) error {
	if err := (&wsproto.Configure{CAs: cas}).Validate(); err != nil {
		return fmt.Errorf("gateway: assigning CAs: %w", err)
	}
	return nil
}

// ConnectorInfo is what a tenant can know about a connector, and what a person sees who approves it.
type ConnectorInfo struct {
	ID          string // the fingerprint of its identity key: SHA-256, hexadecimal
	State       wsproto.RegistrationState
	Connected   bool
	Host        string
	OS          string
	Software    string
	Source      string // network address it last came from
	Attestation string // level: LevelVerified, LevelUnverified or LevelSoftware
	// Detail says more about the level, for people; it may be empty. Evidence is the hexadecimal SHA-256 of the
	// evidence that it was proved by, empty if none was.
	Detail     string
	Evidence   string
	Capacity   int
	InFlight   int
	Registered time.Time
	LastSeen   time.Time
	CAs        []wsproto.CAAssignment
	Health     []wsproto.CAHealth // as it last said
	// Successor is the connector whose keys have replaced this one's; it is revoked then. Predecessor is the one whose keys
	// it has replaced. Both are empty as a rule.
	Successor   string
	Predecessor string
}

// Connectors returns the connectors of a tenant, ordered by id.
func (g *Gateway) Connectors(ctx context.Context, tenant string) ([]ConnectorInfo, error) {
	if err := g.open(); err != nil {
		return nil, err
	}
	all, err := g.cfg.Store.Connectors(ctx, tenant)
	if err != nil {
		return nil, err
	}
	out := make([]ConnectorInfo, len(all))
	for i, c := range all {
		held, err := g.cfg.Store.HeldJobs(ctx, tenant, c.ID)
		if err != nil {
			return nil, err
		}
		out[i] = ConnectorInfo{
			ID: c.ID, State: c.State, Connected: g.connected(c, time.Now()), Host: c.Host, OS: c.OS, Software: c.Software,
			Source: c.Source, Attestation: c.Attestation, Capacity: c.Capacity, InFlight: len(held),
			Registered: c.Registered, LastSeen: c.Seen, CAs: c.CAs, Health: c.Status.CAs,
			Detail: c.AttestationDetail, Evidence: hex.EncodeToString(c.Evidence),
			Successor: c.Successor, Predecessor: c.Predecessor,
		}
		if s := g.session(tenant, c.ID); s != nil {
			out[i].Health = s.health(c.Status.CAs) // newer than what is written now and then
		}
	}
	return out, nil
}

// Assign gives a connector the CAs that it serves, in place of those it had. Jobs in flight finish where they are.
func (g *Gateway) Assign(ctx context.Context, tenant, connector string, cas []wsproto.CAAssignment) error {
	if err := checkCAs(cas); err != nil {
		return err
	}
	return g.alter(ctx, tenant, connector, func(c *Connector) error {
		if err := c.replaced(); err != nil {
			return err
		}
		c.CAs = slices.Clone(cas)
		c.Revision++
		return nil
	})
}

// Approve makes a connector active: one whose registration is pending, or that was revoked. It also accepts that the
// connector was installed anew with the same key. A connector that came without an enrollment code has no CAs: it gets no
// jobs until [Gateway.Assign]. One whose keys were replaced stays revoked: ErrConflict.
func (g *Gateway) Approve(ctx context.Context, tenant, connector string) error {
	return g.alter(ctx, tenant, connector, func(c *Connector) error {
		if err := c.replaced(); err != nil {
			return err
		}
		c.State = wsproto.StateActive
		if !g.connected(c, time.Now()) {
			c.Instance = ""
		}
		return nil
	})
}

// Reject refuses a pending registration for good. A connector that is not pending is not changed, and ErrConflict returned.
func (g *Gateway) Reject(ctx context.Context, tenant, connector string) error {
	return g.alter(ctx, tenant, connector, func(c *Connector) error {
		if c.State != wsproto.StatePending {
			return fmt.Errorf("%w: the registration is %s, not pending", ErrConflict, c.State)
		}
		c.State = wsproto.StateRevoked
		return nil
	})
}

// Revoke ends the trust in a connector: its connection is closed with 4403, and what it sends is refused from now on. Its
// jobs are offered to others as if it had vanished. Its record stays, so that its key is refused for good; [Gateway.Delete]
// forgets it. One whose keys were replaced is revoked already, and ErrConflict returned: its successor is what to revoke.
func (g *Gateway) Revoke(ctx context.Context, tenant, connector string) error {
	return g.alter(ctx, tenant, connector, func(c *Connector) error {
		if err := c.replaced(); err != nil {
			return err
		}
		c.State = wsproto.StateRevoked
		return nil
	})
}

// Reattest makes a connector prove where its keys are when it connects next, though it has proved it before: for when the
// verifier does not trust any more what it trusted then. [Gateway.DrainConnector] makes it connect soon. A level that
// falls is an alarm, and the policy decides as always.
func (g *Gateway) Reattest(ctx context.Context, tenant, connector string) error {
	return g.alter(ctx, tenant, connector, func(c *Connector) error {
		c.Evidence = nil
		return nil
	})
}

// replaced returns an error if another connector has taken over from this one.
func (c *Connector) replaced() error {
	if c.Successor == "" {
		return nil
	}
	return fmt.Errorf("%w: the keys of the connector were replaced; it is %s now", ErrConflict, c.Successor)
}

// alter changes a connector and lets its session know.
func (g *Gateway) alter(ctx context.Context, tenant, connector string, f func(*Connector) error) error {
	if err := g.open(); err != nil {
		return err
	}
	c, err := g.changeConnector(ctx, tenant, connector, f)
	if err != nil {
		return err
	}
	if s := g.session(tenant, connector); s != nil {
		if c.State == wsproto.StateRevoked {
			s.bar() // at once; closing it takes a while
		}
		s.look()
	}
	return nil
}

// changeConnector reads a connector, lets f change it, and puts it back; when somebody else was faster it begins again.
func (g *Gateway) changeConnector(ctx context.Context, tenant, id string, f func(*Connector) error) (*Connector, error) {
	for {
		c, err := g.cfg.Store.Connector(ctx, tenant, id)
		if err != nil {
			return nil, err
		}
		if err := f(c); err != nil {
			return c, err
		}
		switch err := g.cfg.Store.PutConnector(ctx, c); {
		case err == nil:
			return c, nil
		case !errors.Is(err, ErrConflict):
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
}
