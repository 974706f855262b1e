package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// fakeTPM is hardware of a connector, as its verifier knows it: the evidence names the keys and the hardware, and the
// activation repeats a random number together with the keys that the hardware holds.
type fakeTPM struct {
	Name     string `json:"name"`
	Level    string `json:"level"`
	Identity []byte `json:"identity"`
	Decrypt  []byte `json:"decryption"`
}

type fakeActivation struct {
	Random, Name string
	Keys         []byte
}

// attested puts the keys of an identity into hardware.
func (i *identity) attested(t testing.TB, name, level string) *identity {
	hello := i.hello(t)
	raw, err := json.Marshal(fakeTPM{Name: name, Level: level, Identity: hello.IdentityKey, Decrypt: hello.DecryptionKey})
	require.NoError(t, err)
	i.evidence = raw
	keys := append(bytes.Clone(hello.IdentityKey), hello.DecryptionKey...)
	i.activate = func(credentials json.RawMessage) json.RawMessage {
		var a fakeActivation
		require.NoError(t, json.Unmarshal(credentials, &a.Random))
		a.Name, a.Keys = name, keys
		out, err := json.Marshal(a)
		require.NoError(t, err)
		return out
	}
	return i
}

// lie is an error about evidence.
type lie string

func (l lie) Error() string   { return "fake: " + string(l) }
func (l lie) Refusal() string { return string(l) }

// fakeVerifier is the other side of fakeTPM.
type fakeVerifier struct {
	mu     sync.Mutex
	calls  int
	answer func(ctx context.Context) (json.RawMessage, func(json.RawMessage) (string, string, error), error) // instead, if set
}

func (v *fakeVerifier) took() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := v.calls
	v.calls = 0
	return n
}

func (v *fakeVerifier) instead(f func(ctx context.Context) (json.RawMessage, func(json.RawMessage) (string, string, error), error)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer = f
}

func (v *fakeVerifier) Challenge(ctx context.Context, tenant string, evidence json.RawMessage, identityKey, decryptionKey []byte) (
	json.RawMessage, func(json.RawMessage) (string, string, error), error) {
	v.mu.Lock()
	v.calls++
	answer := v.answer
	v.mu.Unlock()
	if answer != nil {
		return answer(ctx)
	}
	var e fakeTPM
	switch err := json.Unmarshal(evidence, &e); {
	case err != nil || tenant != "acme":
		return nil, nil, lie("malformed evidence")
	case !bytes.Equal(e.Identity, identityKey):
		return nil, nil, lie("evidence of another identity key")
	case !bytes.Equal(e.Decrypt, decryptionKey):
		return nil, nil, lie("evidence of another decryption key")
	}
	random := rand.Text()
	credentials, err := json.Marshal(random)
	return credentials, func(activation json.RawMessage) (string, string, error) {
		var a fakeActivation
		if json.Unmarshal(activation, &a) != nil || a.Random != random || a.Name != e.Name ||
			!bytes.Equal(a.Keys, append(bytes.Clone(identityKey), decryptionKey...)) {
			return gateway.LevelVerified, "", fmt.Errorf("wrapped: %w", lie("wrong activation"))
		}
		return e.Level, "chip " + e.Name, nil
	}, err
}

// site is a gateway with a verifier and a policy that can be changed.
type site struct {
	*world
	verifier *fakeVerifier
	mu       sync.Mutex
	policy   gateway.AttestationPolicy
}

func (s *site) ask(p gateway.AttestationPolicy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy = p
}

func attesting(t *testing.T, policy gateway.AttestationPolicy, test func(t *testing.T, s *site)) {
	t.Helper()
	s := &site{verifier: new(fakeVerifier), policy: policy}
	bubble(t, func(c *gateway.Config) {
		c.AttestationVerifier = s.verifier
		c.Attestation = func(tenant string) gateway.AttestationPolicy {
			require.Equal(t, "acme", tenant)
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.policy
		}
	}, func(t *testing.T, w *world) {
		s.world = w
		test(t, s)
	})
}

