package adcstest

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// maxAttributes bounds pctbAttribs in bytes; far more than any client sends.
const maxAttributes = 1 << 20

// attribute is one line of pctbAttribs.
type attribute struct{ name, value string }

// attributeText decodes pctbAttribs: UTF-16LE with one NUL, at the end. Anything else is what MS-ICPR section
// 3.2.4.1.1 calls a length that does not match the string, and ok is false. No blob at all is the empty string.
func attributeText(blob []byte) (text string, ok bool) {
	if len(blob) == 0 {
		return "", true
	}
	if len(blob)%2 != 0 || len(blob) > maxAttributes {
		return "", false
	}
	units := make([]uint16, len(blob)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(blob[2*i:])
		if last := i == len(units)-1; (units[i] == 0) != last {
			return "", false
		}
	}
	return string(utf16.Decode(units[:len(units)-1])), true
}

// parseAttributes reads "Name:Value" lines as a CA does (MS-WCCE section 3.2.1.4.2.1.2): blanks and minus signs in
// names count for nothing, blanks around values neither, and a line that makes no sense is ignored.
func parseAttributes(text string) []attribute {
	var attrs []attribute
	for line := range strings.SplitSeq(text, "\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name = strings.Map(func(r rune) rune {
			if isBlank(r) || r == '-' {
				return -1
			}
			return r
		}, name)
		value = strings.TrimFunc(value, isBlank)
		if name == "" || value == "" {
			continue
		}
		attrs = append(attrs, attribute{name, value})
	}
	return attrs
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' || r == '\r' }

// find returns the values of an attribute; its name is compared without regard to case.
func findAttribute(attrs []attribute, name string) []string {
	var values []string
	for _, a := range attrs {
		if strings.EqualFold(a.name, name) {
			values = append(values, a.value)
		}
	}
	return values
}

// wireString encodes a string as the CA sends it: UTF-16LE with a terminating NUL.
func wireString(s string) []byte {
	units := utf16.Encode([]rune(s))
	b := make([]byte, 0, 2*len(units)+2)
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return append(b, 0, 0)
}
