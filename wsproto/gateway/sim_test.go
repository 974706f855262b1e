package gateway_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// The simulation: connectors that follow the protocol, on a network and on machines that do not, and a CA that counts.
// Their processes are killed, take new keys, and lose their disks; a person deletes some. Half of the tenants have two
// gateways on one store.
// Whatever happens, each order ends with one outcome, that outcome is what the CA's database says, and no order was
// submitted twice.

// dice is a random source for many goroutines.
type dice struct {
	mu sync.Mutex
	r  *mrand.Rand
}

func (d *dice) chance(percent int) bool { return d.below(100) < percent }

func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

func (d *dice) between(least, most time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return least + time.Duration(d.r.Int64N(int64(most-least)))
}

// row is a request in the database of the CA.
type row struct {
	job  string
	id   uint32
	hash string
	kind wsproto.OutcomeKind // Pending until the manager decides
}

type simCA struct {
	d    *dice
	mu   sync.Mutex
	rows []*row
}

func (c *simCA) submit(job string, hash []byte) row {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &row{job: job, id: uint32(len(c.rows) + 1), hash: string(hash)}
	switch n := c.d.below(10); {
	case n < 5:
		r.kind = wsproto.Issued
	case n < 7:
		r.kind = wsproto.Denied
	default:
		r.kind = wsproto.Pending
	}
	c.rows = append(c.rows, r)
	return *r
}

// look returns a request; the manager decides about one that is held some time.
func (c *simCA) look(match func(*row) bool) (row, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rows {
		if match(r) {
			if r.kind == wsproto.Pending && c.d.chance(40) {
				r.kind = []wsproto.OutcomeKind{wsproto.Issued, wsproto.Denied}[c.d.below(2)]
			}
			return *r, true
		}
	}
	return row{}, false
}

// machine is a connector: its process may crash, its network may fail.
type machine struct {
	w        *world
	gates    []*world // the gateways of the tenant, w among them
	d        *dice
	ca       *simCA
	identity *identity
	siblings []*ecdh.PublicKey
	secrets  *sync.Map // what is in a checkpoint, by public-key hash: stands for decrypting it

	mu     sync.Mutex
	life   context.Context // of the process
	kill   context.CancelFunc
	work   sync.WaitGroup
	conn   *fake
	memory map[string]*simJob
	former [][]byte // fingerprints of decryption keys of before rotations that it still has
	before string   // the id that it had before the last rotation
	banned bool     // a person has deleted it while it ran
}

// gate is the gateway that the network leads to now.
func (m *machine) gate() *world { return m.gates[m.d.below(len(m.gates))] }

// ids are those under which the tenant may know the machine, the newest first.
func (m *machine) ids() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.before == "" {
		return []string{m.identity.id()}
	}
	return []string{m.identity.id(), m.before}
}

// rotate takes new keys, unless the last ones were not acknowledged yet.
func (m *machine) rotate() {
	if m.identity.rotation != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.former, m.before = append(m.former, m.identity.decryption()), m.identity.id()
	m.identity = m.identity.rotated(m.w.t)
}

// acknowledged forgets what the tenant does not name.
func (m *machine) acknowledged(needed [][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.identity.rotation = nil
	for _, k := range needed {
		require.Contains(m.w.t, m.former, k, "the tenant needs a key that it had not asked for")
	}
	m.former = needed
}

// enroll registers the machine, which does not stay connected.
func (m *machine) enroll() {
	var code wsproto.EnrollmentCode
	err := insist(func() (err error) {
		code, _, err = m.w.g.NewEnrollmentCode(m.w.t.Context(), "acme", &gateway.CodeOptions{CAs: []wsproto.CAAssignment{ca1()}})
		return err
	})
	require.NoError(m.w.t, err)
	err = insist(func() error {
		f := m.gate().connect(m.identity)
		_, err := f.prove(code)
		f.pipe.Cut()
		<-f.ended
		return err
	})
	require.NoError(m.w.t, err)
}

// loseDisk makes the machine another connector, which a person puts into the place of the one that is lost.
func (m *machine) loseDisk(ctx context.Context) {
	lost := m.ids()
	m.mu.Lock()
	m.identity, m.former, m.before, m.banned = newIdentity(m.w.t), nil, "", false
	m.mu.Unlock()
	m.enroll()
	for _, id := range lost { // it may not have connected with its newest keys, or have been deleted
		err := insist(func() error { return m.w.g.Replace(ctx, "acme", id, m.identity.id()) })
		require.True(m.w.t, err == nil || errors.Is(err, gateway.ErrNotFound) || ctx.Err() != nil, "%v", err)
	}
}

// ban deletes the machine while it runs.
func (m *machine) ban(ctx context.Context) {
	m.mu.Lock()
	m.banned = true
	kill := m.kill
	m.mu.Unlock()
	for _, id := range append(m.ids(), m.ids()...) { // it may take new keys meanwhile
		err := insist(func() error { return m.w.g.Delete(ctx, "acme", id) })
		require.True(m.w.t, err == nil || errors.Is(err, gateway.ErrNotFound) || ctx.Err() != nil, "%v", err)
	}
	sleep(ctx, m.d.between(0, 5*time.Minute))
	kill()
}

func (m *machine) isBanned() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.banned
}