func (w *world) info(id string) gateway.ConnectorInfo {
	w.t.Helper()
	all, err := w.g.Connectors(w.t.Context(), "acme")
	require.NoError(w.t, err)
	for _, c := range all {
		if c.ID == id {
			return c
		}
	}
	w.t.Fatalf("no connector %s", id)
	return gateway.ConnectorInfo{}
}

// end closes a connection and waits until the gateway knows.
func (f *fake) end() {
	f.peer.Close(wsproto.CloseNormal, "")
	<-f.ended
	synctest.Wait()
}

// refused proves, and returns the error and the close code that it must end with.
func (w *world) refused(i *identity, code wsproto.EnrollmentCode) (wsproto.CloseCode, error) {
	w.t.Helper()
	f := w.connect(i)
	_, err := f.prove(code)
	require.Error(w.t, err)
	closed := closeCode(w.t, <-f.ended)
	synctest.Wait()
	return closed, err
}

func (w *world) attestationRefused(i *identity, code wsproto.EnrollmentCode, text string) {
	w.t.Helper()
	closed, err := w.refused(i, code)
	require.ErrorIs(w.t, err, wsproto.CodeAttestation)
	require.ErrorContains(w.t, err, text)
	require.Equal(w.t, wsproto.CloseAttestation, closed)
}

func TestAttestationLevels(t *testing.T) {
	none := wsproto.EnrollmentCode{}
	for _, policy := range []gateway.AttestationPolicy{"", gateway.AttestationAny, gateway.AttestationTPM, gateway.AttestationVerified, "unheard of"} {
		for level, least := range map[string]int{gateway.LevelSoftware: 0, gateway.LevelUnverified: 1, gateway.LevelVerified: 2} {
			t.Run(string(policy)+"/"+level, func(t *testing.T) {
				attesting(t, policy, func(t *testing.T, s *site) {
					i := newIdentity(t)
					if least > 0 {
						i.attested(t, "A", level)
					}
					needed := map[gateway.AttestationPolicy]int{"": 0, gateway.AttestationAny: 0, gateway.AttestationTPM: 1}
					want, known := needed[policy]
					if !known {
						want = 2
					}
					code := s.code(ca1())
					if least < want {
						s.attestationRefused(i, code, "asks for keys of the level")
						s.attestationRefused(i, none, "asks for keys of the level")
						all, err := s.g.Connectors(t.Context(), "acme")
						require.NoError(t, err)
						require.Empty(t, all, "nobody is asked to approve it")
						stored, err := s.store.Code(t.Context(), "acme", code.ID())
						require.NoError(t, err)
						require.Empty(t, stored.UsedBy, "the code is not used up")
						require.Empty(t, s.takeAlarms(), "a stranger is not worth one")
						return
					}
					f := s.connect(i)
					_, err := f.prove(code)
					require.NoError(t, err)
					synctest.Wait()
					info := s.info(i.id())
					require.Equal(t, level, info.Attestation)
					if least > 0 {
						require.Equal(t, "chip A", info.Detail)
						require.Len(t, info.Evidence, 64)
					}
					require.Empty(t, s.takeAlarms())
				})
			})
		}
	}
}

// TestOneProof: what is known is not asked for again.
func TestOneProof(t *testing.T) {
	attesting(t, gateway.AttestationTPM, func(t *testing.T, s *site) {
		i := newIdentity(t).attested(t, "A", gateway.LevelUnverified)
		f := s.enroll(i)
		require.NotNil(t, f.credentials)
		require.Equal(t, 1, s.verifier.took())
		for range 3 {
			f.end()
			f = s.again(i)
			require.Nil(t, f.credentials)
		}
		require.Zero(t, s.verifier.took())

		f.end()
		evidence := i.evidence
		i.evidence = nil
		f = s.again(i)
		require.Equal(t, gateway.LevelUnverified, s.info(i.id()).Attestation, "the same keys, without evidence")
		f.end()
		i.evidence = append(json.RawMessage(`{"firmware":7,`), evidence[1:]...)
		f = s.again(i)
		require.Equal(t, 1, s.verifier.took(), "other evidence")
		f.end()
		s.ask(gateway.AttestationVerified)
		s.attestationRefused(i, wsproto.EnrollmentCode{}, `\"tpm-unverified\": chip A`)
		require.Equal(t, 1, s.verifier.took(), "looked at again, since it did not suffice")
		require.Equal(t, gateway.AlarmAttestation, s.takeAlarms()[0].Kind)
		i.attested(t, "A", gateway.LevelVerified)
		s.again(i)
		require.Equal(t, gateway.LevelVerified, s.info(i.id()).Attestation)
		require.Empty(t, s.takeAlarms())
	})
}

