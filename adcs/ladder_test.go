package adcs_test

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// closedPorts is a network on which nothing listens.
func closedPorts(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// droppingNetwork is one that drops what is sent.
func droppingNetwork(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
}

// dials counts the connections that are made on a network.
type dials struct {
	dial dialFunc
	mu   sync.Mutex
	n    int
}

func (d *dials) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.n++
	d.mu.Unlock()
	return d.dial(ctx, network, addr)
}

func (d *dials) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n
}

// climber is a client with two rungs.
func climber(t *testing.T, s *adcstest.Server, opts *adcs.Options, first, second dialFunc) (c *adcs.Client, a, b *dials) {
	c = newClient(t, s, opts)
	a, b = &dials{dial: first}, &dials{dial: second}
	c.Ladder(adcs.Rung{Transport: adcs.TransportTCP, DialContext: a.DialContext},
		adcs.Rung{Transport: adcs.TransportNamedPipe, DialContext: b.DialContext})
	return c, a, b
}

func submitOne(t *testing.T, c *adcs.Client) error {
	_, csr := newCSR(t, "pc1.corp.test")
	_, err := c.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
	return err
}

func TestLadderRemembersTheWorkingRung(t *testing.T) {
	s := newServer(t, nil)
	c, first, _ := climber(t, s, &adcs.Options{Connections: 1}, closedPorts, s.DialContext)
	require.NoError(t, submitOne(t, c))
	require.Equal(t, 1, first.count())
	require.NoError(t, submitOne(t, c))
	c.SetClock(func() time.Time { return time.Now().Add(time.Hour) }) // the connection has rested too long
	require.NoError(t, submitOne(t, c))
	assert.Equal(t, 1, first.count(), "the rung that works is remembered")
	assert.Len(t, s.Requests(), 3)
}

func TestLadderClimbsAnewWhenTheRungIsGone(t *testing.T) {
	s := newServer(t, nil)
	up := s.DialContext
	var mu sync.Mutex
	c, _, second := climber(t, s, &adcs.Options{Connections: 1}, func(ctx context.Context, n, a string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		return up(ctx, n, a)
	}, s.DialContext)
	require.NoError(t, submitOne(t, c))
	require.Equal(t, 0, second.count())
	mu.Lock()
	up = closedPorts
	mu.Unlock()
	c.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
	require.NoError(t, submitOne(t, c))
	assert.Positive(t, second.count())
	assert.Len(t, s.Requests(), 2)
}

// TestLadderClimbsAnewWhenTheRungIsSilent has a firewall that begins to drop what goes the way that is known: a call gets
// through on another one within its time.
func TestLadderClimbsAnewWhenTheRungIsSilent(t *testing.T) {
	s := newServer(t, nil)
	var dropping atomic.Bool
	c, _, second := climber(t, s, &adcs.Options{Timeout: 3 * time.Second},
		func(ctx context.Context, n, a string) (net.Conn, error) {
			if dropping.Load() {
				return droppingNetwork(ctx, n, a)
			}
			return s.DialContext(ctx, n, a)
		}, s.DialContext)
	require.NoError(t, submitOne(t, c))
	require.Zero(t, second.count())
	dropping.Store(true)
	c.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
	require.NoError(t, submitOne(t, c))
	assert.Positive(t, second.count())
	assert.Len(t, s.Requests(), 2)
}

// TestLadderClimbsAnewWhenTheRungIsSwitchedOff has a CA that is told not to serve requests over RPC any more: the call
// that learns of it is refused, and the next one finds another way.
func TestLadderClimbsAnewWhenTheRungIsSwitchedOff(t *testing.T) {
	var off atomic.Bool
	s := newServer(t, &adcstest.Options{Fault: func(c adcstest.Call) *adcstest.Fault {
		if c.EndpointMapper || !off.Load() {
			return nil
		}
		return &adcstest.Fault{Stub: func([]byte) []byte { // no id, no disposition, three empty blobs, and the return value
			return binary.LittleEndian.AppendUint32(make([]byte, 2*4+3*8), uint32(adcs.ErrServerUnavailable))
		}}
	}})
	other := newServer(t, &adcstest.Options{Users: []adcstest.User{s.User()}})
	c, _, _ := climber(t, s, nil, s.DialContext, other.DialContext)
	require.NoError(t, submitOne(t, c))
	off.Store(true)
	require.ErrorIs(t, submitOne(t, c), adcs.ErrServerUnavailable)
	require.NoError(t, submitOne(t, c))
	assert.Len(t, other.Requests(), 1)
}

