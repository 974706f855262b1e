package wsproto_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

func newChallenge(t testing.TB, tenantKey crypto.PublicKey) []byte {
	t.Helper()
	text, err := wsproto.EncodeChallenge(wsproto.Challenge{
		Version: wsproto.Version, Session: "s1", Nonce: make([]byte, 32), TenantKey: spki(t, tenantKey),
		Limits: wsproto.Limits{MaxMessageBytes: 1 << 20, HeartbeatMS: 25000, RPCDeadlineMS: 120000},
	})
	require.NoError(t, err)
	return text
}

func TestChallengeProvesThePinnedTenant(t *testing.T) {
	tenant, other := newKey(t), newKey(t)
	pin := fingerprint(t, tenant.Public())
	b := wsproto.Binding{Tenant: "acme", Authority: "gw.example.com", Hello: []byte(`{"h":1}`), Challenge: newChallenge(t, tenant.Public())}
	sig, err := wsproto.SignChallenge(tenant, b)
	require.NoError(t, err)

	got, err := wsproto.VerifyChallenge(pin, b, sig)
	require.NoError(t, err)
	assert.Equal(t, "s1", got.Session)

	_, err = wsproto.VerifyChallenge(fingerprint(t, other.Public()), b, sig)
	assert.ErrorIs(t, err, wsproto.ErrTenantKey)

	foreign := b
	foreign.Challenge = newChallenge(t, other.Public())
	foreignSig, err := wsproto.SignChallenge(other, foreign)
	require.NoError(t, err)
	_, err = wsproto.VerifyChallenge(pin, foreign, foreignSig)
	assert.ErrorIs(t, err, wsproto.ErrTenantKey, "valid, but of another tenant")

	stolen, err := wsproto.SignChallenge(other, b)
	require.NoError(t, err)
	_, err = wsproto.VerifyChallenge(pin, b, stolen)
	assert.ErrorIs(t, err, wsproto.ErrSignature, "the pinned key named, another one used")
}

func TestProofsCoverEveryField(t *testing.T) {
	key := newKey(t)
	b := wsproto.Binding{Tenant: "acme", Authority: "gw.example.com", Hello: []byte(`{"h":1}`), Challenge: newChallenge(t, key.Public())}
	pin, der := fingerprint(t, key.Public()), spki(t, key.Public())
	code := wsproto.NewEnrollmentCode(pin)
	challenge, err := wsproto.SignChallenge(key, b)
	require.NoError(t, err)
	authenticate, err := wsproto.SignAuthenticate(key, b)
	require.NoError(t, err)
	mac := code.MAC(b).MAC
	require.NoError(t, wsproto.VerifyAuthenticate(der, b, authenticate))
	require.True(t, wsproto.VerifyEnrollment(code.Hash(), b, mac))

	otherChallenge := slices.Concat([]byte(" "), b.Challenge) // the same JSON value, other bytes
	for name, changed := range map[string]wsproto.Binding{
		"tenant":    {Tenant: "acme2", Authority: b.Authority, Hello: b.Hello, Challenge: b.Challenge},
		"authority": {Tenant: b.Tenant, Authority: "gw.example.com:444", Hello: b.Hello, Challenge: b.Challenge},
		"hello":     {Tenant: b.Tenant, Authority: b.Authority, Hello: []byte(`{"h": 1}`), Challenge: b.Challenge},
		"challenge": {Tenant: b.Tenant, Authority: b.Authority, Hello: b.Hello, Challenge: otherChallenge},
		"shifted":   {Tenant: "acmeg", Authority: "w.example.com", Hello: b.Hello, Challenge: b.Challenge},
	} {
		_, err := wsproto.VerifyChallenge(pin, changed, challenge)
		assert.ErrorIs(t, err, wsproto.ErrSignature, name)
		assert.ErrorIs(t, wsproto.VerifyAuthenticate(der, changed, authenticate), wsproto.ErrSignature, name)
		assert.False(t, wsproto.VerifyEnrollment(code.Hash(), changed, mac), name)
	}
	again := b
	again.Again = true
	_, err = wsproto.VerifyChallenge(pin, again, challenge)
	assert.ErrorIs(t, err, wsproto.ErrSignature, "a challenge at the beginning is none for later")
	assert.ErrorIs(t, wsproto.VerifyAuthenticate(der, again, authenticate), wsproto.ErrSignature)
	assert.ErrorIs(t, wsproto.VerifyAuthenticate(der, b, challenge), wsproto.ErrSignature, "one use for another")
	for i := range authenticate {
		broken := slices.Clone(authenticate)
		broken[i] ^= 1
		assert.ErrorIs(t, wsproto.VerifyAuthenticate(der, b, broken), wsproto.ErrSignature)
	}
	assert.ErrorIs(t, wsproto.VerifyAuthenticate(der, b, slices.Concat(authenticate, []byte{0})), wsproto.ErrSignature)
	assert.ErrorIs(t, wsproto.VerifyAuthenticate(der, b, nil), wsproto.ErrSignature)
	assert.ErrorIs(t, wsproto.VerifyAuthenticate(spki(t, newKey(t).Public()), b, authenticate), wsproto.ErrSignature)
}

func TestContextsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range wsproto.Contexts() {
		transcript := wsproto.Binding{Tenant: "t", Authority: "a"}.Transcript(c)
		assert.False(t, seen[string(transcript)], c)
		seen[string(transcript)] = true
	}
}

func TestVerifyChallengeChecksItsContent(t *testing.T) {
	key := newKey(t)
	for name, change := range map[string]struct {
		edit func(*wsproto.Challenge)
		want error
	}{
		"version":   {func(c *wsproto.Challenge) { c.Version = 2 }, wsproto.ErrVersion},
		"nonce":     {func(c *wsproto.Challenge) { c.Nonce = c.Nonce[1:] }, wsproto.ErrBounds},
		"session":   {func(c *wsproto.Challenge) { c.Session = "" }, wsproto.ErrBounds},
		"message":   {func(c *wsproto.Challenge) { c.Limits.MaxMessageBytes = 1 }, wsproto.ErrBounds},
		"heartbeat": {func(c *wsproto.Challenge) { c.Limits.HeartbeatMS = 1 }, wsproto.ErrBounds},
		"deadline":  {func(c *wsproto.Challenge) { c.Limits.RPCDeadlineMS = 1 << 40 }, wsproto.ErrBounds},
	} {
		var c wsproto.Challenge
		require.NoError(t, wsproto.Unmarshal(newChallenge(t, key.Public()), &c))
		change.edit(&c)
		text, err := wsproto.EncodeChallenge(c)
		require.NoError(t, err)
		b := wsproto.Binding{Tenant: "t", Authority: "a", Challenge: text}
		sig, err := wsproto.SignChallenge(key, b)
		require.NoError(t, err)
		_, err = wsproto.VerifyChallenge(fingerprint(t, key.Public()), b, sig)
		assert.ErrorIs(t, err, change.want, name)
	}
}

func TestKeysAreP256(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for _, key := range []crypto.Signer{p384, ed, rsaKey} {
		_, err := wsproto.SignAuthenticate(key, wsproto.Binding{})
		assert.ErrorIs(t, err, wsproto.ErrKeyType)
		_, err = wsproto.MarshalPublicKey(key.Public())
		assert.ErrorIs(t, err, wsproto.ErrKeyType)
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		require.NoError(t, err)
		_, err = wsproto.ParsePublicKey(der)
		assert.ErrorIs(t, err, wsproto.ErrKeyType)
		assert.ErrorIs(t, wsproto.VerifyAuthenticate(der, wsproto.Binding{}, nil), wsproto.ErrKeyType)
	}
	_, err = wsproto.SignChallenge(nil, wsproto.Binding{})
	assert.ErrorIs(t, err, wsproto.ErrKeyType)

	good := spki(t, newKey(t).Public())
	_, err = wsproto.ParsePublicKey(append(bytes.Clone(good), 0))
	assert.ErrorIs(t, err, wsproto.ErrKeyType, "something after it")
	longer := append(bytes.Clone(good), 0x05, 0x00) // an element more in the outer SEQUENCE, which crypto/x509 tolerates
	longer[1] += 2
	_, err = x509.ParsePKIXPublicKey(longer)
	require.NoError(t, err)
	_, err = wsproto.ParsePublicKey(longer)
	assert.ErrorIs(t, err, wsproto.ErrKeyType, "another encoding of the same key")
	off := bytes.Clone(good)
	off[len(off)-1] ^= 1
	_, err = wsproto.ParsePublicKey(off)
	assert.ErrorIs(t, err, wsproto.ErrKeyType, "not on the curve")
	pub, err := wsproto.ParseDecryptionKey(good)
	require.NoError(t, err)
	assert.Equal(t, good, spki(t, pub), "one encoding for both kinds of key")
}

