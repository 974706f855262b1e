package connector_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// flow is an order with what the CA does about it, and the outcome when nothing goes wrong.
type flow struct {
	name     string
	behave   behaviour
	approved bool // the manager issues what is held after a while
	want     wsproto.OutcomeKind
}

func flows() []flow {
	return []flow{
		{"issued", behaviour{delay: time.Second}, false, wsproto.Issued},
		{"held", behaviour{pend: true}, true, wsproto.Issued},
		{"denied", behaviour{deny: true}, false, wsproto.Denied},
		{"another key", behaviour{otherKey: true}, false, wsproto.Rejected},
	}
}

// after makes a node's connections call f once, after the nth message that is sent or received on any of them.
func (n *node) after(nth int64, f func()) *atomic.Int64 {
	var count atomic.Int64
	dial := n.dial
	n.dial = func(ctx context.Context) (wsproto.Transport, error) {
		t, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		return &tapped{t, func(bool, []byte) {
			if count.Add(1) == nth {
				f()
			}
		}}, nil
	}
	return &count
}

// messages counts the messages of a flow that nothing disturbs, until the outcome is acknowledged.
func messages(t *testing.T, f flow) (n int64) {
	inWorld(t, func(w *world) {
		w.ca.behave(f.behave)
		node := w.newNode()
		count := node.after(-1, nil)
		r := node.start()
		id := w.order(nil)
		w.approveLater(f)
		require.Equal(t, f.want, w.wait(id).Kind)
		synctest.Wait()
		n = count.Load()
		require.NoError(t, r.stop())
	})
	require.Greater(t, n, int64(10))
	return n
}

func (w *world) approveLater(f flow) {
	if !f.approved {
		return
	}
	w.done.Go(func() {
		manager := time.NewTicker(90 * time.Second)
		defer manager.Stop()
		for {
			select {
			case <-manager.C:
				w.ca.approve(w.t)
			case <-w.ctx.Done():
				return
			}
		}
	})
}

// eachMessage runs a test for each message of each flow: disturb happens right after it.
func eachMessage(t *testing.T, test func(t *testing.T, w *world, f flow, nth int64)) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			for nth := int64(1); nth <= messages(t, f); nth++ {
				t.Run(fmt.Sprint(nth), func(t *testing.T) {
					inWorld(t, func(w *world) {
						w.ca.behave(f.behave)
						test(t, w, f, nth)
					})
				})
			}
		})
	}
}

// TestCutAfterEachMessage loses the connection once. Both sides go on living, so nothing at all may be lost.
func TestCutAfterEachMessage(t *testing.T) {
	eachMessage(t, func(t *testing.T, w *world, f flow, nth int64) {
		node := w.newNode()
		node.after(nth, w.net.cut)
		r := node.start()
		id := w.order(nil)
		w.approveLater(f)
		o := w.wait(id)
		assert.Equal(t, f.want, o.Kind, "%+v", o)
		assert.Len(t, w.ca.rowsOf(id), 1)
		require.NoError(t, r.stop())
	})
}

// TestSilenceAfterEachMessage pulls the cable for five minutes: longer than a lease, its window and any heartbeat.
func TestSilenceAfterEachMessage(t *testing.T) {
	eachMessage(t, func(t *testing.T, w *world, f flow, nth int64) {
		node := w.newNode()
		node.after(nth, func() {
			w.net.partition()
			time.AfterFunc(5*time.Minute, w.net.heal)
		})
		r := node.start()
		id := w.order(nil)
		w.approveLater(f)
		w.wait(id)
		o := w.settled(id)
		assertOneRequest(t, w, id, o)
		if o.Kind != f.want {
			assert.Equal(t, wsproto.Unknown, o.Kind, "%+v", o)
		}
		require.NoError(t, r.stop())
	})
}