func TestLadderThatLeadsNowhereTellsEveryStep(t *testing.T) {
	s := newServer(t, nil)
	s.SetInterface(false)
	c, _, _ := climber(t, s, nil, closedPorts, s.DialContext)
	err := submitOne(t, c)
	require.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
	var failed *adcs.LadderError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Steps, 2)
	assert.Equal(t, adcs.TransportTCP, failed.Steps[0].Transport)
	require.ErrorIs(t, failed.Steps[0].Err, syscall.ECONNREFUSED)
	assert.Equal(t, adcs.TransportNamedPipe, failed.Steps[1].Transport)
	require.ErrorIs(t, failed.Steps[1].Err, adcs.ErrNotRegistered)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorIs(t, err, adcs.ErrNotRegistered)
	explained := adcs.Explain(err)
	for _, text := range []string{"RPC over TCP: The CA's host refuses connections", "named pipe: The endpoint mapper"} {
		assert.Contains(t, explained.Summary, text)
	}
	assert.Equal(t, adcs.RetryOperator, explained.Retry)
	s.SetInterface(true)
	require.NoError(t, submitOne(t, c), "and it works again when the CA is back")
}

func TestRefusedLogonEndsTheLadder(t *testing.T) {
	s := newServer(t, nil)
	c := newClientFor(t, s, adcs.Password(s.User().Account(), "wrong"), nil)
	second := &dials{dial: s.DialContext}
	c.Ladder(adcs.Rung{Transport: adcs.TransportTCP, DialContext: s.DialContext},
		adcs.Rung{Transport: adcs.TransportNamedPipe, DialContext: second.DialContext})
	require.ErrorIs(t, submitOne(t, c), adcs.ErrLogon)
	require.ErrorIs(t, submitOne(t, c), adcs.ErrLogon)
	assert.Zero(t, second.count(), "the password would be wrong there too, and the account locked in the end")
	assert.Equal(t, adcs.Explain(adcs.ErrLogon).Retry, adcs.Explain(submitOne(t, c)).Retry)
}

// TestSilentStepLeavesTimeForTheNext has a firewall that drops packets on the way of the first rung.
func TestSilentStepLeavesTimeForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := adcs.New("ca.corp.test", "CA", adcs.Password(`CORP\alice`, secret), adcs.Options{
			Transport: adcs.TransportTCP, AllowNTLM: true,
		}.WithoutKDC())
		require.NoError(t, err)
		defer c.Close()
		c.Ladder(adcs.Rung{Transport: adcs.TransportTCP, DialContext: droppingNetwork},
			adcs.Rung{Transport: adcs.TransportNamedPipe, DialContext: closedPorts})
		begun := time.Now()
		err = c.Ping(t.Context())
		assert.Equal(t, adcs.MaxStep, time.Since(begun))
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.ErrorContains(t, err, "no answer in time")

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begun = time.Now()
		require.ErrorIs(t, c.Ping(ctx), syscall.ECONNREFUSED)
		assert.Equal(t, 5*time.Second, time.Since(begun), "half of the time, with two rungs")
	})
}

// TestLostAnswerIsNotMovedToTheNextRung cuts the connection at each point of a submit and of the probe, and counts the
// rows of the CA.
func TestLostAnswerIsNotMovedToTheNextRung(t *testing.T) {
	cuts := map[string]adcstest.Cut{
		"before the last fragment": adcstest.CutBeforeLastFragment, "after the request": adcstest.CutAfterRequest,
		"before the answer": adcstest.CutBeforeAnswer, "in the answer": adcstest.CutInAnswer,
	}
	for name, cut := range cuts {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			other := newServer(t, &adcstest.Options{Users: []adcstest.User{s.User()}})
			c, _, second := climber(t, s, nil, s.DialContext, other.DialContext)
			require.NoError(t, c.Ping(t.Context()))
			s.InjectFault(adcstest.Fault{Cut: cut})
			err := submitOne(t, c)
			require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
			rows := 0
			if cut == adcstest.CutBeforeAnswer || cut == adcstest.CutInAnswer {
				rows = 1
			}
			assert.Len(t, s.Requests(), rows)
			assert.Zero(t, second.count(), "nothing is asked elsewhere")
			assert.Empty(t, other.Requests())

			// A new client climbs with a call that makes no row, and moves on when that is cut.
			c, _, second = climber(t, s, nil, s.DialContext, other.DialContext)
			s.InjectFault(adcstest.Fault{Cut: cut})
			require.NoError(t, submitOne(t, c))
			assert.Len(t, s.Requests(), rows)
			assert.Positive(t, second.count())
			assert.Len(t, other.Requests(), 1)
		})
	}
}

// TestOneClimbs has many calls at once on a ladder whose first rung fails.
func TestOneClimbs(t *testing.T) {
	s := newServer(t, nil)
	c, first, _ := climber(t, s, &adcs.Options{Connections: 8}, closedPorts, s.DialContext)
	for _, err := range submitMany(t, c, 8) {
		require.NoError(t, err)
	}
	assert.Equal(t, 1, first.count())
	assert.Len(t, s.Requests(), 8)
}
