package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

func TestEnroll(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		synctest.Wait()
		all, err := w.g.Connectors(t.Context(), "acme")
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, gateway.ConnectorInfo{
			ID: i.id(), State: wsproto.StateActive, Connected: true, Host: "host1", OS: "linux", Software: "test 1",
			Source: "192.0.2.1", Attestation: "software", Capacity: 4, Registered: all[0].Registered,
			LastSeen: all[0].LastSeen, CAs: []wsproto.CAAssignment{ca1()},
		}, all[0])

		f.pipe.Cut()
		<-f.ended
		synctest.Wait()
		all, err = w.g.Connectors(t.Context(), "acme")
		require.NoError(t, err)
		require.False(t, all[0].Connected)
		w.again(i)
	})
}

func TestEnrollmentCodeOnce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		code := w.code(ca1())
		first := newIdentity(t)
		_, err := w.connect(first).prove(code)
		require.NoError(t, err)

		_, err = w.connect(newIdentity(t)).prove(code)
		require.ErrorIs(t, err, wsproto.CodeEnrollment)
		require.ErrorContains(t, err, "used by another")

		state, err := w.connect(first).prove(code)
		require.NoError(t, err, "the same key may come with it again")
		require.Equal(t, wsproto.StateActive, state.State)
	})
}

func TestEnrollmentCodeIdempotentBeforeTheRecord(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		code, i := w.code(), newIdentity(t)
		stored, err := w.store.Code(t.Context(), "acme", code.ID())
		require.NoError(t, err)
		stored.UsedBy = i.id() // the gateway died between the two writes
		require.NoError(t, w.store.PutCode(t.Context(), stored))
		state, err := w.connect(i).prove(code)
		require.NoError(t, err)
		require.Equal(t, wsproto.StateActive, state.State)
	})
}

func TestEnrollmentCodeExpires(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		code := w.code()
		time.Sleep(15 * time.Minute)
		f := w.connect(newIdentity(t))
		_, err := f.prove(code)
		require.ErrorIs(t, err, wsproto.CodeEnrollment)
		require.ErrorContains(t, err, "expired")
		require.Equal(t, wsproto.CloseNotAuthenticated, closeCode(t, <-f.ended))
	})
}

func TestEnrollmentCodeLifeIsBounded(t *testing.T) {
	bubble(t, func(c *gateway.Config) { c.Timing = &gateway.Timing{Code: 24 * time.Hour} }, func(t *testing.T, w *world) {
		_, end, err := w.g.NewEnrollmentCode(t.Context(), "acme", &gateway.CodeOptions{Life: time.Hour})
		require.NoError(t, err)
		require.Equal(t, 15*time.Minute, time.Until(end))
		_, _, err = w.g.NewEnrollmentCode(t.Context(), "keyless", nil)
		require.ErrorContains(t, err, "key of the tenant")
	})
}

func TestWrongEnrollmentCodesAreLimited(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		try := func(source string, code wsproto.EnrollmentCode) error {
			f := w.connectFrom(newIdentity(t), source)
			_, err := f.prove(code)
			f.peer.Close(wsproto.CloseNormal, "")
			return err
		}
		for range 10 {
			require.ErrorIs(t, try("192.0.2.9", wsproto.NewEnrollmentCode(w.fingerprint())), wsproto.CodeEnrollment)
		}
		require.Empty(t, w.takeAlarms())
		good := w.code()
		require.ErrorIs(t, try("192.0.2.9", good), wsproto.CodeLimit)
		alarms := w.takeAlarms()
		require.Len(t, alarms, 1)
		require.Equal(t, gateway.AlarmEnrollment, alarms[0].Kind)
		require.NoError(t, try("192.0.2.10", good), "another source is not affected")
		time.Sleep(time.Minute)
		require.NoError(t, try("192.0.2.9", w.code()))
	})
}

func TestCodeOfAnotherTenant(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		code, _, err := w.g.NewEnrollmentCode(t.Context(), "other", nil)
		require.NoError(t, err)
		_, err = w.connect(newIdentity(t)).prove(code)
		require.ErrorIs(t, err, wsproto.CodeEnrollment)
	})
}