func TestFingerprint(t *testing.T) {
	f := fingerprint(t, newKey(t).Public())
	for _, text := range []string{f.String(), string(bytes.ToUpper([]byte(f.String()))), colons(f.String())} {
		got, err := wsproto.ParseFingerprint(text)
		require.NoError(t, err)
		assert.Equal(t, f, got)
	}
	for _, text := range []string{"", "00", f.String() + "00", "zz" + f.String()[2:]} {
		_, err := wsproto.ParseFingerprint(text)
		assert.Error(t, err)
	}
	assert.True(t, f.Equal(f[:]))
	assert.False(t, f.Equal(nil))
}

func colons(s string) string {
	var b []byte
	for i := 0; i < len(s); i += 2 {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, s[i:i+2]...)
	}
	return string(b)
}

func TestAuthority(t *testing.T) {
	for url, want := range map[string]string{
		"wss://GW.Example.com/connect":      "gw.example.com",
		"https://gw.example.com:443/":       "gw.example.com",
		"wss://gw.example.com:8443/connect": "gw.example.com:8443",
		"ws://gw.example.com:80":            "gw.example.com",
		"wss://gw.example.com:80":           "gw.example.com:80",
		"ws://127.0.0.1:1234/x":             "127.0.0.1:1234",
		"wss://[2001:DB8::1]":               "[2001:db8::1]",
		"wss://[2001:db8::1]:8443":          "[2001:db8::1]:8443",
		"wss://user:pass@gw.example.com":    "gw.example.com",
	} {
		got, err := wsproto.Authority(url)
		require.NoError(t, err, url)
		assert.Equal(t, want, got)
	}
	for _, url := range []string{"", "gw.example.com", "ftp://gw.example.com", "wss://", "wss:///x", "://", "wss://a b"} {
		_, err := wsproto.Authority(url)
		assert.Error(t, err, url)
	}
}

func FuzzChallenge(f *testing.F) {
	key := newKey(f)
	b := wsproto.Binding{Tenant: "t", Authority: "a", Challenge: newChallenge(f, key.Public())}
	sig, err := wsproto.SignChallenge(key, b)
	require.NoError(f, err)
	f.Add(b.Challenge, sig)
	f.Add([]byte(`{"version":1}`), []byte{0x30})
	pin := fingerprint(f, key.Public())
	f.Fuzz(func(t *testing.T, challenge, signature []byte) {
		got, err := wsproto.VerifyChallenge(pin, wsproto.Binding{Tenant: "t", Authority: "a", Challenge: challenge}, signature)
		require.Equal(t, err == nil, got != nil)
		require.Equal(t, err == nil, bytes.Equal(challenge, b.Challenge) && bytes.Equal(signature, sig))
	})
}

func FuzzHello(f *testing.F) {
	hello, err := wsproto.EncodeHello(newHello(f))
	require.NoError(f, err)
	f.Add([]byte(hello))
	f.Add([]byte(`{"versions":[1],"instance":"i"}`))
	v := loadVectors(f) // every process of the fuzzer must have the same statement
	var rotating wsproto.Hello
	require.NoError(f, wsproto.Unmarshal([]byte(v.Hello), &rotating))
	rotating.Rotation = new(wsproto.Rotation)
	require.NoError(f, wsproto.Unmarshal(v.Rotation, rotating.Rotation))
	require.NoError(f, wsproto.VerifyRotation(v.Tenant, &rotating))
	hello, err = wsproto.EncodeHello(rotating)
	require.NoError(f, err)
	f.Add([]byte(hello))
	f.Fuzz(func(t *testing.T, text []byte) {
		var h wsproto.Hello
		r := &wsproto.Request{Method: wsproto.MethodHello, Params: text}
		if r.Decode(&h) != nil {
			return
		}
		again, err := wsproto.EncodeHello(h)
		require.NoError(t, err)
		var same wsproto.Hello
		require.NoError(t, wsproto.Unmarshal(again, &same))
		require.Equal(t, h.IdentityKey, same.IdentityKey)
		require.Equal(t, h.Rotation, same.Rotation)
		if wsproto.VerifyRotation(v.Tenant, &h) == nil {
			require.Equal(t, rotating.Rotation, h.Rotation, "nobody else has signed one")
			require.Equal(t, rotating.IdentityKey, h.IdentityKey)
			require.Equal(t, rotating.DecryptionKey, h.DecryptionKey)
		}
	})
}

func newHello(t testing.TB) wsproto.Hello {
	t.Helper()
	return wsproto.Hello{
		Versions: []int{1}, Instance: "i", IdentityKey: spki(t, newKey(t).Public()),
		DecryptionKey: spki(t, newDecryptionKey(t).PublicKey()), Nonce: make([]byte, 32), Capacity: 4,
		Host: "host", OS: "linux", Software: "adcskit test",
	}
}
