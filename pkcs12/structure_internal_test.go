package pkcs12

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	gopkcs12 "software.sslmate.com/src/go-pkcs12"
)

// walker prints the structure of DER, and fails where the encoding is not distinguished (X.690, 10 and 11): lengths and
// integers in as few bytes as possible, the elements of a SET OF in order, no constructed strings, no default values.
type walker struct {
	t   *testing.T
	out []string
}

func (w *walker) printf(depth int, format string, args ...any) {
	w.out = append(w.out, strings.Repeat(" ", depth)+fmt.Sprintf(format, args...))
}

func (w *walker) walk(der []byte, depth int) {
	for s := cryptobyte.String(der); len(s) > 0; {
		var element, content cryptobyte.String
		var tag cbasn1.Tag
		require.True(w.t, s.ReadAnyASN1Element(&element, &tag), "the length is not definite and short: %x", s[:min(len(s), 8)])
		whole := element
		require.True(w.t, element.ReadAnyASN1(&content, &tag))
		w.element(tag, content, whole, depth)
	}
}

func (w *walker) element(tag cbasn1.Tag, content, whole []byte, depth int) {
	switch tag {
	case cbasn1.SEQUENCE:
		w.printf(depth, "SEQUENCE")
	case cbasn1.SET:
		w.printf(depth, "SET")
		w.sorted(content)
	case cbasn1.Tag(0).ContextSpecific().Constructed(), cbasn1.Tag(1).ContextSpecific().Constructed():
		w.printf(depth, "[%d]", tag&31)
	case cbasn1.INTEGER:
		require.NotEmpty(w.t, content)
		padded := len(content) > 1 && (content[0] == 0 && content[1] < 0x80 || content[0] == 0xff && content[1] >= 0x80)
		require.False(w.t, padded, "an integer with too many bytes: %x", content)
		w.printf(depth, "INTEGER %x", content[:min(len(content), 4)])
		return
	case cbasn1.OBJECT_IDENTIFIER:
		var oid asn1.ObjectIdentifier
		require.NoError(w.t, unmarshal(whole, &oid))
		w.printf(depth, "OID %s", oid)
		return
	case cbasn1.NULL:
		require.Empty(w.t, content)
		w.printf(depth, "NULL")
		return
	case cbasn1.OCTET_STRING, tagBMPString, cbasn1.BIT_STRING, cbasn1.Tag(0).ContextSpecific():
		w.printf(depth, "STRING %d", tag)
		return
	default:
		w.t.Fatalf("an element with tag %#x", tag)
	}
	w.walk(content, depth+1)
}

// sorted wants the elements of a SET OF in the order of their encodings (X.690, 11.6).
func (w *walker) sorted(content []byte) {
	var elements [][]byte
	for s := cryptobyte.String(content); len(s) > 0; {
		var element cryptobyte.String
		var tag cbasn1.Tag
		require.True(w.t, s.ReadAnyASN1Element(&element, &tag))
		elements = append(elements, element)
	}
	assert.True(w.t, slices.IsSortedFunc(elements, bytes.Compare), "a SET OF out of order: %x", elements)
}

// structure prints a whole file, with what is inside its octet strings and encryptions.
func structure(t *testing.T, file []byte, password string) string {
	w := &walker{t: t}
	w.walk(file, 0)
	var p pfx
	require.NoError(t, unmarshal(file, &p))
	var octets []byte
	require.NoError(t, unmarshal(p.AuthSafe.Content.Bytes, &octets))
	w.printf(0, "the safes:")
	w.walk(octets, 0)
	o, err := parse(file)
	require.NoError(t, err)
	require.NoError(t, o.reveal(password, &work{left: MaxIterations}))
	var contents []contentInfo
	require.NoError(t, unmarshal(octets, &contents))
	for i, safe := range o.safes {
		w.printf(0, "safe %d:", i)
		w.walk(w.inside(safe, contents[i], password), 0)
		for _, bag := range safe.bags {
			if bag.ID.String() != oidShroudedKeyBag {
				continue
			}
			var key shroudedKey
			require.NoError(t, unmarshal(bag.Value.Bytes, &key))
			w.printf(0, "the key:")
			w.walk(w.decrypt(key.Algorithm, key.Data, password), 0)
		}
	}
	return strings.Join(w.out, "\n")
}

func (w *walker) inside(s safe, content contentInfo, password string) []byte {
	if s.encrypted {
		return w.decrypt(s.algorithm, s.data, password)
	}
	var octets []byte
	require.NoError(w.t, unmarshal(content.Content.Bytes, &octets))
	return octets
}

// decrypt wants every byte of the padding to be as in PKCS#7.
func (w *walker) decrypt(a pkix.AlgorithmIdentifier, data []byte, password string) []byte {
	plain, ok := decrypt(a, data, password)
	require.True(w.t, ok)
	block, iv, err := cipherFor(a, password)
	require.NoError(w.t, err)
	assert.Equal(w.t, data, encryptCBC(block, iv, plain))
	return plain
}

// differences returns the lines that only one of two structures has, with - for the first and + for the second.
func differences(one, other string) []string {
	a, b := strings.Split(one, "\n"), strings.Split(other, "\n")
	same := make([][]int, len(a)+1) // the length of the longest common rest
	for i := range same {
		same[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			same[i][j] = max(same[i+1][j], same[i][j+1])
			if a[i] == b[j] {
				same[i][j] = same[i+1][j+1] + 1
			}
		}
	}
	var out []string
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && same[i+1][j] >= same[i][j+1]:
			out, i = append(out, "-"+strings.TrimSpace(a[i])), i+1
		default:
			out, j = append(out, "+"+strings.TrimSpace(b[j])), j+1
		}
	}
	return out
}

