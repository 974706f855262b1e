package keygen_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// tlv writes one DER value of less than 128 bytes.
func tlv(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append([]byte{tag, byte(len(body))}, body...)
}

// The tags of string types.
const (
	utf8Tag      = 0x0c
	printableTag = 0x13
	ia5Tag       = 0x16
	bmpTag       = 0x1e
)

// attr writes one AttributeTypeAndValue; oid is the hexadecimal of the identifier with its header.
func attr(oid string, tag byte, value string) []byte {
	id, err := hex.DecodeString(oid)
	if err != nil {
		panic(err)
	}
	return tlv(0x30, id, tlv(tag, []byte(value)))
}

// name writes a name from its relative names.
func name(rdns ...[]byte) []byte { return tlv(0x30, rdns...) }

func rdn(attrs ...[]byte) []byte { return tlv(0x31, attrs...) }

const (
	oidCN     = "0603550403"
	oidSN     = "0603550404"
	oidSerial = "0603550405"
	oidC      = "0603550406"
	oidO      = "060355040a"
	oidOU     = "060355040b"
	oidDC     = "060a0992268993f22c640119"
	oidUID    = "060a0992268993f22c640101"
	oidEmail  = "06092a864886f70d010901"
)

// TestSubjectEncoding holds each kind of value against its bytes. The first examples are those of RFC 4514, section 4.
func TestSubjectEncoding(t *testing.T) {
	for text, want := range map[string][]byte{
		"UID=jsmith,DC=example,DC=net": name(rdn(attr(oidDC, ia5Tag, "net")), rdn(attr(oidDC, ia5Tag, "example")),
			rdn(attr(oidUID, printableTag, "jsmith"))),
		"OU=Sales+CN=J.  Smith,DC=net": name(rdn(attr(oidDC, ia5Tag, "net")),
			rdn(attr(oidOU, printableTag, "Sales"), attr(oidCN, printableTag, "J.  Smith"))),
		`CN=James \"Jim\" Smith\, III,DC=net`: name(rdn(attr(oidDC, ia5Tag, "net")),
			rdn(attr(oidCN, utf8Tag, `James "Jim" Smith, III`))),
		`CN=Lu\C4\8Di\C4\87`: name(rdn(attr(oidCN, utf8Tag, "Lučić"))),

		"":                         name(),
		"cn=Lučić":                 name(rdn(attr(oidCN, utf8Tag, "Lučić"))),
		"CN=a,O=b,C=de":            name(rdn(attr(oidC, printableTag, "de")), rdn(attr(oidO, printableTag, "b")), rdn(attr(oidCN, printableTag, "a"))),
		"CN=a,  O=b":               name(rdn(attr(oidO, printableTag, "b")), rdn(attr(oidCN, printableTag, "a"))),
		"E=a@b.test":               name(rdn(attr(oidEmail, ia5Tag, "a@b.test"))),
		"emailAddress=a@b.test":    name(rdn(attr(oidEmail, ia5Tag, "a@b.test"))),
		"SERIALNUMBER=12":          name(rdn(attr(oidSerial, printableTag, "12"))),
		"SN=Smith":                 name(rdn(attr(oidSN, printableTag, "Smith"))),
		"2.5.4.3=a":                name(rdn(attr(oidCN, printableTag, "a"))),
		"CN=#0c0161":               name(rdn(attr(oidCN, utf8Tag, "a"))),
		"CN=#1E020061":             name(rdn(attr(oidCN, bmpTag, "\x00a"))),
		"CN=a b=c#d":               name(rdn(attr(oidCN, utf8Tag, "a b=c#d"))),
		`CN=\ a\,\+\"\\\<\>\;\=\ `: name(rdn(attr(oidCN, utf8Tag, ` a,+"\<>;= `))),
		`CN=\#a`:                   name(rdn(attr(oidCN, utf8Tag, "#a"))),
		`CN=a\2Cb`:                 name(rdn(attr(oidCN, printableTag, "a,b"))),
		"CN=*.corp.test":           name(rdn(attr(oidCN, utf8Tag, "*.corp.test"))),
		// A SET OF is sorted by its encoding (X.690, section 11.6): the shorter one first here.
		"CN=bb+OU=a": name(rdn(attr(oidOU, printableTag, "a"), attr(oidCN, printableTag, "bb"))),
	} {
		t.Run(text, func(t *testing.T) {
			got := parseRequest(t, testKey(t, keygen.ECDSAP256), &keygen.Request{Subject: text}).RawSubject
			assert.Equal(t, hex.EncodeToString(want), hex.EncodeToString(got))
		})
	}
}

