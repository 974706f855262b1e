package adcs_test

import (
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
)

func TestAttributesEncoding(t *testing.T) {
	b, err := adcs.EncodeAttributes("", adcs.Attributes{})
	require.NoError(t, err)
	assert.Nil(t, b, "no attributes are a NULL blob")

	// The bytes of "A:B" and a NUL, as in the NDR vector of a request.
	b, err = adcs.EncodeAttributes("", adcs.Attributes{Other: []adcs.Attribute{{Name: "A", Value: "B"}}})
	require.NoError(t, err)
	assert.Equal(t, "41003a0042000000", hex.EncodeToString(b))

	b, err = adcs.EncodeAttributes("WebServer", adcs.Attributes{
		CertificateUsage: []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 1}, {2, 5, 29, 37, 0}},
		Validity:         adcs.Validity{Number: 3, Unit: adcs.Weeks},
		Expires:          time.Date(2000, 11, 21, 2, 6, 53, 0, time.FixedZone("", 3600)),
		Other:            []adcs.Attribute{{Name: "ccm", Value: "pc1.corp.test"}, {Name: "Note", Value: "a b: ü 𝄞"}},
	})
	require.NoError(t, err)
	assert.Equal(t, "CertificateTemplate:WebServer\n"+
		"CertificateUsage:1.3.6.1.5.5.7.3.1,2.5.29.37.0\n"+
		"ValidityPeriod:Weeks\nValidityPeriodUnits:3\n"+
		"ExpirationDate:Tue, 21 Nov 2000 01:06:53 GMT\n"+
		"ccm:pc1.corp.test\nNote:a b: ü 𝄞\x00", utf16le(t, b))
}

