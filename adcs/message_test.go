package adcs_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/adcskit/adcskit/adcs"
)

func toUTF16(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func TestMessageDecoding(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []byte
		want string
	}{
		{"nothing", nil, ""},
		{"with a NUL", toUTF16("Issued\x00"), "Issued"},
		{"without a NUL", toUTF16("Issued"), "Issued"},
		{"after a NUL", toUTF16("Issued\x00rm -rf"), "Issued"},
		{"odd length", append(toUTF16("Issued"), 'x'), "Issued"},
		{"one byte", []byte{'x'}, ""},
		{"umlauts and beyond the basic plane", toUTF16("Ausgestellt für 𝄞\x00"), "Ausgestellt für 𝄞"},
		{"line breaks", toUTF16("Denied by\r\n Policy\tModule\u2028 0x80094800\n\x00"), "Denied by Policy Module 0x80094800"},
		{"escape sequences", toUTF16("a\x1b[31mb"), "a [31mb"},
		{"bidirectional override", toUTF16("a\u202eb\u200bc"), "abc"},
		{"lone surrogate", []byte{0x00, 0xd8, 'a', 0}, "\ufffda"},
		{"at the limit", toUTF16(strings.Repeat("x", adcs.MaxMessage) + "\x00"), strings.Repeat("x", adcs.MaxMessage)},
		{"too long", toUTF16(strings.Repeat("x", adcs.MaxMessage+1)), strings.Repeat("x", adcs.MaxMessage) + "…"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := adcs.DecodeMessage(tc.in)
			assert.True(t, got == tc.want, "got %.100q, want %.100q", got, tc.want)
		})
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(toUTF16("Taken Under Submission\x00"))
	f.Add(toUTF16("\x1b]0;x\a\u202e\U000e0001"))
	f.Add([]byte{0xff, 0xdf, 0x00, 0xd8, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := adcs.DecodeMessage(b)
		assert.True(t, utf8.ValidString(s))
		assert.LessOrEqual(t, utf8.RuneCountInString(s), adcs.MaxMessage+1)
		for _, r := range s {
			if r != ' ' && !unicode.IsPrint(r) {
				t.Errorf("%U in the message", r)
			}
		}
	})
}
