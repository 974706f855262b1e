package x500_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
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
	)
	for want, seq := range map[string]pkix.RDNSequence{
		"":                                   {},
		`CN=a\,b,OU=People,DC=corp\+x`:       {{dc}, {ou}, {cn}},
		"E=a@b.test":                         {{e}},
		`CN=a\,b+OU=People`:                  {{ou, cn}},
		"0.9.2342.19200300.100.1.25=#020107": {{n}},
	} {
		der, err := asn1.Marshal(seq)
		require.NoError(t, err)
		assert.Equal(t, want, x500.String(der))
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
