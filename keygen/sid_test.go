package keygen_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

func TestSIDForms(t *testing.T) {
	for text, binary := range map[string]string{
		"S-1-1-0":                          "010100000000000100000000",
		"S-1-5-32-544":                     "01020000000000052000000020020000",
		sampleSID:                          "010500000000000515000000010000000200000003000000" + "51040000",
		"S-1-5-4294967295":                 "0101000000000005ffffffff",
		"S-1-4294967295-1":                 "01010000ffffffff01000000",
		"S-1-0x000100000000-1":             "010100010000000001000000",
		"S-1-5" + strings.Repeat("-7", 15): "010f000000000005" + strings.Repeat("07000000", 15),
	} {
		sid, err := keygen.ParseSID(text)
		require.NoError(t, err, text)
		assert.Equal(t, text, sid.String())
		assert.Equal(t, binary, hex.EncodeToString(sid.Bytes()), text)
		back, err := keygen.ParseSIDBytes(sid.Bytes())
		require.NoError(t, err)
		assert.True(t, back == sid)
		back, err = keygen.ParseSIDURI(sid.URI())
		require.NoError(t, err)
		assert.Equal(t, "tag:microsoft.com,2022-09-14:sid:"+text, sid.URI())
		assert.True(t, back == sid)
	}
	sid, err := keygen.ParseSID(sampleSID)
	require.NoError(t, err)
	domain, rid, ok := sid.Domain()
	assert.True(t, ok)
	assert.Equal(t, uint32(1105), rid)
	assert.Equal(t, "S-1-5-21-1-2-3", domain.String())
	_, _, ok = domain.Domain()
	assert.False(t, ok)
}

func TestSIDZero(t *testing.T) {
	var none keygen.SID
	assert.Equal(t, "", none.String())
	assert.Equal(t, "", none.URI())
	assert.Nil(t, none.Bytes())
	_, err := none.Extension()
	assert.ErrorIs(t, err, keygen.ErrSID)
}

func TestSIDRefuses(t *testing.T) {
	for _, text := range []string{
		"", "S-1", "S-1-5", "s-1-5-21", "S-2-5-21", "S-1-05-21", "S-1-5-021", "S-1-5--1", "S-1-5-4294967296", "S-1-5-21 ",
		"S-1-5-21\n", "S-1-5-+1", "S-1-0x5-1", "S-1-281474976710656-1", "S-1-5" + strings.Repeat("-7", 16),
		strings.Repeat("S-1-5-21", 1000),
	} {
		sid, err := keygen.ParseSID(text)
		require.ErrorIs(t, err, keygen.ErrSID, text)
		assert.Zero(t, sid)
		assert.Less(t, len(err.Error()), 400)
		_, err = keygen.ParseSIDURI("tag:microsoft.com,2022-09-14:sid:" + text)
		assert.ErrorIs(t, err, keygen.ErrSID, text)
	}
	for _, text := range []string{
		"", "01", "0101000000000005", "0001000000000005" + "01000000", "0201000000000005" + "01000000",
		"0100000000000005", "0102000000000005" + "01000000", "0101000000000005" + "0100000000",
		"0110000000000005" + strings.Repeat("07000000", 16),
	} {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		sid, err := keygen.ParseSIDBytes(b)
		assert.ErrorIs(t, err, keygen.ErrSID, text)
		assert.Zero(t, sid)
	}
	_, err := keygen.ParseSIDURI(strings.ToUpper(sidURI))
	assert.ErrorIs(t, err, keygen.ErrSID)
}

func TestMappedSID(t *testing.T) {
	key := testKey(t, keygen.ECDSAP256)
	want, err := keygen.ParseSID(sampleSID)
	require.NoError(t, err)
	for _, form := range []keygen.SIDForm{keygen.SIDExtension, keygen.SIDURI, keygen.SIDBoth} {
		csr := parseRequest(t, key, &keygen.Request{
			DNSNames: []string{"a.test"}, URIs: []string{"urn:a:b"}, SID: sampleSID, SIDForm: form,
		})
		sid, got, err := keygen.MappedSID(csr.Extensions)
		require.NoError(t, err)
		assert.True(t, sid == want)
		assert.Equal(t, form, got)
	}
	ext, err := want.Extension()
	require.NoError(t, err)
	csr := parseRequest(t, key, &keygen.Request{SID: sampleSID})
	assert.Equal(t, csr.Extensions, []pkix.Extension{ext}, "the extension is the one of a request")
	for _, r := range []*keygen.Request{nil, {URIs: []string{"urn:a:b"}}} {
		sid, form, err := keygen.MappedSID(parseRequest(t, key, r).Extensions)
		require.NoError(t, err)
		assert.Zero(t, sid)
		assert.Equal(t, keygen.SIDForm(""), form)
	}
}

