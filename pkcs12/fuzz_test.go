package pkcs12_test

import (
	"crypto/elliptic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/adcskit/adcskit/pkcs12"
)

// fuzzIterations is a limit with which fuzzing gets somewhere. Files of this package need three times 2048.
const fuzzIterations = 8000

// FuzzDecode opens changed files: no panic, no more time than the limits allow, and the first certificate of whatever
// opens is that of the key.
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
		if info, err := pkcs12.InspectWithin(fuzzIterations, file, ""); err == nil {
			require.False(t, info.Opened)
			require.Empty(t, info.Chain)
		}
		key, chain, err := pkcs12.DecodeWithin(fuzzIterations, file, password)
		require.Less(t, time.Since(start), 10*time.Second)
		if err != nil {
			require.Nil(t, key)
			require.Nil(t, chain)
			return
		}
		info, err := pkcs12.InspectWithin(fuzzIterations, file, password)
		require.NoError(t, err, "what opens can be looked at")
		require.Len(t, info.Chain, len(chain))
		require.NotEmpty(t, chain)
		require.Equal(t, key.Public(), chain[0].PublicKey)
	})
}