// TestPolicyTightened: a running session is ended within a heartbeat, a new one refused.
func TestPolicyTightened(t *testing.T) {
	attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
		soft, hard, waiting := newIdentity(t), newIdentity(t).attested(t, "A", gateway.LevelVerified), newIdentity(t)
		fs, fh, fw := s.enroll(soft), s.enroll(hard), s.connect(waiting)
		_, err := fw.prove(wsproto.EnrollmentCode{})
		require.NoError(t, err)
		s.ask(gateway.AttestationVerified)
		start := time.Now()
		require.Equal(t, wsproto.CloseAttestation, closeCode(t, <-fs.ended))
		require.Equal(t, wsproto.CloseAttestation, closeCode(t, <-fw.ended))
		require.LessOrEqual(t, time.Since(start), 25*time.Second)
		s.attestationRefused(soft, wsproto.EnrollmentCode{}, "level")
		time.Sleep(time.Hour)
		require.NoError(t, fh.peer.Err())
		s.ask(gateway.AttestationAny)
		s.again(soft)
	})
}

// TestNoOffersBelowThePolicy: what the tenant does not trust any more gets no job, before its session ends.
func TestNoOffersBelowThePolicy(t *testing.T) {
	attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
		soft := newIdentity(t)
		f := s.enroll(soft)
		s.ask(gateway.AttestationTPM)
		id := s.order()
		synctest.Wait()
		require.Empty(t, f.offers)
		require.Equal(t, wsproto.CloseAttestation, closeCode(t, <-f.ended))
		hard := newIdentity(t).attested(t, "A", gateway.LevelVerified)
		fh := s.enroll(hard)
		require.EqualValues(t, 1, (<-fh.offers).Attempt)
		require.Equal(t, hard.id(), s.job(id).Connector)
	})
}

func TestWrongEvidence(t *testing.T) {
	victim := newIdentity(t).attested(t, "V", gateway.LevelVerified)
	for name, c := range map[string]struct {
		make func(t *testing.T) *identity
		want string
	}{
		"of another connector": {func(t *testing.T) *identity {
			i := newIdentity(t)
			i.evidence, i.activate = victim.evidence, victim.activate
			return i
		}, "another identity key"},
		"of another decryption key": {func(t *testing.T) *identity {
			i := newIdentity(t).attested(t, "A", gateway.LevelVerified)
			i.dec = newIdentity(t).dec
			return i
		}, "another decryption key"},
		"activation of another": {func(t *testing.T) *identity {
			i := newIdentity(t).attested(t, "A", gateway.LevelVerified)
			i.activate = victim.activate
			return i
		}, "wrong activation"},
		"no activation": {func(t *testing.T) *identity {
			i := newIdentity(t).attested(t, "A", gateway.LevelVerified)
			i.activate = nil
			return i
		}, "wrong activation"},
		"replayed activation": {func(t *testing.T) *identity {
			i := newIdentity(t).attested(t, "A", gateway.LevelVerified)
			old := i.activate(json.RawMessage(`"old"`))
			i.activate = func(json.RawMessage) json.RawMessage { return old }
			return i
		}, "wrong activation"},
		"no evidence at all": {func(t *testing.T) *identity {
			i := newIdentity(t)
			i.evidence = json.RawMessage(`"hello"`)
			return i
		}, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
				i, code := c.make(t), s.code(ca1())
				s.attestationRefused(i, code, c.want)
				alarms := s.takeAlarms()
				require.Len(t, alarms, 1)
				require.Equal(t, gateway.AlarmAttestation, alarms[0].Kind)
				require.Equal(t, i.id(), alarms[0].Connector)
				require.Contains(t, alarms[0].Message, c.want)
				stored, err := s.store.Code(t.Context(), "acme", code.ID())
				require.NoError(t, err)
				require.Empty(t, stored.UsedBy)
			})
		})
	}
}