func TestSubjectRefuses(t *testing.T) {
	for label, text := range map[string]string{
		"control character":      `CN=Before\0dAfter`, // an example of RFC 4514; no certificate should hold it
		"NUL":                    `CN=a\00b`,
		"raw newline":            "CN=a\nb",
		"bidirectional mark":     "CN=a\u202eb",
		"zero width":             "CN=a\u200bb",
		"line separator":         "CN=a\u2028b",
		"replacement character":  "CN=\ufffd",
		"not UTF-8":              "CN=\xff",
		"escaped, not UTF-8":     `CN=\C4`,
		"no equals":              "CN",
		"empty value":            "CN=",
		"only a comma":           ",",
		"comma at the end":       "CN=a,",
		"plus at the end":        "CN=a+",
		"comma at the beginning": ",CN=a",
		"two commas":             "CN=a,,O=b",
		"empty type":             "=a",
		"unknown type":           "FOO=a",
		"OID prefix":             "OID.2.5.4.3=a",
		"space before type":      " CN=a",
		"space after type":       "CN =a",
		"space before value":     "CN= a",
		"space after value":      "CN=a ,O=b",
		"space at the end":       "CN=a ",
		"semicolon":              "CN=a;O=b",
		"quoted":                 `CN="a"`,
		"angle":                  "CN=<a>",
		"backslash at the end":   `CN=a\`,
		"half an escape":         `CN=a\4`,
		"unknown escape":         `CN=a\n`,
		"escaped asterisk":       `CN=\*`,
		"leading zero":           "2.5.4.03=a",
		"one arc":                "2=a",
		"first arc":              "3.1=a",
		"second arc":             "1.40=a",
		"huge arc":               "2.5.4.2147483648=a",
		"dot at the end":         "2.5.4.=a",
		"type twice":             "CN=a+CN=b",
		"country":                "C=DEU",
		"country digits":         "C=12",
		"serial not printable":   "SERIALNUMBER=a*b",
		"DC not ASCII":           "DC=bücher",
		"e-mail":                 "E=nobody",
		"long CN":                "CN=" + strings.Repeat("a", 65),
		"long OU":                "OU=" + strings.Repeat("é", 65),
		"long":                   "2.5.4.99=" + strings.Repeat("a", 1025),
		"too long":               "CN=" + strings.Repeat("a", 9000),
		"many":                   strings.TrimSuffix(strings.Repeat("OU=a,", 33), ","),
		"hex empty":              "CN=#",
		"hex odd":                "CN=#0c016",
		"hex no DER":             "CN=#0c02",
		"hex and more":           "CN=#0c016100",
		"hex octet string":       "1.3.6.1.4.1.1466.0=#04024869", // an example of RFC 4514; no string
		"hex sequence":           "CN=#30030c0161",
		"hex control":            "CN=#0c010a",
		"hex not printable":      "CN=#13012a",
		"hex IA5 not ASCII":      "CN=#1601e4",
		"hex wrong string type":  "C=#0c024445",
		"hex BMP surrogate":      "CN=#1e02d800",
		"hex BMP odd":            "CN=#1e0161",
		"hex indefinite":         "CN=#0c8061 0000",
	} {
		t.Run(label, func(t *testing.T) {
			name, err := keygen.ParseSubject(text)
			require.ErrorIs(t, err, keygen.ErrSubject)
			assert.Nil(t, name)
			assert.Less(t, len(err.Error()), 400)
			assert.NotContains(t, err.Error(), "\n")
			_, err = keygen.CreateRequest(testKey(t, keygen.ECDSAP256), &keygen.Request{Subject: text})
			assert.ErrorIs(t, err, keygen.ErrSubject)
		})
	}
}

func TestStructuredSubject(t *testing.T) {
	cn, o := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 10}
	one := func(id asn1.ObjectIdentifier, value any) pkix.RDNSequence {
		return pkix.RDNSequence{{{Type: id, Value: value}}}
	}
	key := testKey(t, keygen.ECDSAP256)
	r := &keygen.Request{RDNs: pkix.RDNSequence{{{Type: o, Value: "b"}}, {{Type: cn, Value: "a"}}}}
	want := parseRequest(t, key, &keygen.Request{Subject: "CN=a,O=b"}).RawSubject
	assert.Equal(t, want, parseRequest(t, key, r).RawSubject)
	raw := asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte("a")}
	want = parseRequest(t, key, &keygen.Request{Subject: "CN=#0c0161"}).RawSubject
	assert.Equal(t, want, parseRequest(t, key, &keygen.Request{RDNs: one(cn, raw)}).RawSubject)

	for label, bad := range map[string]*keygen.Request{
		"both":            {Subject: "CN=a", RDNs: one(cn, "a")},
		"not a string":    {RDNs: one(cn, 7)},
		"nil":             {RDNs: one(cn, nil)},
		"empty RDN":       {RDNs: pkix.RDNSequence{{}}},
		"no type":         {RDNs: one(nil, "a")},
		"negative arc":    {RDNs: one(asn1.ObjectIdentifier{2, 5, -4}, "a")},
		"newline":         {RDNs: one(cn, "a\nb")},
		"not UTF-8":       {RDNs: one(cn, "\xff")},
		"class":           {RDNs: one(cn, asn1.RawValue{Class: 2, Tag: 12, Bytes: []byte("a")})},
		"whole DER given": {RDNs: one(cn, asn1.RawValue{FullBytes: []byte{0x0c, 1, 'a'}})},
	} {
		t.Run(label, func(t *testing.T) {
			_, err := keygen.CreateRequest(key, bad)
			assert.ErrorIs(t, err, keygen.ErrSubject)
		})
	}
}

func FuzzParseSubject(f *testing.F) {
	for _, seed := range []string{
		"", "CN=a", "CN=a,O=b,C=DE", "OU=Sales+CN=J.  Smith,DC=example,DC=net", `CN=Lu\C4\8Di\C4\87`, "CN=#0c0161",
		`CN=\ a\,\+\"\\\<\>\;\=\ `, "2.5.4.3=#1e020061", "E=a@b.test", "CN=a, O=b", "CN=a\u202e", "1.2.840.1=x", `CN=a\`,
	} {
		f.Add(seed)
	}
	key := testKey(f, keygen.ECDSAP256)
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := keygen.ParseSubject(text)
		der, errRequest := keygen.CreateRequest(key, &keygen.Request{Subject: text})
		require.Equal(t, err == nil, errRequest == nil, "both or neither")
		if err != nil {
			require.ErrorIs(t, err, keygen.ErrSubject)
			return
		}
		// What was asked for is what a reader finds: the same types and texts in the same order.
		var got pkix.RDNSequence
		rest, err := asn1.Unmarshal(parseDER(t, der).RawSubject, &got)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Len(t, got, len(parsed))
		for i := range got {
			require.Len(t, got[i], len(parsed[i]))
			for _, want := range parsed[i] {
				text, ok := want.Value.(string)
				require.True(t, !ok || slices.ContainsFunc(got[i], func(a pkix.AttributeTypeAndValue) bool {
					return a.Type.Equal(want.Type) && a.Value == text
				}))
			}
		}
	})
}

// TestSubjectErrorsNameTheType says of which attribute it speaks, as the caller wrote it.
func TestSubjectErrorsNameTheType(t *testing.T) {
	for text, want := range map[string]string{
		"C=d1": "of the type C:", "CN=a+commonname=b": `"commonname" is not known`, "O=" + strings.Repeat("x", 65): "of the type O has 1 to 64",
		"CN=x+CN=y": "the type CN stands twice", "DC=ü": "of the type DC is not ASCII", "1.2.3.4=": "of the type 1.2.3.4 has",
	} {
		_, err := keygen.ParseSubject(text)
		require.ErrorIs(t, err, keygen.ErrSubject, text)
		assert.ErrorContains(t, err, want)
	}
}