func TestAttributesRefused(t *testing.T) {
	other := func(name, value string) adcs.Attributes {
		return adcs.Attributes{Other: []adcs.Attribute{{Name: name, Value: value}}}
	}
	many := adcs.Attributes{}
	for i := range 65 {
		many.Other = append(many.Other, adcs.Attribute{Name: "n" + strings.Repeat("x", i), Value: "v"})
	}
	big := adcs.Attributes{}
	for i := range 10 {
		big.Other = append(big.Other, adcs.Attribute{Name: "n" + strings.Repeat("x", i), Value: strings.Repeat("v", 4096)})
	}
	for _, tc := range []struct {
		name, template string
		attributes     adcs.Attributes
	}{
		{"LF in a value", "", other("Note", "a\nSAN:upn=admin@corp.test")},
		{"CR in a value", "", other("Note", "a\rb")},
		{"NUL in a value", "", other("Note", "a\x00b")},
		{"LF in the template", "User\nSAN:upn=admin@corp.test", adcs.Attributes{}},
		{"vertical tab", "", other("Note", "a\vb")},
		{"next line", "", other("Note", "a\u0085b")},
		{"line separator", "", other("Note", "a\u2028b")},
		{"paragraph separator", "", other("Note", "a\u2029b")},
		{"bidirectional override", "", other("Note", "a\u202eb")},
		{"zero width space in the template", "User\u200b", adcs.Attributes{}},
		{"noncharacter", "", other("Note", "a\ufffe")},
		{"not UTF-8", "", other("Note", "a\xff")},
		{"a surrogate in bytes", "", other("Note", "\xed\xa0\x80")},
		{"empty value", "", other("Note", "")},
		{"blank before", "", other("Note", " a")},
		{"blank after the template", "User ", adcs.Attributes{}},
		{"no-break space after", "", other("Note", "a\u00a0")},
		{"empty name", "", other("", "a")},
		{"LF in a name", "", other("No\nte", "a")},
		{"NUL in a name", "", other("No\x00te", "a")},
		{"colon in a name", "", other("SAN:upn=admin@corp.test&x", "a")},
		{"SAN", "", other("SAN", "upn=admin@corp.test")},
		{"SAN in another case", "", other("sAn", "upn=admin@corp.test")},
		{"SAN with a minus sign, which the CA drops", "", other("S-AN", "upn=admin@corp.test")},
		{"SAN with a blank, which the CA drops", "", other("SAN ", "upn=admin@corp.test")},
		{"SAN with a long s, which folds to s", "", other("ſan", "upn=admin@corp.test")},
		{"cdc", "", other("cdc", "evil.test")},
		{"rmd", "", other("RMD", "evil.test")},
		{"certfile", "", other("CertFile", `\\evil.test\x`)},
		{"requestername", "", other("requestername", `CORP\admin`)},
		{"RequestId", "", other("RequestId", "7")},
		{"challenge", "", other("challenge", "x")},
		{"CertType", "", other("CertType", "server")},
		{"a template by attribute", "", other("CertificateTemplate", "User")},
		{"a usage by attribute", "", other("CertificateUsage", "1.2.3")},
		{"the same name twice", "", adcs.Attributes{Other: []adcs.Attribute{{"Note", "a"}, {"note", "b"}}}},
		{"long name", "", other(strings.Repeat("n", 65), "a")},
		{"long value", "", other("Note", strings.Repeat("a", 4097))},
		{"long value beyond the basic plane", "", other("Note", strings.Repeat("𝄞", 2049))},
		{"many", "", many},
		{"too long together", "", big},
		{"validity without a number", "", adcs.Attributes{Validity: adcs.Validity{Unit: adcs.Weeks}}},
		{"validity without a unit", "", adcs.Attributes{Validity: adcs.Validity{Number: 1}}},
		{"validity in another unit", "", adcs.Attributes{Validity: adcs.Validity{Number: 1, Unit: "Weeks\nSAN:dns=x"}}},
		{"usage without arcs", "", adcs.Attributes{CertificateUsage: []asn1.ObjectIdentifier{{}}}},
		{"usage with a wrong arc", "", adcs.Attributes{CertificateUsage: []asn1.ObjectIdentifier{{3, 1}}}},
		{"usage with a negative arc", "", adcs.Attributes{CertificateUsage: []asn1.ObjectIdentifier{{1, 2, -3}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := adcs.EncodeAttributes(tc.template, tc.attributes)
			require.ErrorIs(t, err, adcs.ErrInvalidRequest)
			assert.Nil(t, b)
			assert.Less(t, len(err.Error()), 300)
			assert.NotContains(t, err.Error(), "\n")
			assert.Equal(t, adcs.RetryNever, adcs.Explain(err).Retry)
		})
	}
}

// FuzzAttributes encodes one attribute beside a template and reads the result as a CA does ([MS-WCCE], section
// 3.2.1.4.2.1.2): whatever is accepted arrives as it was given, and nothing else does.
func FuzzAttributes(f *testing.F) {
	for _, seed := range [][3]string{
		{"User", "Note", "a b"}, {"User", "S-AN", "dns=x"}, {"U", "cdc", "x"}, {"a\nb", "x.y", "c:d"}, {"", "ccm", "𝄞\u2028"},
		{"Zertifikat für Geräte", "n_1", "v\x85"}, {"x", "SAN", "\ufeff"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, template, name, value string) {
		b, err := adcs.EncodeAttributes(template, adcs.Attributes{Other: []adcs.Attribute{{Name: name, Value: value}}})
		if err != nil {
			assert.ErrorIs(t, err, adcs.ErrInvalidRequest)
			return
		}
		text, ok := strings.CutSuffix(utf16le(t, b), "\x00")
		require.True(t, ok)
		want := []adcs.Attribute{{Name: name, Value: value}}
		if template != "" {
			want = append([]adcs.Attribute{{Name: "CertificateTemplate", Value: template}}, want...)
		}
		assert.Equal(t, want, readAsCA(text))
		for _, forbidden := range []string{"san", "cdc", "rmd", "certfile", "requestername"} {
			assert.False(t, strings.EqualFold(name, forbidden))
		}
	})
}

// readAsCA splits attributes with every separator that a reader might take, and cleans them as the specification says.
func readAsCA(text string) []adcs.Attribute {
	var list []adcs.Attribute
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool {
		return strings.ContainsRune("\x00\n\r\v\f\u0085\u2028\u2029", r)
	}) {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name = strings.NewReplacer(" ", "", "-", "").Replace(name)
		list = append(list, adcs.Attribute{Name: name, Value: strings.TrimSpace(value)})
	}
	return list
}

func utf16le(t *testing.T, b []byte) string {
	require.Zero(t, len(b)%2)
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) > 0; b = b[2:] {
		units = append(units, binary.LittleEndian.Uint16(b))
	}
	return string(utf16.Decode(units))
}
