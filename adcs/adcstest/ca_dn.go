package adcstest

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDN bounds a distinguished name of the directory, in bytes.
const maxDN = 4096

// attributeType returns the OID behind a short name of RFC 4514 (and E, as Windows writes it), or nil.
func attributeType(name string) asn1.ObjectIdentifier {
	switch strings.ToUpper(name) {
	case "CN":
		return asn1.ObjectIdentifier{2, 5, 4, 3}
	case "C":
		return asn1.ObjectIdentifier{2, 5, 4, 6}
	case "L":
		return asn1.ObjectIdentifier{2, 5, 4, 7}
	case "ST":
		return asn1.ObjectIdentifier{2, 5, 4, 8}
	case "O":
		return asn1.ObjectIdentifier{2, 5, 4, 10}
	case "OU":
		return asn1.ObjectIdentifier{2, 5, 4, 11}
	case "DC":
		return asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	case "E":
		return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	}
	return nil
}

// upperBound returns the most characters of an attribute that a CA takes in a subject (RFC 5280 appendix A.1, which
// AD CS enforces unless told otherwise), or 0 for no bound.
func upperBound(oid asn1.ObjectIdentifier) int {
	if len(oid) != 4 || oid[0] != 2 || oid[1] != 5 || oid[2] != 4 {
		return 0
	}
	switch oid[3] {
	case 3, 10, 11, 12: // CN, O, OU, title
		return 64
	case 6: // C
		return 2
	case 7, 8: // L, ST
		return 128
	}
	return 0
}

// rdn makes a relative distinguished name of one attribute: domain components and e-mail addresses as IA5String, the
// country as PrintableString, anything else as UTF8String.
func rdn(oid asn1.ObjectIdentifier, value string) pkix.RelativeDistinguishedNameSET {
	tag := asn1.TagUTF8String
	switch {
	case oid[0] != 2: // DC and E
		tag = asn1.TagIA5String
	case oid[3] == 6:
		tag = asn1.TagPrintableString
	}
	raw := asn1.RawValue{Tag: tag, Bytes: []byte(value)}
	return pkix.RelativeDistinguishedNameSET{{Type: oid, Value: raw}}
}

// encodeDN encodes a distinguished name as it stands in a directory: RFC 4514, the most specific part first, of the
// attribute types above, with escapes by \ and two hexadecimal digits or by \ and the character.
func encodeDN(dn string) ([]byte, error) {
	if len(dn) > maxDN || !utf8.ValidString(dn) {
		return nil, fmt.Errorf("distinguished name is not UTF-8 of at most %d bytes", maxDN)
	}
	var seq pkix.RDNSequence
	for _, part := range splitDN(dn) {
		short, escaped, ok := strings.Cut(part, "=")
		oid := attributeType(strings.TrimSpace(short))
		if !ok || oid == nil {
			return nil, fmt.Errorf("distinguished name: %q is not a CN, OU, O, L, ST, C, DC or E with a value", part)
		}
		value, err := unescapeDN(strings.TrimLeft(escaped, " "))
		if err != nil {
			return nil, fmt.Errorf("distinguished name: %q: %v", part, err)
		}
		seq = append(seq, rdn(oid, value))
	}
	slices.Reverse(seq) // a certificate has the root of the directory first
	return asn1.Marshal(seq)
}

// splitDN cuts at commas that no backslash escapes.
func splitDN(dn string) []string {
	var parts []string
	start := 0
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			parts = append(parts, dn[start:i])
			start = i + 1
		}
	}
	return append(parts, dn[start:])
}

func unescapeDN(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", fmt.Errorf("a backslash at the end escapes nothing")
		}
		var c byte
		if i+1 < len(s) {
			if _, err := fmt.Sscanf(s[i:i+2], "%02x", &c); err == nil {
				b.WriteByte(c)
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	if b.Len() == 0 || !utf8.ValidString(b.String()) {
		return "", fmt.Errorf("no value, or one that is not UTF-8")
	}
	return b.String(), nil
}
