package x500

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

// Limits of a name.
const (
	MaxRDNs   = 32 // relative names
	MaxPerRDN = 8  // attributes in one of them
	maxText   = 8 << 10
	maxShown  = 60 // bytes of a refused text, in an error
)

// Parse reads a distinguished name in the form of RFC 4514 and returns it in the order of a certificate, which is the
// reverse: of "CN=a,DC=corp,DC=test" DC=test comes first. The empty text is the empty name. Spaces may follow a comma;
// any other space at the end of a value must be escaped. A value is a string or, if it is written in hexadecimal, an
// asn1.RawValue; beyond that it is not checked. The error says what is wrong with the text, without a prefix.
func Parse(text string) (pkix.RDNSequence, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%d bytes are too many, at most %d", len(text), maxText)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("it is not UTF-8")
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
		if name = append(name, rdn); len(name) > MaxRDNs {
			return nil, fmt.Errorf("more than %d relative names", MaxRDNs)
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
		if rdn = append(rdn, attr); len(rdn) > MaxPerRDN {
			return nil, fmt.Errorf("more than %d attributes in one relative name", MaxPerRDN)
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
		return pkix.AttributeTypeAndValue{}, fmt.Errorf("%s has no '='", Shown(p.rest))
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
		return asn1.RawValue{}, errors.New("after '#' must follow hexadecimal digits in pairs")
	}
	var value asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &value); err != nil || len(rest) > 0 {
		return asn1.RawValue{}, errors.New("the hexadecimal value is not one DER value")
	}
	return value, nil
}

// stringValue reads an attribute value up to an unescaped comma or plus.
func (p *parser) stringValue() (string, error) {
	s := p.rest
	if strings.HasPrefix(s, " ") {
		return "", errors.New("a space at the beginning of a value must be escaped")
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
			return "", fmt.Errorf("the character %q must be escaped with a backslash", s[i])
		default:
			blank = s[i] == ' '
			value, i = append(value, s[i]), i+1
		}
	}
	p.rest = s[i:]
	switch {
	case blank:
		return "", errors.New("a space at the end of a value must be escaped")
	case !utf8.Valid(value):
		return "", errors.New("escaped bytes are not UTF-8")
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
	return 0, 0, errors.New("a backslash is not followed by a special character or two hexadecimal digits")
}

// Shown quotes text for an error and bounds it.
func Shown(s string) string {
	if len(s) > maxShown {
		return fmt.Sprintf("%q…", s[:maxShown])
	}
	return fmt.Sprintf("%q", s)
}
