package adcsasn1_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

func TestTemplateRefuses(t *testing.T) {
	for label, value := range map[string]string{
		"nothing":             "",
		"no OID":              "3000",
		"not an OID":          "3003020101",
		"empty OID":           "30020600",
		"three numbers":       "300d 06022a03 020101 020102 020103 00",
		"four elements":       "300d 06022a03 020101 020102 020103",
		"negative":            "3007 06022a03 0201ff",
		"above 32 bits":       "300b 06022a03 02050100000000",
		"not minimal":         "3008 06022a03 02020001",
		"something after":     "3004 06022a03 00",
		"long form length":    "308104 06022a03",
		"many arcs":           "3048 0646 2a" + strings.Repeat("01", 69),
		"arc above 31 bits":   "3008 06062a 8880808000",
		"arc not minimal":     "3005 06032a 8001",
		"enormous OID length": "3084ffffffff 0684ffffffff",
	} {
		_, err := adcsasn1.TemplateFromExtension(vector(t, value))
		assert.Error(t, err, label)
	}
	for label, value := range map[string]string{
		"nothing": "", "odd": "1e0155", "surrogate": "1e02d800", "empty": "1e00", "control": "1e02000a",
		"something after": "1e02005500", "another type": "0c0155", "long": "1e8182" + strings.Repeat("0041", 65),
		"sequence of two": "3006 0c0155 0c0155", "empty sequence": "3000", "not UTF-8": "30030c01ff",
	} {
		_, err := adcsasn1.TemplateNameFromExtension(vector(t, value))
		assert.Error(t, err, label)
	}
}

func TestSANReads(t *testing.T) {
	// A directory name, a registered id, an otherName with an AD GUID, and underscores in a DNS name, as CAs write them.
	value := vector(t, `303b a407 310530030601 00 8803 2a0304 a01f 06092b0601040182371901 a012 0410
		00000000000000000000000000000000 820a 615f622e636f72702e74`)
	san, err := adcsasn1.SANFromExtension(value)
	require.NoError(t, err)
	assert.Len(t, san.Other, 3)
	assert.Equal(t, []string{"a_b.corp.t"}, san.DNS)
	assert.Equal(t, 4, san.Count())
	assert.Error(t, san.Validate(), "what is not understood is not written")
}

func TestSANRefuses(t *testing.T) {
	for label, value := range map[string]string{
		"nothing":            "",
		"empty":              "3000",
		"DNS NUL":            "3005 8203 610062",
		"DNS newline":        "3004 8202 610a",
		"DNS not ASCII":      "3003 8201 e4",
		"DNS empty":          "3002 8200",
		"IP of five bytes":   "3007 8705 0102030405",
		"UPN not UTF-8":      "3015 a013 060a2b060104018237140203 a005 0c03 61ff62",
		"UPN NUL":            "3015 a013 060a2b060104018237140203 a005 0c03 610062",
		"UPN another string": "3015 a013 060a2b060104018237140203 a005 1603 614062",
		"UPN and more":       "3017 a015 060a2b060104018237140203 a005 0c03 614062 0500",
		"otherName broken":   "3004 a002 0600",
		"tag 9":              "3003 8901 61",
		"universal":          "3003 0c01 61",
		"constructed DNS":    "3005 a203 820161",
		"something after":    "3003 820161 00",
		"cut":                "3003 8202 61",
		"indefinite":         "3080 820161 0000",
	} {
		_, err := adcsasn1.SANFromExtension(vector(t, value))
		assert.Error(t, err, label)
	}
	var many bytes.Buffer
	for range 1001 {
		many.Write([]byte{0x82, 1, 'a'})
	}
	n := many.Len()
	_, err := adcsasn1.SANFromExtension(append([]byte{0x30, 0x82, byte(n >> 8), byte(n)}, many.Bytes()...))
	assert.ErrorContains(t, err, "more than 1000")
	_, err = adcsasn1.SANFromExtension(make([]byte, 70_000))
	assert.ErrorContains(t, err, "at most")
	_, err = adcsasn1.SAN{}.Extension()
	assert.Error(t, err)
	_, err = adcsasn1.SAN{Other: [][]byte{{0x88, 1, 1}}}.Extension()
	assert.Error(t, err)
}

func FuzzSANFromExtension(f *testing.F) {
	ext, err := adcsasn1.SAN{
		UPN: []string{"alice@corp.test"}, DNS: []string{"www.corp.test"}, Email: []string{"a@corp.test"},
		URI: []string{adcsasn1.SIDURI(sampleSID)}, IP: []netip.Addr{netip.MustParseAddr("10.0.0.1")},
	}.Extension()
	require.NoError(f, err)
	f.Add(ext.Value)
	f.Add(vector(f, "300588032a0304"))
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, value []byte) {
		san, err := adcsasn1.SANFromExtension(value)
		if err != nil {
			return
		}
		require.Positive(t, san.Count())
		ext, err := san.Extension()
		if err != nil {
			return // a CA may write more than we do
		}
		back, err := adcsasn1.SANFromExtension(ext.Value)
		require.NoError(t, err)
		for i := range san.IP {
			san.IP[i] = san.IP[i].Unmap()
		}
		require.Equal(t, san, back)
	})
}

// FuzzNames writes names from outside and reads them again: each is there exactly, or refused.
func FuzzNames(f *testing.F) {
	f.Add("a.corp.test", "a@corp.test", "https://corp.test/", "alice@corp.test")
	f.Add("*.corp.test", "a+b@corp.test", "urn:a:%20", "jürgen@bücher.test")
	f.Add("a\x00", "a@b\n", "http://[::1]:80/", "a\u202e@b")
	f.Fuzz(func(t *testing.T, dns, email, uri, upn string) {
		for _, san := range []adcsasn1.SAN{
			{DNS: []string{dns}}, {Email: []string{email}}, {URI: []string{uri}}, {UPN: []string{upn}},
		} {
			ext, err := san.Extension()
			if err != nil {
				require.ErrorIs(t, err, adcsasn1.ErrName)
				require.True(t, utf8.ValidString(err.Error()))
				continue
			}
			back, err := adcsasn1.SANFromExtension(ext.Value)
			require.NoError(t, err)
			require.Equal(t, san, back)
		}
	})
}

func FuzzTemplateFromExtension(f *testing.F) {
	f.Add(vector(f, "302c06242b06010401823715088dc46bdfd5228699872e81ead82186d4e5794b87bbb61d83948871020164020105"))
	f.Add(vector(f, "300406022a03"))
	f.Add(vector(f, "3007 06022a03 020100"))
	f.Fuzz(func(t *testing.T, value []byte) {
		tpl, err := adcsasn1.TemplateFromExtension(value)
		if err != nil {
			return
		}
		ext, err := tpl.Extension()
		require.NoError(t, err)
		back, err := adcsasn1.TemplateFromExtension(ext.Value)
		require.NoError(t, err)
		require.Equal(t, tpl, back)
	})
}

func FuzzTemplateNameFromExtension(f *testing.F) {
	f.Add(vector(f, "1e080055007300650072"))
	f.Add(vector(f, "30060c0455736572"))
	f.Add(vector(f, "1e02d800"))
	f.Fuzz(func(t *testing.T, value []byte) {
		name, err := adcsasn1.TemplateNameFromExtension(value)
		if err != nil {
			return
		}
		ext, err := adcsasn1.TemplateNameExtension(name)
		require.NoError(t, err)
		back, err := adcsasn1.TemplateNameFromExtension(ext.Value)
		require.NoError(t, err)
		require.Equal(t, name, back)
	})
}
