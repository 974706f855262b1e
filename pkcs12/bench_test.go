package pkcs12_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/adcskit/adcskit/pkcs12"
)

// BenchmarkEncode runs Encode and, right after it in the same loop, what it must at least cost, since it opens what it
// made: one encoding and one decoding by go-pkcs12. The medians are printed, and their ratio. go-pkcs12 writes 3DES
// with one iteration for the MAC, Encode with 2048, so that the ratio of compat has more work in it.
func BenchmarkEncode(b *testing.B) {
	bare := map[pkcs12.Profile]*gopkcs12.Encoder{
		pkcs12.Compat(): gopkcs12.LegacyDES, pkcs12.Modern(): gopkcs12.Modern2023, pkcs12.PBMAC1(): gopkcs12.Modern2026,
	}
	all := keys(b)
	for _, name := range []string{"p256", "p384", "rsa2048", "rsa4096"} {
		key, chain := all[name], newChain(b, all[name])
		for _, profile := range []string{"compat", "modern", "pbmac1", "ios-17", "windows-11"} {
			p, err := pkcs12.ParseProfile(profile)
			require.NoError(b, err)
			encoder, cas := bare[p.Algorithms()], chain[1:]
			if p.Shape() == pkcs12.LeafOnly || p.Shape() == pkcs12.WithoutRoot {
				cas = nil
			}
			b.Run(name+"/"+profile, func(b *testing.B) {
				compare(b, func() {
					_, err := pkcs12.Encode(p, key, chain, password)
					require.NoError(b, err)
				}, func() {
					file, err := encoder.Encode(key, chain[0], cas, password)
					require.NoError(b, err)
					_, _, _, err = gopkcs12.DecodeChain(file, password)
					require.NoError(b, err)
				})
			})
		}
	}
}

// BenchmarkDecode compares Decode with go-pkcs12's DecodeChain. Decode opens an encrypted safe twice: once to look for
// work that hides in it, and once to read it.
func BenchmarkDecode(b *testing.B) {
	key := rsaKey(b, "rsa2048")
	for _, profile := range profiles() {
		file, err := pkcs12.Encode(profile, key, newChain(b, key), password)
		require.NoError(b, err)
		b.Run(profile.String(), func(b *testing.B) {
			compare(b, func() {
				_, _, err := pkcs12.Decode(file, password)
				require.NoError(b, err)
			}, func() {
				_, _, _, err := gopkcs12.DecodeChain(file, password)
				require.NoError(b, err)
			})
		})
	}
}

// compare reports the medians of two functions that run in turns, and their ratio.
func compare(b *testing.B, ours, bare func()) {
	var took [2][]time.Duration
	for b.Loop() {
		for i, f := range []func(){ours, bare} {
			start := time.Now()
			f()
			took[i] = append(took[i], time.Since(start))
		}
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2].Microseconds()) / 1000
	}
	b.ReportMetric(median(took[0]), "ours-ms")
	b.ReportMetric(median(took[1]), "bare-ms")
	b.ReportMetric(median(took[0])/median(took[1]), "ratio")
	b.ReportMetric(0, "ns/op")
}
