package wsproto

import (
	"errors"
	"fmt"
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

// memberNames returns the names of the members of a JSON object, without those that are null.
func memberNames(text []byte) (map[string]bool, error) {
	s := scanner{text: text}
	found := make(map[string]bool)
	err := s.object(func(name string) error {
		value, err := s.value()
		if string(value) != "null" {
			found[name] = true
		}
		return err
	})
	return found, err
}
