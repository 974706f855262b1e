package sealedbundle_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/envelope"
	"github.com/adcskit/adcskit/internal/sealedbundle"
)

func newSigner(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func newKey(t testing.TB, curve ecdh.Curve) *ecdh.PrivateKey {
	t.Helper()
	key, err := curve.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key
}

func clearPart() sealedbundle.Bundle {
	return sealedbundle.Bundle{Tenant: "acme", Job: "job-1", Recipient: "laptop-17", Thumbprint: bytes.Repeat([]byte{7}, 32)}
}

func content() sealedbundle.Content {
	return sealedbundle.Content{PKCS12: []byte("the .p12"), Password: "the password"}
}

func seal(t testing.TB, signer *ecdsa.PrivateKey, to *ecdh.PublicKey) *sealedbundle.Bundle {
	t.Helper()
	b, err := sealedbundle.Seal(clearPart(), content(), signer, to)
	require.NoError(t, err)
	return b
}

func resign(t testing.TB, b *sealedbundle.Bundle, signer *ecdsa.PrivateKey) {
	t.Helper()
	digest := sha256.Sum256(b.Signed())
	var err error
	b.Signature, err = ecdsa.SignASN1(rand.Reader, signer, digest[:])
	require.NoError(t, err)
}

func TestSealedBundle(t *testing.T) {
	signer := newSigner(t)
	for curve, kem := range map[ecdh.Curve]string{ecdh.P256(): "P-256", ecdh.X25519(): "X25519"} {
		key := newKey(t, curve)
		b := seal(t, signer, key.PublicKey())
		assert.Equal(t, kem, b.KEM)
		text, err := b.Encode()
		require.NoError(t, err)
		again, err := sealedbundle.Parse(text)
		require.NoError(t, err)
		assert.Equal(t, b, again)
		require.NoError(t, again.Verify())
		got, err := again.Open(key)
		require.NoError(t, err)
		assert.Equal(t, content(), *got)
	}
}

// TestEveryMemberIsBound changes one member after the other: the signature notices, and where it is made anew, by the
// signer himself, so does the encryption.
func TestEveryMemberIsBound(t *testing.T) {
	signer, other := newSigner(t), newSigner(t)
	flip := func(b *[]byte) { *b = bytes.Clone(*b); (*b)[len(*b)-1] ^= 1 }
	otherSPKI, err := x509.MarshalPKIXPublicKey(other.Public())
	require.NoError(t, err)
	changes := map[string]func(b *sealedbundle.Bundle){
		"Version":       func(b *sealedbundle.Bundle) { b.Version = 2 },
		"Tenant":        func(b *sealedbundle.Bundle) { b.Tenant = "umbrella" },
		"Job":           func(b *sealedbundle.Bundle) { b.Job = "job-2" },
		"Connector":     func(b *sealedbundle.Bundle) { flip(&b.Connector) },
		"SignerKey":     func(b *sealedbundle.Bundle) { b.SignerKey = otherSPKI },
		"Recipient":     func(b *sealedbundle.Bundle) { b.Recipient = "laptop-18" },
		"RecipientKey":  func(b *sealedbundle.Bundle) { flip(&b.RecipientKey) },
		"KEM":           func(b *sealedbundle.Bundle) { b.KEM = "X25519" },
		"Thumbprint":    func(b *sealedbundle.Bundle) { flip(&b.Thumbprint) },
		"Encapsulation": func(b *sealedbundle.Bundle) { flip(&b.Encapsulation) },
		"Ciphertext":    func(b *sealedbundle.Bundle) { flip(&b.Ciphertext) },
		"Signature":     func(b *sealedbundle.Bundle) { b.Signature = bytes.Clone(b.Signature); b.Signature[8] ^= 1 },
	}
	typ := reflect.TypeFor[sealedbundle.Bundle]()
	require.Len(t, changes, typ.NumField())
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		key := newKey(t, ecdh.P256())
		b := seal(t, signer, key.PublicKey())
		require.NotNil(t, changes[name], name)
		changes[name](b)
		assert.Error(t, b.Verify(), name)
		if name == "Signature" {
			continue
		}
		if name == "RecipientKey" { // it says whose it is: nobody else's key is tried
			_, err := b.Open(key)
			assert.Equal(t, sealedbundle.ErrRecipient, err)
			id, err := envelope.Fingerprint(key.PublicKey())
			require.NoError(t, err)
			original := bytes.Clone(b.Info())
			b.RecipientKey = id[:]
			assert.NotEqual(t, original, b.Info(), "it is bound all the same")
			continue
		}
		if name == "SignerKey" || name == "Connector" {
			sum := sha256.Sum256(b.SignerKey)
			b.Connector = sum[:]
			if name == "Connector" {
				flip(&b.Connector)
			}
		}
		resign(t, b, signer)
		_, err := b.Open(key)
		assert.Equal(t, sealedbundle.ErrSealed, err, name)
	}
}