// opens reports whether the machine has a key for a checkpoint. m.mu is held.
func (m *machine) opens(c *wsproto.Checkpoint) bool {
	keys := append(slices.Clone(m.former), m.identity.decryption())
	return slices.ContainsFunc(c.Sealed, func(p wsproto.SealedPart) bool {
		return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, p.Key) })
	})
}

type simJob struct {
	attempt int64
	drop    context.CancelFunc
}

// boot runs the process until it is killed or ctx ends: it keeps a connection.
func (m *machine) boot(ctx context.Context) {
	for ctx.Err() == nil {
		life, kill := context.WithCancel(ctx)
		m.mu.Lock()
		m.life, m.kill, m.memory = life, kill, make(map[string]*simJob)
		m.mu.Unlock()
		for life.Err() == nil {
			m.session(life)
			sleep(life, m.d.between(time.Second, 20*time.Second))
		}
		m.work.Wait()
		sleep(ctx, m.d.between(time.Second, 5*time.Minute))
		switch n := m.d.below(10); {
		case ctx.Err() != nil:
		case n < 2, m.isBanned():
			m.loseDisk(ctx)
		case n < 6:
			m.rotate()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (m *machine) session(life context.Context) {
	f := m.gate().connect(m.identity)
	f.onOffer(func(o wsproto.Offer) (wsproto.OfferResult, error) { return m.offered(life, o), nil })
	drain := func() {
		for len(f.configured)+len(f.offers)+len(f.notes) > 0 {
			select {
			case <-f.configured:
			case <-f.offers:
			case <-f.notes:
			}
		}
	}
	state, err := f.prove(wsproto.EnrollmentCode{})
	if err == nil {
		if state.State == wsproto.StateActive {
			m.acknowledged(state.FormerKeys)
		}
		require.True(m.w.t, state.State == wsproto.StateActive || m.isBanned())
	} else {
		f.peer.Close(wsproto.CloseNormal, "")
		<-f.ended
		return
	}
	m.setConn(f)
	defer m.setConn(nil)
	for {
		select {
		case <-f.ended:
			return
		case <-life.Done():
			f.pipe.Cut()
			<-f.ended
			return
		case <-time.After(time.Second):
			drain()
		}
	}
}

func (m *machine) setConn(f *fake) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn = f
}

// trouble does something bad to the machine now and then.
func (m *machine) trouble(ctx context.Context) {
	for {
		sleep(ctx, m.d.between(10*time.Second, 10*time.Minute))
		if ctx.Err() != nil {
			return
		}
		m.mu.Lock()
		conn, kill := m.conn, m.kill
		m.mu.Unlock()
		switch n := m.d.below(12); {
		case conn == nil:
		case n == 0:
			m.ban(ctx)
		case n < 4:
			kill()
		case n < 7:
			conn.pipe.Partition()
		default:
			conn.pipe.Cut()
		}
	}
}

func (m *machine) offered(life context.Context, o wsproto.Offer) wsproto.OfferResult {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life != life || life.Err() != nil {
		return wsproto.OfferResult{Answer: wsproto.OfferBusy}
	}
	if o.Checkpoint != nil {
		require.True(m.w.t, m.opens(o.Checkpoint), "offered what it cannot open")
	}
	if old := m.memory[o.Job]; old != nil {
		if o.Attempt > old.attempt {
			old.drop()
		}
		return wsproto.OfferResult{Answer: wsproto.OfferBusy, RetryAfterMS: 1000}
	}
	switch m.d.below(12) {
	case 0:
		return wsproto.OfferResult{Answer: wsproto.OfferBusy, RetryAfterMS: 5000}
	case 1:
		return wsproto.OfferResult{Answer: wsproto.OfferRefused, Scope: wsproto.RefusedElsewhere}
	}
	early, drop := context.WithCancel(life)
	m.memory[o.Job] = &simJob{attempt: o.Attempt, drop: drop}
	m.work.Go(func() {
		defer drop()
		m.run(life, early, o)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.life == life {
			delete(m.memory, o.Job)
		}
	})
	return wsproto.OfferResult{Answer: wsproto.OfferAccepted}
}

// repeat sends something until it is answered.
func (m *machine) repeat(ctx context.Context, send func(f *fake) error) error {
	for {
		m.mu.Lock()
		f := m.conn
		m.mu.Unlock()
		if f != nil {
			err := send(f)
			var answer *wsproto.Error
			if err == nil || errors.As(err, &answer) && answer.Code != wsproto.CodeUnavailable {
				return err
			}
		}
		sleep(ctx, 3*time.Second)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (m *machine) run(life, early context.Context, o wsproto.Offer) {
	sleep(early, m.d.between(0, 3*time.Second))
	switch {
	case o.Checkpoint == nil:
		m.begin(life, early, o)
	case o.Checkpoint.RequestID != 0:
		r, ok := m.ca.look(func(r *row) bool { return r.id == o.Checkpoint.RequestID })
		require.True(m.w.t, ok)
		m.tell(life, o, 1, r)
	default:
		hash := o.Checkpoint.PublicKeyHash
		if r, ok := m.ca.look(func(r *row) bool { return r.hash == string(hash) }); ok && m.d.chance(50) {
			m.settle(life, o, m.open(hash), 1, r)
			return
		}
		m.finish(life, o, 1, wsproto.Outcome{Kind: wsproto.Unknown, PublicKeyHash: hash})
	}
}

func (m *machine) open(hash []byte) wsproto.CheckpointSecret {
	s, ok := m.secrets.Load(string(hash))
	require.True(m.w.t, ok)
	return s.(wsproto.CheckpointSecret)
}

// begin makes a key, gets a lease, and submits.
func (m *machine) begin(life, early context.Context, o wsproto.Offer) {
	s := secret(m.w.t)
	p := m.identity.sealed(m.w.t, o, s, 1, 0, m.siblings...)
	hash := p.Checkpoint.PublicKeyHash
	m.secrets.Store(string(hash), s)
	var until time.Time
	for time.Now().Compare(until) >= 0 {
		err := m.repeat(early, func(f *fake) error {
			sent := time.Now()
			lease, err := f.checkpoint(p)
			until = sent.Add(lease)
			return err
		})
		if err != nil {
			return // superseded, or the process is gone
		}
		sleep(life, m.d.between(0, 40*time.Second)) // the machine is slow: some leases end unused
	}
	if life.Err() != nil || early.Err() != nil {
		return
	}
	r := m.ca.submit(o.Job, hash)
	sleep(life, m.d.between(0, 2*time.Minute))
	if life.Err() != nil {
		return
	}
	if m.d.chance(20) {
		m.finish(life, o, 2, wsproto.Outcome{Kind: wsproto.Unknown, PublicKeyHash: hash})
		return
	}
	m.settle(life, o, s, 2, r)
}

// settle goes on with an answer of the CA.
func (m *machine) settle(life context.Context, o wsproto.Offer, s wsproto.CheckpointSecret, seq int64, r row) {
	if r.kind == wsproto.Pending {
		p := m.identity.sealed(m.w.t, o, s, seq, r.id, m.siblings...)
		if m.repeat(life, func(f *fake) error { _, err := f.checkpoint(p); return err }) != nil {
			return
		}
		seq++
	}
	m.tell(life, o, seq, r)
}

func thumbprint(hash string) []byte {
	sum := sha256.Sum256([]byte(hash))
	return sum[:]
}

func (m *machine) tell(life context.Context, o wsproto.Offer, seq int64, r row) {
	out := wsproto.Outcome{Kind: r.kind, RequestID: r.id, PublicKeyHash: []byte(r.hash)}
	switch r.kind {
	case wsproto.Issued:
		out.Serial, out.Thumbprint, out.PKCS12 = fmt.Sprint(r.id), thumbprint(r.hash), []byte("p12")
	case wsproto.Pending:
		out.RetryAfterMS = m.d.between(time.Minute, 20*time.Minute).Milliseconds()
	}
	m.finish(life, o, seq, out)
}

func (m *machine) finish(life context.Context, o wsproto.Offer, seq int64, out wsproto.Outcome) {
	m.repeat(life, func(f *fake) error { return f.finish(o, seq, out) })
}

func TestSimulation(t *testing.T) {
	for seed := range simSeeds() {
		t.Run(strconv.Itoa(seed), func(t *testing.T) { simulate(t, uint64(seed), false) })
	}
}

func simSeeds() int {
	if os.Getenv("ADCSKIT_LONG") != "" {
		return 120
	}
	return 12
}

const simOrders = 12

func simulate(t *testing.T, seed uint64, trouble bool) {
	var shared gateway.Config
	bubble(t, func(c *gateway.Config) {
		if trouble {
			c.Store = newDoubtful(c.Store, seed)
		}
		shared = *c
	}, func(t *testing.T, w *world) {
		gates := []*world{w}
		if seed%2 == 1 {
			other := newWorld(t, func(c *gateway.Config) { *c = shared })
			defer other.stop()
			gates = append(gates, other)
		}
		d := &dice{r: mrand.New(mrand.NewPCG(seed, 7))}
		w.refuse = func(gateway.OutcomeEvent) error {
			if d.chance(20) {
				return errors.New("away")
			}
			return nil
		}
		ca := &simCA{d: d}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, m := range machines(gates, d, ca) {
			running.Go(func() { m.boot(ctx) })
			running.Go(func() { m.trouble(ctx) })
		}
		jobs := make([]string, simOrders)
		for n := range jobs {
			sleep(ctx, d.between(0, 2*time.Minute))
			jobs[n] = fmt.Sprintf("00000000-0000-4000-8000-%012x", n)
			require.NoError(t, insist(func() error {
				_, err := w.g.Order(ctx, "acme", order(), &gateway.OrderOptions{ID: jobs[n]})
				return err
			}))
			if d.chance(10) {
				err := insist(func() error { return w.g.Cancel(ctx, "acme", jobs[n]) })
				require.True(t, err == nil || errors.Is(err, gateway.ErrTooLate))
			}
		}
		for _, id := range jobs {
			_, err := w.g.Wait(ctx, "acme", id)
			require.NoError(t, err)
		}
		sleep(ctx, time.Hour) // what is still on its way arrives
		stop()
		running.Wait()
		synctest.Wait()
		checkSimulation(t, w, ca, jobs, trouble)
	})
}

func machines(gates []*world, d *dice, ca *simCA) []*machine {
	w := gates[0]
	all := make([]*machine, 3)
	var keys []*ecdh.PublicKey
	secrets := new(sync.Map)
	for n := range all {
		all[n] = &machine{w: w, gates: gates, d: d, ca: ca, identity: newIdentity(w.t), secrets: secrets}
		keys = append(keys, all[n].identity.dec.PublicKey())
		all[n].enroll()
	}
	for n, m := range all {
		for k, key := range keys {
			if k != n && !(n == 0 && k == 1) { // one pair does not trust each other
				m.siblings = append(m.siblings, key)
			}
		}
	}
	return all
}

func checkSimulation(t *testing.T, w *world, ca *simCA, jobs []string, trouble bool) {
	rows := make(map[string]*row)
	for _, r := range ca.rows {
		require.Nil(t, rows[r.job], "job %s was submitted twice", r.job)
		rows[r.job] = r
	}
	last := make(map[string]wsproto.OutcomeKind)
	ids := make(map[string]bool)
	for _, e := range w.takeEvents() {
		if trouble && ids[e.ID] {
			continue // the acknowledgement was not stored
		}
		require.False(t, ids[e.ID], "acknowledged, yet delivered again")
		require.False(t, e.Extra, "nothing was issued twice")
		ids[e.ID] = true
		previous, told := last[e.Job]
		require.True(t, !told || previous == wsproto.Pending || previous == wsproto.Unknown || previous == wsproto.Lost,
			"%s after %s", e.Outcome.Kind, previous)
		last[e.Job] = e.Outcome.Kind
	}
	for _, id := range jobs {
		info := w.job(id)
		require.Equal(t, gateway.JobDone, info.State)
		kind, r := info.Outcome.Kind, rows[id]
		require.Equal(t, kind, last[id], "the last event is the outcome")
		switch kind {
		case wsproto.Issued:
			require.NotNil(t, r)
			require.Equal(t, wsproto.Issued, r.kind)
			require.Equal(t, thumbprint(r.hash), info.Outcome.Thumbprint)
		case wsproto.Denied:
			require.NotNil(t, r)
			require.Equal(t, wsproto.Denied, r.kind)
		case wsproto.Failed, wsproto.Expired, wsproto.Cancelled:
			require.Nil(t, r, "outcome %s, yet the CA has a request", kind)
		case wsproto.Unknown:
		case wsproto.Lost:
			require.NotNil(t, r)
		default:
			t.Errorf("job %s ended as %s", id, kind)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, err := range w.errs {
		if trouble && (errors.Is(err, errDown) || errors.Is(err, context.Canceled)) {
			continue
		}
		require.ErrorContains(t, err, "was not acknowledged")
	}
	require.Empty(t, w.alarms)
}
