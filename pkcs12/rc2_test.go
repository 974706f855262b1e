package pkcs12

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRC2 has the vectors of RFC 2268, section 5.
func TestRC2(t *testing.T) {
	for _, tc := range []struct {
		key           string
		effective     int
		plain, cipher string
	}{
		{"0000000000000000", 63, "0000000000000000", "ebb773f993278eff"},
		{"ffffffffffffffff", 64, "ffffffffffffffff", "278b27e42e2f0d49"},
		{"3000000000000000", 64, "1000000000000001", "30649edf9be7d2c2"},
		{"88", 64, "0000000000000000", "61a8a244adacccf0"},
		{"88bca90e90875a", 64, "0000000000000000", "6ccf4308974c267f"},
		{"88bca90e90875a7f0f79c384627bafb2", 64, "0000000000000000", "1a807d272bbe5db1"},
		{"88bca90e90875a7f0f79c384627bafb2", 128, "0000000000000000", "2269552ab0f85ca6"},
		{"88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e", 129, "0000000000000000", "5b78d3a43dfff1f1"},
	} {
		key, err := hex.DecodeString(tc.key)
		require.NoError(t, err)
		block, err := hex.DecodeString(tc.cipher)
		require.NoError(t, err)
		newRC2(key, tc.effective).Decrypt(block, block)
		assert.Equal(t, tc.plain, hex.EncodeToString(block), tc.key)
	}
	assert.Panics(t, func() { newRC2([]byte{1}, 8).Encrypt(nil, nil) })
}

// rc2Encrypter is the other direction (RFC 2268, section 3), which only tests need.
type rc2Encrypter struct{ *rc2 }

func (c rc2Encrypter) Encrypt(dst, src []byte) {
	var r [4]uint16
	for i := range r {
		r[i] = binary.LittleEndian.Uint16(src[2*i:])
	}
	for round := range 16 {
		for i := range r {
			a, b, d := r[(i+3)&3], r[(i+2)&3], r[(i+1)&3]
			r[i] = bits.RotateLeft16(r[i]+c.k[4*round+i]+a&b+^a&d, [4]int{1, 2, 3, 5}[i])
		}
		if round == 4 || round == 10 {
			for i := range r {
				r[i] += c.k[r[(i+3)&3]&63]
			}
		}
	}
	for i := range r {
		binary.LittleEndian.PutUint16(dst[2*i:], r[i])
	}
}

func TestRC2Both(t *testing.T) {
	for n := 1; n <= 128; n++ {
		key, block := random(n), random(8)
		c := newRC2(key, 8*n)
		got := make([]byte, 8)
		rc2Encrypter{c}.Encrypt(got, block)
		assert.NotEqual(t, block, got)
		c.Decrypt(got, got)
		assert.Equal(t, block, got, n)
	}
}
