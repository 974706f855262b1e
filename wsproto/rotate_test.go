package wsproto_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

func rotated(t *testing.T) (*ecdsa.PrivateKey, wsproto.Hello) {
	t.Helper()
	previous, hello := newKey(t), newHello(t)
	r, err := wsproto.SignRotation(previous, "acme", wsproto.RotationKeys{
		PreviousDecryption: spki(t, newKey(t).Public()), Identity: hello.IdentityKey, Decryption: hello.DecryptionKey,
	})
	require.NoError(t, err)
	hello.Rotation = r
	return previous, hello
}

func TestRotation(t *testing.T) {
	previous, hello := rotated(t)
	require.NoError(t, hello.Validate())
	require.NoError(t, wsproto.VerifyRotation("acme", &hello))
	require.Equal(t, spki(t, previous.Public()), hello.Rotation.IdentityKey)

	// A byte of the signature, whichever, and it is worth nothing.
	for i := range hello.Rotation.Signature {
		changed := *hello.Rotation
		changed.Signature = slices.Clone(changed.Signature)
		changed.Signature[i] ^= 1
		other := hello
		other.Rotation = &changed
		require.ErrorIs(t, wsproto.VerifyRotation("acme", &other), wsproto.ErrSignature, "byte %d", i)
	}
}

func TestRotationBinds(t *testing.T) {
	for name, change := range map[string]func(h *wsproto.Hello, r *wsproto.Rotation){
		"new identity key":        func(h *wsproto.Hello, _ *wsproto.Rotation) { h.IdentityKey = spki(t, newKey(t).Public()) },
		"new decryption key":      func(h *wsproto.Hello, _ *wsproto.Rotation) { h.DecryptionKey = spki(t, newKey(t).Public()) },
		"previous identity key":   func(_ *wsproto.Hello, r *wsproto.Rotation) { r.IdentityKey = spki(t, newKey(t).Public()) },
		"previous decryption key": func(_ *wsproto.Hello, r *wsproto.Rotation) { r.DecryptionKey = spki(t, newKey(t).Public()) },
		"new keys exchanged": func(h *wsproto.Hello, _ *wsproto.Rotation) {
			h.IdentityKey, h.DecryptionKey = h.DecryptionKey, h.IdentityKey
		},
		"previous keys exchanged": func(_ *wsproto.Hello, r *wsproto.Rotation) {
			r.IdentityKey, r.DecryptionKey = r.DecryptionKey, r.IdentityKey
		},
		"empty signature": func(_ *wsproto.Hello, r *wsproto.Rotation) { r.Signature = nil },
	} {
		t.Run(name, func(t *testing.T) {
			_, hello := rotated(t)
			change(&hello, hello.Rotation)
			require.ErrorIs(t, wsproto.VerifyRotation("acme", &hello), wsproto.ErrSignature)
		})
	}
	_, hello := rotated(t)
	require.ErrorIs(t, wsproto.VerifyRotation("umbrella", &hello), wsproto.ErrSignature)
}

// A signature that a key made for another use is no rotation.
func TestRotationHasItsOwnContext(t *testing.T) {
	previous, hello := rotated(t)
	signature, err := wsproto.SignAuthenticate(previous, wsproto.Binding{Tenant: "acme"})
	require.NoError(t, err)
	hello.Rotation.Signature = signature
	require.ErrorIs(t, wsproto.VerifyRotation("acme", &hello), wsproto.ErrSignature)
}

func TestRotationNeedsFourKeys(t *testing.T) {
	for name, change := range map[string]func(h *wsproto.Hello, r *wsproto.Rotation){
		"same identity key":       func(h *wsproto.Hello, r *wsproto.Rotation) { r.IdentityKey = h.IdentityKey },
		"same decryption key":     func(h *wsproto.Hello, r *wsproto.Rotation) { r.DecryptionKey = h.DecryptionKey },
		"the other's new key":     func(h *wsproto.Hello, r *wsproto.Rotation) { r.DecryptionKey = h.IdentityKey },
		"previous keys are one":   func(_ *wsproto.Hello, r *wsproto.Rotation) { r.DecryptionKey = r.IdentityKey },
		"no previous identity":    func(_ *wsproto.Hello, r *wsproto.Rotation) { r.IdentityKey = nil },
		"no previous decryption":  func(_ *wsproto.Hello, r *wsproto.Rotation) { r.DecryptionKey = nil },
		"something after the key": func(_ *wsproto.Hello, r *wsproto.Rotation) { r.IdentityKey = append(slices.Clone(r.IdentityKey), 0) },
		"identity on another curve": func(_ *wsproto.Hello, r *wsproto.Rotation) {
			r.IdentityKey = make([]byte, 91)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, hello := rotated(t)
			change(&hello, hello.Rotation)
			require.ErrorIs(t, wsproto.VerifyRotation("acme", &hello), wsproto.ErrRotation)
			require.ErrorIs(t, hello.Validate(), wsproto.ErrBounds)
		})
	}
	hello := newHello(t)
	require.ErrorIs(t, wsproto.VerifyRotation("acme", &hello), wsproto.ErrRotation)

	keys := wsproto.RotationKeys{
		PreviousDecryption: spki(t, newKey(t).Public()), Identity: hello.IdentityKey, Decryption: hello.IdentityKey,
	}
	_, err := wsproto.SignRotation(newKey(t), "acme", keys)
	require.ErrorIs(t, err, wsproto.ErrRotation)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	for _, previous := range []crypto.Signer{nil, p384} {
		_, err = wsproto.SignRotation(previous, "acme", keys)
		require.ErrorIs(t, err, wsproto.ErrKeyType)
	}
}
