package adcs

import (
	"context"
	"net"
	"time"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// WithNDR64 makes a client that offers NDR64 instead of NDR 2.0.
func (o Options) WithNDR64() *Options {
	o.transfer = rpc.NDR64()
	return &o
}

// WithoutKDC makes a client for whose realm the DNS has no KDC, without asking it: with AuthNegotiate, NTLM is left.
func (o Options) WithoutKDC() *Options {
	o.lookUpKDCs = func(context.Context, string) ([]string, error) { return nil, nil }
	return &o
}

// WithClock makes a client whose Kerberos has a clock of its own.
func (o Options) WithClock(now func() time.Time) *Options {
	o.now = now
	return &o
}

// SetClock gives the client another clock for the rest of its connections.
func (c *Client) SetClock(now func() time.Time) { c.pool.now = now }

// Idle is how many connections of a client are at rest.
func (c *Client) Idle() int {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	return len(c.pool.idle)
}

// AgeLogon makes the client's logon older than it is.
func (c *Client) AgeLogon(by time.Duration) {
	c.logon.mu.Lock()
	defer c.logon.mu.Unlock()
	c.logon.since = c.logon.since.Add(-by)
}

// Limits of the rest of connections.
const (
	CheckIdle  = checkIdle
	MaxIdle    = maxIdle
	FreshLogon = freshLogon
)

// EncodeCertServerRequest is the stub of a request.
func EncodeCertServerRequest(flags uint32, authority string, id uint32, attributes, request []byte, wide bool) []byte {
	return (&certServerRequest{flags, authority, id, attributes, request}).encode(wide)
}

// DecodeAnswer calls decodeAnswer.
func DecodeAnswer(stub []byte, wide bool) (Answer, error) {
	a, err := decodeAnswer(stub, wide)
	if err != nil {
		return Answer{}, err
	}
	return Answer{a.returned, a.requestID, a.disposition, a.chain, a.leaf, a.message}, nil
}

// Poll calls poll.
func Poll(ctx, closing context.Context, o *WaitOptions, ask func(context.Context) (*Result, error)) (*Result, error) {
	return poll(ctx, closing, o.withDefaults(), ask)
}

// NotExecuted calls notExecuted.
func NotExecuted(err error) (not, again bool) { return notExecuted(err) }

// Ladder gives the client a ladder whose rungs are all of RPC over TCP, each with a name and a network of its own.
func (c *Client) Ladder(rungs ...Rung) {
	var all []rung
	for _, r := range rungs {
		other := *c
		other.opts.DialContext = r.DialContext
		all = append(all, namedRung{&tcpRung{Client: &other}, r.Transport})
	}
	c.ladder = newLadder(all...)
}

// Rung is what Ladder takes.
type Rung struct {
	Transport   Transport
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

type namedRung struct {
	*tcpRung
	name Transport
}

func (r namedRung) transport() Transport { return r.name }

// MaxStep bounds a step of the ladder.
const MaxStep = maxStep

// AssociatePipe calls associatePipe.
func (c *Client) AssociatePipe(ctx context.Context, name string, iface rpc.Syntax) (*assoc.Conn, error) {
	return c.associatePipe(ctx, name, iface)
}

// AgeObjects makes the objects of the sessions at rest older, and returns how many there are.
func (c *Client) AgeObjects(by time.Duration) (n int) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	for _, i := range c.pool.idle {
		if s, ok := i.conn.(*dcomSession); ok {
			s.made = s.made.Add(-by)
			n++
		}
	}
	return n
}

// MaxObjectAge is how long an object is used.
const MaxObjectAge = maxObjectAge

// AcceptedCall calls accepted.
func AcceptedCall(err error) error { return accepted(err) }

// slowSession takes its time to close.
type slowSession struct {
	session
	closing time.Duration
}

func (s slowSession) Close() error {
	time.Sleep(s.closing)
	return nil
}

// TakeFromOld asks a pool for a session that has only such as have rested too long.
func TakeFromOld(ctx context.Context, sessions int, closing time.Duration) {
	p := newPool(sessions)
	for range sessions {
		p.put(slowSession{closing: closing})
	}
	p.now = func() time.Time { return time.Now().Add(maxIdle + 1) }
	p.take(ctx)
}