// TestNobodyIsAccusedByAHello: without the key, wrong evidence says nothing about its owner.
func TestNobodyIsAccusedByAHello(t *testing.T) {
	attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
		victim := newIdentity(t).attested(t, "V", gateway.LevelVerified)
		s.enroll(victim)
		forged := *victim
		forged.evidence = json.RawMessage(`{}`)
		f := s.connect(&forged)
		_, _, err := f.greet()
		require.NoError(t, err, "the proof comes first")
		forged.key = newKey(t)
		_, err = func() (wsproto.State, error) {
			var state wsproto.State
			return state, f.peer.Call(context.Background(), wsproto.MethodAuthenticate, f.proof(wsproto.Binding{}, wsproto.EnrollmentCode{}), &state)
		}()
		require.ErrorIs(t, err, wsproto.CodeNotAuthenticated)
		require.Empty(t, s.takeAlarms())
	})
}

func TestWrongEvidenceIsLimited(t *testing.T) {
	attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
		i := newIdentity(t)
		i.evidence = json.RawMessage(`{}`)
		for range 15 {
			s.attestationRefused(i, wsproto.EnrollmentCode{}, "refused")
		}
		require.Equal(t, 10, s.verifier.took())
		require.Len(t, s.takeAlarms(), 10)
		time.Sleep(time.Minute)
		s.attestationRefused(i, wsproto.EnrollmentCode{}, "another identity key")
	})
}

// TestDecryptionKeyExchanged: checkpoints would be encrypted to a key that nobody vouches for.
func TestDecryptionKeyExchanged(t *testing.T) {
	for _, level := range []string{gateway.LevelUnverified, gateway.LevelVerified} {
		attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
			i := newIdentity(t).attested(t, "A", level)
			s.enroll(i).end()
			before := s.info(i.id())
			thief := *i
			thief.dec = newIdentity(t).dec
			for _, evidence := range []json.RawMessage{nil, i.evidence} {
				thief.evidence = evidence
				text := "another decryption key"
				s.attestationRefused(&thief, wsproto.EnrollmentCode{}, text)
				require.Equal(t, gateway.AlarmAttestation, s.takeAlarms()[0].Kind)
			}
			thief.attested(t, "B", gateway.LevelSoftware)
			s.attestationRefused(&thief, wsproto.EnrollmentCode{}, "another decryption key")
			now := s.info(i.id())
			now.LastSeen = before.LastSeen
			require.Equal(t, before, now)
			s.again(thief.attested(t, "A", level)) // both keys in the hardware again
		})
	}
}

// TestLevelFalls: it is never silent, and the policy decides whether it is accepted.
func TestLevelFalls(t *testing.T) {
	attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
		i := newIdentity(t).attested(t, "A", gateway.LevelVerified)
		s.enroll(i).end()
		s.again(i.attested(t, "A", gateway.LevelUnverified)).end()
		alarms := s.takeAlarms()
		require.Len(t, alarms, 1)
		require.Equal(t, gateway.AlarmAttestation, alarms[0].Kind)
		require.Contains(t, alarms[0].Message, "tpm-unverified: chip A")
		s.again(i).end()
		require.Empty(t, s.takeAlarms(), "told once")
		s.again(i.attested(t, "A", gateway.LevelVerified)).end()
		require.Empty(t, s.takeAlarms())
		s.ask(gateway.AttestationVerified)
		s.attestationRefused(i.attested(t, "A", gateway.LevelUnverified), wsproto.EnrollmentCode{}, "level")
		require.Equal(t, gateway.LevelVerified, s.info(i.id()).Attestation, "the record is as it was")
	})
}

