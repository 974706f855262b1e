// Package x500 reads distinguished names that people write, and shows them to people.
package x500

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
)

// String returns a Name, DER, as an RFC 4514 string, or "" if it is malformed. Other than the standard library it has
// short names for all types that Parse knows, such as the domain components in most names of an Active Directory. The
// text is for people; whoever made the name chose the characters in it.
func String(name []byte) string {
	var seq []nameSET
	if rest, err := asn1.Unmarshal(name, &seq); err != nil || len(rest) > 0 {
		return ""
	}
	parts := make([]string, 0, len(seq))
	for _, set := range slices.Backward(seq) {
		part, ok := set.show()
		if !ok {
			return ""
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}

// nameSET is one relative name. Its name makes it a SET for the standard library.
type nameSET []struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// show shows each attribute for itself, since the standard library joins them by "+" too. It returns false for a value
// that its type does not allow.
func (set nameSET) show() (string, bool) {
	attributes := make([]string, len(set))
	for i, attr := range set {
		var value any
		if _, err := asn1.Unmarshal(attr.Value.FullBytes, &value); err != nil {
			return "", false
		}
		attributes[i] = show(attr.Type, value, attr.Value.FullBytes)
	}
	return strings.Join(attributes, "+"), true
}

func show(kind asn1.ObjectIdentifier, value any, der []byte) string {
	switch value.(type) {
	case nil: // of a type that the standard library does not know; RFC 4514, section 2.4
		return kind.String() + "=#" + hex.EncodeToString(der)
	case string:
		if short := keywordOf(kind); short != "" {
			common := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: value} // for its escaping
			return short + strings.TrimPrefix(pkix.RDNSequence{{common}}.String(), "CN")
		}
	}
	return pkix.RDNSequence{{{Type: kind, Value: value}}}.String()
}