// TestSignedByAnother: who relays can put his own signature on, but not under another's name.
func TestSignedByAnother(t *testing.T) {
	signer, thief, key := newSigner(t), newSigner(t), newKey(t, ecdh.X25519())
	b := seal(t, signer, key.PublicKey())
	resign(t, b, thief)
	assert.Equal(t, sealedbundle.ErrSignature, b.Verify())

	spki, err := x509.MarshalPKIXPublicKey(thief.Public())
	require.NoError(t, err)
	sum := sha256.Sum256(spki)
	b.SignerKey, b.Connector = spki, sum[:]
	resign(t, b, thief)
	require.NoError(t, b.Verify(), "it is his now")
	_, err = b.Open(key)
	assert.Equal(t, sealedbundle.ErrSealed, err, "but he cannot claim what another has encrypted")
}

// TestSignatureOfAnotherUse: what is encrypted and what is signed are not the same bytes.
func TestSignatureOfAnotherUse(t *testing.T) {
	signer := newSigner(t)
	b := seal(t, signer, newKey(t, ecdh.P256()).PublicKey())
	digest := sha256.Sum256(b.Info())
	var err error
	b.Signature, err = ecdsa.SignASN1(rand.Reader, signer, digest[:])
	require.NoError(t, err)
	assert.Equal(t, sealedbundle.ErrSignature, b.Verify())
	assert.False(t, bytes.HasPrefix(b.Signed(), b.Info()))
}

func TestOpenRefusesOtherKeys(t *testing.T) {
	key := newKey(t, ecdh.P256())
	b := seal(t, newSigner(t), key.PublicKey())
	for _, other := range []ecdh.KeyExchanger{nil, newKey(t, ecdh.P256()), newKey(t, ecdh.X25519()), newKey(t, ecdh.P384())} {
		_, err := b.Open(other)
		assert.Equal(t, sealedbundle.ErrRecipient, err)
	}
	_, err := b.Open(broken{key})
	assert.ErrorIs(t, err, errBroken, "a key that fails is no bad bundle")
}

var errBroken = errors.New("the hardware is gone")

// broken is a key in hardware that fails.
type broken struct{ ecdh.KeyExchanger }

func (broken) ECDH(*ecdh.PublicKey) ([]byte, error) { return nil, errBroken }

func TestContentIsChecked(t *testing.T) {
	signer, key := newSigner(t), newKey(t, ecdh.P256())
	for name, plaintext := range map[string][]byte{
		"nothing": []byte("x"), "one field": envelope.AppendString(nil, "p12"), "no .p12": envelope.AppendString(envelope.AppendString(nil, ""), "pw"),
		"no password":    envelope.AppendString(envelope.AppendString(nil, "p12"), ""),
		"long password":  envelope.AppendString(envelope.AppendString(nil, "p12"), strings.Repeat("x", 256)),
		"three fields":   envelope.AppendString(envelope.AppendString(envelope.AppendString(nil, "p12"), "pw"), ""),
		"a false length": {0xff, 0xff, 0xff, 0xff, 1},
	} {
		b := seal(t, signer, key.PublicKey())
		var err error
		b.Encapsulation, b.Ciphertext, err = envelope.Seal(key.PublicKey(), b.Info(), plaintext)
		require.NoError(t, err)
		resign(t, b, signer)
		require.NoError(t, b.Verify())
		_, err = b.Open(key)
		assert.Equal(t, sealedbundle.ErrContent, err, name)
	}
}

