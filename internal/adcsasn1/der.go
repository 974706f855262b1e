package adcsasn1

import (
	"encoding/asn1"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
)

// readOID reads the object identifier that must come next.
func readOID(s *cryptobyte.String, want asn1.ObjectIdentifier) bool {
	var got asn1.ObjectIdentifier
	return s.ReadASN1ObjectIdentifier(&got) && slices.Equal(got, want)
}

// encodeBMP returns s in UTF-16 big-endian. It returns false if s is not valid UTF-8 or leaves the basic plane, which
// is all that a BMPString can hold (X.680, section 41.15).
func encodeBMP(s string) ([]byte, bool) {
	if !utf8.ValidString(s) {
		return nil, false
	}
	out := make([]byte, 0, 2*len(s))
	for _, r := range s {
		if r > 0xffff {
			return nil, false
		}
		out = append(out, byte(r>>8), byte(r))
	}
	return out, true
}

// DecodeBMP returns the text of a BMPString, which is in UTF-16 big-endian. Surrogates are refused: they are no
// characters of the basic plane.
func DecodeBMP(b []byte) (string, bool) {
	if len(b)%2 != 0 {
		return "", false
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i += 2 {
		r := rune(b[i])<<8 | rune(b[i+1])
		if utf16.IsSurrogate(r) {
			return "", false
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), true
}
