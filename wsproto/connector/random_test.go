package connector_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/sealed"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

const (
	randomWorlds  = 12
	randomOrders  = 12
	randomMinutes = 20
)

// TestRandomWorlds lets three connectors, two of them siblings, work through orders while connections are cut, networks
// fall silent, processes are killed and gateways restart. Afterwards everything is healed, and each order is held against
// the CA's database.
func TestRandomWorlds(t *testing.T) {
	for seed := range worlds(randomWorlds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomWorld(t, rand.New(rand.NewPCG(seed, 2026)), false) })
	}
}

// TestRandomWorldsWithHardware has the keys in hardware that fails and comes back, and rotates them.
func TestRandomWorldsWithHardware(t *testing.T) {
	for seed := range worlds(randomWorlds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomWorld(t, rand.New(rand.NewPCG(seed, 2027)), true) })
	}
}

func randomWorld(t *testing.T, r *rand.Rand, hardware bool) {
	inWorld(t, func(w *world) {
		var locked sync.Mutex // r is used by the CA too
		random := func(n int) int {
			locked.Lock()
			defer locked.Unlock()
			return r.IntN(n)
		}
		w.ca.decide = func(*connector.Order) behaviour {
			return behaviour{
				pend: random(4) == 0, deny: random(8) == 0, delay: time.Duration(random(20)) * time.Second,
				lost: []loss{lossNone, lossNone, lossNone, lossNone, lossBefore, lossAfter, lossUnsent, lossForever}[random(8)],
			}
		}
		w.approveLater(flow{approved: true})
		nodes := []*node{w.newNode(), w.newNode(), w.newNode()}
		events := 8
		if hardware {
			events = 12
			for i, n := range nodes {
				n.equip(fmt.Sprint(i))
			}
		}
		nodes[0].opts.Siblings, nodes[1].opts.Siblings = []connector.Sibling{nodes[1].sibling()}, []connector.Sibling{nodes[0].sibling()}
		nodes[1].finds = true
		var nets []*network
		var processes []*running
		for _, n := range nodes {
			net := newNetwork()
			nets = append(nets, net)
			server := w.server
			w.done.Go(func() { server.Serve(net) })
			n.dial = net.webSocket
			n.opts.Grace = time.Nanosecond
			processes = append(processes, n.start())
		}
		toSeal, recipient := sealedOrder(t, ecdh.X25519())
		var ids []string
		for range randomMinutes * 6 {
			time.Sleep(time.Duration(random(20)) * time.Second)
			i := random(len(nodes))
			switch random(events) {
			case 8:
				nodes[i].chip.fail(errChip)
			case 9, 10:
				nodes[i].chip.fail(nil)
			case 11:
				processes[i].stop()
				nodes[i].rotate(random(2) == 0)
				processes[i] = nodes[i].start()
			case 0:
				nets[i].cut()
			case 1:
				nets[i].partition()
			case 2, 3:
				nets[i].heal()
			case 4:
				processes[i].stop()
				processes[i] = nodes[i].start()
			default:
				if len(ids) < randomOrders {
					o := anOrder()
					if len(ids)%2 == 1 { // without a number of r: the worlds stay those that they were
						o = toSeal
					}
					o.Resubmit = random(6) == 0
					id, err := w.gateway.Order(w.ctx, tenantName, o, &gateway.OrderOptions{Life: 12 * time.Hour})
					require.NoError(t, err)
					ids = append(ids, id)
				}
			}
		}
		for i, n := range nets {
			n.heal()
			if hardware {
				nodes[i].chip.fail(nil)
			}
		}
		for _, id := range ids {
			o := w.waitFor(id, 48*time.Hour)
			assertRandom(t, w, id, o)
			assertDelivered(t, w, recipient, id, o)
		}
		for i, p := range processes {
			p.stop()
			nets[i].Close()
			nets[i].cut()
		}
	})
}

// equip gives a node an identity in a chip of its own.
func (n *node) equip(seed string) {
	n.chip, n.dir = newChip(seed), filepath.Join(n.w.t.TempDir(), "identity")
	n.id = openIn(n.w.t, n.dir, n.chip)
}

