package keygen_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// TestSubjectBounds has the upper bounds of RFC 5280, appendix A.1, and ours, to the character.
func TestSubjectBounds(t *testing.T) {
	for kind, limit := range map[string]int{
		"CN": 64, "O": 64, "OU": 64, "T": 64, "SERIALNUMBER": 64, "DNQUALIFIER": 64, "L": 128, "ST": 128, "DC": 63, "C": 2,
		"UID": 1024, "1.2.3.4": 1024,
	} {
		_, err := keygen.ParseSubject(kind + "=" + strings.Repeat("a", limit))
		assert.NoError(t, err, kind)
		_, err = keygen.ParseSubject(kind + "=" + strings.Repeat("a", limit+1))
		assert.ErrorIs(t, err, keygen.ErrSubject, kind)
	}
	mailbox := "E=" + strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "."
	_, err := keygen.ParseSubject(mailbox + strings.Repeat("d", 62))
	assert.NoError(t, err, "255 characters")
	_, err = keygen.ParseSubject(mailbox + strings.Repeat("d", 63))
	assert.ErrorIs(t, err, keygen.ErrSubject)
	for text, count := range map[string]int{",CN=a": 32, "+1.2.3.%=a": 8} {
		var name string
		for i := range count + 1 {
			if i == count {
				_, err := keygen.ParseSubject(name[1:])
				require.NoError(t, err, text)
			}
			name += strings.ReplaceAll(text, "%", string(rune('1'+i)))
		}
		_, err := keygen.ParseSubject(name[1:])
		assert.ErrorIs(t, err, keygen.ErrSubject, text)
		rdns, err := keygen.ParseSubject(name[1:strings.LastIndex(name, text[:1])])
		require.NoError(t, err)
		if len(rdns) == 1 {
			rdns[0] = append(rdns[0], rdns[0][0])
			rdns[0][count].Type = []int{1, 2, 3, 99}
		} else {
			rdns = append(rdns, rdns[0])
		}
		_, err = keygen.CreateRequest(testKey(t, keygen.ECDSAP256), &keygen.Request{RDNs: rdns})
		assert.ErrorIs(t, err, keygen.ErrSubject, "%s, as a structure", text)
	}
}

// TestPrintableString tries every character of ASCII: a serial number is a PrintableString, and takes no other.
func TestPrintableString(t *testing.T) {
	const printable = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?" // X.680, table 10
	for c := rune(0); c < 0x80; c++ {
		_, err := keygen.ParseSubject(`SERIALNUMBER=x\` + hexByte(byte(c)) + "x")
		assert.Equal(t, strings.ContainsRune(printable, c), err == nil, "%q", c)
	}
}

// TestIA5String does the same for a domain component, which takes all that is visible.
func TestIA5String(t *testing.T) {
	for c := rune(0); c < 0x80; c++ {
		_, err := keygen.ParseSubject(`DC=x\` + hexByte(byte(c)) + "x")
		assert.Equal(t, c >= ' ' && c <= '~', err == nil, "%q", c)
	}
	_, err := keygen.ParseSubject("DC=ä")
	assert.ErrorIs(t, err, keygen.ErrSubject)
}

func hexByte(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}

func TestSubjectKeywordsAreASCII(t *testing.T) {
	for _, text := range []string{"\u017fT=a", "\u017f=a", "\u017fN=a"} { // the long s, an s in another case
		_, err := keygen.ParseSubject(text)
		assert.ErrorIs(t, err, keygen.ErrSubject)
	}
}