// TestVerifierFails: what the embedder's code does harms nobody, and is not the connector's fault.
func TestVerifierFails(t *testing.T) {
	type verify = func(json.RawMessage) (string, string, error)
	block := make(chan struct{})
	good := json.RawMessage(`"x"`)
	for name, answer := range map[string]func(ctx context.Context) (json.RawMessage, verify, error){
		"panics":        func(context.Context) (json.RawMessage, verify, error) { panic("at the chip") },
		"has no time":   func(ctx context.Context) (json.RawMessage, verify, error) { <-ctx.Done(); return nil, nil, ctx.Err() },
		"never returns": func(context.Context) (json.RawMessage, verify, error) { <-block; return nil, nil, nil },
		"has no database": func(context.Context) (json.RawMessage, verify, error) {
			return nil, nil, errors.New("chip database: no such host secret.example")
		},
		"has none at the end": func(context.Context) (json.RawMessage, verify, error) {
			return good, func(json.RawMessage) (string, string, error) {
				return gateway.LevelVerified, "", fmt.Errorf("chip: %w", context.DeadlineExceeded)
			}, nil
		},
		"returns nothing": func(context.Context) (json.RawMessage, verify, error) { return nil, nil, nil },
		"returns no JSON": func(context.Context) (json.RawMessage, verify, error) { return json.RawMessage(`{`), ok, nil },
		"returns too much": func(context.Context) (json.RawMessage, verify, error) {
			return json.RawMessage(`"` + strings.Repeat("x", 12<<10) + `"`), ok, nil
		},
		"unheard-of level": func(context.Context) (json.RawMessage, verify, error) {
			return good, func(json.RawMessage) (string, string, error) { return "perfect", "", nil }, nil
		},
		"no level": func(context.Context) (json.RawMessage, verify, error) {
			return good, func(json.RawMessage) (string, string, error) { return "", "", nil }, nil
		},
		"panics at the end": func(context.Context) (json.RawMessage, verify, error) {
			return good, func(json.RawMessage) (string, string, error) { panic(1) }, nil
		},
		"hangs at the end": func(context.Context) (json.RawMessage, verify, error) {
			return good, func(json.RawMessage) (string, string, error) { <-block; return "", "", nil }, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
				block = make(chan struct{})
				s.verifier.instead(answer)
				i := newIdentity(t).attested(t, "A", gateway.LevelVerified)
				start := time.Now()
				closed, err := s.refused(i, s.code(ca1()))
				require.ErrorIs(t, err, wsproto.CodeUnavailable)
				require.NotContains(t, err.Error(), "chip")
				require.Equal(t, wsproto.CloseUnavailable, closed)
				require.LessOrEqual(t, time.Since(start), 5*time.Second)
				require.Empty(t, s.takeAlarms())
				s.mu.Lock()
				s.world.mu.Lock()
				require.Len(t, s.errs, 1)
				require.ErrorContains(t, s.errs[0], "verifier")
				s.world.mu.Unlock()
				s.mu.Unlock()
				s.verifier.instead(nil)
				s.enroll(i)
				close(block)
			})
		})
	}
}

func ok(json.RawMessage) (string, string, error) { return gateway.LevelVerified, "", nil }

// TestVerifierHangsForAll: calls that never return do not pile up, and let others in again when they return.
func TestVerifierHangsForAll(t *testing.T) {
	attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
		block := make(chan struct{})
		s.verifier.instead(func(context.Context) (json.RawMessage, func(json.RawMessage) (string, string, error), error) {
			<-block
			return nil, ok, nil
		})
		for range 40 {
			_, err := s.refused(newIdentity(t).attested(t, "A", gateway.LevelVerified), wsproto.EnrollmentCode{})
			require.ErrorIs(t, err, wsproto.CodeUnavailable)
		}
		require.Equal(t, 16, s.verifier.took())
		s.enroll(newIdentity(t)) // nothing to verify
		close(block)
		synctest.Wait()
		i := newIdentity(t).attested(t, "A", gateway.LevelVerified)
		s.enroll(i)
		require.Equal(t, gateway.LevelVerified, s.info(i.id()).Attestation)
	})
}

