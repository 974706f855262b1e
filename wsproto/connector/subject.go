package connector

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/adcskit/adcskit/internal/x500"
)

// maxSubject bounds a subject in RFC 4514 form.
const maxSubject = 1024

var (
	errSubjectMulti = errors.New("more than one attribute in a relative name is not allowed")
	errSubjectHex   = errors.New("a value in hexadecimal is not allowed")
	errSubjectChars = errors.New("an empty value, or one with control characters, is not allowed")
	errSubjectStar  = errors.New("the character U+E000 cannot stand in a pattern")
)

// attribute is one relative name with one attribute.
type attribute struct {
	kind  string // object identifier, dotted
	value string
}

// parseSubject reads a subject with the same parser that certification requests are made with, so that what is allowed is
// what is ordered. Of what that takes, it leaves out what a pattern cannot describe.
func parseSubject(s string) ([]attribute, error) {
	if len(s) > maxSubject {
		return nil, errors.New("it is too long")
	}
	name, err := x500.Parse(s)
	if err != nil {
		return nil, err
	}
	var out []attribute
	for _, rdn := range slices.Backward(name) { // in the order of the text
		if len(rdn) != 1 {
			return nil, errSubjectMulti
		}
		value, ok := rdn[0].Value.(string)
		if !ok {
			return nil, errSubjectHex
		}
		if value == "" || strings.ContainsFunc(value, unicode.IsControl) {
			return nil, errSubjectChars
		}
		out = append(out, attribute{kind: rdn[0].Type.String(), value: value})
	}
	return out, nil
}

// subjectPattern matches a subject attribute by attribute, in order.
type subjectPattern []struct {
	kind  string
	value glob
}

// wildcard stands for an unescaped asterisk while a pattern is parsed. It is of the private use area.
const wildcard = "\uE000"

func parseSubjectPattern(s string) (subjectPattern, error) {
	if strings.Contains(s, wildcard) {
		return nil, errSubjectStar
	}
	attrs, err := parseSubject(markWildcards(s))
	if err != nil {
		return nil, err
	}
	p := make(subjectPattern, len(attrs))
	for i, a := range attrs {
		p[i].kind, p[i].value = a.kind, strings.Split(asciiLower(a.value), wildcard)
	}
	return p, nil
}

// markWildcards replaces each asterisk, and each escaped one by the hexadecimal form that RFC 4514 has for any character.
func markWildcards(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '*':
			b.WriteString(wildcard)
		case s[i] == '\\' && strings.HasPrefix(s[i+1:], "*"):
			b.WriteString(`\2a`)
			i++
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i++
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func (p subjectPattern) matches(subject []attribute) bool {
	if len(p) != len(subject) {
		return false
	}
	for i, a := range subject {
		if p[i].kind != a.kind || !p[i].value.matches(a.value) {
			return false
		}
	}
	return true
}
