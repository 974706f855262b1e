package x500_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/x500"
)

func TestString(t *testing.T) {
	attribute := func(value any, oid ...int) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: oid, Value: value}
	}
	var (
		cn = attribute("a,b", 2, 5, 4, 3)
		ou = attribute("People", 2, 5, 4, 11)
		dc = attribute("corp+x", 0, 9, 2342, 19200300, 100, 1, 25)
		e  = attribute("a@b.test", 1, 2, 840, 113549, 1, 9, 1)
		n  = attribute(7, 0, 9, 2342, 19200300, 100, 1, 25)
		x  = attribute(asn1.RawValue{FullBytes: []byte{0, 1, 2}}, 1, 2, 840, 113549, 1, 9, 1) // of no type that there is
	)
	for want, seq := range map[string]pkix.RDNSequence{
		"":                                   {},
		`CN=a\,b,OU=People,DC=corp\+x`:       {{dc}, {ou}, {cn}},
		"E=a@b.test":                         {{e}},
		`CN=a\,b+OU=People`:                  {{ou, cn}},
		`CN=a\,b+DC=corp\+x`:                 {{cn, dc}},
		"0.9.2342.19200300.100.1.25=#020107": {{n}},
		"1.2.840.113549.1.9.1=#000102":       {{x}},
		"2.5.4.3=#000102":                    {{attribute(x.Value, 2, 5, 4, 3)}},
	} {
		der, err := asn1.Marshal(seq)
		require.NoError(t, err)
		assert.Equal(t, want, x500.String(der))
	}
}

// FuzzParse: what is parsed is shown as a text that means the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "CN=a", `OU=Sales+CN=J.  Smith,O=Sue\, Grabbit,C=GB`, "1.3.6.1.4.1.1466.0=#04024869", `CN=\20a\ , E=a@b`,
		`CN=Lu\C4\8Di\C4\87`, "=", "CN", "CN=#", "DC=a+DC=b", `CN="a"`, `CN=\`, "e=#0000",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := x500.Parse(text)
		if err != nil {
			require.Nil(t, name)
			return
		}
		der, err := asn1.Marshal(name)
		if err != nil {
			return // a value that is not a string of ASN.1, or too odd a type
		}
		shown := x500.String(der)
		again, err := x500.Parse(shown)
		if err != nil {
			return // the standard library leaves characters unescaped that Parse wants escaped
		}
		require.Equal(t, shown, mustString(t, again))
	})
}

func mustString(t *testing.T, name pkix.RDNSequence) string {
	t.Helper()
	der, err := asn1.Marshal(name)
	require.NoError(t, err)
	return x500.String(der)
}

// TestParse has what both readers of names rely on; keygen's tests have the grammar, character by character.
func TestParse(t *testing.T) {
	name, err := x500.Parse(`cn=a\,b+UID=c, emailaddress=x@y,DC=corp`)
	require.NoError(t, err)
	assert.Equal(t, `CN=a\,b+UID=c,E=x@y,DC=corp`, mustString(t, name))
	for _, bad := range []string{"a", "=a", "XX=1", "\u017fN=a", "CN=a,", "CN=a;O=b", "CN=#3", "CN=#0500ff", "1.99.1=a", "CN=\xff", strings.Repeat("CN=a,", 33) + "CN=a"} {
		_, err := x500.Parse(bad)
		assert.Error(t, err, bad)
		assert.Less(t, len(err.Error()), 200)
	}
}

// FuzzString must not panic, and shows something of every name that has attributes.
func FuzzString(f *testing.F) {
	f.Add([]byte{0x30, 0})
	f.Add([]byte{0x30, 2, 0x31, 0})
	f.Add([]byte{0x30, 0x0C, 0x31, 0x0A, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0C, 1, 'x'})
	f.Fuzz(func(t *testing.T, der []byte) {
		text := x500.String(der)
		var seq pkix.RDNSequence
		if rest, err := asn1.Unmarshal(der, &seq); err != nil || len(rest) > 0 {
			require.Empty(t, text)
			return
		}
		for _, set := range seq {
			if len(set) > 0 {
				require.NotEmpty(t, text)
			}
		}
	})
}