// TestDetailIsCleaned: it is shown to people.
func TestDetailIsCleaned(t *testing.T) {
	attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
		s.verifier.instead(func(context.Context) (json.RawMessage, func(json.RawMessage) (string, string, error), error) {
			return nil, func(activation json.RawMessage) (string, string, error) {
				require.Empty(t, activation, "nothing was asked")
				return gateway.LevelVerified, "a\x1b[31m\n" + strings.Repeat("b", 5000), nil
			}, nil
		})
		i := newIdentity(t).attested(t, "A", gateway.LevelVerified)
		s.enroll(i)
		detail := s.info(i.id()).Detail
		require.True(t, strings.HasPrefix(detail, "a[31mb"))
		require.LessOrEqual(t, len(detail), wsproto.MaxText)
		raw, err := hex.DecodeString(s.info(i.id()).Evidence)
		require.NoError(t, err)
		require.Len(t, raw, 32)
	})
}

// TestGatewayWithoutVerifier shares a store with one that has: what was proved there stays, what is new is software.
func TestGatewayWithoutVerifier(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		i := newIdentity(t).attested(t, "A", gateway.LevelVerified)
		w.enroll(i).end()
		info := w.info(i.id())
		require.Equal(t, gateway.LevelSoftware, info.Attestation)
		require.Contains(t, info.Detail, "cannot read")
		c, err := w.store.Connector(t.Context(), "acme", i.id())
		require.NoError(t, err)
		c.Attestation, c.Evidence = gateway.LevelVerified, []byte{1}
		require.NoError(t, w.store.PutConnector(t.Context(), c))
		w.again(i).end()
		require.Equal(t, gateway.LevelVerified, w.info(i.id()).Attestation)
		i.dec = newIdentity(t).dec
		w.attestationRefused(i, wsproto.EnrollmentCode{}, "another decryption key")
	})
}

// TestRemovedBetweenHelloAndProof: what was proved before does not count any more, and nothing was asked for.
func TestRemovedBetweenHelloAndProof(t *testing.T) {
	attesting(t, gateway.AttestationAny, func(t *testing.T, s *site) {
		i := newIdentity(t).attested(t, "A", gateway.LevelVerified)
		s.enroll(i).end()
		f := s.connect(i)
		b, _, err := f.greet()
		require.NoError(t, err)
		require.NoError(t, s.g.Delete(t.Context(), "acme", i.id()))
		code := s.code(ca1())
		err = f.peer.Call(t.Context(), wsproto.MethodAuthenticate, f.proof(b, code), nil)
		require.ErrorIs(t, err, wsproto.CodeUnavailable)
		require.Equal(t, wsproto.CloseUnavailable, closeCode(t, <-f.ended))
		_, err = s.connect(i).prove(code)
		require.NoError(t, err)
		require.Equal(t, gateway.LevelVerified, s.info(i.id()).Attestation)
	})
}

// TestReattest: what the verifier does not trust any more counts from the next connect on.
func TestReattest(t *testing.T) {
	attesting(t, gateway.AttestationTPM, func(t *testing.T, s *site) {
		i, bare := newIdentity(t).attested(t, "A", gateway.LevelVerified), newIdentity(t).attested(t, "B", gateway.LevelVerified)
		f := s.enroll(i)
		s.enroll(bare).end()
		s.verifier.instead(func(context.Context) (json.RawMessage, func(json.RawMessage) (string, string, error), error) {
			return nil, func(json.RawMessage) (string, string, error) { return gateway.LevelUnverified, "not listed", nil }, nil
		})
		s.again(i).end()
		require.Equal(t, gateway.LevelVerified, s.info(i.id()).Attestation)
		f.end()
		require.NoError(t, s.g.Reattest(t.Context(), "acme", i.id()))
		require.NoError(t, s.g.Reattest(t.Context(), "acme", bare.id()))
		s.again(i).end()
		require.Equal(t, gateway.LevelUnverified, s.info(i.id()).Attestation)
		alarms := s.takeAlarms()
		require.Len(t, alarms, 1)
		require.Equal(t, gateway.AlarmAttestation, alarms[0].Kind)
		bare.evidence = nil
		s.attestationRefused(bare, wsproto.EnrollmentCode{}, "level")
		require.ErrorIs(t, s.g.Reattest(t.Context(), "acme", "nobody"), gateway.ErrNotFound)
	})
}
