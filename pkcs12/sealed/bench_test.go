package sealed_test

import (
	"crypto/ecdh"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/sealed"
)

// BenchmarkSealed seals and opens a .p12 of usual size.
func BenchmarkSealed(b *testing.B) {
	signer, id := newSigner(b)
	content := bundle()
	content.PKCS12 = make([]byte, 4<<10)
	for _, curve := range []ecdh.Curve{ecdh.P256(), ecdh.X25519()} {
		key := newKey(b, curve)
		var text []byte
		b.Run("seal/"+fmt.Sprint(curve), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var err error
				text, err = sealed.Seal(signer, key.PublicKey(), content)
				require.NoError(b, err)
			}
		})
		b.Run("open/"+fmt.Sprint(curve), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := sealed.Open(text, key, sealed.Expect{Signers: [][32]byte{id}})
				require.NoError(b, err)
			}
		})
	}
}
