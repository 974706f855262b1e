package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// attester says what it is told, and counts.
type attester struct {
	mu                     sync.Mutex
	evidence, activation   error
	evidences, activations int
	credentials            json.RawMessage // of the last activation
}

func (a *attester) Evidence(context.Context) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.evidences++
	return json.RawMessage(`{"format":"test","n":1}`), a.evidence
}

func (a *attester) Activate(_ context.Context, credentials json.RawMessage) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.activations++
	a.credentials = credentials
	return json.RawMessage(`{"secret":"opened"}`), a.activation
}

// fail sets what the two methods return besides.
func (a *attester) fail(evidence, activation error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.evidence, a.activation = evidence, activation
}

// lastHello returns the last hello and the proof that followed it.
func (s *script) lastHello() (wsproto.Hello, wsproto.Authenticate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hellos[len(s.hellos)-1], s.auths[len(s.auths)-1]
}

func (s *script) want(credentials string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wants = json.RawMessage(credentials)
}

// TestAttestation: evidence is always sent, and what is expensive is done only when the tenant asks for it.
func TestAttestation(t *testing.T) {
	a := new(attester)
	prepare := func(s *script) {
		s.opts.Attester = a
		s.want(`{"credential":"for this connector"}`)
	}
	scripted(t, prepare, func(s *script, l *line) {
		hello, proof := s.lastHello()
		assert.JSONEq(t, `{"format":"test","n":1}`, string(hello.Attestation))
		assert.JSONEq(t, `{"secret":"opened"}`, string(proof.Activation))
		assert.JSONEq(t, `{"credential":"for this connector"}`, string(a.credentials))

		for _, nothing := range []string{``, `null`} {
			s.want(nothing)
			l.peer.Close(wsproto.CloseGoingAway, "again")
			l = s.connection()
			hello, proof = s.lastHello()
			assert.JSONEq(t, `{"format":"test","n":1}`, string(hello.Attestation))
			assert.Empty(t, proof.Activation)
			assert.Equal(t, 1, a.activations)
		}

		s.want(`{"credential":"once more"}`)
		var auth wsproto.Authenticate
		require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodReauthenticate, l.sign(true), &auth))
		assert.JSONEq(t, `{"secret":"opened"}`, string(auth.Activation))
		assert.Equal(t, 2, a.activations)
	})
}

// TestNoAttester: software keys say nothing, and are asked nothing that they could answer.
func TestNoAttester(t *testing.T) {
	scripted(t, func(s *script) { s.want(`{"credential":1}`) }, func(s *script, _ *line) {
		hello, proof := s.lastHello()
		assert.Empty(t, hello.Attestation)
		assert.Empty(t, proof.Activation)
	})
}

// TestForgedChallengeIsNotActivated: hardware is used only for a tenant that has proved itself.
func TestForgedChallengeIsNotActivated(t *testing.T) {
	a := new(attester)
	prepare := func(s *script) {
		s.opts.Attester = a
		s.want(`{"credential":1}`)
		s.forge = func(signed *wsproto.SignedChallenge) { signed.Signature[len(signed.Signature)-1] ^= 1 }
	}
	scripted(t, prepare, func(s *script, _ *line) {
		s.until("a refusal", func() bool { return errors.Is(s.lastEvent().Err, wsproto.ErrSignature) })
		assert.Zero(t, a.activations)
	})
}

// TestHardwareFailsInTheHandshake: an event says so, and the connector comes back until it works again.
func TestHardwareFailsInTheHandshake(t *testing.T) {
	errGone := errors.New("tpm: no answer")
	for name, test := range map[string]struct {
		fail func(a *attester, c *chip, err error)
		want []error
	}{
		"evidence":   {func(a *attester, _ *chip, err error) { a.fail(err, nil) }, []error{connector.ErrAttester, errGone}},
		"activation": {func(a *attester, _ *chip, err error) { a.fail(nil, err) }, []error{connector.ErrAttester, errGone}},
		"signature":  {func(_ *attester, c *chip, err error) { c.fail(err) }, []error{errGone}},
	} {
		t.Run(name, func(t *testing.T) {
			a, c := new(attester), newChip("a")
			prepare := func(s *script) {
				s.opts.Attester = a
				s.want(`{"credential":1}`)
				s.cfg.Identity = &flakySigner{Signer: s.signer, chip: c}
			}
			scripted(t, prepare, func(s *script, l *line) {
				test.fail(a, c, errGone)
				l.peer.Close(wsproto.CloseGoingAway, "again")
				for range 6 { // longer than any close code allows to come back
					s.noConnection(5 * time.Minute)
					e := s.lastEvent()
					if e.State == connector.StateConnecting { // an attempt may be under way
						continue
					}
					assert.Equal(t, connector.StateDisconnected, e.State)
					assert.False(t, e.Alarm)
					for _, want := range test.want {
						require.ErrorIs(t, e.Err, want)
					}
				}
				test.fail(a, c, nil)
				l = s.connection()
				assert.Equal(t, connector.StateConnected, s.lastEvent().State)
				assert.Equal(t, wsproto.Issued, l.finishOne(s.job(1)).Kind)
			})
		})
	}
}

// TestHardwareFailsInASession: a new proof is tried for a while; then the session ends, and the connector comes back.
func TestHardwareFailsInASession(t *testing.T) {
	c := newChip("a")
	prepare := func(s *script) { s.cfg.Identity = &flakySigner{Signer: s.signer, chip: c} }
	scripted(t, prepare, func(s *script, l *line) {
		c.fail(errChip)
		time.AfterFunc(2*time.Second, func() { c.fail(nil) })
		var auth wsproto.Authenticate
		require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodReauthenticate, l.sign(true), &auth), "busy for a moment")

		c.fail(errChip)
		require.ErrorIs(t, l.peer.Call(s.ctx, wsproto.MethodReauthenticate, l.sign(true), &auth), wsproto.CodeInternal)
		<-l.done
		assert.ErrorContains(t, l.err, "1011")
		s.until("an event", func() bool { return errors.Is(s.lastEvent().Err, errChip) })
		assert.False(t, s.lastEvent().Alarm)
		c.fail(nil)
		s.connection()
	})
}
