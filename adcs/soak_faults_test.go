package adcs_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// dice are safe for concurrent use: in which order they are asked depends on the scheduler, how often what happens does
// not.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed, stream uint64) *dice { return &dice{r: rand.New(rand.NewPCG(seed, stream))} }

// below returns a number from 0 to n-1.
func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// weather makes calls of a CA go wrong at random, for as long as it is bad.
type weather struct {
	*dice
	mu    sync.Mutex
	good  bool
	gates []chan struct{} // of calls that are held up
}

// clear ends the bad weather, and lets go on what was held up.
func (w *weather) clear() {
	w.mu.Lock()
	w.good = true
	w.mu.Unlock()
	w.open()
}

// open lets calls go on that were held up.
func (w *weather) open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.gates {
		close(g)
	}
	w.gates = nil
}

// hold is a fault that holds a call up, either before the CA has seen it or after that, until some call of a client has
// timed out: this one, most likely, so that its request is executed when nobody waits for it any more.
func (w *weather) hold(after bool) *adcstest.Fault {
	gate := make(chan struct{})
	w.gates = append(w.gates, gate)
	wait := func(ctx context.Context) {
		select {
		case <-gate:
		case <-ctx.Done():
		}
	}
	if after {
		return &adcstest.Fault{After: wait}
	}
	return &adcstest.Fault{Before: wait}
}

// fault is what becomes of a call. A forged request id is not among it: nothing in an answer tells that it is wrong.
func (w *weather) fault(c adcstest.Call) *adcstest.Fault {
	n := w.below(100)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.good {
		return nil
	}
	if c.EndpointMapper {
		return mapperFault(n)
	}
	switch n {
	case 0:
		return w.hold(false)
	case 1:
		return w.hold(true)
	}
	return callFault(n)
}

func mapperFault(n int) *adcstest.Fault {
	switch n {
	case 0, 1, 2:
		return &adcstest.Fault{Status: 0x1c010014} // nca_s_server_too_busy
	case 3, 4:
		return &adcstest.Fault{Cut: adcstest.CutInAnswer}
	case 5, 6:
		return &adcstest.Fault{BadNDR: true}
	}
	return nil
}

func callFault(n int) *adcstest.Fault {
	const (
		tooBusy = 0x1c010014 // nca_s_server_too_busy: sent before a call is run
		failed  = 0x1c000012 // nca_s_fault_unspec
	)
	switch n {
	case 2:
		return &adcstest.Fault{PDU: func(int, []byte) []byte { return nil }}
	case 3, 4:
		return &adcstest.Fault{Cut: adcstest.CutBeforeLastFragment}
	case 5, 6:
		return &adcstest.Fault{Cut: adcstest.CutAfterRequest}
	case 7, 8:
		return &adcstest.Fault{Cut: adcstest.CutBeforeAnswer}
	case 9, 10:
		return &adcstest.Fault{Cut: adcstest.CutInAnswer}
	case 11:
		return &adcstest.Fault{Status: failed}
	case 12:
		return &adcstest.Fault{Status: failed, Signed: true}
	case 13:
		return &adcstest.Fault{Status: tooBusy}
	case 14:
		return &adcstest.Fault{Status: tooBusy, NotExecuted: true}
	case 15, 16, 17:
		return &adcstest.Fault{Status: tooBusy, NotExecuted: true, Signed: true}
	case 18:
		return &adcstest.Fault{BadNDR: true}
	case 19:
		return &adcstest.Fault{PDU: func(_ int, pdu []byte) []byte {
			pdu = bytes.Clone(pdu)
			pdu[len(pdu)/2] ^= 1
			return pdu
		}}
	case 20:
		return &adcstest.Fault{Forge: adcstest.Forgery{OtherLeaf: true}}
	case 21:
		return &adcstest.Fault{Forge: adcstest.Forgery{OtherKey: true}}
	}
	return nil
}

// rough is a network on which some connections cannot be made, and some break after a number of bytes, in the middle of
// whatever is under way.
type rough struct {
	*weather
	dial dialFunc
}

var errRough = errors.New("the network broke")

func (n *rough) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	chance, bytes := n.below(100), n.below(8000)
	n.mu.Lock()
	good := n.good
	n.mu.Unlock()
	if !good && chance < 2 {
		return nil, errRough
	}
	nc, err := n.dial(ctx, network, addr)
	if err != nil || good || chance >= 12 {
		return nc, err
	}
	return &roughConn{Conn: nc, left: bytes}, nil
}

// roughConn breaks after so many bytes, in both directions together.
type roughConn struct {
	net.Conn
	mu   sync.Mutex
	left int
}

// spend takes bytes of what is left and says how many there were.
func (c *roughConn) spend(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, c.left)
	c.left -= n
	return n
}

func (c *roughConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b[:c.spend(len(b))])
	if err == nil && n < len(b) {
		c.Conn.Close()
		err = errRough
	}
	return n, err
}

func (c *roughConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if left := c.spend(n); err == nil && left < n {
		c.Conn.Close()
		return left, errRough
	}
	return n, err
}