// odd is a signer that does something else.
type odd struct {
	crypto.Signer
	sign func() ([]byte, error)
}

func (o odd) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return o.sign() }

func TestSealRefuses(t *testing.T) {
	signer, to := newSigner(t), newKey(t, ecdh.P256()).PublicKey()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	low, err := ecdh.X25519().NewPublicKey(make([]byte, 32))
	require.NoError(t, err)
	good := content()
	for name, c := range map[string]struct {
		change   func(b *sealedbundle.Bundle)
		content  sealedbundle.Content
		identity crypto.Signer
		to       *ecdh.PublicKey
	}{
		"no .p12":           {nil, sealedbundle.Content{Password: "x"}, signer, to},
		"large .p12":        {nil, sealedbundle.Content{PKCS12: make([]byte, sealedbundle.MaxPKCS12+1), Password: "x"}, signer, to},
		"no password":       {nil, sealedbundle.Content{PKCS12: []byte("x")}, signer, to},
		"long password":     {nil, sealedbundle.Content{PKCS12: []byte("x"), Password: strings.Repeat("x", 256)}, signer, to},
		"no signer":         {nil, good, nil, to},
		"P-384 signer":      {nil, good, p384, to},
		"no recipient":      {nil, good, signer, nil},
		"P-384 recipient":   {nil, good, signer, newKey(t, ecdh.P384()).PublicKey()},
		"key of low order":  {nil, good, signer, low},
		"no tenant":         {func(b *sealedbundle.Bundle) { b.Tenant = "" }, good, signer, to},
		"no UTF-8":          {func(b *sealedbundle.Bundle) { b.Job = "\xff" }, good, signer, to},
		"long job":          {func(b *sealedbundle.Bundle) { b.Job = strings.Repeat("x", 65) }, good, signer, to},
		"long recipient":    {func(b *sealedbundle.Bundle) { b.Recipient = strings.Repeat("x", 256) }, good, signer, to},
		"cut thumbprint":    {func(b *sealedbundle.Bundle) { b.Thumbprint = b.Thumbprint[:20] }, good, signer, to},
		"signer fails":      {nil, good, odd{signer, func() ([]byte, error) { return nil, errBroken }}, to},
		"signer is spoilt":  {nil, good, odd{signer, func() ([]byte, error) { return make([]byte, 70), nil }}, to},
		"signer is verbose": {nil, good, odd{signer, func() ([]byte, error) { return make([]byte, 1<<20), nil }}, to},
	} {
		b := clearPart()
		if c.change != nil {
			c.change(&b)
		}
		made, err := sealedbundle.Seal(b, c.content, c.identity, c.to)
		assert.Error(t, err, name)
		assert.Nil(t, made, name)
		failed, isKey := errors.AsType[*envelope.KeyError](err)
		assert.Equal(t, strings.HasPrefix(name, "signer"), isKey, "%s: %v", name, failed)
	}
	b, err := sealedbundle.Seal(clearPart(), sealedbundle.Content{PKCS12: make([]byte, sealedbundle.MaxPKCS12), Password: strings.Repeat("x", 255)}, signer, to)
	require.NoError(t, err)
	text, err := b.Encode()
	require.NoError(t, err)
	_, err = sealedbundle.Parse(text)
	require.NoError(t, err, "the largest one fits")
}

