package connector

import (
	"encoding/hex"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSubject bounds a subject in RFC 4514 form.
const maxSubject = 1024

var (
	errSubjectForm  = errors.New("not a distinguished name in the form of RFC 4514")
	errSubjectMulti = errors.New("more than one attribute in a relative name is not allowed")
)

// attribute is one relative name: policy takes only those with one attribute.
type attribute struct {
	kind  string
	value []rune // a rune of starRune is an unescaped asterisk
}

// starRune stands for an unescaped "*". It is no Unicode character, so that nothing decodes to it.
const starRune rune = -1

// parseSubject reads the subset of RFC 4514 that has only one reading: no hexadecimal (#) values, no quoted values, no
// semicolons, no blanks around values that are not escaped, no multi-valued relative names.
func parseSubject(s string) ([]attribute, error) {
	if len(s) > maxSubject || !utf8.ValidString(s) {
		return nil, errSubjectForm
	}
	var out []attribute
	for rest := s; rest != ""; {
		kind, after, ok := strings.Cut(rest, "=")
		if !ok {
			return nil, errSubjectForm
		}
		if len(out) > 0 {
			kind = strings.TrimLeft(kind, " ") // "CN=a, O=b", as people write it
		}
		kind, err := attributeKind(kind)
		if err != nil {
			return nil, err
		}
		value, tail, err := parseValue(after)
		if err != nil {
			return nil, err
		}
		out = append(out, attribute{kind: kind, value: value})
		if tail == "" {
			return out, nil
		}
		if rest = tail[1:]; rest == "" {
			return nil, errSubjectForm // a comma at the end
		}
	}
	return out, nil
}

// attributeKind returns one spelling for each type, so that "cn" and "2.5.4.3" are the same.
func attributeKind(s string) (string, error) {
	if s == "" {
		return "", errSubjectForm
	}
	dotted := s[0] >= '0' && s[0] <= '9'
	for i := 0; i < len(s); i++ {
		c := asciiLower(s[i : i+1])[0]
		digit, letter := c >= '0' && c <= '9', c >= 'a' && c <= 'z'
		if !digit && (dotted && c != '.' || !dotted && !letter && c != '-') {
			return "", errSubjectForm
		}
	}
	if name := shortName(s); dotted && name != "" {
		return name, nil
	}
	return asciiLower(s), nil
}

// shortName knows the types of RFC 4514, section 3.
func shortName(oid string) string {
	switch oid {
	case "2.5.4.3":
		return "cn"
	case "2.5.4.7":
		return "l"
	case "2.5.4.8":
		return "st"
	case "2.5.4.10":
		return "o"
	case "2.5.4.11":
		return "ou"
	case "2.5.4.6":
		return "c"
	case "2.5.4.9":
		return "street"
	case "0.9.2342.19200300.100.1.25":
		return "dc"
	case "0.9.2342.19200300.100.1.1":
		return "uid"
	}
	return ""
}

// parseValue reads up to an unescaped comma and returns the rest from that comma on.
func parseValue(s string) (value []rune, tail string, err error) {
	if strings.HasPrefix(s, " ") || strings.HasPrefix(s, "#") {
		return nil, "", errSubjectForm
	}
	var octets []byte // a run of decoded characters; hexadecimal pairs may build one character out of several
	blank := false    // the last character is a blank that was not escaped
	flush := func() bool {
		ok := utf8.Valid(octets)
		value, octets = append(value, []rune(string(octets))...), nil
		return ok
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ',':
			return finishValue(value, octets, blank, s[i:])
		case '+':
			return nil, "", errSubjectMulti
		case '"', ';', '<', '>':
			return nil, "", errSubjectForm
		case '\\':
			b, n, ok := unescape(s[i+1:])
			if !ok {
				return nil, "", errSubjectForm
			}
			octets, i, blank = append(octets, b), i+n, false
		case '*':
			if !flush() {
				return nil, "", errSubjectForm
			}
			value, blank = append(value, starRune), false
		default:
			octets, blank = append(octets, c), c == ' '
		}
	}
	return finishValue(value, octets, blank, "")
}

func finishValue(value []rune, octets []byte, blank bool, tail string) ([]rune, string, error) {
	if blank || !utf8.Valid(octets) {
		return nil, "", errSubjectForm
	}
	value = append(value, []rune(string(octets))...)
	if len(value) == 0 {
		return nil, "", errSubjectForm
	}
	for _, r := range value {
		if r != starRune && unicode.IsControl(r) {
			return nil, "", errSubjectForm
		}
	}
	return value, tail, nil
}

// unescape reads what follows a backslash: a special character, or two hexadecimal digits. It says how many bytes it used.
func unescape(s string) (b byte, n int, ok bool) {
	if s == "" {
		return 0, 0, false
	}
	if strings.IndexByte("\"+,;<>\\ #=*", s[0]) >= 0 {
		return s[0], 1, true
	}
	if len(s) < 2 {
		return 0, 0, false
	}
	raw, err := hex.DecodeString(s[:2])
	if err != nil {
		return 0, 0, false
	}
	return raw[0], 2, true
}

// subjectPattern matches a subject attribute by attribute, in order.
type subjectPattern []struct {
	kind  string
	value glob
}

func parseSubjectPattern(s string) (subjectPattern, error) {
	attrs, err := parseSubject(s)
	if err != nil {
		return nil, err
	}
	p := make(subjectPattern, len(attrs))
	for i, a := range attrs {
		p[i].kind, p[i].value = a.kind, globOf(a.value)
	}
	return p, nil
}

func (p subjectPattern) matches(subject []attribute) bool {
	if len(p) != len(subject) {
		return false
	}
	for i, a := range subject {
		text := make([]rune, len(a.value))
		for j, r := range a.value {
			if r == starRune {
				r = '*' // in an order an asterisk is an asterisk
			}
			text[j] = r
		}
		if p[i].kind != a.kind || !p[i].value.matches(string(text)) {
			return false
		}
	}
	return true
}
