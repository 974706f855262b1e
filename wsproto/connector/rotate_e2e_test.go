package connector_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// records returns what the gateway knows of its connectors, by fingerprint.
func (w *world) records() map[string]gateway.ConnectorInfo {
	w.t.Helper()
	list, err := w.gateway.Connectors(w.ctx, tenantName)
	require.NoError(w.t, err)
	out := map[string]gateway.ConnectorInfo{}
	for _, c := range list {
		out[c.ID] = c
	}
	return out
}

func idOf(t *testing.T, id *connector.Identity) string {
	t.Helper()
	return fingerprint(t, id.Signer().Public()).String()
}

// until waits for a condition that time brings about.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for range 10_000 {
		if ok() {
			return
		}
		time.Sleep(time.Second)
	}
	w.t.Fatal("never: ", what)
}

func (n *node) lastError() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := len(n.events) - 1; i >= 0; i-- {
		if n.events[i].Err != nil {
			return n.events[i].Err
		}
	}
	return nil
}

// TestRotationEndToEnd: a connector takes new keys while the CA holds a request that was made under the old ones. The
// answer to its first connection is lost.
func TestRotationEndToEnd(t *testing.T) {
	for name, store := range map[string]connector.KeyStore{"software": nil, "a chip": newChip("a")} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				dir := filepath.Join(t.TempDir(), "identity")
				n := w.newNode()
				n.id = openIn(t, dir, nil)
				r := n.start()
				w.ca.behave(behaviour{pend: true})
				held := w.order(nil)
				w.until("a held request", func() bool {
					info, err := w.gateway.Job(w.ctx, tenantName, held)
					return err == nil && info.Outcome != nil && info.Outcome.Kind == wsproto.Pending
				})
				require.NoError(t, r.stop())
				old, copied := idOf(t, n.id), n.id
				require.Equal(t, wsproto.StateActive, w.records()[old].State)

				n.id = openIn(t, dir, nil)
				require.NoError(t, n.id.Rotate(tenantName, store))
				current := idOf(t, n.id)
				straight := n.dial
				n.dial = func(ctx context.Context) (wsproto.Transport, error) {
					transport, err := straight(ctx)
					return &muted{Transport: transport, after: 1}, err // hears the challenge and no state
				}
				r = n.start()
				w.until("a rotation at the gateway", func() bool { return w.records()[current].State == wsproto.StateActive })
				require.NotNil(t, n.id.Rotation(), "the connector has not heard of it")
				r.cancel()
				w.net.cut()
				<-r.done

				n.dial = straight
				n.id = openIn(t, dir, store) // as after a crash
				r = n.start()
				w.until("an acknowledgement", func() bool { return n.id.Rotation() == nil })
				require.Len(t, n.id.Former(), 1, "the held request needs the old decryption key")
				assert.Equal(t, wsproto.StateRevoked, w.records()[old].State)
				assert.Equal(t, []wsproto.CAAssignment{caName()}, w.records()[current].CAs)

				w.ca.behave(behaviour{})
				w.ca.approve(t)
				assert.Equal(t, wsproto.Issued, w.wait(held).Kind)
				assert.Equal(t, wsproto.Issued, w.wait(w.order(nil)).Kind)
				assert.Len(t, w.ca.rowsOf(held), 1, "submitted once")
				require.NoError(t, r.stop())

				// When nothing needs the old decryption key any more, it is deleted.
				time.Sleep(time.Hour)
				n.id = openIn(t, dir, store)
				r = n.start()
				w.until("an end of the old key", func() bool { return len(n.id.Former()) == 0 })
				assert.Len(t, files(t, dir), 3)
				require.NoError(t, r.stop())

				// Whoever has a copy of the old keys is refused.
				thief := w.newNode()
				thief.id, thief.code = copied, wsproto.EnrollmentCode{}
				r = thief.start()
				<-r.done
				require.ErrorIs(t, r.err, connector.ErrStopped)
				require.ErrorContains(t, thief.lastError(), "4403")
			})
		})
	}
}

// TestFormerKeysOfALongSession: a connector that stays connected gets rid of its former keys all the same.
func TestFormerKeysOfALongSession(t *testing.T) {
	inWorld(t, func(w *world) {
		dir := filepath.Join(t.TempDir(), "identity")
		n := w.newNode()
		n.id = openIn(t, dir, nil)
		r := n.start()
		w.until("a registration", func() bool { return n.id.Registration() != nil && n.id.Registration().Connector != "" })
		require.NoError(t, r.stop())
		n.id = openIn(t, dir, nil)
		require.NoError(t, n.id.Rotate(tenantName, nil))
		r = n.start()
		w.until("an acknowledgement", func() bool { return n.id.Rotation() == nil })
		assert.Len(t, n.id.Former(), 1, "something may be on its way")
		drains := func() (count int) {
			n.mu.Lock()
			defer n.mu.Unlock()
			for _, e := range n.events {
				if e.State == connector.StateDraining {
					count++
				}
			}
			return count
		}
		before := drains()
		time.Sleep(24 * time.Hour)
		assert.Empty(t, n.id.Former())
		assert.Len(t, files(t, dir), 3)
		assert.Equal(t, before+1, drains(), "once, for that")
		time.Sleep(100 * time.Hour)
		assert.Equal(t, before+1, drains())
		require.NoError(t, r.stop())
	})
}

// muted is a transport whose reader hears nothing after some messages.
type muted struct {
	wsproto.Transport
	after int
}

func (m *muted) Read(ctx context.Context) ([]byte, error) {
	for {
		message, err := m.Transport.Read(ctx)
		if m.after--; m.after >= 0 || err != nil {
			return message, err
		}
	}
}
