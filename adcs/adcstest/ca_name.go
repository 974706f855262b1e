package adcstest

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

const (
	shortNameBase = 51  // characters of a long name that a short sanitized name keeps
	maxCAName     = 250 // characters of a CA's name that a server takes
)

// disallowedInName are the characters of MS-WCCE section 3.1.1.4.1.1.2.
const disallowedInName = "!\"#%&'()*+,/:;<=>?[\\]^`{|}"

// sanitizeName replaces what may not stand in a file name or directory name by ! and four hexadecimal digits
// (MS-WCCE section 3.1.1.4.1.1).
func sanitizeName(name string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(name)) {
		if u < 0x20 || u >= 0x7F || strings.IndexByte(disallowedInName, byte(u)) >= 0 {
			fmt.Fprintf(&b, "!%04x", u)
			continue
		}
		b.WriteByte(byte(u))
	}
	return b.String()
}

// shortenName makes the short form of a sanitized name (MS-WCCE section 3.1.1.4.1.1.1): 51 characters without an
// incomplete !xxxx at the end, a minus sign, and five decimal digits of a hash over the rest.
func shortenName(sanitized string) string {
	if len(sanitized) <= shortNameBase {
		return sanitized
	}
	cut := shortNameBase
	if bang := strings.LastIndexByte(sanitized[:cut], '!'); bang > cut-len("!xxxx") {
		cut = bang
	}
	var hash uint16
	for _, c := range []byte(sanitized[cut:]) {
		hash = hash<<1 | hash>>15
		hash += uint16(c)
	}
	return fmt.Sprintf("%s-%05d", sanitized[:cut], hash)
}

// namesOf returns the three names under which a CA is addressed (MS-WCCE section 3.1.1.4.2).
func namesOf(name string) []string {
	sanitized := sanitizeName(name)
	return []string{name, sanitized, shortenName(sanitized)}
}

// isNamed reports whether the caller addresses this CA (MS-WCCE section 3.2.1.4.2.1.1); case does not matter.
func (a *authority) isNamed(name string) bool {
	return slices.ContainsFunc(a.names, func(n string) bool { return strings.EqualFold(n, name) })
}
