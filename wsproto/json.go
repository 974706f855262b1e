package wsproto

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrSyntax is matched by every error about a text that is not the JSON of protocol v1: not RFC 8259, not UTF-8, a
// member twice in an object, too deep, too many elements, a value of the wrong type.
var ErrSyntax = errors.New("wsproto: malformed message")

func syntaxError(at int, what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrSyntax, what, at)
}

// scanner walks over a JSON text (RFC 8259) once. It allocates nothing but unescaped names.
type scanner struct {
	text  []byte
	pos   int
	depth int
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is not white space, or 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// take consumes the byte c if it is next.
func (s *scanner) take(c byte) bool {
	if s.peek() == c && s.pos < len(s.text) {
		s.pos++
		return true
	}
	return false
}

// end requires that nothing but white space follows.
func (s *scanner) end() error {
	if s.space(); s.pos != len(s.text) {
		return syntaxError(s.pos, "something after the value")
	}
	return nil
}

func (s *scanner) enter() error {
	if s.depth++; s.depth > MaxDepth {
		return syntaxError(s.pos, "nested too deeply")
	}
	s.pos++
	return nil
}

// object walks over an object and calls member for each, the scanner standing before the value, which member must
// consume. Names are unescaped; one that occurs twice is an error.
func (s *scanner) object(member func(name string) error) error {
	if s.peek() != '{' {
		return syntaxError(s.pos, "no object")
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	if s.take('}') {
		return nil
	}
	var seen names
	for {
		s.space()
		at := s.pos
		name, err := s.stringValue()
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return syntaxError(at, "a member twice")
		}
		if seen.count > MaxMembers {
			return syntaxError(at, "too many members")
		}
		if !s.take(':') {
			return syntaxError(s.pos, "no colon")
		}
		if err := member(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return syntaxError(s.pos, "no comma")
		}
	}
}

// array walks over an array and calls element for each, which must consume the value.
func (s *scanner) array(element func(i int) error) error {
	if s.peek() != '[' {
		return syntaxError(s.pos, "no array")
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	if s.take(']') {
		return nil
	}
	for i := 0; ; i++ {
		if i >= MaxArray {
			return syntaxError(s.pos, "too many elements")
		}
		if err := element(i); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return syntaxError(s.pos, "no comma")
		}
	}
}

// value walks over any value and returns its text.
func (s *scanner) value() ([]byte, error) {
	c := s.peek()
	start := s.pos
	var err error
	switch {
	case c == '{':
		err = s.object(func(string) error { _, err := s.value(); return err })
	case c == '[':
		err = s.array(func(int) error { _, err := s.value(); return err })
	case c == '"':
		_, _, err = s.quoted()
	case c == '-' || c >= '0' && c <= '9':
		_, err = s.number()
	default:
		if !s.literal("true") && !s.literal("false") && !s.literal("null") {
			return nil, syntaxError(s.pos, "no value")
		}
	}
	if err != nil {
		return nil, err
	}
	return s.text[start:s.pos:s.pos], nil
}

func (s *scanner) literal(word string) bool {
	s.space()
	if len(s.text)-s.pos < len(word) || string(s.text[s.pos:s.pos+len(word)]) != word {
		return false
	}
	s.pos += len(word)
	return true
}

// number consumes a number and returns its text.
func (s *scanner) number() (string, error) {
	s.space()
	start := s.pos
	if s.pos < len(s.text) && s.text[s.pos] == '-' {
		s.pos++
	}
	if first := s.pos; s.digits() == 0 || s.text[first] == '0' && s.pos-first > 1 {
		return "", syntaxError(start, "no number")
	}
	if s.pos < len(s.text) && s.text[s.pos] == '.' {
		s.pos++
		if s.digits() == 0 {
			return "", syntaxError(start, "no number")
		}
	}
	if s.pos < len(s.text) && (s.text[s.pos] == 'e' || s.text[s.pos] == 'E') {
		s.pos++
		if s.pos < len(s.text) && (s.text[s.pos] == '+' || s.text[s.pos] == '-') {
			s.pos++
		}
		if s.digits() == 0 {
			return "", syntaxError(start, "no number")
		}
	}
	return string(s.text[start:s.pos]), nil
}

func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.text) && s.text[s.pos] >= '0' && s.text[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}

