package gateway_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// seen collects connector events.
func seen(into *[]gateway.ConnectorEvent) func(*gateway.Config) {
	var mu sync.Mutex
	return func(c *gateway.Config) {
		c.OnConnector = func(e gateway.ConnectorEvent) {
			mu.Lock()
			defer mu.Unlock()
			*into = append(*into, e)
		}
	}
}

func TestConnectorEvents(t *testing.T) {
	var events []gateway.ConnectorEvent
	bubble(t, seen(&events), func(t *testing.T, w *world) {
		take := func() []gateway.ConnectorEvent {
			synctest.Wait()
			out := events
			events = nil
			return out
		}
		i := newIdentity(t)
		f := w.connect(i)
		_, err := f.prove(wsproto.EnrollmentCode{})
		require.NoError(t, err)
		event := gateway.ConnectorEvent{
			Kind: gateway.ConnectorWaits, Tenant: "acme", Connector: i.id(), Host: "host1", Source: "192.0.2.1",
			Attestation: gateway.LevelSoftware,
		}
		require.Equal(t, []gateway.ConnectorEvent{event}, take())

		require.NoError(t, w.g.Assign(t.Context(), "acme", i.id(), []wsproto.CAAssignment{ca1()}))
		require.NoError(t, w.g.Approve(t.Context(), "acme", i.id()))
		event.Kind, event.CAs = gateway.ConnectorActive, []wsproto.CAAssignment{ca1()}
		require.Equal(t, []gateway.ConnectorEvent{event}, take())

		f.pipe.Cut()
		<-f.ended
		gone := take()
		require.Len(t, gone, 1)
		require.Equal(t, gateway.ConnectorGone, gone[0].Kind)
		w.again(i)
		require.Equal(t, []gateway.ConnectorEvent{event}, take())

		_, err = w.connect(newIdentity(t)).prove(wsproto.NewEnrollmentCode(w.fingerprint()))
		require.ErrorIs(t, err, wsproto.CodeEnrollment)
		refused := take()
		require.Len(t, refused, 1)
		require.Equal(t, gateway.ConnectorRefused, refused[0].Kind)
		require.Contains(t, refused[0].Message, "code")
	})
}

// TestTakeoverFromElsewhere: what a copied state folder looks like. A connector whose connection is known to have ended
// may come from anywhere.
func TestTakeoverFromElsewhere(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		first := w.enroll(i)
		synctest.Wait()
		from := func(source string) {
			_, err := w.connectFrom(i, source).prove(wsproto.EnrollmentCode{})
			require.NoError(t, err)
			synctest.Wait()
		}
		from("192.0.2.2")
		alarms := w.takeAlarms()
		require.Len(t, alarms, 1)
		require.Equal(t, gateway.AlarmTakeover, alarms[0].Kind)
		require.Equal(t, "192.0.2.2", alarms[0].Source)
		require.Contains(t, alarms[0].Message, "from 192.0.2.1;")
		require.Equal(t, wsproto.CloseSuperseded, closeCode(t, <-first.ended))
		from("192.0.2.2")
		require.Empty(t, w.takeAlarms(), "the same address")
		time.Sleep(time.Minute)

		moving := newIdentity(t)
		f := w.enroll(moving)
		f.pipe.Cut()
		<-f.ended
		synctest.Wait()
		i = moving
		from("192.0.2.2")
		require.Empty(t, w.takeAlarms(), "the older connection had ended")
	})
}

// TestHealthIsFresh: what a connector says of its CAs is to be seen at once.
func TestHealthIsFresh(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		health := []wsproto.CAHealth{{CA: ca1(), Reason: wsproto.ReasonCredential, Message: "rests"}}
		require.NoError(t, f.peer.Notify(t.Context(), wsproto.MethodStatus, wsproto.Status{CAs: health}))
		synctest.Wait()
		all, err := w.g.Connectors(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, health, all[0].Health)
	})
}
