// Package x500 reads distinguished names that people write, and shows them to people.
package x500

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
)

// String returns a Name, DER, as an RFC 4514 string, or "" if it is malformed. Other than the standard library it has
// short names for all types that Parse knows, such as the domain components in most names of an Active Directory. The
// text is for people; whoever made the name chose the characters in it.
func String(name []byte) string {
	var seq pkix.RDNSequence
	if rest, err := asn1.Unmarshal(name, &seq); err != nil || len(rest) > 0 {
		return ""
	}
	parts := make([]string, 0, len(seq))
	for _, set := range slices.Backward(seq) {
		parts = append(parts, part(set))
	}
	return strings.Join(parts, ",")
}

// part shows one relative name, each attribute for itself, since the standard library joins them by "+" too.
func part(set pkix.RelativeDistinguishedNameSET) string {
	attributes := make([]string, len(set))
	for i, attr := range set {
		short := keywordOf(attr.Type)
		if _, ok := attr.Value.(string); ok && short != "" {
			attr.Type = asn1.ObjectIdentifier{2, 5, 4, 3} // for its escaping
			attributes[i] = short + strings.TrimPrefix(pkix.RDNSequence{{attr}}.String(), "CN")
			continue
		}
		attributes[i] = pkix.RDNSequence{{attr}}.String()
	}
	return strings.Join(attributes, "+")
}
