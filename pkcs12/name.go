package pkcs12

import (
	"crypto/x509"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the length of a friendly name, in characters. Windows and Android show fewer.
const MaxName = 128

// CheckName returns an error that matches [ErrName] if a friendly name cannot be written or would not show as what it
// is: it must be UTF-8 with at most [MaxName] characters, all of which have a place in a BMPString (RFC 2985, 5.5.1),
// without control characters, line breaks and what turns the direction of the text around, and with no space at an end.
// The empty name is none, and fine. The error does not show the name.
func CheckName(name string) error {
	switch {
	case name == "":
		return nil
	case len(name) > 4*MaxName || utf8.RuneCountInString(name) > MaxName:
		return fmt.Errorf("%w: it has more than %d characters", ErrName, MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: it is not UTF-8", ErrName)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%w: it begins or ends with a space", ErrName)
	}
	for _, r := range name {
		// Not graphic are controls and formats, among them all that turn the direction around.
		joiner := r == 0x200c || r == 0x200d // Persian and the scripts of India need them inside a word
		if r > 0xffff || r == utf8.RuneError || !unicode.IsGraphic(r) && !joiner {
			return fmt.Errorf("%w: the character %U has no place in it", ErrName, r)
		}
	}
	return nil
}

// NameFor returns the friendlyName that people expect for a certificate: its common name (the last one, if it has
// several), or none if that does not pass [CheckName].
func NameFor(leaf *x509.Certificate) string {
	if CheckName(leaf.Subject.CommonName) != nil {
		return ""
	}
	return leaf.Subject.CommonName
}
