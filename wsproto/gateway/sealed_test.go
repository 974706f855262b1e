package gateway_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// sealedOutcome delivers for a recipient. The gateway cannot tell what is in it.
func sealedOutcome(n byte, hash []byte) wsproto.Outcome {
	out := issued(n, hash)
	out.PKCS12, out.Sealed = nil, json.RawMessage(`{"for":"the recipient alone"}`)
	return out
}

// TestSealedOutcome: what a connector has sealed reaches the tenant as it is.
func TestSealedOutcome(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		wanted := order()
		wanted.Password, wanted.Recipient = "", &wsproto.Recipient{ID: "laptop-17", Key: recipientKey(t)}
		id, err := w.g.Order(t.Context(), "acme", wanted, nil)
		require.NoError(t, err)
		o := <-f.offers
		got, err := wsproto.DecodeOrder(o.Order)
		require.NoError(t, err)
		require.Equal(t, wanted, *got)
		p := i.sealed(t, o, secret(t), 1, 0)
		_, err = f.checkpoint(p)
		require.NoError(t, err)

		// A .p12 is refused, and nothing of it is kept; the connector may finish in another way then.
		clear := issued(1, p.Checkpoint.PublicKeyHash)
		clear.PKCS12 = []byte("a .p12 that anybody can take")
		require.ErrorIs(t, f.finish(o, 2, clear), wsproto.CodeInvalidParams)
		alarms := w.takeAlarms()
		require.Len(t, alarms, 1)
		require.Equal(t, gateway.AlarmDelivery, alarms[0].Kind)
		require.Equal(t, i.id(), alarms[0].Connector)
		require.Contains(t, alarms[0].Message, id)
		job, err := w.store.Job(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Nil(t, job.Outcome)
		require.True(t, job.Sealed)

		out := sealedOutcome(1, p.Checkpoint.PublicKeyHash)
		require.NoError(t, f.finish(o, 3, out))
		require.NoError(t, f.finish(o, 3, out), "a finish may be repeated")
		done, err := w.g.Wait(t.Context(), "acme", id)
		require.NoError(t, err)
		require.JSONEq(t, string(out.Sealed), string(done.Sealed))
		require.Empty(t, done.PKCS12)

		// Not even as another certificate of a job that is done.
		extra := issued(2, p.Checkpoint.PublicKeyHash)
		require.ErrorIs(t, f.finish(o, 4, extra), wsproto.CodeInvalidParams)
		again := issued(1, p.Checkpoint.PublicKeyHash)
		require.ErrorIs(t, f.finish(o, 4, again), wsproto.CodeInvalidParams)
	})
}

// TestSealedOutcomeOfAPassword: nobody could open it.
func TestSealedOutcomeOfAPassword(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		_, err := w.g.Order(t.Context(), "acme", order(), nil)
		require.NoError(t, err)
		o := <-f.offers
		p := i.sealed(t, o, secret(t), 1, 0)
		_, err = f.checkpoint(p)
		require.NoError(t, err)
		require.ErrorIs(t, f.finish(o, 2, sealedOutcome(1, p.Checkpoint.PublicKeyHash)), wsproto.CodeInvalidParams)
		require.NoError(t, f.finish(o, 3, issued(1, p.Checkpoint.PublicKeyHash)))
	})
}

// TestRecipientsOfOrders: a recipient whom no connector could seal for is refused before anything is stored.
func TestRecipientsOfOrders(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		for name, recipient := range map[string]*wsproto.Recipient{
			"no id": {Key: recipientKey(t)}, "no key": {ID: "r"}, "no public key": {ID: "r", Key: []byte("key")},
			"short signature": {ID: "r", Key: recipientKey(t), Signature: []byte{1}},
		} {
			o := order()
			o.Password, o.Recipient = "", recipient
			_, err := w.g.Order(t.Context(), "acme", o, nil)
			var refused *gateway.OrderError
			require.ErrorAs(t, err, &refused, name)
			require.ErrorContains(t, err, "recipient", name)
		}
	})
}