func TestPendingUntilApproved(t *testing.T) {
	url := func(c *gateway.Config) {
		c.RegistrationURL = func(tenant, id string) string { return "https://console.test/" + tenant + "/" + id }
	}
	bubble(t, url, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.connect(i)
		state, err := f.prove(wsproto.EnrollmentCode{})
		require.NoError(t, err)
		require.Equal(t, wsproto.State{
			State: wsproto.StatePending, Connector: i.id(), RegistrationURL: "https://console.test/acme/" + i.id(),
		}, state)
		o := wsproto.Offer{Job: "j", Attempt: 1, Order: []byte(`{"ca":{"host":"h","name":"n"}}`)}
		_, err = f.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.ErrorIs(t, err, wsproto.CodeNotActive)
		require.ErrorIs(t, f.finish(o, 1, wsproto.Outcome{Kind: wsproto.Failed}), wsproto.CodeNotActive)

		id, err := w.g.Order(t.Context(), "acme", order(), nil)
		require.NoError(t, err)
		require.NoError(t, w.g.Assign(t.Context(), "acme", i.id(), []wsproto.CAAssignment{ca1()}))
		synctest.Wait()
		require.Empty(t, f.offers, "nothing is offered to a connector that is not active")
		require.Empty(t, f.configured)

		require.NoError(t, w.g.Approve(t.Context(), "acme", i.id()))
		require.Equal(t, wsproto.MethodApproved, <-f.notes)
		require.Equal(t, []wsproto.CAAssignment{ca1()}, (<-f.configured).CAs)
		require.Equal(t, id, (<-f.offers).Job)
	})
}

func TestPendingUntilRejected(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.connect(i)
		_, err := f.prove(wsproto.EnrollmentCode{})
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, w.g.Reject(t.Context(), "acme", i.id()))
		require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-f.ended))
		require.Equal(t, wsproto.MethodRejected, <-f.notes)
		f = w.connect(i)
		_, err = f.prove(w.code())
		require.ErrorIs(t, err, wsproto.CodeRevoked, "not even with a code")
		require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-f.ended))
		require.ErrorIs(t, w.g.Reject(t.Context(), "acme", i.id()), gateway.ErrConflict)
		require.ErrorIs(t, w.g.Reject(t.Context(), "acme", "nobody"), gateway.ErrNotFound)

		require.NoError(t, w.g.Approve(t.Context(), "acme", i.id()), "a person may change their mind")
		w.again(i)
	})
}

func TestPendingRegistrationsAreBounded(t *testing.T) {
	bubble(t, func(c *gateway.Config) { c.Limits = &gateway.Limits{Pending: 2} }, func(t *testing.T, w *world) {
		var waiting []*fake
		for range 2 {
			f := w.connect(newIdentity(t))
			_, err := f.prove(wsproto.EnrollmentCode{})
			require.NoError(t, err)
			waiting = append(waiting, f)
		}
		_, err := w.connect(newIdentity(t)).prove(wsproto.EnrollmentCode{})
		require.ErrorIs(t, err, wsproto.CodeLimit)
		_, err = w.again2(waiting[0].identity)
		require.NoError(t, err, "who waits already may come back")
		_, err = w.connect(newIdentity(t)).prove(w.code())
		require.NoError(t, err, "a code needs no place")
		waiting[1].pipe.Cut()
		time.Sleep(2 * time.Hour)
		_, err = w.connect(newIdentity(t)).prove(wsproto.EnrollmentCode{})
		require.NoError(t, err, "nobody waits for the other any more")
	})
}

func (w *world) again2(i *identity) (wsproto.State, error) {
	return w.connect(i).prove(wsproto.EnrollmentCode{})
}

func TestRevoke(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		id, err := w.g.Order(t.Context(), "acme", order(), nil)
		require.NoError(t, err)
		require.Equal(t, id, (<-f.offers).Job)
		require.NoError(t, w.g.Revoke(t.Context(), "acme", i.id()))
		require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-f.ended))
		f = w.connect(i)
		_, err = f.prove(wsproto.EnrollmentCode{})
		require.ErrorIs(t, err, wsproto.CodeRevoked)
		require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-f.ended))
		synctest.Wait()
		info, err := w.g.Job(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Equal(t, gateway.JobQueued, info.State)
	})
}

// A revocation that another gateway made counts before this one has heard of it.
func TestRevokedElsewhere(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t)
		f := w.enroll(i)
		_, err := w.g.Order(t.Context(), "acme", order(), nil)
		require.NoError(t, err)
		o := <-f.offers
		synctest.Wait()
		c, err := w.store.Connector(t.Context(), "acme", i.id())
		require.NoError(t, err)
		c.State = wsproto.StateRevoked
		require.NoError(t, w.store.PutConnector(t.Context(), c))
		_, err = f.checkpoint(i.sealed(t, o, secret(t), 1, 0))
		require.ErrorIs(t, err, wsproto.CodeRevoked)
		require.Equal(t, wsproto.CloseRevoked, closeCode(t, <-f.ended))
	})
}
