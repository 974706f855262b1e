package adcs_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce"
	icertpassage "github.com/oiweiwei/go-msrpc/msrpc/icpr/icertpassage/v0"
	"github.com/oiweiwei/go-msrpc/ndr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	require.NoError(t, err)
	return b
}

// The vectors were made by another implementation and checked by hand. They hold CERTTRANSBLOBs with the attribute
// "A:B" and the request 300100, and an answer "ok" that is pending.
const (
	requestNDR = `00010000 04000200 03000000 00000000 03000000 4300 4100 0000 0000  07000000
		08000000 08000200 08000000 4100 3a00 4200 0000  03000000 0c000200 03000000 300100`
	retrieveNDR = `00000000 04000200 03000000 00000000 03000000 430041000000 0000 07000000
		00000000 00000000 00000000 00000000`
	requestNDR64 = `00010000 00000000 0400020000000000 0300000000000000 0000000000000000 0300000000000000
		430041000000 0000 07000000 00000000 08000000 00000000 0800020000000000 0800000000000000 41003a0042000000
		03000000 00000000 0c00020000000000 0300000000000000 300100`
	answerNDR = `07000000 05000000 00000000 00000000 00000000 00000000 06000000 1d000000 06000000 6f006b000000 0000
		00000000`
	answerNDR64 = `07000000 05000000 00000000 00000000 0000000000000000 00000000 00000000 0000000000000000
		06000000 00000000 2d00000000000000 0600000000000000 6f006b000000 0000 00000000`
)

func TestEncodeVectors(t *testing.T) {
	attributes, request := []byte("A\x00:\x00B\x00\x00\x00"), []byte{0x30, 1, 0}
	assert.Equal(t, unhex(t, requestNDR), adcs.EncodeCertServerRequest(0x100, "CA", 7, attributes, request, false))
	assert.Equal(t, unhex(t, requestNDR64), adcs.EncodeCertServerRequest(0x100, "CA", 7, attributes, request, true))
	assert.Equal(t, unhex(t, retrieveNDR), adcs.EncodeCertServerRequest(0, "CA", 7, nil, nil, false))
}

func TestDecodeVectors(t *testing.T) {
	want := adcs.Answer{RequestID: 7, Disposition: 5, Message: []byte("o\x00k\x00\x00\x00")}
	for _, wide := range []bool{false, true} {
		stub := unhex(t, answerNDR)
		if wide {
			stub = unhex(t, answerNDR64)
		}
		got, err := adcs.DecodeAnswer(stub, wide)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		for n := range stub {
			_, err := adcs.DecodeAnswer(stub[:n], wide)
			assert.Error(t, err, "%d bytes", n)
		}
		_, err = adcs.DecodeAnswer(append(bytes.Clone(stub), make([]byte, 15)...), wide)
		assert.NoError(t, err, "padding")
		_, err = adcs.DecodeAnswer(append(bytes.Clone(stub), make([]byte, 16)...), wide)
		assert.Error(t, err, "too much padding")
		_, err = adcs.DecodeAnswer(append(bytes.Clone(stub), 1), wide)
		assert.Error(t, err, "something behind")
	}
}

func TestDecodeHostile(t *testing.T) {
	for name, stub := range map[string]string{
		"size without pointer": `07000000 03000000 01000000 00000000 00000000 00000000 00000000 00000000 00000000`,
		"count is not the size": `07000000 03000000 01000000 01000000 02000000 00000000 00000000 00000000 00000000
			00000000 00000000`,
		"more than there is":     `07000000 03000000 ffffffff 01000000 ffffffff 00000000 00000000 00000000 00000000 00000000`,
		"2 GiB":                  `07000000 03000000 00000080 01000000 00000080 00000000 00000000 00000000 00000000 00000000`,
		"cut off in the pointer": `07000000 03000000 00000000 0000`,
	} {
		_, err := adcs.DecodeAnswer(unhex(t, stub), false)
		assert.Error(t, err, name)
	}
}

// oracles are both transfer syntaxes of go-msrpc, an implementation by others.
func oracles() map[bool]func([]byte) ndr.NDR {
	return map[bool]func([]byte) ndr.NDR{
		false: func(b []byte) ndr.NDR { return ndr.NDR20(b) }, true: func(b []byte) ndr.NDR { return ndr.NDR64(b) },
	}
}

func TestAgainstOracle(t *testing.T) {
	for wide, coder := range oracles() {
		for _, size := range []int{1, 2, 3, 4, 5, 1000, 5000} {
			blob := bytes.Repeat([]byte{0x5a}, size)
			stub := adcs.EncodeCertServerRequest(0x100, "Corp CA 01", 0, blob[:size/2*2], blob, wide)
			in := &icertpassage.CertServerRequestRequest{}
			require.NoError(t, in.UnmarshalNDR(t.Context(), coder(stub)))
			assert.Equal(t, "Corp CA 01", in.Authority)
			assert.Equal(t, blob, in.Request.Buffer)

			out := coder(nil)
			require.NoError(t, (&icertpassage.CertServerRequestResponse{
				RequestID: 9, Disposition: 3, Cert: &wcce.CertTransportBlob{Buffer: blob},
				EncodedCert: &wcce.CertTransportBlob{Buffer: blob[:size/2]}, Return: 4,
			}).MarshalNDR(t.Context(), out))
			got, err := adcs.DecodeAnswer(out.Bytes(), wide)
			require.NoError(t, err, "%d bytes, wide %v", size, wide)
			assert.Equal(t, blob, got.Chain)
			assert.EqualValues(t, 4, got.Returned)
		}
	}
}

// TestNameOutsideASCII pins the length of a name in UTF-16 code units, which go-msrpc gets wrong.
func TestNameOutsideASCII(t *testing.T) {
	stub := adcs.EncodeCertServerRequest(0, "ÄÖ\U0001f511", 0, nil, nil, false)
	assert.Equal(t, unhex(t, `00000000 04000200 05000000 00000000 05000000 c400 d600 3dd8 11dd 0000 0000
		00000000 00000000 00000000 00000000 00000000`), stub)
}

func FuzzDecodeAnswer(f *testing.F) {
	f.Add(unhex(f, answerNDR), false)
	f.Add(unhex(f, answerNDR64), true)
	f.Add(unhex(f, `07000000 03000000 02000000 01000000 02000000 3000 0000 01000000 02000000 01000000 30000000
		00000000 00000000 05400980`), false)
	f.Fuzz(func(t *testing.T, stub []byte, wide bool) {
		a, err := adcs.DecodeAnswer(stub, wide)
		if err != nil {
			assert.Equal(t, adcs.Answer{}, a)
			return
		}
		assert.LessOrEqual(t, len(a.Chain)+len(a.Leaf)+len(a.Message), len(stub))
		for _, asked := range []uint32{0, 7} {
			result, err := adcs.ParseAnswer(a, asked)
			assert.True(t, (result == nil) == (err != nil))
		}
	})
}