// TestStructure compares the files with those of go-pkcs12. They differ in what go-pkcs12 leaves out (the NULLs of the
// hashes, which OpenSSL writes and RFC 8018 demands for those of PBMAC1) or adds (an empty SET of attributes, and 0
// iterations beside PBMAC1), and in nothing else.
func TestStructure(t *testing.T) {
	m := newMaker(t, compat)
	chain := append(m.c.chain, newMaker(t, compat).c.chain[0])
	for set, tc := range map[algorithms]struct {
		encoder *gopkcs12.Encoder
		want    []string
	}{
		compat: {gopkcs12.LegacyDES, []string{"+NULL", "-SET"}},
		modern: {gopkcs12.Modern2023, []string{"+NULL", "-SET"}},
		pbmac1: {gopkcs12.Modern2026, []string{"+NULL", "+NULL", "-INTEGER 00", "-SET"}},
	} {
		o := Options{Profile: Profile{set: set}}
		if set == compat {
			o.MACIterations = 1
		}
		ours, err := o.Encode(m.c.key, chain, secret)
		require.NoError(t, err)
		theirs, err := tc.encoder.Encode(m.c.key, chain[0], chain[1:], secret)
		require.NoError(t, err)
		assert.Equal(t, tc.want, differences(structure(t, theirs, secret), structure(t, ours, secret)), set.String())
	}
}

// TestDER has every option that changes the encoding, with numbers whose first bit is set and lengths of every form.
func TestDER(t *testing.T) {
	m := newMaker(t, compat)
	for set := range pbmac1 + 1 {
		for _, name := range []string{"", "x", strings.Repeat("n", 63), strings.Repeat("n", MaxName), "ÿ"} {
			for _, iterations := range []int{1024, 0x8000} {
				o := Options{Profile: Profile{set: set}, FriendlyName: name, Iterations: iterations, MACIterations: 1}
				if iterations != 1024 {
					o.MACIterations = 128
				}
				if iterations > 1024 && name != "x" {
					continue
				}
				chain := []*x509.Certificate{m.c.chain[0], newMaker(t, compat).c.chain[0]}
				file, err := o.Encode(m.c.key, chain, secret)
				require.NoError(t, err)
				got := structure(t, file, secret)
				assert.Equal(t, name != "", strings.Contains(got, oidFriendlyName))
				if set != pbmac1 { // where it is one of the PBKDF2, which has no default
					assert.NotContains(t, got[:strings.Index(got, "the safes:")], " INTEGER 01\n", "a default value")
				}
			}
		}
	}
}

// TestWalker sees that what is not DER is seen.
func TestWalker(t *testing.T) {
	w := &walker{t: t}
	w.walk([]byte{0x31, 6, 2, 1, 1, 2, 1, 2}, 0)
	assert.Equal(t, []string{"SET", " INTEGER 01", " INTEGER 02"}, w.out)
	inner := &testing.T{}
	(&walker{t: inner}).sorted([]byte{2, 1, 2, 2, 1, 1})
	assert.True(t, inner.Failed())
	assert.Equal(t, []string{"-b", "+c", "+d"}, differences("a\nb", "a\nc\nd"))
	assert.Empty(t, differences("a\nb", "a\nb"))
}

// TestSetOf has the two attributes in both orders.
func TestSetOf(t *testing.T) {
	value := func(content ...byte) cryptobyte.BuilderContinuation {
		return func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) }
	}
	for _, pair := range [][2]cryptobyte.BuilderContinuation{{value(1), value(2)}, {value(2), value(1)}} {
		var b cryptobyte.Builder
		addSetOf(&b, pair[0], pair[1])
		assert.Equal(t, []byte{4, 1, 1, 4, 1, 2}, b.BytesOrPanic())
	}
	var b cryptobyte.Builder
	addSetOf(&b, value(0, 0), value(9))
	assert.Equal(t, []byte{4, 1, 9, 4, 2, 0, 0}, b.BytesOrPanic(), "the shorter one is first: its length is compared")
}

// TestSalts has them as long as OpenSSL and go-pkcs12 write them.
func TestSalts(t *testing.T) {
	m := newMaker(t, compat)
	for set, want := range []int{compat: 8, modern: 16, pbmac1: 16} {
		file, err := Options{Profile: Profile{set: algorithms(set)}}.Encode(m.c.key, m.c.chain, secret)
		require.NoError(t, err)
		o, err := parse(file)
		require.NoError(t, err)
		var key shroudedKey
		require.NoError(t, unmarshal(o.safes[1].bags[0].Value.Bytes, &key))
		for _, a := range []pkix.AlgorithmIdentifier{o.safes[0].algorithm, key.Algorithm} {
			var pbe pbeParams
			if algorithms(set) == compat {
				require.NoError(t, unmarshal(a.Parameters.FullBytes, &pbe))
				assert.Len(t, pbe.Salt, want)
				continue
			}
			_, kdf, err := passwordBased(a)
			require.NoError(t, err)
			assert.Len(t, kdf.Salt.Bytes, want)
		}
		if algorithms(set) != pbmac1 {
			assert.Len(t, o.mac.MacSalt, want)
			continue
		}
		_, kdf, err := passwordBased(o.mac.Mac.Algorithm)
		require.NoError(t, err)
		assert.Len(t, kdf.Salt.Bytes, want)
		assert.Equal(t, "NOT USED", string(o.mac.MacSalt), "RFC 9579, A")
	}
}
