// Package x500 shows distinguished names to people.
package x500

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
)

// String returns a Name, DER, as an RFC 4514 string, or "" if it is malformed. Other than the standard library it has
// the short names of domain components and e-mail addresses, which are in most names of an Active Directory. The text is
// for people; whoever made the name chose the characters in it.
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

func part(set pkix.RelativeDistinguishedNameSET) string {
	if len(set) == 1 {
		short := ""
		switch set[0].Type.String() {
		case "0.9.2342.19200300.100.1.25":
			short = "DC"
		case "1.2.840.113549.1.9.1":
			short = "E"
		}
		if value, ok := set[0].Value.(string); ok && short != "" {
			cn := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: value}
			return short + strings.TrimPrefix(pkix.RDNSequence{{cn}}.String(), "CN") // for its escaping
		}
	}
	return pkix.RDNSequence{set}.String()
}