// namesExtension is an alternative name extension with these URIs.
func namesExtension(t testing.TB, uris ...string) pkix.Extension {
	t.Helper()
	var list []asn1.RawValue
	for _, uri := range uris {
		list = append(list, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)})
	}
	value, err := asn1.Marshal(list)
	require.NoError(t, err)
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}
}

func TestMappedSIDRefuses(t *testing.T) {
	extension := func(text string) pkix.Extension {
		sid, err := keygen.ParseSID(text)
		require.NoError(t, err)
		ext, err := sid.Extension()
		require.NoError(t, err)
		return ext
	}
	oid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2}
	mine, other := extension(sampleSID), sidURI[:len(sidURI)-1]+"6"
	for label, list := range map[string][]pkix.Extension{
		"two extensions":      {mine, mine},
		"two URIs":            {namesExtension(t, sidURI, other)},
		"the same twice":      {namesExtension(t, sidURI, sidURI)},
		"two lists of names":  {namesExtension(t, sidURI), namesExtension(t, "urn:a:b")},
		"the other way round": {namesExtension(t, "urn:a:b"), namesExtension(t, sidURI)},
		"different":           {mine, namesExtension(t, other)},
		"letter case":         {mine, namesExtension(t, strings.ToUpper(sidURI[:20])+sidURI[20:])},
		"no SID in the URI":   {namesExtension(t, "tag:microsoft.com,2022-09-14:sid:")},
		"SID and more":        {namesExtension(t, sidURI+"?")},
		"empty extension":     {{Id: oid}},
		"extension and more":  {{Id: oid, Value: append(append([]byte(nil), mine.Value...), 0)}},
		"names and more":      {{Id: namesExtension(t).Id, Value: append(namesExtension(t, sidURI).Value, 0)}},
		"names no sequence":   {{Id: namesExtension(t).Id, Value: []byte{4, 0}}},
	} {
		t.Run(label, func(t *testing.T) {
			sid, form, err := keygen.MappedSID(list)
			require.ErrorIs(t, err, keygen.ErrSID)
			assert.Zero(t, sid)
			assert.Equal(t, keygen.SIDForm(""), form)
		})
	}
}

func FuzzParseSID(f *testing.F) {
	for _, seed := range []string{
		sampleSID, "S-1-1-0", "S-1-0x000100000000-1", "S-1-5-021", "",
		"\x01\x01\x00\x00\x00\x00\x00\x05\x01\x00\x00\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if sid, err := keygen.ParseSID(text); err == nil {
			require.Equal(t, text, sid.String())
			back, err := keygen.ParseSIDBytes(sid.Bytes())
			require.NoError(t, err)
			require.Equal(t, sid, back)
		}
		if sid, err := keygen.ParseSIDBytes([]byte(text)); err == nil {
			require.Equal(t, text, string(sid.Bytes()))
			back, err := keygen.ParseSID(sid.String())
			require.NoError(t, err)
			require.Equal(t, sid, back)
		}
	})
}

// FuzzMappedSID reads hostile extensions; a SID that it returns is in them.
func FuzzMappedSID(f *testing.F) {
	sid, err := keygen.ParseSID(sampleSID)
	require.NoError(f, err)
	ext, err := sid.Extension()
	require.NoError(f, err)
	f.Add(ext.Value, namesExtension(f, "urn:a:b", sidURI).Value)
	f.Add([]byte{}, []byte{0x30, 0})
	f.Fuzz(func(t *testing.T, extension, san []byte) {
		list := []pkix.Extension{{Id: ext.Id, Value: extension}, {Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san}}
		for _, given := range [][]pkix.Extension{list, list[:1], list[1:]} {
			sid, form, err := keygen.MappedSID(given)
			if err != nil || form == "" {
				require.Zero(t, sid)
				continue
			}
			require.Contains(t, string(extension)+string(san), sid.String())
		}
	})
}
