package adcsasn1_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

func TestSIDForms(t *testing.T) {
	for text, packet := range map[string]string{
		"S-1-5-18":                  "01 01 000000000005 12000000",
		"S-1-1-0":                   "01 01 000000000001 00000000",
		sampleSID:                   "01 05 000000000005 15000000 01000000 02000000 03000000 51040000",
		"S-1-4294967295-4294967295": "01 01 0000ffffffff ffffffff",
		"S-1-0x010000000000-1":      "01 01 010000000000 01000000",
		"S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15": "01 0f 000000000005 01000000 02000000 03000000 04000000 05000000 " +
			"06000000 07000000 08000000 09000000 0a000000 0b000000 0c000000 0d000000 0e000000 0f000000",
	} {
		sid, err := adcsasn1.ParseSID(text)
		require.NoError(t, err, text)
		assert.Equal(t, text, sid.String())
		assert.Equal(t, vector(t, packet), sid.Bytes(), text)
		back, err := adcsasn1.ParseSIDBytes(sid.Bytes())
		require.NoError(t, err)
		assert.Equal(t, sid, back)
		assert.Equal(t, sid == back, true)
	}
}

func TestSIDRefuses(t *testing.T) {
	for _, text := range []string{
		"", "S", "S-1", "S-1-5", "S-1-5-", "S-2-5-18", "s-1-5-18", "S-1-5-018", "S-01-5-18", "S-1-5--18", "S-1-5-+18",
		"S-1-5-4294967296", "S-1-5-18 ", " S-1-5-18", "S-1-5-18\x00", "S-1-5-1_8", "S-1-05-18", "S-1-0x5-18", "S-1-0b1-18",
		"S-1-4294967296-1", "S-1-0x0100000000-1", "S-1-0x01000000000A-1", "S-1-0x0000000000001-1", "S-1-281474976710656-1",
		"S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16", "S-1-5-٣", "S-1-5-21-1-2-3-1105" + strings.Repeat("0", 300),
	} {
		err := adcsasn1.ValidSID(text)
		assert.ErrorIs(t, err, adcsasn1.ErrSID, text)
		if err != nil {
			assert.Less(t, len(err.Error()), 800)
		}
	}
	for _, packet := range []string{
		"", "01", "01 00 000000000005", "02 01 000000000005 12000000", "01 01 000000000005 120000",
		"01 01 000000000005 1200000000", "01 02 000000000005 12000000", "01 10 000000000005" + strings.Repeat(" 00000000", 16),
	} {
		_, err := adcsasn1.ParseSIDBytes(vector(t, packet))
		assert.ErrorIs(t, err, adcsasn1.ErrSID, packet)
	}
}

func TestSIDDomain(t *testing.T) {
	sid, err := adcsasn1.ParseSID(sampleSID)
	require.NoError(t, err)
	domain, rid, ok := sid.Domain()
	require.True(t, ok)
	assert.Equal(t, "S-1-5-21-1-2-3", domain.String())
	assert.Equal(t, uint32(1105), rid)
	want, err := adcsasn1.ParseSID("S-1-5-21-1-2-3")
	require.NoError(t, err)
	assert.Equal(t, want, domain)
	for _, text := range []string{"S-1-5-18", "S-1-5-21-1-2-3", "S-1-5-21-1-2-3-4-5", "S-1-5-32-544", "S-1-6-21-1-2-3-4"} {
		other, err := adcsasn1.ParseSID(text)
		require.NoError(t, err)
		_, _, ok := other.Domain()
		assert.False(t, ok, text)
	}
	assert.Equal(t, "", adcsasn1.SID{}.String())
	assert.Nil(t, adcsasn1.SID{}.Bytes())
}

func TestSIDURI(t *testing.T) {
	uri := adcsasn1.SIDURI(sampleSID)
	sid, ok := adcsasn1.SIDFromURI(uri)
	assert.True(t, ok)
	assert.Equal(t, sampleSID, sid)
	assert.True(t, adcsasn1.IsSIDURI(strings.ToUpper(uri)))
	require.NoError(t, adcsasn1.CheckURI(uri))
	assert.ErrorIs(t, adcsasn1.CheckURI(uri+"x"), adcsasn1.ErrName)
	assert.ErrorIs(t, adcsasn1.CheckURI(strings.ToUpper(uri)), adcsasn1.ErrName)
	for _, bad := range []string{"", "x" + uri, uri + "x", strings.ToUpper(uri), "tag:microsoft.com,2022-09-14:sid:", sampleSID} {
		_, ok := adcsasn1.SIDFromURI(bad)
		assert.False(t, ok, bad)
	}
}

func TestSIDFromExtensionRefuses(t *testing.T) {
	for label, value := range map[string]string{
		"nothing":          "",
		"empty":            "3000",
		"two names":        "3044 a020060a2b060104018237190201a012 0410 532d312d352d32312d312d322d332d31 a020060a2b060104018237190201a012 0410 532d312d352d32312d312d322d332d31",
		"other type":       "3025a023060a2b060104018237190202a0150413 532d312d352d32312d312d322d332d31313035",
		"no SID":           "3013 a011 060a2b060104018237190201 a003 0401 41",
		"not octets":       "3025a023060a2b060104018237190201a0150c13 532d312d352d32312d312d322d332d31313035",
		"something after":  "3025a023060a2b060104018237190201a0150413 532d312d352d32312d312d322d332d31313035 00",
		"long form length": "308125a023060a2b060104018237190201a0150413 532d312d352d32312d312d322d332d31313035",
		"leading zero":     "3025a023060a2b060104018237190201a0150413 532d312d352d32312d312d322d332d30313035",
	} {
		_, err := adcsasn1.SIDFromExtension(vector(t, value))
		assert.Error(t, err, label)
	}
	for _, sid := range []string{"", "S-1-5", sampleSID + "\x00"} {
		_, err := adcsasn1.SIDExtension(sid)
		assert.ErrorIs(t, err, adcsasn1.ErrSID)
	}
}

func FuzzSID(f *testing.F) {
	for _, seed := range []string{sampleSID, "S-1-5-18", "S-1-0x010000000000-1", "S-1-5-", "s-1-5-18", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sid, err := adcsasn1.ParseSID(text)
		if err != nil {
			require.Zero(t, sid)
			return
		}
		require.Equal(t, text, sid.String())
		back, err := adcsasn1.ParseSIDBytes(sid.Bytes())
		require.NoError(t, err)
		require.Equal(t, sid, back)
		ext, err := adcsasn1.SIDExtension(text)
		require.NoError(t, err)
		again, err := adcsasn1.SIDFromExtension(ext.Value)
		require.NoError(t, err)
		require.Equal(t, text, again)
	})
}

func FuzzSIDFromExtension(f *testing.F) {
	ext, err := adcsasn1.SIDExtension(sampleSID)
	require.NoError(f, err)
	f.Add(ext.Value)
	f.Add(ext.Value[:20])
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, value []byte) {
		sid, err := adcsasn1.SIDFromExtension(value)
		if err != nil {
			return
		}
		ext, err := adcsasn1.SIDExtension(sid)
		require.NoError(t, err)
		require.Equal(t, value, ext.Value, "there is one encoding")
	})
}