// rotate takes new keys, if that is possible now, and perhaps forgets everything that is not on disk.
func (n *node) rotate(reopen bool) {
	switch err := n.id.Rotate(tenantName, n.chip); {
	case err == nil, errors.Is(err, connector.ErrRotating), errors.Is(err, connector.ErrNotRegistered), errors.Is(err, errChip),
		errors.Is(err, connector.ErrFormerKeys):
	default:
		require.NoError(n.w.t, err)
	}
	if reopen {
		n.id = openIn(n.w.t, n.dir, n.chip)
	}
}

// assertRandom holds an outcome against the database, with what an order that allows a second submission may lead to.
func assertRandom(t *testing.T, w *world, id string, o wsproto.Outcome) {
	t.Helper()
	info, err := w.gateway.Job(w.ctx, tenantName, id)
	require.NoError(t, err)
	var order wsproto.Order
	require.NoError(t, json.Unmarshal(info.Order, &order))
	rows := w.ca.rowsOf(id)
	if !order.Resubmit {
		assertOneRequest(t, w, id, o)
		assert.Empty(t, info.Extra)
		return
	}
	certificates := 0
	for _, r := range rows {
		if r.cert != nil {
			certificates++
		}
	}
	if o.Kind == wsproto.Issued {
		found := false
		for _, r := range rows {
			found = found || r.cert != nil && bytes.Equal(keyHash(t, r.request), o.PublicKeyHash)
		}
		assert.True(t, found, "the certificate is in the database")
	}
	assert.LessOrEqual(t, len(info.Extra), max(0, certificates-1))
}

// assertDelivered opens what was delivered, for whom it was ordered.
func assertDelivered(t *testing.T, w *world, recipient *ecdh.PrivateKey, id string, o wsproto.Outcome) {
	t.Helper()
	if o.Kind != wsproto.Issued {
		assert.Empty(t, o.PKCS12)
		assert.Empty(t, o.Sealed)
		return
	}
	bundle := o.PKCS12
	if len(o.Sealed) > 0 {
		b, err := sealed.Open(o.Sealed, recipient, sealed.Expect{
			Signers: w.signers, Tenant: tenantName, Job: id, Recipient: "laptop-17", Thumbprint: [32]byte(o.Thumbprint),
		})
		require.NoError(t, err)
		bundle = b.PKCS12
	}
	sum := sha256.Sum256(openBundle(t, bundle).Raw)
	assert.Equal(t, o.Thumbprint, sum[:])
}

// waitFor is wait with a limit.
func (w *world) waitFor(id string, d time.Duration) wsproto.Outcome {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, d)
	defer cancel()
	o, err := w.gateway.Wait(ctx, tenantName, id)
	info, _ := w.gateway.Job(w.ctx, tenantName, id)
	require.NoError(w.t, err, "%s %s, attempt %d, next %v, %+v", id, info.State, info.Attempt, info.NextTry, info.Outcome)
	return o
}

// TestHostileGateway lets a gateway send whatever it likes, in any order. Whatever it does, each request is submitted at
// most once, with a lease that was granted for its checkpoint and is running.
func TestHostileGateway(t *testing.T) {
	for seed := range worlds(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { hostileGateway(t, rand.New(rand.NewPCG(seed, 4711))) })
	}
}

