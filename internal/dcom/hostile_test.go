package dcom_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// TestCutOff has every message without its end: an error, whatever is missing.
func TestCutOff(t *testing.T) {
	for name, s := range samples() {
		stub := write(s.ours)
		for n := range stub {
			r := ndr.NewReader(stub[:n:n], false)
			s.empty().Read(r)
			require.ErrorIs(t, r.Done(), rpc.ErrMalformed, "%s, %d of %d bytes", name, n, len(stub))
		}
	}
}

// TestChanged has every message with each of its bytes changed: whatever comes of it, no panic, and what is read can be
// written again.
func TestChanged(t *testing.T) {
	for _, s := range samples() {
		stub := write(s.ours)
		for i := range stub {
			for _, v := range []byte{0, 1, 0x7f, 0x80, 0xff} {
				changed := append([]byte(nil), stub...)
				changed[i] = v
				m := s.empty()
				r := ndr.NewReader(changed, false)
				m.Read(r)
				if r.Done() == nil {
					write(m)
				}
			}
		}
	}
}

// units are string bindings of some characters, with what the header says about them.
func units(count, security int, text ...uint16) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(count))
	b = binary.LittleEndian.AppendUint16(b, uint16(security))
	for _, u := range text {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func TestBindings(t *testing.T) {
	for name, test := range map[string]struct {
		raw  []byte
		want *dcom.Bindings // nil for an error
	}{
		"the smallest":                 {units(4, 2, 0, 0, 0, 0), &dcom.Bindings{}},
		"one":                          {units(5, 4, 7, 'a', 0, 0, 0), &dcom.Bindings{Strings: []dcom.StringBinding{{7, "a"}}}},
		"padding":                      {units(5, 3, 0, 'x', 'y', 0, 'z'), &dcom.Bindings{}},
		"more than was announced":      {units(2, 1, 0, 0, 1, 2, 3), &dcom.Bindings{}},
		"nothing":                      {nil, nil},
		"less than was announced":      {units(5, 2, 0, 0, 0, 0), nil},
		"security behind the end":      {units(4, 5, 0, 0, 0, 0), nil},
		"security far behind the end":  {units(4, 0xffff, 0, 0, 0, 0), nil},
		"security at the end":          {units(2, 2, 0, 0), nil},
		"no room for strings":          {units(4, 0, 0, 0, 0, 0), nil},
		"a string that does not end":   {units(5, 3, 7, 'a', 'b', 0, 0), nil},
		"strings that do not end":      {units(5, 3, 7, 'a', 0, 0, 0), nil},
		"a string that ends elsewhere": {units(6, 2, 7, 'a', 0, 0, 0, 0), nil},
		"a principal that does not":    {units(6, 1, 0, 9, 0xffff, 'a', 'b', 'c'), nil},
		"only a service":               {units(2, 1, 0, 9), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dcom.ParseBindings(test.raw)
			if test.want == nil {
				require.ErrorIs(t, err, rpc.ErrMalformed)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestTooMuch(t *testing.T) {
	long := &dcom.Bindings{Strings: []dcom.StringBinding{{7, strings.Repeat("a", 2000)}}}
	_, err := dcom.ParseBindings(long.Append(nil))
	require.ErrorIs(t, err, rpc.ErrMalformed, "a long address")
	many := &dcom.Bindings{Strings: make([]dcom.StringBinding, 257)}
	for i := range many.Strings {
		many.Strings[i].Tower = 7
	}
	_, err = dcom.ParseBindings(many.Append(nil))
	require.ErrorIs(t, err, rpc.ErrMalformed, "many addresses")

	for name, m := range map[string]message{
		"interfaces": &dcom.RemoteActivation{IIDs: make([]rpc.UUID, 65), Protseqs: []uint16{7}},
		"extensions": &dcom.That{Extensions: make([]dcom.Extent, 65)},
		"extension":  &dcom.That{Extensions: []dcom.Extent{{Data: make([]byte, 65<<10)}}},
		"storage":    &dcom.RemoteActivation{Storage: make([]byte, 257<<10), IIDs: make([]rpc.UUID, 1)},
		"pinged":     &dcom.ComplexPing{Add: make([]uint64, 4097)},
		"protseqs":   &dcom.ResolveOxid{Protseqs: make([]uint16, 257)},
		"none":       &dcom.RemoteActivation{},
		"created":    &dcom.CreateInstance{},
	} {
		empty := map[bool]message{true: &dcom.That{}, false: &dcom.RemoteActivation{}}[strings.HasPrefix(name, "ext")]
		switch m.(type) {
		case *dcom.ComplexPing:
			empty = &dcom.ComplexPing{}
		case *dcom.ResolveOxid:
			empty = &dcom.ResolveOxid{}
		case *dcom.CreateInstance:
			empty = &dcom.CreateInstance{}
		}
		r := ndr.NewReader(write(m), false)
		empty.Read(r)
		require.ErrorIs(t, r.Err(), rpc.ErrMalformed, name)
	}
}

// TestExtensionsThatAreNULL has fewer extensions than were announced.
func TestExtensionsThatAreNULL(t *testing.T) {
	stub := write(&dcom.That{Extensions: []dcom.Extent{{ID: id(1)}, {ID: id(2)}}})
	for i := range 4 {
		stub[28+i] = 0 // the second pointer
	}
	r := ndr.NewReader(stub, false)
	(&dcom.That{}).Read(r)
	require.ErrorIs(t, r.Err(), rpc.ErrMalformed)
	assert.Contains(t, r.Err().Error(), "extensions where")
}

func TestPort(t *testing.T) {
	for address, want := range map[string]uint16{
		"CA[49701]": 49701, "[49701]": 49701, "::1[1]": 1, "CA[]": 0, "CA[0]": 0, "CA[65536]": 0, "CA[-1]": 0, "CA": 0,
		"CA[49701": 0, "CA[+7]": 0, "CA[\\pipe\\x]": 0, "CA[1][2]": 0,
	} {
		got, ok := (&dcom.Bindings{Strings: []dcom.StringBinding{{dcom.TowerPipe, "CA[7]"}, {dcom.TowerTCP, address}}}).Port()
		assert.Equal(t, want, got, address)
		assert.Equal(t, want != 0, ok, address)
	}
}

func TestObjRefs(t *testing.T) {
	good := ref(1).Append(nil)
	for name, b := range map[string][]byte{
		"nothing":      nil,
		"signature":    append([]byte{0}, good[1:]...),
		"kind":         append(append(append([]byte(nil), good[:4]...), 8), good[5:]...),
		"no interface": append(append(append([]byte(nil), good[:8]...), make([]byte, 16)...), good[24:]...),
	} {
		_, err := dcom.ParseObjRef(b)
		require.ErrorIs(t, err, rpc.ErrMalformed, name)
	}
	got, err := dcom.ParseObjRef(append(good, 1, 2, 3))
	require.NoError(t, err, "padding")
	assert.Equal(t, ref(1), got)
}

func TestVersions(t *testing.T) {
	got, ok := dcom.CurrentVersion().Negotiate(dcom.Version{5, 1})
	assert.True(t, ok)
	assert.Equal(t, dcom.Version{5, 1}, got)
	_, ok = dcom.CurrentVersion().Negotiate(dcom.Version{6, 1})
	assert.False(t, ok)
}

func TestProperties(t *testing.T) {
	want := []dcom.Property{
		{ID: dcom.PropCAName, Type: dcom.TypeString, Name: "CA Name"},
		{ID: dcom.PropCASigCert, Type: dcom.TypeBinary, Indexed: true, Name: "Größe"}, {ID: 3, Type: dcom.TypeLong},
	}
	raw := dcom.EncodeProperties(want)
	got, err := dcom.ParseProperties(raw, 3)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	for name, test := range map[string]struct {
		change func([]byte) []byte
		count  int32
	}{
		"count":      {func(b []byte) []byte { return b }, -1},
		"much":       {func(b []byte) []byte { return b }, 4096},
		"cut off":    {func(b []byte) []byte { return b[:len(b)-4] }, 3},
		"offset":     {func(b []byte) []byte { b[8] = 0; return b }, 3},
		"far offset": {func(b []byte) []byte { b[11] = 0xff; return b }, 3},
	} {
		_, err := dcom.ParseProperties(test.change(append([]byte(nil), raw...)), test.count)
		require.ErrorIs(t, err, rpc.ErrMalformed, name)
	}
}

func TestValues(t *testing.T) {
	for raw, want := range map[string]string{"": "", "a\x00": "a", "a\x00\x00\x00": "a", "\x00\x00\x00\x00": ""} {
		got, err := dcom.ParseText([]byte(raw))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, raw := range []string{"a", "a\x00\x00\x00b\x00"} {
		_, err := dcom.ParseText([]byte(raw))
		require.ErrorIs(t, err, rpc.ErrMalformed)
	}
	assert.Equal(t, []byte("a\x00\x00\x00"), dcom.AppendText(nil, "a"))

	info := &dcom.CAInfo{
		CAType: 3, SignatureCerts: 2, ExchangeCerts: 1, ExitAlgorithms: 4, PropIDMax: 50, RoleSeparation: 5,
		KRACertUsedCount: 6, KRACertCount: 7, AdvancedServer: 1,
	}
	got, err := dcom.ParseCAInfo(info.Append(nil))
	require.NoError(t, err)
	assert.Equal(t, info, got)
	old := info.Append(nil)[:32]
	old[0] = 32
	got, err = dcom.ParseCAInfo(old)
	require.NoError(t, err)
	assert.Zero(t, got.AdvancedServer)

	count := func(i *dcom.CAInfo) uint32 { return i.SignatureCerts }
	for raw, want := range map[string]uint32{string(info.Append(nil)): 2, "\x09\x00\x00\x00": 9} {
		got, err := dcom.ParseLong([]byte(raw), count)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, raw := range []string{"", "abc", "\xff\x00\x00\x00abcd"} {
		_, err := dcom.ParseLong([]byte(raw), count)
		require.ErrorIs(t, err, rpc.ErrMalformed)
	}
	_, err = dcom.ParseLong(info.Append(nil), nil)
	require.ErrorIs(t, err, rpc.ErrMalformed)
}

// FuzzMessages reads any bytes as each of the messages. What is read can be written, and read again.
func FuzzMessages(f *testing.F) {
	all := samples()
	for name, s := range all {
		f.Add(name, write(s.ours))
	}
	f.Fuzz(func(t *testing.T, name string, stub []byte) {
		s, ok := all[name]
		if !ok {
			return
		}
		m := s.empty()
		r := ndr.NewReader(stub, false)
		m.Read(r)
		if r.Done() != nil {
			return
		}
		read(t, write(m), s.empty())
	})
}

// FuzzParse reads any bytes as what stubs contain.
func FuzzParse(f *testing.F) {
	f.Add(ref(1).Append(nil))
	f.Add(bindings().Append(nil))
	f.Add(units(4, 2, 0, 0, 0, 0))
	f.Add(dcom.EncodeProperties([]dcom.Property{{ID: 1, Type: 2, Name: "name"}}))
	f.Add((&dcom.CAInfo{}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := dcom.ParseObjRef(b); err == nil {
			again, err := dcom.ParseObjRef(o.Append(nil))
			require.NoError(t, err)
			require.Equal(t, o.Std, again.Std)
		}
		_, _ = dcom.ParseBindings(b)
		_, _ = dcom.ParseProperties(b, int32(len(b)%8))
		_, _ = dcom.ParseText(b)
		_, _ = dcom.ParseLong(b, func(i *dcom.CAInfo) uint32 { return i.SignatureCerts })
	})
}
