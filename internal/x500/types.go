package x500

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of a dotted attribute type. encoding/asn1 reads arcs up to 31 bits, and adds 80 to the second one.
const (
	maxArcs = 32
	maxArc  = 1<<31 - 1 - 80
)

// keyword is a name of an attribute type: an arc under one of the prefixes.
type keyword struct {
	name   string
	prefix int
	arc    int
}

// The prefixes of types that have a name.
const (
	x520  = iota // 2.5.4
	pilot        // 0.9.2342.19200300.100.1
	pkcs9        // 1.2.840.113549.1.9
)

func (k keyword) oid() asn1.ObjectIdentifier {
	switch k.prefix {
	case pilot:
		return asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, k.arc}
	case pkcs9:
		return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, k.arc}
	}
	return asn1.ObjectIdentifier{2, 5, 4, k.arc}
}

// keywords are those of X.520, RFC 4514, section 3, and Windows. The first one of a type is the one that is shown. It is
// an array, which takes no memory of its own each time.
func keywords() [25]keyword {
	return [...]keyword{
		{"CN", x520, 3}, {"SN", x520, 4}, {"SERIALNUMBER", x520, 5}, {"C", x520, 6}, {"L", x520, 7}, {"ST", x520, 8},
		{"S", x520, 8}, {"STREET", x520, 9}, {"O", x520, 10}, {"OU", x520, 11}, {"T", x520, 12}, {"TITLE", x520, 12},
		{"DESCRIPTION", x520, 13}, {"POSTALCODE", x520, 17}, {"G", x520, 42}, {"GN", x520, 42}, {"GIVENNAME", x520, 42},
		{"I", x520, 43}, {"INITIALS", x520, 43}, {"DNQUALIFIER", x520, 46}, {"UID", pilot, 1}, {"DC", pilot, 25},
		{"E", pkcs9, 1}, {"EMAIL", pkcs9, 1}, {"EMAILADDRESS", pkcs9, 1},
	}
}

// attributeType returns the object identifier of an attribute type, by keyword in any letter case or by dotted number.
func attributeType(kind string) (asn1.ObjectIdentifier, error) {
	if kind == "" {
		return nil, errors.New("an attribute type is missing before '='")
	}
	if '0' <= kind[0] && kind[0] <= '9' {
		return dottedType(kind)
	}
	for _, k := range keywords() {
		// The length: other letters fold to ASCII too, and are longer, such as the long s of U+017F.
		if len(k.name) == len(kind) && strings.EqualFold(k.name, kind) {
			return k.oid(), nil
		}
	}
	return nil, fmt.Errorf("the attribute type %s is not known", Shown(kind))
}

// TypeName returns the name of a type for people: its keyword, or else the dotted number.
func TypeName(oid asn1.ObjectIdentifier) string {
	if name := keywordOf(oid); name != "" {
		return name
	}
	return oid.String()
}

// keywordOf returns the name of a type, "" if it has none here.
func keywordOf(oid asn1.ObjectIdentifier) string {
	for _, k := range keywords() {
		if len(oid) > 0 && oid[len(oid)-1] == k.arc && k.oid().Equal(oid) {
			return k.name
		}
	}
	return ""
}

// dottedType reads a numericoid (RFC 4512, section 1.4).
func dottedType(kind string) (asn1.ObjectIdentifier, error) {
	var id asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(kind, ".") {
		n, err := strconv.ParseUint(arc, 10, 31)
		if err != nil || arc != strconv.FormatUint(n, 10) || len(id) == maxArcs {
			return nil, fmt.Errorf("the attribute type %s is not an object identifier", Shown(kind))
		}
		id = append(id, int(n))
	}
	if !ValidType(id) {
		return nil, fmt.Errorf("the attribute type %s is not an object identifier", Shown(kind))
	}
	return id, nil
}

// ValidType reports whether an identifier can be written, and read again by encoding/asn1.
func ValidType(id asn1.ObjectIdentifier) bool {
	if len(id) < 2 || len(id) > maxArcs || id[0] > 2 || id[0] < 2 && id[1] > 39 {
		return false
	}
	for _, arc := range id {
		if arc < 0 || arc > maxArc {
			return false
		}
	}
	return true
}
