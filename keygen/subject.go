package keygen

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a subject. AD CS takes 64 characters of a common name; see attributes.go for the limit of each type.
const (
	maxSubjectText  = 8 << 10
	maxRDNs         = 32
	maxPerRDN       = 8
	maxShownSubject = 60
)

// ErrSubject is matched by every error about a subject that is malformed or that a certificate cannot hold exactly.
var ErrSubject = errors.New("keygen: subject refused")

func refuseSubject(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSubject, fmt.Sprintf(format, args...))
}

// ParseSubject reads a distinguished name in the form of RFC 4514 and returns it in the order of a certificate, which is
// the reverse: of "CN=a,DC=corp,DC=test" DC=test comes first. The empty text is the empty name.
//
// Attribute types are dotted numbers or, in any letter case, CN, SN, SERIALNUMBER, C, L, ST (or S), STREET, O, OU, T (or
// TITLE), G (or GN, GIVENNAME), I (or INITIALS), POSTALCODE, DESCRIPTION, DNQUALIFIER, UID, DC, E (or EMAIL,
// EMAILADDRESS). Several attributes of one relative name are joined by "+". Spaces may follow a comma; any other space
// at the end of a value must be escaped. A value in hexadecimal (#0c0161) chooses its string type itself.
//
// What a certificate cannot hold exactly as written is refused, with an error that matches [ErrSubject]: unknown types,
// empty and too long values, control and other invisible characters, values that their type does not allow.
func ParseSubject(text string) (pkix.RDNSequence, error) {
	name, err := parseSubject(text)
	if err != nil {
		return nil, err
	}
	if _, err := encodableSubject(name); err != nil {
		return nil, err
	}
	return name, nil
}

// parseSubject reads the text and leaves the values unchecked.
func parseSubject(text string) (pkix.RDNSequence, error) {
	if len(text) > maxSubjectText {
		return nil, refuseSubject("%d bytes are too many, at most %d", len(text), maxSubjectText)
	}
	if !utf8.ValidString(text) {
		return nil, refuseSubject("it is not UTF-8")
	}
	if text == "" {
		return nil, nil
	}
	p := &parser{rest: text}
	var name pkix.RDNSequence
	for {
		rdn, err := p.rdn()
		if err != nil {
			return nil, err
		}
		if name = append(name, rdn); len(name) > maxRDNs {
			return nil, refuseSubject("more than %d relative names", maxRDNs)
		}
		if p.rest == "" {
			break
		}
		p.rest = strings.TrimLeft(p.rest[1:], " ") // the comma, and spaces as people write them
	}
	slices.Reverse(name)
	return name, nil
}

// parser holds what is not read yet.
type parser struct{ rest string }

// rdn reads one relative name and stops before the comma or at the end.
func (p *parser) rdn() (pkix.RelativeDistinguishedNameSET, error) {
	var rdn pkix.RelativeDistinguishedNameSET
	for {
		attr, err := p.attribute()
		if err != nil {
			return nil, err
		}
		if rdn = append(rdn, attr); len(rdn) > maxPerRDN {
			return nil, refuseSubject("more than %d attributes in one relative name", maxPerRDN)
		}
		if p.rest == "" || p.rest[0] == ',' {
			return rdn, nil
		}
		p.rest = p.rest[1:] // the plus
	}
}

func (p *parser) attribute() (pkix.AttributeTypeAndValue, error) {
	kind, rest, ok := strings.Cut(p.rest, "=")
	if !ok {
		return pkix.AttributeTypeAndValue{}, refuseSubject("%s has no '='", shown(p.rest))
	}
	id, err := attributeType(kind)
	if err != nil {
		return pkix.AttributeTypeAndValue{}, err
	}
	p.rest = rest
	var value any
	if strings.HasPrefix(rest, "#") {
		value, err = p.hexValue()
	} else {
		value, err = p.stringValue()
	}
	return pkix.AttributeTypeAndValue{Type: id, Value: value}, err
}

// hexValue reads # and the hexadecimal form of one DER value (RFC 4514, section 2.4).
func (p *parser) hexValue() (asn1.RawValue, error) {
	text := p.rest[1:]
	if end := strings.IndexAny(text, ",+"); end >= 0 {
		text = text[:end]
	}
	p.rest = p.rest[1+len(text):]
	der, err := hex.DecodeString(text)
	if err != nil {
		return asn1.RawValue{}, refuseSubject("after '#' must follow hexadecimal digits in pairs")
	}
	var value asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &value); err != nil || len(rest) > 0 {
		return asn1.RawValue{}, refuseSubject("the hexadecimal value is not one DER value")
	}
	return value, nil
}

// stringValue reads an attribute value up to an unescaped comma or plus.
func (p *parser) stringValue() (string, error) {
	s := p.rest
	if strings.HasPrefix(s, " ") {
		return "", refuseSubject("a space at the beginning of a value must be escaped")
	}
	var value []byte
	blank := false // the last character is a space that was not escaped
	i := 0
	for i < len(s) && s[i] != ',' && s[i] != '+' {
		switch s[i] {
		case '\\':
			c, n, err := unescape(s[i:])
			if err != nil {
				return "", err
			}
			value, i, blank = append(value, c), i+n, false
		case '"', ';', '<', '>':
			return "", refuseSubject("the character %q must be escaped with a backslash", s[i])
		default:
			blank = s[i] == ' '
			value, i = append(value, s[i]), i+1
		}
	}
	p.rest = s[i:]
	switch {
	case blank:
		return "", refuseSubject("a space at the end of a value must be escaped")
	case !utf8.Valid(value):
		return "", refuseSubject("escaped bytes are not UTF-8")
	}
	return string(value), nil
}

// unescape reads an escape sequence, which s begins with: a backslash and a special character or two hexadecimal digits.
func unescape(s string) (c byte, n int, err error) {
	if len(s) >= 2 && strings.IndexByte("\"+,;<>\\ #=", s[1]) >= 0 {
		return s[1], 2, nil
	}
	if len(s) >= 3 {
		if b, err := hex.DecodeString(s[1:3]); err == nil {
			return b[0], 3, nil
		}
	}
	return 0, 0, refuseSubject("a backslash is not followed by a special character or two hexadecimal digits")
}

// shown quotes text for an error and bounds it.
func shown(s string) string {
	if len(s) > maxShownSubject {
		return fmt.Sprintf("%q…", s[:maxShownSubject])
	}
	return fmt.Sprintf("%q", s)
}