func hostileGateway(t *testing.T, r *rand.Rand) {
	leases := &leaseBook{until: make(map[string]time.Time)}
	scripted(t, func(s *script) {
		s.opts.Capacity = 4
		leases.issuer = s.issuer
		s.cfg.Issuer = leases
	}, func(s *script, l *line) {
		s.ca.behave(behaviour{delay: 2 * time.Second})
		var checkpoints []*wsproto.Checkpoint
		for range 300 {
			if l.peer.Err() != nil {
				l = s.connection()
			}
			switch r.IntN(7) {
			case 0, 1:
				o := s.job(r.IntN(6))
				o.Attempt = int64(1 + r.IntN(4))
				o.TimeLeftMS = int64(r.IntN(60_000))
				if len(checkpoints) > 0 && r.IntN(2) == 0 {
					o.Checkpoint = checkpoints[r.IntN(len(checkpoints))]
				}
				var answer wsproto.OfferResult
				_ = l.peer.Call(s.ctx, wsproto.MethodOffer, o, &answer)
			case 2:
				var answer wsproto.CancelResult
				_ = l.peer.Call(s.ctx, wsproto.MethodCancel, wsproto.Cancel{Job: s.job(r.IntN(6)).Job, Attempt: int64(1 + r.IntN(4))}, &answer)
			case 3:
				time.Sleep(time.Duration(r.IntN(20)) * time.Second)
			case 4:
				if r.IntN(8) == 0 {
					l.peer.Close(wsproto.CloseInternal, "")
				}
			default:
				checkpoints = append(checkpoints, l.answerRandomly(r, leases)...)
			}
		}
		for l.peer.Err() == nil && len(l.incoming) > 0 {
			l.answerRandomly(r, leases)
		}
		leases.mu.Lock()
		defer leases.mu.Unlock()
		assert.Empty(t, leases.wrong)
		assert.NotZero(t, leases.submitted, "nothing was tried")
	})
}

// answerRandomly answers one request of the connector, if there is one.
func (l *line) answerRandomly(r *rand.Rand, leases *leaseBook) []*wsproto.Checkpoint {
	synctest.Wait()
	var c *call
	select {
	case c = <-l.incoming:
	default:
		return nil
	}
	failures := []wsproto.ErrorCode{
		wsproto.CodeSuperseded, wsproto.CodeInternal, wsproto.CodeUnavailable, wsproto.CodeUnknownJob, wsproto.CodeInvalidParams,
	}
	if r.IntN(4) == 0 {
		c.fail(failures[r.IntN(len(failures))])
		return nil
	}
	if c.method != wsproto.MethodCheckpoint {
		c.ok(map[string]any{"recorded": r.IntN(3) > 0})
		return nil
	}
	p := c.checkpoint()
	length := time.Duration(r.IntN(30)) * time.Second
	if p.Checkpoint.State == wsproto.CheckpointSubmitting {
		leases.grant(p.Checkpoint.PublicKeyHash, length)
	}
	c.lease(length)
	return []*wsproto.Checkpoint{&p.Checkpoint}
}

// leaseBook is an issuer that watches each submit.
type leaseBook struct {
	issuer *modelIssuer

	mu        sync.Mutex
	until     map[string]time.Time // by public key: when the last lease ends at the latest
	done      map[string]bool
	submitted int
	wrong     []string
}

func (b *leaseBook) grant(hash []byte, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until[string(hash)] = time.Now().Add(d)
}

func (b *leaseBook) Account(ca wsproto.CAAssignment) (string, error) { return b.issuer.Account(ca) }

func (b *leaseBook) Prepare(ctx context.Context, o *connector.Order) (*connector.Prepared, error) {
	return b.issuer.Prepare(ctx, o)
}

func (b *leaseBook) Submit(ctx context.Context, o *connector.Order, p *connector.Prepared) (*connector.CAResult, error) {
	hash := string(keyHash(b.issuer.ca.t, p.Request))
	b.mu.Lock()
	if b.done == nil {
		b.done = make(map[string]bool)
	}
	if b.done[hash] {
		b.wrong = append(b.wrong, "submitted twice")
	}
	if time.Now().After(b.until[hash]) {
		b.wrong = append(b.wrong, "submitted without a running lease")
	}
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > rpcDeadline {
		b.wrong = append(b.wrong, "a submit without the deadline")
	}
	b.done[hash] = true
	b.submitted++
	b.mu.Unlock()
	return b.issuer.Submit(ctx, o, p)
}

func (b *leaseBook) Retrieve(ctx context.Context, o *connector.Order, id uint32) (*connector.CAResult, error) {
	return b.issuer.Retrieve(ctx, o, id)
}

func (b *leaseBook) Finish(ctx context.Context, o *connector.Order, p *connector.Prepared, r *connector.CAResult) (*connector.Bundle, error) {
	return b.issuer.Finish(ctx, o, p, r)
}

// worlds is how many random worlds are played: n, and ten times as many in a long run.
func worlds(n uint64) uint64 {
	if os.Getenv("ADCSKIT_LONG") != "" {
		return 10 * n
	}
	return n
}
