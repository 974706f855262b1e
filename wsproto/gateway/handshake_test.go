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

// bubble runs a test with virtual time and a gateway.
func bubble(t *testing.T, change func(*gateway.Config), test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, change)
		defer w.stop()
		test(t, w)
	})
}

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

func TestChallengeIsOfTheTenant(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		f := w.connect(newIdentity(t))
		b, signed, err := f.greet()
		require.NoError(t, err)
		c, err := wsproto.VerifyChallenge(w.fingerprint(), b, signed.Signature)
		require.NoError(t, err)
		require.Equal(t, wsproto.Limits{MaxMessageBytes: 1 << 20, HeartbeatMS: 25_000, RPCDeadlineMS: 120_000}, c.Limits)
		b.Tenant = "other"
		_, err = wsproto.VerifyChallenge(w.fingerprint(), b, signed.Signature)
		require.ErrorIs(t, err, wsproto.ErrSignature)
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

func TestHandshakeDeadlines(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		start := time.Now()
		f := w.connect(newIdentity(t))
		require.Equal(t, wsproto.CloseTimeout, closeCode(t, <-f.ended))
		require.Equal(t, 10*time.Second, time.Since(start))
		f = w.connect(newIdentity(t))
		_, _, err := f.greet()
		require.NoError(t, err)
		start = time.Now()
		require.Equal(t, wsproto.CloseTimeout, closeCode(t, <-f.ended))
		require.Equal(t, 30*time.Second, time.Since(start))
	})
}

func TestHandshakeRefusals(t *testing.T) {
	call := func(f *fake, method string, params any) error {
		return f.peer.Call(context.Background(), method, params, nil)
	}
	for _, c := range []struct {
		name    string
		run     func(t *testing.T, w *world, f *fake) error
		code    wsproto.ErrorCode
		closing wsproto.CloseCode
	}{
		{"anything before the hello", func(t *testing.T, w *world, f *fake) error {
			return call(f, "job.finish", wsproto.Empty{})
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated},
		{"unknown method before the hello", func(t *testing.T, w *world, f *fake) error {
			return call(f, "no.such", wsproto.Empty{})
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated},
		{"proof before the hello", func(t *testing.T, w *world, f *fake) error {
			return call(f, wsproto.MethodAuthenticate, wsproto.Authenticate{Signature: make([]byte, 70)})
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated},
		{"second hello", func(t *testing.T, w *world, f *fake) error {
			_, _, err := f.greet()
			require.NoError(t, err)
			_, _, err = f.greet()
			return err
		}, wsproto.CodeInvalidRequest, wsproto.CloseMalformed},
		{"empty hello", func(t *testing.T, w *world, f *fake) error {
			return call(f, wsproto.MethodHello, wsproto.Empty{})
		}, wsproto.CodeInvalidParams, wsproto.CloseMalformed},
		{"version", func(t *testing.T, w *world, f *fake) error {
			hello := f.identity.hello(t)
			hello.Versions = []int{2, 3}
			return call(f, wsproto.MethodHello, hello)
		}, wsproto.CodeVersion, wsproto.CloseVersion},
		{"short nonce", func(t *testing.T, w *world, f *fake) error {
			hello := f.identity.hello(t)
			hello.Nonce = hello.Nonce[:31]
			return call(f, wsproto.MethodHello, hello)
		}, wsproto.CodeInvalidParams, wsproto.CloseMalformed},
		{"wrong signature", func(t *testing.T, w *world, f *fake) error {
			b, _, err := f.greet()
			require.NoError(t, err)
			f.identity.key = newKey(t)
			return call(f, wsproto.MethodAuthenticate, f.proof(b, wsproto.EnrollmentCode{}))
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated},
		{"proof for another gateway", func(t *testing.T, w *world, f *fake) error {
			b, _, err := f.greet()
			require.NoError(t, err)
			b.Authority = "evil.test"
			return call(f, wsproto.MethodAuthenticate, f.proof(b, wsproto.EnrollmentCode{}))
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated},
		{"proof of another connection", func(t *testing.T, w *world, f *fake) error {
			other := w.connect(f.identity)
			old, _, err := other.greet()
			require.NoError(t, err)
			_, _, err = f.greet()
			require.NoError(t, err)
			return call(f, wsproto.MethodAuthenticate, f.proof(old, wsproto.EnrollmentCode{}))
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated},
		{"proof twice", func(t *testing.T, w *world, f *fake) error {
			b, _, err := f.greet()
			require.NoError(t, err)
			proof := f.proof(b, w.code())
			require.NoError(t, call(f, wsproto.MethodAuthenticate, proof))
			return call(f, wsproto.MethodAuthenticate, proof)
		}, wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated},
		{"code of another handshake", func(t *testing.T, w *world, f *fake) error {
			code := w.code()
			other := w.connect(f.identity)
			old, _, err := other.greet()
			require.NoError(t, err)
			b, _, err := f.greet()
			require.NoError(t, err)
			proof := f.proof(b, code)
			mac := code.MAC(old)
			proof.Enrollment = &mac
			return call(f, wsproto.MethodAuthenticate, proof)
		}, wsproto.CodeEnrollment, wsproto.CloseNotAuthenticated},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				f := w.connect(newIdentity(t))
				require.ErrorIs(t, c.run(t, w, f), c.code)
				require.Equal(t, c.closing, closeCode(t, <-f.ended))
			})
		})
	}
}

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