// quoted consumes a string and returns what stands between its quotes, and whether it has escapes.
func (s *scanner) quoted() (inner []byte, escaped bool, err error) {
	if s.peek() != '"' {
		return nil, false, syntaxError(s.pos, "no string")
	}
	s.pos++
	start := s.pos
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return s.text[start : s.pos-1], escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < 0x20:
			return nil, false, syntaxError(s.pos, "a control character in a string")
		case c < utf8.RuneSelf:
			s.pos++
		default:
			r, n := utf8.DecodeRune(s.text[s.pos:])
			if r == utf8.RuneError && n == 1 {
				return nil, false, syntaxError(s.pos, "not UTF-8")
			}
			s.pos += n
		}
	}
	return nil, false, syntaxError(start, "a string without end")
}

// escape consumes an escape sequence. A surrogate without its other half is an error, since implementations read it
// differently.
func (s *scanner) escape() error {
	at := s.pos
	if s.pos+1 >= len(s.text) {
		return syntaxError(at, "a string without end")
	}
	switch s.text[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		_, err := s.unicode()
		return err
	}
	return syntaxError(at, "an unknown escape")
}

// unicode consumes \uXXXX, and the second half of a surrogate pair.
func (s *scanner) unicode() (rune, error) {
	at := s.pos
	first, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	if s.pos+1 < len(s.text) && s.text[s.pos] == '\\' && s.text[s.pos+1] == 'u' {
		second, err := s.hex4()
		if err != nil {
			return 0, err
		}
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return r, nil
		}
	}
	return 0, syntaxError(at, "half a surrogate pair")
}

func (s *scanner) hex4() (rune, error) {
	if len(s.text)-s.pos < 6 {
		return 0, syntaxError(s.pos, "an unknown escape")
	}
	for _, c := range s.text[s.pos+2 : s.pos+6] {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return 0, syntaxError(s.pos, "an unknown escape")
		}
	}
	n, err := strconv.ParseUint(string(s.text[s.pos+2:s.pos+6]), 16, 32)
	if err != nil {
		return 0, syntaxError(s.pos, "an unknown escape")
	}
	s.pos += 6
	return rune(n), nil
}

// stringValue consumes a string and returns its value.
func (s *scanner) stringValue() (string, error) {
	inner, escaped, err := s.quoted()
	if err != nil {
		return "", err
	}
	if !escaped {
		return string(inner), nil
	}
	return unescape(inner), nil
}

// unescape replaces the escapes of a string that quoted found well-formed.
func unescape(inner []byte) string {
	out := make([]byte, 0, len(inner))
	s := scanner{text: inner}
	for s.pos < len(inner) {
		if inner[s.pos] != '\\' {
			out = append(out, inner[s.pos])
			s.pos++
			continue
		}
		switch c := inner[s.pos+1]; c {
		case 'u':
			r, _ := s.unicode() // well-formed
			out = utf8.AppendRune(out, r)
			continue
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		default:
			out = append(out, c)
		}
		s.pos += 2
	}
	return string(out)
}

// names is the set of member names of one object: a list while it is short, so that it costs nothing, then a map, so
// that a large object costs no more than its length.
type names struct {
	count int
	short [16]string
	long  map[string]bool
}

// add reports whether the name is new.
func (n *names) add(name string) bool {
	if n.long != nil {
		if n.long[name] {
			return false
		}
		n.long[name] = true
		n.count++
		return true
	}
	for _, other := range n.short[:n.count] {
		if other == name {
			return false
		}
	}
	if n.count < len(n.short) {
		n.short[n.count] = name
		n.count++
		return true
	}
	n.long = make(map[string]bool, 2*len(n.short))
	for _, other := range n.short {
		n.long[other] = true
	}
	n.long[name] = true
	n.count++
	return true
}

// memberNames returns the names of the members of a JSON object.
func memberNames(text []byte) (map[string]bool, error) {
	s := scanner{text: text}
	found := make(map[string]bool)
	err := s.object(func(name string) error {
		found[name] = true
		_, err := s.value()
		return err
	})
	return found, err
}
