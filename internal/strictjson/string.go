package strictjson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Quoted consumes a string and returns what stands between its quotes, and whether it has escapes.
func (s *Scanner) Quoted() (inner []byte, escaped bool, err error) {
	if s.Peek() != '"' {
		return nil, false, s.Malformed(s.pos, "no string")
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
			return nil, false, s.Malformed(s.pos, "a control character in a string")
		case c < utf8.RuneSelf:
			s.pos++
		default:
			r, n := utf8.DecodeRune(s.text[s.pos:])
			if r == utf8.RuneError && n == 1 {
				return nil, false, s.Malformed(s.pos, "not UTF-8")
			}
			s.pos += n
		}
	}
	return nil, false, s.Malformed(start, "a string without end")
}

// escape consumes an escape sequence. A surrogate without its other half is an error, since implementations read it
// differently.
func (s *Scanner) escape() error {
	at := s.pos
	if s.pos+1 >= len(s.text) {
		return s.Malformed(at, "a string without end")
	}
	switch s.text[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		_, err := s.unicode()
		return err
	}
	return s.Malformed(at, "an unknown escape")
}

// unicode consumes \uXXXX, and the second half of a surrogate pair.
func (s *Scanner) unicode() (rune, error) {
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
	return 0, s.Malformed(at, "half a surrogate pair")
}

func (s *Scanner) hex4() (rune, error) {
	if len(s.text)-s.pos < 6 {
		return 0, s.Malformed(s.pos, "an unknown escape")
	}
	for _, c := range s.text[s.pos+2 : s.pos+6] {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return 0, s.Malformed(s.pos, "an unknown escape")
		}
	}
	n, err := strconv.ParseUint(string(s.text[s.pos+2:s.pos+6]), 16, 32)
	if err != nil {
		return 0, s.Malformed(s.pos, "an unknown escape")
	}
	s.pos += 6
	return rune(n), nil
}

// String consumes a string and returns its value.
func (s *Scanner) String() (string, error) {
	inner, escaped, err := s.Quoted()
	if err != nil {
		return "", err
	}
	if !escaped {
		return string(inner), nil
	}
	return unescape(inner), nil
}

// unescape replaces the escapes of a string that Quoted found well-formed.
func unescape(inner []byte) string {
	out := make([]byte, 0, len(inner))
	s := Scanner{text: inner}
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
