//go:build integration

package keygen_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// hostileTexts are values that break out of one notation or another, hide, or are too long.
func hostileTexts() []string {
	return []string{
		"", " ", "a b", " a", "a ", "'", `"`, `"a"`, "`id`", "$(id)", "a,b", "a,CN=b", "a+OU=b",
		"a/CN=b", "a;b", "#0c0161", "a=b", "<a>",
		`\`, `a\`, `\,`, `\00`, `\2C`, "%00", "a\x00b", "\x00", "a\nb",
		"a\r\nSubject: x", "\t", "\x1b[31ma", "\x7f", "a,DNS:b.test",
		"a\u202eb", "\u200fa", "a\u2066b", "\u200b", "\ufeff",
		"a\u00adb", "\u00a0", "e\u0301", "é", "Ω", "日本", "😀", "\xff", "\xc0\x80", "\ufffd",
		"*", "*.a.test", "a.test,b.test", "a@b.test", "a,b@b.test", `"a,b"@b.test`,
		"urn:a,DNS:b.test", "urn:a%0a", "https://a.test/?a=b&c='d'",
		"https://a@b.test/", "xn--bcher-kva.test", "-", "--config=x", "@file", "{{.}}", "%s%n", "]]>", "&amp;", sampleSID,
		sidURI,
		"DE", strings.Repeat("a", 64), strings.Repeat("é", 64), strings.Repeat("a", 10<<10),
		strings.Repeat("a.", 5<<10) + "b",
	}
}

// field is one place of a request that takes a text, and how OpenSSL shows what stands there.
type field struct {
	request func(text string) *keygen.Request
	shown   func(t *testing.T, der []byte) string
	want    func(text string) string
}

func hostileFields() map[string]field {
	same := func(text string) string { return text }
	subject := func(arcs ...int) field {
		return field{
			func(text string) *keygen.Request {
				return &keygen.Request{RDNs: pkix.RDNSequence{{{Type: arcs, Value: text}}}}
			},
			subjectText, same,
		}
	}
	name := func(prefix string, set func(*keygen.Request, []string)) field {
		return field{func(text string) *keygen.Request {
			r := &keygen.Request{}
			set(r, []string{text})
			return r
		}, alternativeNames, func(text string) string { return prefix + text }}
	}
	info := func(c func(text string) keygen.ClientInfo) field {
		return field{func(text string) *keygen.Request {
			info := c(text)
			return &keygen.Request{ClientInfo: &info}
		}, clientTexts, same}
	}
	raw := func(tag int, encode func(string) []byte) field {
		return field{func(text string) *keygen.Request {
			value := asn1.RawValue{Tag: tag, Bytes: encode(text)}
			return &keygen.Request{RDNs: pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: value}}}}
		}, subjectText, same}
	}
	plain := func(text string) []byte { return []byte(text) }
	return map[string]field{
		"text": {func(text string) *keygen.Request {
			return &keygen.Request{Subject: "CN=" + escaped(text)}
		}, subjectText, same},
		"UTF8String": raw(asn1.TagUTF8String, plain), "PrintableString": raw(asn1.TagPrintableString, plain),
		"IA5String": raw(asn1.TagIA5String, plain), "BMPString": raw(asn1.TagBMPString, utf16Bytes),
		"OU": subject(2, 5, 4, 11), "L": subject(2, 5, 4, 7), "UID": subject(0, 9, 2342, 19200300, 100, 1, 1),
		"DNS of three": {func(text string) *keygen.Request {
			return &keygen.Request{DNSNames: []string{"a.test", text, "b.test"}}
		}, alternativeNames, func(text string) string { return "DNS:a.test, DNS:" + text + ", DNS:b.test" }},
		"SID extension": {func(text string) *keygen.Request {
			return &keygen.Request{SID: text, SIDForm: keygen.SIDExtension}
		}, sidExtensionText, same},
		"CN": subject(2, 5, 4, 3), "O": subject(2, 5, 4, 10), "DC": subject(0, 9, 2342, 19200300, 100, 1, 25),
		"C": subject(2, 5, 4, 6), "serialNumber": subject(2, 5, 4, 5), "E": subject(1, 2, 840, 113549, 1, 9, 1),
		"description": subject(2, 5, 4, 13), "unknown type": subject(1, 2, 3, 4),
		"DNS":     name("DNS:", func(r *keygen.Request, list []string) { r.DNSNames = list }),
		"e-mail":  name("email:", func(r *keygen.Request, list []string) { r.EmailAddresses = list }),
		"URI":     name("URI:", func(r *keygen.Request, list []string) { r.URIs = list }),
		"UPN":     name("othername: UPN::", func(r *keygen.Request, list []string) { r.UPNs = list }),
		"machine": info(func(text string) keygen.ClientInfo { return keygen.ClientInfo{Machine: text} }),
		"user":    info(func(text string) keygen.ClientInfo { return keygen.ClientInfo{User: text} }),
		"process": info(func(text string) keygen.ClientInfo { return keygen.ClientInfo{Process: text} }),
		"SID": {func(text string) *keygen.Request {
			return &keygen.Request{SID: text, SIDForm: keygen.SIDURI}
		}, alternativeNames, func(text string) string { return "URI:tag:microsoft.com,2022-09-14:sid:" + text }},
		"template": {func(text string) *keygen.Request { return &keygen.Request{TemplateName: text} }, templateText, same},
	}
}

// TestHostileValues puts every hostile text into every field. What is not refused OpenSSL reads back the same.
func TestHostileValues(t *testing.T) {
	key := testKey(t, keygen.ECDSAP256)
	for label, f := range hostileFields() {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			taken := 0
			for _, text := range hostileTexts() {
				der, err := keygen.CreateRequest(key, f.request(text))
				if err != nil {
					require.Nil(t, der)
					assert.Less(t, len(err.Error()), 600)
					assert.NotContains(t, err.Error(), "\n")
					continue
				}
				if text == "" { // no field at all
					continue
				}
				taken++
				assert.Equal(t, f.want(text), f.shown(t, der), "%q", text)
				for _, r := range text {
					assert.False(t, r < ' ' || r == 0x7f || r == '\u202e' || r == '\u200f', "%q was taken", text)
				}
				assert.LessOrEqual(t, len(text), 1024*4)
			}
			assert.NotZero(t, taken, "some texts are fine in every field")
		})
	}
}

// run has OpenSSL read a file with this content.
func run(t *testing.T, content []byte, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "in.der")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	args = append(args, "-inform", "DER", "-in", file)
	out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// subjectText returns the text of a subject with one attribute, without any escapes.
func subjectText(t *testing.T, der []byte) string {
	t.Helper()
	out := run(t, der, "req", "-noout", "-subject", "-nameopt", "oid,utf8,sep_multiline")
	_, text, ok := strings.Cut(out, "=") // subject=
	require.True(t, ok, out)
	_, text, ok = strings.Cut(text, "=") // 2.5.4.3=
	require.True(t, ok, out)
	return strings.TrimSuffix(text, "\n")
}

// alternativeNames returns the line with all of them.
func alternativeNames(t *testing.T, der []byte) string {
	t.Helper()
	_, after, ok := strings.Cut(run(t, der, "req", "-noout", "-text"), "X509v3 Subject Alternative Name: \n")
	require.True(t, ok)
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimLeft(line, " ")
}

// clientTexts returns the three texts of the client info, of which two are empty.
func clientTexts(t *testing.T, der []byte) string {
	t.Helper()
	var all []string
	for line := range strings.Lines(run(t, der, "asn1parse")) {
		if _, text, ok := strings.Cut(line, "UTF8STRING        :"); ok {
			all = append(all, strings.TrimSuffix(text, "\n"))
		}
	}
	return strings.Join(all, "")
}

// extensionDump returns the value of an extension that OpenSSL shows as bytes.
func extensionDump(t *testing.T, der []byte, oid string) []byte {
	t.Helper()
	_, after, ok := strings.Cut(run(t, der, "asn1parse"), oid+"\n")
	require.True(t, ok)
	_, after, ok = strings.Cut(after, "[HEX DUMP]:")
	require.True(t, ok)
	dump, _, _ := strings.Cut(after, "\n")
	value, err := hex.DecodeString(dump)
	require.NoError(t, err)
	return value
}

// templateText decodes the BMPString that OpenSSL found in the template extension.
func templateText(t *testing.T, der []byte) string {
	t.Helper()
	value := extensionDump(t, der, "1.3.6.1.4.1.311.20.2")
	var bmp asn1.RawValue
	_, err := asn1.Unmarshal(value, &bmp)
	require.NoError(t, err)
	require.Equal(t, asn1.TagBMPString, bmp.Tag)
	var units []uint16
	for i := 0; i < len(bmp.Bytes); i += 2 {
		units = append(units, uint16(bmp.Bytes[i])<<8|uint16(bmp.Bytes[i+1]))
	}
	return string(utf16.Decode(units))
}

// sidExtensionText returns the text in the octets that OpenSSL found in the SID security extension.
func sidExtensionText(t *testing.T, der []byte) string {
	t.Helper()
	value := extensionDump(t, der, "1.3.6.1.4.1.311.25.2")
	_, text, ok := strings.Cut(string(value), "\x2b\x06\x01\x04\x01\x82\x37\x19\x02\x01\xa0")
	require.True(t, ok)
	return text[3:] // behind the lengths of [0] and OCTET STRING, and the tag between them
}

// escaped writes every byte of a value in hexadecimal (RFC 4514, section 2.4).
func escaped(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "\\%02x", text[i])
	}
	return b.String()
}

func utf16Bytes(text string) (b []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit>>8), byte(unit))
	}
	return b
}

// TestHostileNumbers has OpenSSL read the largest numbers and the oddest object identifiers.
func TestHostileNumbers(t *testing.T) {
	const most = 1<<32 - 1
	der, err := keygen.CreateRequest(testKey(t, keygen.ECDSAP256), &keygen.Request{
		OSVersion:    &keygen.OSVersion{Major: most, Minor: most, Build: most, Platform: most},
		ClientInfo:   &keygen.ClientInfo{ClientID: most},
		ExtKeyUsages: oids("0.0", "0.39", "1.39.2147483647", "2.999.3", "2.2147483567.1"),
		Template:     &keygen.Template{OID: asn1.ObjectIdentifier{2, 999, 0, 1<<31 - 1}, Major: most, Minor: most},
		IPAddresses: []netip.Addr{
			netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("255.255.255.255"), netip.IPv6Unspecified(),
			netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
		},
	})
	require.NoError(t, err)
	parsed, text := run(t, der, "asn1parse"), run(t, der, "req", "-noout", "-text")
	assert.Contains(t, parsed, "IA5STRING         :4294967295.4294967295.4294967295.4294967295\n")
	assert.Contains(t, parsed, "INTEGER           :FFFFFFFF\n")
	assert.Contains(t, text, "0.0, 0.39, 1.39.2147483647, 2.999.3, 2.2147483567.1\n")
	assert.Contains(t, text, "IP Address:0.0.0.0, IP Address:255.255.255.255, IP Address:0:0:0:0:0:0:0:0, IP Address:192.0.2.1, "+
		"IP Address:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF\n")
	_, after, ok := strings.Cut(parsed, "1.3.6.1.4.1.311.21.7\n")
	require.True(t, ok)
	assert.Contains(t, after, "[HEX DUMP]:30180608883700"+"87FFFFFF7F"+"020500FFFFFFFF020500FFFFFFFF\n")
}

// TestSubjectThereAndBack gives the subject that OpenSSL prints in the form of RFC 2253 to ParseSubject again.
func TestSubjectThereAndBack(t *testing.T) {
	key := testKey(t, keygen.ECDSAP256)
	for _, text := range hostileTexts() {
		r := &keygen.Request{RDNs: append(pkixName(text), pkixName("b")...)}
		der, err := keygen.CreateRequest(key, r)
		if err != nil {
			continue
		}
		out := run(t, der, "req", "-noout", "-subject", "-nameopt", "RFC2253,-esc_msb,utf8")
		printed := strings.TrimSuffix(strings.TrimPrefix(out, "subject="), "\n")
		again, err := keygen.CreateRequest(key, &keygen.Request{Subject: printed})
		require.NoError(t, err, printed)
		assert.Equal(t, parseDER(t, der).RawSubject, parseDER(t, again).RawSubject, printed)
	}
}
