package adcs

import (
	"encoding/asn1"
	"errors"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxRDNs bounds the attributes of a name.
const maxRDNs = 256

var errName = errors.New("malformed distinguished name")

// parseName reads a Name (RFC 5280, section 4.1.2.4) into RDNs, each a sorted list of attributes. An attribute is its
// type and its value as text, so that a CA may encode the text as another string type; values of other types keep their
// DER.
func parseName(der []byte) ([][]string, error) {
	in := cryptobyte.String(der)
	var name cryptobyte.String
	if !in.ReadASN1(&name, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, errName
	}
	rdns := [][]string{}
	for n := 0; !name.Empty(); {
		var set cryptobyte.String
		if !name.ReadASN1(&set, cbasn1.SET) || set.Empty() {
			return nil, errName
		}
		var rdn []string
		for ; !set.Empty(); n++ {
			attribute, ok := readAttribute(&set)
			if !ok || n == maxRDNs {
				return nil, errName
			}
			rdn = append(rdn, attribute)
		}
		slices.Sort(rdn)
		rdns = append(rdns, rdn)
	}
	return rdns, nil
}

func readAttribute(set *cryptobyte.String) (string, bool) {
	var pair, element, body cryptobyte.String
	var oid asn1.ObjectIdentifier
	var tag cbasn1.Tag
	if !set.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&oid) ||
		!pair.ReadAnyASN1Element(&element, &tag) || !pair.Empty() {
		return "", false
	}
	whole := element
	if !element.ReadASN1(&body, tag) {
		return "", false
	}
	text, isText := stringValue(tag, body)
	if !isText {
		return oid.String() + "#" + string(whole), true
	}
	return oid.String() + "=" + text, true
}

// stringValue decodes the string types of a DirectoryString, and IA5String, which e-mail addresses and domain
// components use.
func stringValue(tag cbasn1.Tag, body []byte) (string, bool) {
	switch tag {
	case cbasn1.UTF8String, cbasn1.PrintableString, cbasn1.IA5String:
		return string(body), utf8.Valid(body)
	case cbasn1.T61String:
		// Teletex is read as ASCII or not at all: its real character set is nobody's.
		return string(body), !slices.ContainsFunc(body, func(c byte) bool { return c >= 0x80 })
	case cbasn1.Tag(asn1.TagBMPString):
		if len(body)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(body)/2)
		for i := range units {
			units[i] = uint16(body[2*i])<<8 | uint16(body[2*i+1])
		}
		return string(utf16.Decode(units)), true
	}
	return "", false
}
