package pkcs12_test

import (
	"bytes"
	"crypto/elliptic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/adcskit/adcskit/pkcs12"
)

// FuzzDecode opens changed files: no panic, no more time than the limits allow, and whatever opens can be encoded again
// and is read the same by go-pkcs12.
func FuzzDecode(f *testing.F) {
	key := ecKey(f, elliptic.P256())
	chain := newChain(f, key)
	for _, profile := range profiles() {
		file, err := pkcs12.Encode(profile, key, chain, password)
		require.NoError(f, err)
		f.Add(file, password)
		f.Add(file[:len(file)/2], password)
		f.Add(file, "wrong")
	}
	for _, enc := range []*gopkcs12.Encoder{gopkcs12.LegacyRC2, gopkcs12.Modern2026, gopkcs12.Passwordless} {
		secret := password
		if enc == gopkcs12.Passwordless {
			secret = ""
		}
		file, err := enc.Encode(key, chain[0], chain[1:], secret)
		require.NoError(f, err)
		f.Add(file, password)
	}
	f.Fuzz(func(t *testing.T, file []byte, password string) {
		start := time.Now()
		key, chain, err := pkcs12.Decode(file, password)
		require.Less(t, time.Since(start), time.Minute)
		if err != nil {
			require.Nil(t, key)
			require.Nil(t, chain)
			return
		}
		require.NotEmpty(t, chain)
		theirKey, first, rest, err := gopkcs12.DecodeChain(file, password)
		if err != nil {
			return // it takes fewer kinds of file
		}
		require.Equal(t, theirKey, any(key))
		theirs := append(rest, first)
		require.Len(t, chain, len(theirs))
		for _, cert := range chain {
			found := false
			for _, other := range theirs {
				found = found || bytes.Equal(cert.Raw, other.Raw)
			}
			require.True(t, found)
		}
	})
}

// FuzzDecodeInside changes what the MAC protects and makes a right MAC for it, as someone who knows the password can.
func FuzzDecodeInside(f *testing.F) {
	key := ecKey(f, elliptic.P256())
	chain := newChain(f, key)
	for _, profile := range profiles() {
		file, err := pkcs12.Encode(profile, key, chain, password)
		require.NoError(f, err)
		f.Add(pkcs12.AuthenticatedSafe(f, file))
	}
	for _, where := range []int{pkcs12.WorkInSafe, pkcs12.WorkInKey, pkcs12.WorkHiddenKey} {
		f.Add(pkcs12.AuthenticatedSafe(f, pkcs12.FileWithWork(f, password, 2, where)))
	}
	f.Fuzz(func(t *testing.T, safes []byte) {
		start := time.Now()
		key, chain, err := pkcs12.Decode(pkcs12.Sealed(t, password, safes), password)
		require.Less(t, time.Since(start), time.Minute)
		require.NotErrorIs(t, err, pkcs12.ErrIncorrectPassword)
		require.Equal(t, err == nil, key != nil && len(chain) > 0)
	})
}