// settled lets time pass in which a late certificate may replace an unknown outcome, and returns the newest outcome.
func (w *world) settled(id string) wsproto.Outcome {
	timer := time.NewTimer(30 * time.Minute)
	defer timer.Stop()
	<-timer.C
	info, err := w.gateway.Job(w.ctx, tenantName, id)
	require.NoError(w.t, err)
	require.NotNil(w.t, info.Outcome)
	require.Empty(w.t, info.Extra, "a second certificate")
	return *info.Outcome
}

// assertOneRequest holds an outcome against the CA's database: never two requests, and what is there is told or unknown.
func assertOneRequest(t *testing.T, w *world, id string, o wsproto.Outcome) {
	t.Helper()
	rows := w.ca.rowsOf(id)
	assert.LessOrEqual(t, len(rows), 1, "submitted twice")
	switch o.Kind {
	case wsproto.Issued, wsproto.Rejected:
		require.Len(t, rows, 1)
		assert.NotNil(t, rows[0].cert)
		assert.Equal(t, rows[0].id, o.RequestID)
	case wsproto.Denied:
		require.Len(t, rows, 1)
		assert.True(t, rows[0].denied)
	case wsproto.Failed, wsproto.Expired, wsproto.Cancelled:
		assert.Empty(t, rows, "the outcome says that nothing was submitted: %+v", o)
	case wsproto.Unknown, wsproto.Lost:
	default:
		assert.Fail(t, "no final outcome", "%+v", o)
	}
}

// TestConnectorKilledAtEachMessage ends the process, as far as a process can end inside a test: its connection is gone,
// its calls are cut, its memory of the job is lost. Another process starts with the same identity.
func TestConnectorKilledAtEachMessage(t *testing.T) {
	for _, finds := range []bool{false, true} {
		t.Run(fmt.Sprintf("finder %v", finds), func(t *testing.T) {
			eachMessage(t, func(t *testing.T, w *world, f flow, nth int64) {
				node := w.newNode()
				node.finds = finds
				node.opts.Grace = time.Nanosecond
				dial, killed := node.dial, make(chan struct{})
				node.after(nth, func() { w.net.cut(); close(killed) })
				r := node.start()
				id := w.order(nil)
				w.approveLater(f)
				<-killed
				r.stop() // whether jobs were cut depends on the message
				node.dial = dial
				r = node.start()
				o := w.wait(id)
				assertOneRequest(t, w, id, o)
				if finds && len(w.ca.rowsOf(id)) == 1 {
					assert.Equal(t, f.want, o.Kind, "the row is in the database")
				}
				require.NoError(t, r.stop())
			})
		})
	}
}

// TestGatewayKilledAtEachMessage restarts the gateway with the same store.
func TestGatewayKilledAtEachMessage(t *testing.T) {
	eachMessage(t, func(t *testing.T, w *world, f flow, nth int64) {
		node := w.newNode()
		killed := make(chan struct{})
		node.after(nth, func() { w.net.cut(); close(killed) })
		r := node.start()
		id := w.order(nil)
		w.approveLater(f)
		<-killed
		w.restartGateway()
		o := w.wait(id)
		assert.Equal(t, f.want, o.Kind, "%+v", o)
		assertOneRequest(t, w, id, o)
		require.NoError(t, r.stop())
	})
}

func (w *world) restartGateway() {
	w.gateway.Close()
	w.server.Close()
	w.net.cut()
	old := w.net
	w.net = newNetwork()
	old.moved(w.net)
	w.startGateway()
}

