package adcstest

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"github.com/adcskit/adcskit/internal/x500"
)

func oidCommonName() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, 3} }

func oidDomainComponent() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
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

// rdn makes a relative distinguished name of one attribute.
func rdn(oid asn1.ObjectIdentifier, value string) pkix.RelativeDistinguishedNameSET {
	return pkix.RelativeDistinguishedNameSET{{Type: oid, Value: directoryString(oid, value)}}
}

// directoryString chooses the string type as a CA does: domain components and e-mail addresses are IA5String, the
// country is PrintableString, anything else UTF8String.
func directoryString(oid asn1.ObjectIdentifier, value string) asn1.RawValue {
	tag := asn1.TagUTF8String
	switch oid.String() {
	case "0.9.2342.19200300.100.1.25", "1.2.840.113549.1.9.1":
		tag = asn1.TagIA5String
	case "2.5.4.6":
		tag = asn1.TagPrintableString
	}
	return asn1.RawValue{Tag: tag, Bytes: []byte(value)}
}

// encodeDN encodes a distinguished name as it stands in a directory: RFC 4514, the most specific part first.
func encodeDN(dn string) ([]byte, error) {
	name, err := x500.Parse(dn)
	if err != nil {
		return nil, fmt.Errorf("distinguished name: %w", err)
	}
	for _, set := range name {
		for i, attr := range set {
			text, ok := attr.Value.(string)
			if !ok || text == "" {
				return nil, fmt.Errorf("distinguished name: the attribute %v has no text", attr.Type)
			}
			set[i].Value = directoryString(attr.Type, text)
		}
	}
	return asn1.Marshal(name)
}
