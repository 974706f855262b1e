package adcs

import (
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf16"
)

// maxMessage bounds the text of a CA, in UTF-16 code units; more is cut off.
const maxMessage = 2048

// decodeMessage decodes pctbDispositionMessage, UTF-16LE up to the first NUL. It never fails: a text that nobody acts
// on must not cost a certificate. Runs of blanks and control characters become one blank; characters that a terminal or
// a log might obey or that change how text reads (format characters such as bidirectional overrides, surrogates,
// private use) go.
func decodeMessage(b []byte) string {
	units := make([]uint16, 0, min(len(b)/2, maxMessage))
	cut := false
	for ; len(b) >= 2; b = b[2:] {
		u := binary.LittleEndian.Uint16(b)
		if u == 0 {
			break
		}
		if cut = len(units) == maxMessage; cut {
			break
		}
		units = append(units, u)
	}
	text := cleanText(string(utf16.Decode(units)))
	if cut {
		text += "…"
	}
	return text
}

// cleanText removes from a CA's text what a terminal, a log or a reader might obey.
func cleanText(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
