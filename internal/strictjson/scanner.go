// Package strictjson reads JSON (RFC 8259) that a hostile peer wrote, as the connector protocol demands it: UTF-8 only,
// member names matched exactly, no member twice, no half surrogate pairs, and bounds on depth and counts. It allocates
// nothing in proportion to what a text claims, only to what it holds.
package strictjson

import "fmt"

const (
	// MaxDepth is how deep objects and arrays may nest; the outermost is at depth 1.
	MaxDepth = 32
	// MaxArray is how many elements an array may have.
	MaxArray = 1024
	// MaxMembers is how many members an object may have.
	MaxMembers = 256

	timeLayout = "2006-01-02T15:04:05Z"
)

// Scanner walks over a JSON text once. It allocates nothing but unescaped names.
type Scanner struct {
	text   []byte
	pos    int
	depth  int
	syntax error
}

// New returns a scanner that stands at the beginning of text. Every error about the text matches syntax, and holds
// nothing of the text.
func New(text []byte, syntax error) Scanner { return Scanner{text: text, syntax: syntax} }

// Pos is where the scanner stands, in bytes from the beginning.
func (s *Scanner) Pos() int { return s.pos }

// Malformed is the error that says what is wrong at a position.
func (s *Scanner) Malformed(at int, what string) error {
	return fmt.Errorf("%w: %s at byte %d", s.syntax, what, at)
}

func (s *Scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// Peek returns the next byte that is not white space, or 0 at the end.
func (s *Scanner) Peek() byte {
	s.space()
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// take consumes the byte c if it is next.
func (s *Scanner) take(c byte) bool {
	if s.Peek() == c && s.pos < len(s.text) {
		s.pos++
		return true
	}
	return false
}

// End requires that nothing but white space follows.
func (s *Scanner) End() error {
	if s.space(); s.pos != len(s.text) {
		return s.Malformed(s.pos, "something after the value")
	}
	return nil
}

func (s *Scanner) enter() error {
	if s.depth++; s.depth > MaxDepth {
		return s.Malformed(s.pos, "nested too deeply")
	}
	s.pos++
	return nil
}

// Object walks over an object and calls member for each, the scanner standing before the value, which member must
// consume. Names are unescaped; one that occurs twice is an error.
func (s *Scanner) Object(member func(name string) error) error {
	if s.Peek() != '{' {
		return s.Malformed(s.pos, "no object")
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
		name, err := s.String()
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return s.Malformed(at, "a member twice")
		}
		if seen.count > MaxMembers {
			return s.Malformed(at, "too many members")
		}
		if !s.take(':') {
			return s.Malformed(s.pos, "no colon")
		}
		if err := member(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.Malformed(s.pos, "no comma")
		}
	}
}

// array walks over an array and calls element for each, which must consume the value.
func (s *Scanner) array(element func(i int) error) error {
	if s.Peek() != '[' {
		return s.Malformed(s.pos, "no array")
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
			return s.Malformed(s.pos, "too many elements")
		}
		if err := element(i); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.Malformed(s.pos, "no comma")
		}
	}
}

// Value walks over any value and returns its text.
func (s *Scanner) Value() ([]byte, error) {
	c := s.Peek()
	start := s.pos
	var err error
	switch {
	case c == '{':
		err = s.Object(func(string) error { _, err := s.Value(); return err })
	case c == '[':
		err = s.array(func(int) error { _, err := s.Value(); return err })
	case c == '"':
		_, _, err = s.Quoted()
	case c == '-' || c >= '0' && c <= '9':
		_, err = s.Number()
	default:
		if !s.Literal("true") && !s.Literal("false") && !s.Literal("null") {
			return nil, s.Malformed(s.pos, "no value")
		}
	}
	if err != nil {
		return nil, err
	}
	return s.text[start:s.pos:s.pos], nil
}

// Literal consumes the word if it is next.
func (s *Scanner) Literal(word string) bool {
	s.space()
	if len(s.text)-s.pos < len(word) || string(s.text[s.pos:s.pos+len(word)]) != word {
		return false
	}
	s.pos += len(word)
	return true
}

// Number consumes a number and returns its text.
func (s *Scanner) Number() (string, error) {
	s.space()
	start := s.pos
	if s.pos < len(s.text) && s.text[s.pos] == '-' {
		s.pos++
	}
	if first := s.pos; s.digits() == 0 || s.text[first] == '0' && s.pos-first > 1 {
		return "", s.Malformed(start, "no number")
	}
	if s.pos < len(s.text) && s.text[s.pos] == '.' {
		s.pos++
		if s.digits() == 0 {
			return "", s.Malformed(start, "no number")
		}
	}
	if s.pos < len(s.text) && (s.text[s.pos] == 'e' || s.text[s.pos] == 'E') {
		s.pos++
		if s.pos < len(s.text) && (s.text[s.pos] == '+' || s.text[s.pos] == '-') {
			s.pos++
		}
		if s.digits() == 0 {
			return "", s.Malformed(start, "no number")
		}
	}
	return string(s.text[start:s.pos]), nil
}

func (s *Scanner) digits() int {
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
