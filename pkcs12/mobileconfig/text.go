package mobileconfig

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kinds of a text, for checkText.
const (
	optional = iota
	required
	lines // optional, with line breaks
)

func refuse(field, reason string) error { return fmt.Errorf("%w: %s: %s", ErrField, field, reason) }

// checkText refuses what XML would not carry exactly, or what could deceive the person who reads it.
func checkText(field, text string, limit, kind int) error {
	switch {
	case kind == required && text == "":
		return refuse(field, "it is empty")
	case len(text) > limit:
		return refuse(field, fmt.Sprintf("it has %d bytes, at most %d", len(text), limit))
	case !utf8.ValidString(text):
		return refuse(field, "it is not UTF-8")
	}
	for _, r := range text {
		if r == '\n' && kind == lines {
			continue
		}
		if !fit(r) {
			return refuse(field, fmt.Sprintf("it holds the character %U", r))
		}
	}
	return nil
}

// fit reports whether a character can be in a text.
func fit(r rune) bool {
	switch {
	case unicode.IsControl(r), r == '\u2028', r == '\u2029': // lines of their own
		return false
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069': // direction of what follows
		return false
	}
	return r&0xfffe != 0xfffe && (r < 0xfdd0 || r > 0xfdef) // noncharacters, two of which XML does not have
}

// checkIdentifier wants the form of a reversed domain name, since it becomes a part of other identifiers.
func checkIdentifier(id string) error {
	if len(id) > MaxIdentifier {
		return refuse("Identifier", fmt.Sprintf("it has %d bytes, at most %d", len(id), MaxIdentifier))
	}
	for part := range strings.SplitSeq(id, ".") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return !identifierRune(r) }) {
			return refuse("Identifier", "it is not of the form com.example.wifi.alice")
		}
	}
	return nil
}

func identifierRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}
