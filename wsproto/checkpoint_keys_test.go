package wsproto_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

var errHardware = errors.New("hardware is gone")

// brokenSigner and brokenBox are keys whose hardware fails.
type brokenSigner struct{ crypto.Signer }

func (brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errHardware
}

type brokenBox struct{ ecdh.KeyExchanger }

func (brokenBox) ECDH(*ecdh.PublicKey) ([]byte, error) { return nil, errHardware }

// TestFailingHardwareIsNoTampering: a key that fails says nothing about the checkpoint, and what is wrong with a
// checkpoint is found without the key where that is possible.
func TestFailingHardwareIsNoTampering(t *testing.T) {
	b := newBench(t)
	want := func(err error, use string) {
		t.Helper()
		var failed *wsproto.KeyError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, use, failed.Use)
		require.ErrorIs(t, err, errHardware)
		var bad wsproto.CheckpointError
		assert.NotErrorAs(t, err, &bad)
	}
	secret, err := wsproto.OpenCheckpoint(b.copy(t), brokenBox{b.makerBox}, b.expect)
	want(err, "decrypt")
	assert.Nil(t, secret)
	sealed, err := wsproto.SealCheckpoint(b.clear, b.secret, brokenSigner{b.maker}, b.makerBox.PublicKey())
	want(err, "sign")
	assert.Nil(t, sealed)
	_, err = wsproto.SignAuthenticate(brokenSigner{b.maker}, wsproto.Binding{})
	want(err, "sign")

	changed := b.copy(t)
	changed.Sealed[0].Ciphertext[0] ^= 1
	_, err = wsproto.OpenCheckpoint(changed, brokenBox{b.makerBox}, b.expect)
	assert.Equal(t, wsproto.ErrCheckpointSignature, err)
	changed = b.copy(t)
	changed.Sealed = changed.Sealed[1:]
	changed.Resign(func(transcript []byte) []byte {
		digest := crypto.SHA256.New()
		digest.Write(transcript)
		sig, err := b.maker.Sign(rand.Reader, digest.Sum(nil), crypto.SHA256)
		require.NoError(t, err)
		return sig
	})
	_, err = wsproto.OpenCheckpoint(changed, brokenBox{b.makerBox}, b.expect)
	assert.Equal(t, wsproto.ErrCheckpointSealed, err)
}

// TestPlaintextsAreWiped: what was encrypted, and what was decrypted but is not accepted, does not stay in memory.
func TestPlaintextsAreWiped(t *testing.T) {
	b := newBench(t)
	plaintext := b.secret.Encode()
	c := b.clear
	require.NoError(t, c.Encrypt(plaintext, b.makerBox.PublicKey()))
	assert.Equal(t, make([]byte, len(plaintext)), plaintext)
	plaintext = b.secret.Encode()
	require.Error(t, c.Encrypt(plaintext))
	assert.Equal(t, make([]byte, len(plaintext)), plaintext)

	other := newSecret(t)
	for _, plaintext := range [][]byte{
		wsproto.CheckpointSecret{PrivateKey: other.PrivateKey, Request: b.secret.Request}.Encode(),
		append(b.secret.Encode(), 0),
		other.Encode(),
	} {
		before := bytes.Clone(plaintext)
		_, err := b.sealed.Accept(plaintext)
		require.Equal(t, wsproto.ErrCheckpointKey, err)
		assert.NotEqual(t, before, plaintext)
		assert.Equal(t, make([]byte, len(plaintext)), plaintext)
	}
	plaintext = b.secret.Encode()
	secret, err := b.sealed.Accept(plaintext)
	require.NoError(t, err)
	assert.Equal(t, b.secret, *secret)
	clear(secret.PrivateKey)
	assert.NotContains(t, string(plaintext), string(b.secret.PrivateKey), "the secret is the plaintext itself, not a copy")
}
