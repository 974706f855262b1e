package x500_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/x500"
)

// TestParseTexts reads texts and shows what was read, in the order of the text.
func TestParseTexts(t *testing.T) {
	for text, want := range map[string]string{
		"CN=a,O=b":                     "CN=a O=b",
		"cn=a,   o=b c":                "CN=a O=b c",
		`CN=\ a\ ,O=x\20`:              "CN= a  O=x ",
		`CN=a\,b\+c\=d\\\"\;\<\>\#+O=`: "CN=a,b+c=d\\\";<>#+O=",
		`CN=Lu\C4\8di\c4\87`:           "CN=Lučić",
		"CN=#0c0161,O=#0c0162+OU=c":    "CN=#12 O=#12+OU=c",
		"2.5.4.3=a,1.2.3=b":            "CN=a 1.2.3=b",
		"CN=a=b#c":                     "CN=a=b#c",
	} {
		name, err := x500.Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, shown(name), text)
	}
	for _, text := range []string{
		"CN", "=a", "CN=a,", "CN=a+", ",CN=a", "CN=a,,O=b", "CN= a", "CN=a ", "CN=a ,O=b", `CN=a\`, `CN=a\g0`, `CN=a\0`,
		`CN="a"`, "CN=a;O=b", "CN=a<", "CN=a>", `CN=\ff`, "CN=\xff", "CN=#", "CN=#0", "CN=#0g", "CN=#0c016161", "CN=#0c02",
		"CN =a", "X=a", "1=a", "1.2.=a", "01.2=a", "3.1=a", "1.40=a", "2.2147483648=a", "-1.2=a", "CN=#0C0161 ,O=b",
	} {
		name, err := x500.Parse(text)
		assert.Error(t, err, text)
		assert.Nil(t, name, text)
		assert.Less(t, len(err.Error()), 200, text)
	}
}

// shown joins relative names by spaces, as they stand in the text, and their attributes by "+".
func shown(name pkix.RDNSequence) string {
	var parts []string
	for _, rdn := range slices.Backward(name) {
		var attributes []string
		for _, a := range rdn {
			value := a.Value
			if raw, ok := value.(asn1.RawValue); ok {
				value = fmt.Sprintf("#%d", raw.Tag)
			}
			attributes = append(attributes, fmt.Sprintf("%s=%s", x500.TypeName(a.Type), value))
		}
		parts = append(parts, strings.Join(attributes, "+"))
	}
	return strings.Join(parts, " ")
}

// TestKeywords has the types of X.520, RFC 4519 and PKCS #9.
func TestKeywords(t *testing.T) {
	const pilot = "0.9.2342.19200300.100.1."
	for keywords, want := range map[string]string{
		"CN": "2.5.4.3", "SN": "2.5.4.4", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7", "ST S": "2.5.4.8",
		"STREET": "2.5.4.9", "O": "2.5.4.10", "OU": "2.5.4.11", "T TITLE": "2.5.4.12", "DESCRIPTION": "2.5.4.13",
		"POSTALCODE": "2.5.4.17", "G GN GIVENNAME": "2.5.4.42", "I INITIALS": "2.5.4.43", "DNQUALIFIER": "2.5.4.46",
		"UID": pilot + "1", "DC": pilot + "25", "E EMAIL EMAILADDRESS": "1.2.840.113549.1.9.1",
		"0.0": "0.0", "1.39.0": "1.39.0", "2.40": "2.40", // types without a keyword
	} {
		for _, keyword := range strings.Fields(keywords) {
			for _, text := range []string{keyword, strings.ToLower(keyword), want} {
				name, err := x500.Parse(text + "=a")
				require.NoError(t, err, text)
				assert.Equal(t, want, name[0][0].Type.String(), text)
			}
		}
		name, err := x500.Parse(want + "=a")
		require.NoError(t, err)
		assert.Equal(t, strings.Fields(keywords)[0], x500.TypeName(name[0][0].Type))
	}
}

func TestParseBounds(t *testing.T) {
	list := func(n int, separator string) string { return strings.Repeat("CN=a"+separator, n-1) + "CN=a" }
	for _, bound := range []struct {
		fits, exceeds string
	}{
		{list(x500.MaxRDNs, ","), list(x500.MaxRDNs+1, ",")},
		{list(x500.MaxPerRDN, "+"), list(x500.MaxPerRDN+1, "+")},
		{"CN=" + strings.Repeat("a", 8<<10-3), "CN=" + strings.Repeat("a", 8<<10-2)},
		{"1" + strings.Repeat(".2", 31) + "=a", "1" + strings.Repeat(".2", 32) + "=a"},
		{"2.2147483567=a", "2.2147483568=a"}, // 2^31-1, with the 80 that encoding/asn1 adds
	} {
		_, err := x500.Parse(bound.fits)
		assert.NoError(t, err)
		_, err = x500.Parse(bound.exceeds)
		assert.Error(t, err)
	}
}

func TestShown(t *testing.T) {
	assert.Equal(t, `"a\n"`, x500.Shown("a\n"))
	assert.Equal(t, `"`+strings.Repeat("a", 60)+`"`, x500.Shown(strings.Repeat("a", 60)))
	assert.Equal(t, `"`+strings.Repeat("a", 60)+`"…`, x500.Shown(strings.Repeat("a", 61)))
}
