package gateway_test

import (
	"context"
	"encoding/json"
	"strings"
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
		{"a hello without end", func(t *testing.T, w *world, f *fake) error {
			hello := f.identity.hello(t)
			hello.Attestation = json.RawMessage(`"` + strings.Repeat("x", wsproto.MaxHello) + `"`)
			return call(f, wsproto.MethodHello, hello)
		}, wsproto.CodeLimit, wsproto.CloseTooBig},
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
