package sealed_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/sealed"
)

func newSigner(t testing.TB) (*ecdsa.PrivateKey, [32]byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	id, err := sealed.Fingerprint(spki)
	require.NoError(t, err)
	return key, id
}

func newKey(t testing.TB, curve ecdh.Curve) *ecdh.PrivateKey {
	t.Helper()
	key, err := curve.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key
}

func bundle() sealed.Bundle {
	return sealed.Bundle{
		Header: sealed.Header{Tenant: "acme", Job: "job-1", Recipient: "laptop-17", Thumbprint: sha256.Sum256([]byte("certificate"))},
		PKCS12: []byte("the .p12"), Password: "correct horse",
	}
}

func TestSealAndOpen(t *testing.T) {
	signer, id := newSigner(t)
	_, sibling := newSigner(t)
	for curve, kem := range map[ecdh.Curve]string{ecdh.P256(): "P-256", ecdh.X25519(): "X25519"} {
		key := newKey(t, curve)
		text, err := sealed.Seal(signer, key.PublicKey(), bundle())
		require.NoError(t, err)
		assert.NotContains(t, string(text), "horse")

		h, err := sealed.Inspect(text)
		require.NoError(t, err)
		spki, err := x509.MarshalPKIXPublicKey(signer.Public())
		require.NoError(t, err)
		recipient, err := x509.MarshalPKIXPublicKey(key.PublicKey())
		require.NoError(t, err)
		want := bundle()
		want.Header.Connector, want.Header.SignerKey = id, spki
		want.Header.RecipientKey, want.Header.KEM = sha256.Sum256(recipient), kem
		assert.Equal(t, want.Header, *h)

		for name, expect := range map[string]sealed.Expect{
			"the least": {Signers: [][32]byte{sibling, id}},
			"all":       {Signers: [][32]byte{id}, Tenant: "acme", Job: "job-1", Recipient: "laptop-17", Thumbprint: want.Header.Thumbprint},
		} {
			got, err := sealed.Open(text, key, expect)
			require.NoError(t, err, name)
			assert.Equal(t, want, *got)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	signer, id := newSigner(t)
	_, stranger := newSigner(t)
	key := newKey(t, ecdh.P256())
	good, err := sealed.Seal(signer, key.PublicKey(), bundle())
	require.NoError(t, err)
	edit := func(member string, change func(b []byte)) []byte {
		m := map[string]any{}
		require.NoError(t, json.Unmarshal(good, &m))
		var b []byte
		require.NoError(t, json.Unmarshal(fmt.Appendf(nil, "%q", m[member]), &b))
		change(b)
		m[member] = b
		text, err := json.Marshal(m)
		require.NoError(t, err)
		return text
	}
	flip := func(b []byte) { b[len(b)-1] ^= 1 }
	signers := [][32]byte{id}
	for name, c := range map[string]struct {
		text []byte
		key  ecdh.KeyExchanger
		want sealed.Expect
		err  error
	}{
		"no signer is expected":  {good, key, sealed.Expect{}, sealed.ErrSigner},
		"another signer":         {good, key, sealed.Expect{Signers: [][32]byte{stranger}}, sealed.ErrSigner},
		"another tenant":         {good, key, sealed.Expect{Signers: signers, Tenant: "umbrella"}, sealed.ErrContext},
		"another job":            {good, key, sealed.Expect{Signers: signers, Job: "job-2"}, sealed.ErrContext},
		"another recipient":      {good, key, sealed.Expect{Signers: signers, Recipient: "laptop-18"}, sealed.ErrContext},
		"another certificate":    {good, key, sealed.Expect{Signers: signers, Thumbprint: id}, sealed.ErrContext},
		"another key":            {good, newKey(t, ecdh.P256()), sealed.Expect{Signers: signers}, sealed.ErrRecipient},
		"key of another kind":    {good, newKey(t, ecdh.X25519()), sealed.Expect{Signers: signers}, sealed.ErrRecipient},
		"no key":                 {good, nil, sealed.Expect{Signers: signers}, sealed.ErrRecipient},
		"changed ciphertext":     {edit("ciphertext", flip), key, sealed.Expect{Signers: signers}, sealed.ErrSignature},
		"changed encapsulation":  {edit("enc", flip), key, sealed.Expect{Signers: signers}, sealed.ErrSignature},
		"changed thumbprint":     {edit("thumbprint", flip), key, sealed.Expect{Signers: signers}, sealed.ErrSignature},
		"changed recipient's id": {bytes.Replace(good, []byte("laptop-17"), []byte("laptop-18"), 1), key, sealed.Expect{Signers: signers}, sealed.ErrSignature},
		"changed fingerprint":    {edit("connector", flip), key, sealed.Expect{Signers: signers}, sealed.ErrMalformed},
		"no bundle":              {[]byte(`{"version":1}`), key, sealed.Expect{Signers: signers}, sealed.ErrMalformed},
		"not even JSON":          {[]byte("\x00"), key, sealed.Expect{Signers: signers}, sealed.ErrMalformed},
		"too large":              {make([]byte, sealed.MaxBundle+1), key, sealed.Expect{Signers: signers}, sealed.ErrMalformed},
	} {
		got, err := sealed.Open(c.text, c.key, c.want)
		require.ErrorIs(t, err, c.err, name)
		assert.Nil(t, got, name)
		assert.NotContains(t, err.Error(), "horse", name)
	}
	for _, member := range []string{"ciphertext", "enc", "thumbprint", "signature"} {
		_, err := sealed.Inspect(edit(member, flip))
		assert.ErrorIs(t, err, sealed.ErrSignature, member)
	}
	_, err = sealed.Inspect(nil)
	assert.ErrorIs(t, err, sealed.ErrMalformed)
	_, err = sealed.Inspect(bytes.Replace(good, []byte(`"kem":"P-256"`), []byte(`"kem":"P-384"`), 1))
	assert.ErrorContains(t, err, ": kem", "it says which member")
}

var errBroken = errors.New("the hardware is gone")

type broken struct{ ecdh.KeyExchanger }

func (broken) ECDH(*ecdh.PublicKey) ([]byte, error) { return nil, errBroken }

// opaque is a key that can only agree, like one in hardware.
type opaque struct{ ecdh.KeyExchanger }

func TestKeysInHardware(t *testing.T) {
	signer, id := newSigner(t)
	key := newKey(t, ecdh.P256())
	text, err := sealed.Seal(signer, key.PublicKey(), bundle())
	require.NoError(t, err)
	got, err := sealed.Open(text, opaque{key}, sealed.Expect{Signers: [][32]byte{id}})
	require.NoError(t, err)
	assert.Equal(t, "correct horse", got.Password)
	_, err = sealed.Open(text, broken{key}, sealed.Expect{Signers: [][32]byte{id}})
	require.ErrorIs(t, err, errBroken)
	assert.NotErrorIs(t, err, sealed.ErrSealed, "the bundle is not to blame")
}

func TestSealRefuses(t *testing.T) {
	signer, _ := newSigner(t)
	to := newKey(t, ecdh.P256()).PublicKey()
	for name, change := range map[string]func(b *sealed.Bundle){
		"no tenant": func(b *sealed.Bundle) { b.Header.Tenant = "" }, "long job": func(b *sealed.Bundle) { b.Header.Job = strings.Repeat("x", 65) },
	} {
		b := bundle()
		change(&b)
		_, err := sealed.Seal(signer, to, b)
		assert.ErrorIs(t, err, sealed.ErrMalformed, name)
	}
	for name, change := range map[string]func(b *sealed.Bundle){
		"no file": func(b *sealed.Bundle) { b.PKCS12 = nil }, "no password": func(b *sealed.Bundle) { b.Password = "" },
		"large file": func(b *sealed.Bundle) { b.PKCS12 = make([]byte, sealed.MaxPKCS12+1) },
	} {
		b := bundle()
		change(&b)
		_, err := sealed.Seal(signer, to, b)
		assert.Error(t, err, name)
	}
	_, err := sealed.Seal(nil, to, bundle())
	assert.Error(t, err)
	_, err = sealed.Seal(signer, newKey(t, ecdh.P384()).PublicKey(), bundle())
	assert.Error(t, err)
}

func TestFingerprintTakesOneEncoding(t *testing.T) {
	spki, err := x509.MarshalPKIXPublicKey(newKey(t, ecdh.X25519()).PublicKey())
	require.NoError(t, err)
	id, err := sealed.Fingerprint(spki)
	require.NoError(t, err)
	assert.Equal(t, sha256.Sum256(spki), id)
	_, err = sealed.Fingerprint(append(spki, 0))
	assert.ErrorIs(t, err, sealed.ErrKey)
}

func TestBundleRedactsItself(t *testing.T) {
	b := bundle()
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "bundle", b)
	for _, text := range []string{fmt.Sprint(b), fmt.Sprintf("%+v", b), fmt.Sprintf("%#v", b), fmt.Sprintf("%x", &b), log.String()} {
		assert.NotContains(t, text, "horse")
		assert.NotContains(t, text, fmt.Sprintf("%x", "horse"))
		assert.Contains(t, text, "job-1")
	}
}

// FuzzOpen gives the recipient texts that relays may have made: whatever opens is what the connector has sealed.
func FuzzOpen(f *testing.F) {
	signer, id := newSigner(f)
	keys := []*ecdh.PrivateKey{newKey(f, ecdh.P256()), newKey(f, ecdh.X25519())}
	for _, key := range keys {
		text, err := sealed.Seal(signer, key.PublicKey(), bundle())
		require.NoError(f, err)
		f.Add(text)
		f.Add(text[:len(text)/2])
	}
	f.Add([]byte(`{"version":1,"tenant":"a","job":"j","kem":"X25519"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, failed := sealed.Inspect(text)
		for _, key := range keys {
			got, err := sealed.Open(text, key, sealed.Expect{Signers: [][32]byte{id}})
			if err != nil {
				require.Nil(t, got)
				continue
			}
			require.NoError(t, failed)
			require.Equal(t, *h, got.Header)
			require.Equal(t, bundle().PKCS12, got.PKCS12)
			require.Equal(t, bundle().Password, got.Password)
		}
	})
}