func TestParseRefuses(t *testing.T) {
	key := newKey(t, ecdh.P256())
	good, err := seal(t, newSigner(t), key.PublicKey()).Encode()
	require.NoError(t, err)
	edit := func(name string, value any) []byte {
		m := map[string]any{}
		require.NoError(t, json.Unmarshal(good, &m))
		if value == nil {
			delete(m, name)
		} else {
			m[name] = value
		}
		text, err := json.Marshal(m)
		require.NoError(t, err)
		return text
	}
	p384 := newKey(t, ecdh.P384()).PublicKey()
	p384SPKI, err := x509.MarshalPKIXPublicKey(p384)
	require.NoError(t, err)
	x25519SPKI, err := x509.MarshalPKIXPublicKey(newKey(t, ecdh.X25519()).PublicKey())
	require.NoError(t, err)
	cases := map[string][]byte{
		"nothing": nil, "no object": []byte("[]"), "cut": good[:len(good)-1], "more after it": append(bytes.Clone(good), 'x'),
		"a member twice": bytes.Replace(good, []byte(`{"version":1,`), []byte(`{"version":1,"version":1,`), 1),
		"a member more":  edit("comment", "x"), "another case": bytes.Replace(good, []byte(`"tenant"`), []byte(`"Tenant"`), 1),
		"version 2": edit("version", 2), "version 0": edit("version", 0), "version as text": edit("version", "1"),
		"empty tenant": edit("tenant", ""), "long tenant": edit("tenant", strings.Repeat("x", 256)), "long job": edit("job", strings.Repeat("x", 65)),
		"short fingerprint": edit("connector", make([]byte, 31)), "another fingerprint": edit("connector", make([]byte, 32)),
		"no key": edit("signerKey", []byte("key")), "P-384": edit("signerKey", p384SPKI), "X25519 signer": edit("signerKey", x25519SPKI),
		"no KEM": edit("kem", "P-384"), "the other KEM": edit("kem", "X25519"), "short enc": edit("enc", make([]byte, 64)),
		"empty ciphertext": edit("ciphertext", make([]byte, 16)), "long ciphertext": edit("ciphertext", make([]byte, 1<<20+17)),
		"long signature": edit("signature", make([]byte, 81)), "no base64": edit("enc", "*"), "too large": append(bytes.Clone(good), bytes.Repeat([]byte(" "), sealedbundle.MaxText)...),
	}
	typ := reflect.TypeFor[sealedbundle.Bundle]()
	for i := range typ.NumField() {
		name := typ.Field(i).Tag.Get("json")
		cases["without "+name] = edit(name, nil)
		cases["null "+name] = bytes.Replace(edit(name, nil), []byte("{"), []byte(`{"`+name+`":null,`), 1)
	}
	for name, text := range cases {
		_, err := sealedbundle.Parse(text)
		assert.ErrorIs(t, err, sealedbundle.ErrMalformed, name)
	}
	_, err = sealedbundle.Parse(good)
	assert.NoError(t, err)
	_, err = sealedbundle.Parse(cases["a member more"])
	assert.ErrorContains(t, err, "later version", "what the recipient can do about it")
}

func FuzzParse(f *testing.F) {
	signer := newSigner(f)
	keys := []*ecdh.PrivateKey{newKey(f, ecdh.P256()), newKey(f, ecdh.X25519())}
	for _, key := range keys {
		text, err := seal(f, signer, key.PublicKey()).Encode()
		require.NoError(f, err)
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"version":1,"tenant":"a","job":"j","kem":"P-256"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := sealedbundle.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, sealedbundle.ErrMalformed)
			return
		}
		again, err := b.Encode()
		require.NoError(t, err)
		same, err := sealedbundle.Parse(again)
		require.NoError(t, err)
		require.Equal(t, b, same)
		verified := b.Verify() == nil
		for _, key := range keys {
			c, err := b.Open(key)
			require.False(t, err == nil && verified && !reflect.DeepEqual(*c, content()), "nobody else has the signer's key")
		}
	})
}
