package gateway_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

func TestUnknownMethodInASession(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		require.ErrorIs(t, f.peer.Call(t.Context(), "no.such", nil, nil), wsproto.CodeMethodNotFound)
		require.ErrorIs(t, f.peer.Call(t.Context(), wsproto.MethodFinish, nil, nil), wsproto.CodeInvalidParams)
		require.Nil(t, f.peer.Err(), "the session goes on")
	})
}

func TestTakeover(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		first := w.enroll(i)
		_, err := w.g.Order(t.Context(), "acme", order(), nil)
		require.NoError(t, err)
		o := <-first.offers
		synctest.Wait()
		second, start := w.again(i), time.Now()
		_, err = second.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.NoError(t, err, "jobs belong to the connector, not to the connection")
		require.Equal(t, wsproto.CloseSuperseded, closeCode(t, <-first.ended))
		require.Equal(t, time.Minute, time.Since(start))
		require.Empty(t, w.takeAlarms())
		id2, err := w.g.Order(t.Context(), "acme", order(), nil)
		require.NoError(t, err)
		require.Equal(t, id2, (<-second.offers).Job)
	})
}

func TestReauthenticate(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.connect(i)
		b, _, err := f.greet()
		require.NoError(t, err)
		require.NoError(t, f.peer.Call(t.Context(), wsproto.MethodAuthenticate, f.proof(b, w.code()), nil))
		proofs, key := 0, i.key
		f.mu.Lock()
		f.prover = func(r *wsproto.Request) (any, error) {
			var signed wsproto.SignedChallenge
			if err := r.Decode(&signed); err != nil {
				return nil, err
			}
			again := b
			again.Challenge, again.Again = signed.Challenge, true
			if _, err := wsproto.VerifyChallenge(w.fingerprint(), again, signed.Signature); err != nil {
				return nil, err
			}
			proofs++
			signature, err := wsproto.SignAuthenticate(key, again)
			return wsproto.Authenticate{Signature: signature}, err
		}
		f.mu.Unlock()
		time.Sleep(25 * time.Hour)
		require.Nil(t, f.peer.Err())
		f.mu.Lock()
		require.Equal(t, 2, proofs)
		key = newKey(t)
		f.mu.Unlock()
		require.Equal(t, wsproto.CloseNotAuthenticated, closeCode(t, <-f.ended))

		f = w.again(i)
		start := time.Now()
		require.Equal(t, wsproto.CloseNotAuthenticated, closeCode(t, <-f.ended), "it does not know the method")
		require.InDelta(t, 12*time.Hour, time.Since(start), float64(time.Minute))
	})
}

func TestDuplicateKeyIsAnAlarm(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		first := w.enroll(i)
		clone := *i
		clone.instance = rand.Text()
		f := w.connect(&clone)
		_, err := f.prove(wsproto.EnrollmentCode{})
		require.ErrorIs(t, err, wsproto.CodeNotAuthenticated)
		require.Equal(t, wsproto.CloseDuplicateKey, closeCode(t, <-f.ended))
		alarms := w.takeAlarms()
		require.Len(t, alarms, 1)
		require.Equal(t, gateway.Alarm{
			Tenant: "acme", Connector: i.id(), Kind: gateway.AlarmDuplicateKey, Source: "192.0.2.1",
			Message: "another installation uses the identity key of this connector",
		}, alarms[0])
		synctest.Wait()
		require.Nil(t, first.peer.Err(), "the first one stays")

		first.pipe.Cut()
		<-first.ended
		synctest.Wait()
		_, err = w.again2(&clone)
		require.ErrorIs(t, err, wsproto.CodeNotAuthenticated, "not even when the other is away")
		require.NoError(t, w.g.Approve(t.Context(), "acme", i.id()))
		w.again(&clone)
	})
}

func TestConnectionLimits(t *testing.T) {
	limit := func(c *gateway.Config) { c.Limits = &gateway.Limits{Connections: 3, Handshakes: 2} }
	bubble(t, limit, func(t *testing.T, w *world) {
		a, b := w.connect(newIdentity(t)), w.connect(newIdentity(t))
		synctest.Wait()
		c := w.connect(newIdentity(t))
		require.Equal(t, wsproto.CloseUnavailable, closeCode(t, <-c.ended), "two have not authenticated yet")
		_, err := a.prove(w.code())
		require.NoError(t, err)
		_, err = b.prove(w.code())
		require.NoError(t, err)
		w.connect(newIdentity(t))
		synctest.Wait()
		d := w.connect(newIdentity(t))
		require.Equal(t, wsproto.CloseUnavailable, closeCode(t, <-d.ended))
	})
}

func TestFlood(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		near, far := wsproto.Pipe()
		go w.g.Connect(context.Background(), "acme", "", far)
		for n := range 1000 {
			text := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"connector.status","params":{}}`, n)
			if near.Write(t.Context(), []byte(text)) != nil {
				break
			}
		}
		for {
			if _, err := near.Read(t.Context()); err != nil {
				require.Contains(t, []wsproto.CloseCode{wsproto.CloseFlood, wsproto.CloseNotAuthenticated}, closeCode(t, err))
				return
			}
		}
	})
}

func TestMalformedFrames(t *testing.T) {
	for _, text := range []string{`{`, `[]`, `{"jsonrpc":"2.0","id":1,"method":"session.hello","method":"x"}`, "\xff"} {
		bubble(t, nil, func(t *testing.T, w *world) {
			near, far := wsproto.Pipe()
			go w.g.Connect(context.Background(), "acme", "", far)
			require.NoError(t, near.Write(t.Context(), []byte(text)))
			_, err := near.Read(t.Context())
			require.Equal(t, wsproto.CloseMalformed, closeCode(t, err))
		})
	}
}

func TestStatusReachesTheRecord(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		health := wsproto.CAHealth{CA: ca1(), Reason: wsproto.ReasonCALogon, Message: "no\x07 logon"}
		require.NoError(t, f.peer.Notify(t.Context(), wsproto.MethodStatus, wsproto.Status{CAs: []wsproto.CAHealth{health}}))
		time.Sleep(time.Minute)
		all, err := w.g.Connectors(t.Context(), "acme")
		require.NoError(t, err)
		health.Message = "no logon"
		require.Equal(t, []wsproto.CAHealth{health}, all[0].Health)
		require.Less(t, time.Since(all[0].LastSeen), 30*time.Second)
	})
}

// A gateway that died leaves its connectors' sessions in the store.
func TestStaleSessionIsNotConnected(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		c := &gateway.Connector{Tenant: "acme", ID: "c", State: wsproto.StateActive, Session: "of a dead gateway", Seen: time.Now()}
		require.NoError(t, w.store.PutConnector(t.Context(), c))
		for _, want := range []bool{true, false} {
			all, err := w.g.Connectors(t.Context(), "acme")
			require.NoError(t, err)
			require.Equal(t, want, all[0].Connected)
			time.Sleep(2 * time.Minute)
		}
	})
}

func TestPartitionedConnectorIsDropped(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.enroll(newIdentity(t))
		f.pipe.Partition()
		time.Sleep(5 * time.Minute)
		all, err := w.g.Connectors(t.Context(), "acme")
		require.NoError(t, err)
		require.False(t, all[0].Connected)
	})
}
