package cms

import (
	"errors"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	tagBMPString = cbasn1.Tag(30)
	maxPairs     = 64
)

// NameValuePair encodes the attribute szENROLLMENT_NAME_VALUE_PAIR (MS-WCCE section 2.2.2.7.10) with one pair, without
// the SEQUENCE OF around it that the specification prints: Windows sends it so, and takes both. A BMPString has no
// characters outside of the basic plane.
func NameValuePair(name, value string) ([]byte, error) {
	encoded := make([][]byte, 2)
	for i, s := range []string{name, value} {
		if !utf8.ValidString(s) {
			return nil, errors.New("cms: text is not UTF-8")
		}
		for _, r := range s {
			if r > 0xffff {
				return nil, errors.New("cms: text with a character that a BMPString cannot hold")
			}
			encoded[i] = append(encoded[i], byte(r>>8), byte(r))
		}
	}
	return encodeAttribute(OIDNameValuePair(), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, text := range encoded {
				b.AddASN1(tagBMPString, func(b *cryptobyte.Builder) { b.AddBytes(text) })
			}
		})
	}), nil
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// Pairs returns the enrollment name-value pairs of the signed attributes, in either form.
func (s *SignerInfo) Pairs() ([]Pair, error) {
	var pairs []Pair
	for _, a := range s.Attributes {
		if !a.Type.Equal(OIDNameValuePair()) {
			continue
		}
		for values := cryptobyte.String(a.Values); !values.Empty(); {
			var list cryptobyte.String
			if !values.ReadASN1(&list, cbasn1.SEQUENCE) || !readPairs(list, &pairs) {
				return nil, errors.New("cms: malformed name-value pair")
			}
		}
	}
	return pairs, nil
}

// readPairs reads a pair, or a list of them.
func readPairs(list cryptobyte.String, into *[]Pair) bool {
	if !list.PeekASN1Tag(cbasn1.SEQUENCE) {
		p, ok := readPair(list)
		*into = append(*into, p)
		return ok && len(*into) <= maxPairs
	}
	for !list.Empty() {
		var pair cryptobyte.String
		if !list.ReadASN1(&pair, cbasn1.SEQUENCE) {
			return false
		}
		p, ok := readPair(pair)
		if !ok || len(*into) == maxPairs {
			return false
		}
		*into = append(*into, p)
	}
	return true
}

func readPair(pair cryptobyte.String) (Pair, bool) {
	var p Pair
	ok := readBMP(&pair, &p.Name) && readBMP(&pair, &p.Value) && pair.Empty()
	return p, ok
}

func readBMP(in *cryptobyte.String, out *string) bool {
	var text cryptobyte.String
	if !in.ReadASN1(&text, tagBMPString) || len(text)%2 != 0 {
		return false
	}
	units := make([]uint16, 0, len(text)/2)
	for !text.Empty() {
		var u uint16
		text.ReadUint16(&u)
		units = append(units, u)
	}
	// Some clients encode the NUL at the end of a C string too.
	if n := len(units); n > 0 && units[n-1] == 0 {
		units = units[:n-1]
	}
	*out = string(utf16.Decode(units))
	return true
}
