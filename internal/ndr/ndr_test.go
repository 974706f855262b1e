package ndr_test

import (
	"testing"

	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce"
	msndr "github.com/oiweiwei/go-msrpc/ndr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

var syntaxes = map[string]bool{"NDR20": false, "NDR64": true}

func TestRoundTrip(t *testing.T) {
	id := rpc.NDR().UUID
	for name, wide := range syntaxes {
		t.Run(name, func(t *testing.T) {
			w := ndr.NewWriter(wide, 0)
			w.U8(1)
			w.U16(2)
			w.U32(3)
			w.U8(4)
			w.U64(5)
			w.Enum(6)
			w.UUID(id)
			w.Handle(ndr.Handle{Attributes: 7, ID: id})
			w.Pointer(false)
			w.Pointer(true)
			w.Structure()
			w.Blob(nil)
			w.Blob([]byte{})
			w.Blob([]byte("abc"))
			w.StringPointer("Größe 😀")
			w.Gap(8)
			w.U8(8)
			w.Count(9)
			assert.Equal(t, wide, w.Wide())

			r := ndr.NewReader(w.Stub(), wide)
			assert.Equal(t, wide, r.Wide())
			assert.Equal(t, uint8(1), r.U8())
			assert.Equal(t, uint16(2), r.U16())
			assert.Equal(t, uint32(3), r.U32())
			assert.Equal(t, uint8(4), r.U8())
			assert.Equal(t, uint64(5), r.U64())
			assert.Equal(t, uint32(6), r.Enum())
			assert.Equal(t, id, r.UUID())
			assert.Equal(t, ndr.Handle{Attributes: 7, ID: id}, r.Handle())
			assert.False(t, r.Pointer())
			assert.True(t, r.Pointer())
			r.Structure()
			assert.Nil(t, r.Blob())
			assert.Equal(t, []byte{}, r.Blob())
			assert.Equal(t, []byte("abc"), r.Blob())
			s, ok := r.StringPointer()
			assert.True(t, ok)
			assert.Equal(t, "Größe 😀", s)
			r.Gap(8)
			assert.Equal(t, uint8(8), r.U8())
			assert.Equal(t, uint64(9), r.Count())
			assert.Equal(t, len(w.Stub()), r.Offset())
			require.NoError(t, r.Done())
		})
	}
}

// TestBlobAgreesWithGenerated compares with the code that go-msrpc generated from the IDL.
func TestBlobAgreesWithGenerated(t *testing.T) {
	for name, wide := range syntaxes {
		for _, data := range [][]byte{nil, []byte("a"), []byte("twelve bytes")} {
			w := ndr.NewWriter(wide, 0)
			w.U32(1)
			w.Blob(data)
			codec := msndr.NDR20
			if wide {
				codec = msndr.NDR64
			}
			generated := codec(nil)
			require.NoError(t, generated.WriteData(uint32(1)), name)
			require.NoError(t, (&wcce.CertTransportBlob{Buffer: data}).MarshalNDR(t.Context(), generated), name)
			require.NoError(t, generated.WriteDeferred(), name)

			theirs := codec(w.Stub())
			var first uint32
			var blob wcce.CertTransportBlob
			require.NoError(t, theirs.ReadData(&first), name)
			require.NoError(t, blob.UnmarshalNDR(t.Context(), theirs), name)
			require.NoError(t, theirs.ReadDeferred(), name)
			assert.Equal(t, uint32(len(data)), blob.Length, name)
			assert.Equal(t, string(data), string(blob.Buffer), name)

			ours := ndr.NewReader(generated.Bytes(), wide)
			assert.Equal(t, uint32(1), ours.U32(), name)
			assert.Equal(t, string(data), string(ours.Blob()), name)
			require.NoError(t, ours.Done(), name)
		}
	}
}

func TestHostile(t *testing.T) {
	read := map[string]func(*ndr.Reader){
		"U8": func(r *ndr.Reader) { r.U8() }, "U16": func(r *ndr.Reader) { r.U16() }, "U32": func(r *ndr.Reader) { r.U32() },
		"U64": func(r *ndr.Reader) { r.U64() }, "UUID": func(r *ndr.Reader) { r.UUID() },
		"blob": func(r *ndr.Reader) { r.Blob() }, "string": func(r *ndr.Reader) { r.WideString() },
		"ref":         func(r *ndr.Reader) { r.Ref() },
		"elements":    func(r *ndr.Reader) { r.Elements(4, 100) },
		"elementsAre": func(r *ndr.Reader) { r.ElementsAre(2, 1, 100) },
		"nothing":     func(*ndr.Reader) {},
	}
	for name, test := range map[string]struct {
		read string
		stub []byte
	}{
		"empty u8":         {"U8", nil},
		"short u16":        {"U16", []byte{1}},
		"short u32":        {"U32", []byte{1, 2, 3}},
		"short u64":        {"U64", make([]byte, 7)},
		"short uuid":       {"UUID", make([]byte, 15)},
		"null ref":         {"ref", make([]byte, 4)},
		"blob, no bytes":   {"blob", []byte{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}},
		"blob, counts":     {"blob", []byte{1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 2}},
		"blob, NULL":       {"blob", []byte{1, 0, 0, 0, 0, 0, 0, 0}},
		"blob, huge":       {"blob", []byte{255, 255, 255, 255, 1, 0, 0, 0, 255, 255, 255, 255}},
		"string, empty":    {"string", []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		"string, offset":   {"string", []byte{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0}},
		"string, over":     {"string", []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 65, 0, 0, 0}},
		"string, huge":     {"string", []byte{255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 127}},
		"string, no NUL":   {"string", []byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 65, 0}},
		"string, two NULs": {"string", []byte{2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}},
		"array, room":      {"elements", []byte{2, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1}},
		"array, limit":     {"elements", append([]byte{101, 0, 0, 0}, make([]byte, 404)...)},
		"array, other":     {"elementsAre", []byte{1, 0, 0, 0, 1, 1}},
		"rest":             {"nothing", make([]byte, 16)},
		"rest not zero":    {"nothing", []byte{1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := ndr.NewReader(test.stub, false)
			read[test.read](r)
			err := r.Done()
			require.ErrorIs(t, err, rpc.ErrMalformed)
			r.Fail("later")
			r.U32()
			assert.Equal(t, err, r.Err(), "the first error stays")
			assert.Zero(t, r.Left())
		})
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, []byte("any stub of some length, which is not a multiple"), true)
	f.Fuzz(func(t *testing.T, script, stub []byte, wide bool) {
		r := ndr.NewReader(stub, wide)
		got := 0
		for _, s := range script {
			switch s % 12 {
			case 0:
				r.U8()
			case 1:
				r.U16()
			case 2:
				r.U32()
			case 3:
				r.U64()
			case 4:
				r.UUID()
			case 5:
				got += len(r.Blob())
			case 6:
				got += len(r.WideString())
			case 7:
				got += r.Elements(int(s/12), 1<<20)
			case 8:
				r.Structure()
			case 9:
				r.Enum()
			case 10:
				r.ElementsAre(uint32(s), 1, 1<<20)
			case 11:
				r.Handle()
			}
		}
		r.Done()
		if r.Offset() > len(stub) || got > (len(stub)+1)*len(script)*2 {
			t.Fatalf("%d bytes read, %d returned, of %d", r.Offset(), got, len(stub))
		}
	})
}