// TestAnswerOfTheCALost loses the answer to the one submit.
func TestAnswerOfTheCALost(t *testing.T) {
	for _, c := range []struct {
		name  string
		b     behaviour
		finds bool
		want  wsproto.OutcomeKind
		rows  int
	}{
		{"before it arrived", behaviour{lost: lossBefore}, false, wsproto.Unknown, 0},
		{"before it arrived, no row", behaviour{lost: lossBefore}, true, wsproto.Unknown, 0},
		{"after it was executed", behaviour{lost: lossAfter}, false, wsproto.Unknown, 1},
		{"after it was executed, found", behaviour{lost: lossAfter}, true, wsproto.Issued, 1},
		{"after it was held, found", behaviour{lost: lossAfter, pend: true}, true, wsproto.Issued, 1},
		{"after it was denied, found", behaviour{lost: lossAfter, deny: true}, true, wsproto.Denied, 1},
		{"never answered", behaviour{lost: lossForever}, false, wsproto.Unknown, 1},
		{"never answered, found", behaviour{lost: lossForever}, true, wsproto.Issued, 1},
		{"certainly not sent", behaviour{lost: lossUnsent}, true, wsproto.Failed, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.ca.behave(c.b)
				n := w.newNode()
				n.finds = c.finds
				r := n.start()
				id := w.order(nil)
				w.approveLater(flow{approved: c.b.pend})
				o := w.wait(id)
				require.Equal(t, c.want, o.Kind, "%+v", o)
				require.Len(t, w.ca.rowsOf(id), c.rows)
				require.Equal(t, 1, n.issuer.submitted(), "submitted again")
				if c.want == wsproto.Unknown {
					require.Equal(t, wsproto.ReasonAnswerLost, o.Reason)
					require.NotEmpty(t, o.PublicKeyHash)
				}
				require.NoError(t, r.stop())
			})
		})
	}
}

// TestPartitionWithLease cuts a connector off while its request is at the CA. The job is offered to another connector,
// which must not submit again, and the certificate comes when the first one is back.
func TestPartitionWithLease(t *testing.T) {
	for _, c := range []struct {
		name           string
		sibling, finds bool
		first          wsproto.OutcomeKind // before the first connector is back
	}{
		{"nobody can open the checkpoint", false, false, wsproto.Unknown},
		{"a sibling opens it", true, false, wsproto.Unknown},
		{"a sibling finds the request", true, true, wsproto.Issued},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.ca.behave(behaviour{delay: 20 * time.Second})
				a, b := w.newNode(), w.newNode()
				b.finds = c.finds
				if c.sibling {
					a.opts.Siblings, b.opts.Siblings = []connector.Sibling{b.sibling()}, []connector.Sibling{a.sibling()}
				}
				ra := a.start()
				id := w.order(nil)
				for len(w.ca.rowsOf(id)) == 0 { // the lease is granted and used
					time.Sleep(time.Second)
				}
				w.net.partition()
				other := newNetwork()
				w.done.Go(func() { w.server.Serve(other) })
				b.dial = other.webSocket
				rb := b.start()
				require.Equal(t, c.first, w.wait(id).Kind)
				require.Zero(t, b.issuer.submitted(), "submitted elsewhere")
				w.net.heal()
				o := w.settled(id)
				require.Equal(t, wsproto.Issued, o.Kind, "the certificate that was issued is told: %+v", o)
				require.Len(t, w.ca.rowsOf(id), 1)
				require.NoError(t, ra.stop())
				require.NoError(t, rb.stop())
				other.Close()
			})
		})
	}
}

// TestPartitionBeforeLease cuts a connector off between its checkpoint and the answer: it has no lease, and must not
// submit when it is back, since the job has moved on.
func TestPartitionBeforeLease(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.newNode(), w.newNode()
		sent := make(chan struct{})
		a.deafAfter(wsproto.MethodCheckpoint, func() { close(sent) })
		ra := a.start()
		id := w.order(nil)
		<-sent
		synctest.Wait() // the gateway has it, and has answered
		w.net.partition()
		other := newNetwork()
		w.done.Go(func() { w.server.Serve(other) })
		b.dial = other.webSocket
		rb := b.start()
		require.Equal(t, wsproto.Unknown, w.wait(id).Kind, "the tenant cannot know that nothing was submitted")
		w.net.heal()
		o := w.settled(id)
		require.Equal(t, wsproto.Unknown, o.Kind)
		require.Empty(t, w.ca.rowsOf(id))
		require.Zero(t, a.issuer.submitted()+b.issuer.submitted())
		require.NoError(t, ra.stop())
		require.NoError(t, rb.stop())
		other.Close()
	})
}
