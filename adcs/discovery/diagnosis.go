package discovery

import (
	"errors"
	"strings"
	"unicode"
)

// diagnosis is the text of a server, with the meaning of Active Directory's code, and bounded: it comes from a peer and
// goes to people's screens.
func diagnosis(text string) error {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "..."
	}
	if _, code, ok := strings.Cut(text, ", data "); ok {
		code, _, _ = strings.Cut(code, ",")
		if meaning := logonData(strings.ToLower(strings.TrimSpace(code))); meaning != "" {
			return errors.New(meaning + " (" + text + ")")
		}
	}
	return errors.New(text)
}
