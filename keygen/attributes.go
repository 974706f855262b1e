package keygen

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/internal/x500"
)

// valueRule is how the values of one attribute type are written.
type valueRule struct {
	tag   int // the only string type, or 0: PrintableString where that is enough, else UTF8String
	max   int // characters
	check func(string) error
}

// ruleOf returns the rule of a type: the string types and upper bounds of RFC 5280, appendix A.1, which AD CS enforces
// too; 1024 characters where there is none.
func ruleOf(id asn1.ObjectIdentifier) valueRule {
	switch id.String() {
	case "2.5.4.3", "2.5.4.10", "2.5.4.11", "2.5.4.12": // CN, O, OU, T
		return valueRule{max: 64}
	case "2.5.4.5", "2.5.4.46": // serialNumber, dnQualifier
		return valueRule{tag: asn1.TagPrintableString, max: 64}
	case "2.5.4.6": // C
		return valueRule{tag: asn1.TagPrintableString, max: 2, check: checkCountry}
	case "2.5.4.7", "2.5.4.8": // L, ST
		return valueRule{max: 128}
	case "0.9.2342.19200300.100.1.25": // DC
		return valueRule{tag: asn1.TagIA5String, max: 63}
	case "1.2.840.113549.1.9.1": // E
		return valueRule{tag: asn1.TagIA5String, max: 255, check: adcsasn1.CheckEmail}
	}
	return valueRule{max: 1024}
}

func checkCountry(s string) error {
	if len(s) != 2 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		return fmt.Errorf("a country is two letters")
	}
	return nil
}

// encodableSubject checks a name and returns a copy in which each value is the exact [asn1.RawValue] to write. In the
// name given a value is a string, of which the attribute type decides how it is written, or such an asn1.RawValue.
func encodableSubject(name pkix.RDNSequence) (pkix.RDNSequence, error) {
	if len(name) > x500.MaxRDNs {
		return nil, refuseSubject("more than %d relative names", x500.MaxRDNs)
	}
	out := make(pkix.RDNSequence, len(name))
	for i, rdn := range name {
		if len(rdn) == 0 || len(rdn) > x500.MaxPerRDN {
			return nil, refuseSubject("a relative name has 1 to %d attributes", x500.MaxPerRDN)
		}
		for j, attr := range rdn {
			for _, other := range rdn[:j] {
				if other.Type.Equal(attr.Type) {
					return nil, refuseSubject("the type %s stands twice in one relative name", x500.TypeName(attr.Type))
				}
			}
			value, err := encodableValue(attr)
			if err != nil {
				return nil, err
			}
			out[i] = append(out[i], pkix.AttributeTypeAndValue{Type: attr.Type, Value: value})
		}
	}
	return out, nil
}

func encodableValue(attr pkix.AttributeTypeAndValue) (asn1.RawValue, error) {
	if !x500.ValidType(attr.Type) {
		return asn1.RawValue{}, refuseSubject("the attribute type %v is not an object identifier", attr.Type)
	}
	rule := ruleOf(attr.Type)
	text, tag := "", 0
	switch v := attr.Value.(type) {
	case string:
		text, tag = v, rule.tag
		if tag == 0 && isPrintable(v) {
			tag = asn1.TagPrintableString
		} else if tag == 0 {
			tag = asn1.TagUTF8String
		}
	case asn1.RawValue:
		var err error
		if text, err = rawText(v); err != nil {
			return asn1.RawValue{}, err
		}
		if tag = v.Tag; rule.tag != 0 && tag != rule.tag {
			return asn1.RawValue{}, refuseSubject("the type %s does not take this string type", x500.TypeName(attr.Type))
		}
	default:
		return asn1.RawValue{}, refuseSubject("a value of the type %s is a %T, not a string", x500.TypeName(attr.Type), attr.Value)
	}
	if err := checkText(attr.Type, text, tag, rule); err != nil {
		return asn1.RawValue{}, err
	}
	if raw, ok := attr.Value.(asn1.RawValue); ok {
		return asn1.RawValue{Tag: tag, Bytes: raw.Bytes}, nil
	}
	return asn1.RawValue{Tag: tag, Bytes: []byte(text)}, nil
}

// rawText returns the text of a value that names its string type. Only the types that are left in certificates of today
// are taken, since a CA and its clients have to read them.
func rawText(v asn1.RawValue) (string, error) {
	if v.Class == asn1.ClassUniversal && !v.IsCompound {
		switch v.Tag {
		case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String:
			return string(v.Bytes), nil
		case asn1.TagBMPString:
			if text, ok := adcsasn1.DecodeBMP(v.Bytes); ok {
				return text, nil
			}
		}
	}
	return "", refuseSubject("a value is no UTF8String, PrintableString, IA5String or BMPString")
}

func checkText(id asn1.ObjectIdentifier, text string, tag int, rule valueRule) error {
	refuse := func(format string, args ...any) error {
		what := fmt.Sprintf(format, args...)
		return refuseSubject("the value %s of the type %s%s", x500.Shown(text), x500.TypeName(id), what)
	}
	n := utf8.RuneCountInString(text)
	switch {
	case !utf8.ValidString(text):
		return refuse(" is not UTF-8")
	case n == 0 || n > rule.max:
		return refuse(" has 1 to %d characters, not %d", rule.max, n)
	case tag == asn1.TagPrintableString && !isPrintable(text):
		return refuse(" is not a PrintableString")
	}
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			return refuse(" holds the character %U", r)
		}
		if tag == asn1.TagIA5String && r > '~' {
			return refuse(" is not ASCII")
		}
	}
	if rule.check != nil {
		if err := rule.check(text); err != nil {
			return refuse(": %v", err)
		}
	}
	return nil
}

// isPrintable reports whether s is a PrintableString (X.680, section 41.4).
func isPrintable(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(" '()+,-./:=?", c) < 0 {
			return false
		}
	}
	return true
}
