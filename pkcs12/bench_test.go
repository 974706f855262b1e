package pkcs12_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/adcskit/adcskit/pkcs12"
)

// BenchmarkEncode runs Encode and, right after it in the same loop, what it must at least cost: one encoding and one
// decoding by go-pkcs12. The ratio is printed.
func BenchmarkEncode(b *testing.B) {
	bare := map[string]*gopkcs12.Encoder{
		"compat": gopkcs12.LegacyDES, "modern": gopkcs12.Modern2023, "pbmac1": gopkcs12.Modern2026,
	}
	all := keys(b)
	for _, name := range []string{"p256", "rsa2048", "rsa4096"} {
		key, chain := all[name], newChain(b, all[name])
		for _, profile := range profiles() {
			b.Run(name+"/"+profile.String(), func(b *testing.B) {
				var ours, floor time.Duration
				for b.Loop() {
					start := time.Now()
					_, err := pkcs12.Encode(profile, key, chain, password)
					ours += time.Since(start)
					require.NoError(b, err)

					start = time.Now()
					file, err := bare[profile.String()].Encode(key, chain[0], chain[1:], password)
					require.NoError(b, err)
					_, _, _, err = gopkcs12.DecodeChain(file, password)
					floor += time.Since(start)
					require.NoError(b, err)
				}
				b.ReportMetric(float64(ours)/float64(b.N)/1e6, "ours-ms")
				b.ReportMetric(float64(floor)/float64(b.N)/1e6, "bare-ms")
				b.ReportMetric(float64(ours)/float64(floor), "ratio")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
