package discovery

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// vectors are the security descriptors of testdata, by name.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/descriptors.txt")
	require.NoError(t, err)
	all := map[string][]byte{}
	name := ""
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#':
		case strings.Contains(line, " O:"):
			name, _, _ = strings.Cut(line, " ")
		default:
			all[name] = fromHex(t, line)
		}
	}
	require.Len(t, all, 9)
	return all
}

const domain SID = "S-1-5-21-1-2-3-"

func access(t testing.TB, name string) Access {
	t.Helper()
	a, err := decodeDescriptor(vectors(t)[name])
	require.NoError(t, err, name)
	return a
}

// TestAllows asks for the rights that each descriptor of testdata gives.
func TestAllows(t *testing.T) {
	for _, c := range []struct {
		name  string
		right Right
		token []SID
		want  bool
	}{
		{"windows", RightEnroll, []SID{domain + "1104"}, true},
		{"windows", RightEnroll, []SID{domain + "1105", domain + "512"}, true},
		{"windows", RightEnroll, []SID{domain + "1105"}, false},
		{"windows", RightEnroll, []SID{domain + "515"}, false},
		{"windows", RightAutoEnroll, []SID{domain + "515"}, true},
		{"windows", RightAutoEnroll, []SID{domain + "1104"}, false},
		{"windows", RightWrite, []SID{domain + "512"}, true},
		{"windows", RightWrite, []SID{domain + "1104"}, false},
		{"full", RightEnroll, []SID{domain + "1104"}, true},
		{"full", RightAutoEnroll, []SID{domain + "1104"}, true},
		{"full", RightWrite, []SID{domain + "1104"}, true},
		{"full", RightEnroll, nil, false},
		{"deny", RightEnroll, []SID{domain + "1105"}, false},
		{"deny", RightEnroll, []SID{domain + "1104"}, true},
		{"deny", RightAutoEnroll, []SID{domain + "1104"}, false},
		{"late", RightEnroll, []SID{domain + "1105"}, true},
		{"all", RightEnroll, nil, true},
		{"all", RightAutoEnroll, nil, true},
		{"inherit", RightEnroll, nil, false},
		{"null", RightEnroll, nil, true},
		{"null", RightWrite, nil, true},
		{"empty", RightEnroll, []SID{domain + "1104"}, false},
		{"empty", RightWrite, []SID{domain + "512"}, true},
		{"write", RightWrite, []SID{domain + "1106"}, true},
		{"write", RightWrite, []SID{domain + "1107"}, true},
		{"write", RightWrite, []SID{domain + "1108"}, true},
		{"write", RightWrite, []SID{domain + "1109"}, true},
		{"write", RightWrite, []SID{domain + "1110"}, true},
		{"write", RightWrite, []SID{domain + "1111"}, true},
		{"write", RightWrite, []SID{domain + "1112"}, false},
		{"write", RightEnroll, []SID{domain + "1112"}, true},
		{"write", RightEnroll, []SID{domain + "1107"}, false},
	} {
		assert.Equal(t, c.want, access(t, c.name).Allows(c.right, c.token...), "%s %s %v", c.name, c.right, c.token)
	}
	assert.False(t, Access{}.Allows(RightEnroll, domain+"1104"))
}

func TestGrants(t *testing.T) {
	assert.Equal(t, []Grant{
		{SID: domain + "519", Right: RightWrite}, {SID: domain + "512", Right: RightEnroll},
		{SID: domain + "1104", Right: RightEnroll}, {SID: domain + "515", Right: RightAutoEnroll},
		{SID: domain + "512", Right: RightWrite},
	}, access(t, "windows").Grants())
	assert.Equal(t, []Grant{
		{SID: domain + "512", Right: RightWrite}, {SID: SIDAuthenticatedUsers, Right: RightEnroll},
	}, access(t, "deny").Grants())
	refused := Access{aces: []ace{
		{deny: true, mask: maskControlAccess, object: guidEnroll, sid: domain + "1104"},
		{mask: maskControlAccess, sid: domain + "1104"},
	}}
	assert.Equal(t, []Grant{{SID: domain + "1104", Right: RightAutoEnroll}}, refused.Grants())
	// A deny of one property leaves the others, whatever the order of the rest.
	const one, another = "bf967a0e-0de6-11d0-a285-00aa003049e2", "bf967a7f-0de6-11d0-a285-00aa003049e2"
	denied := ace{deny: true, mask: maskWriteProperty, object: one, sid: domain + "1104"}
	for object, want := range map[string]bool{"": true, another: true, one: false} {
		a := Access{aces: []ace{denied, {mask: maskWriteProperty, object: object, sid: domain + "1104"}}}
		assert.Equal(t, want, len(a.Grants()) == 1, object)
		assert.Equal(t, want, a.Allows(RightWrite, domain+"1104"), object)
	}
	assert.Len(t, access(t, "null").Grants(), 3)
	assert.Len(t, access(t, "inherit").Grants(), 1, "the owner")
}

// TestConditional takes what a condition guards as given for warnings, and not for the account.
func TestConditional(t *testing.T) {
	b := vectors(t)["all"]
	at := len(b) - 20 // the only entry
	require.Equal(t, byte(aceAllow), b[at])
	b[at] = aceAllowCallback
	a, err := decodeDescriptor(b)
	require.NoError(t, err)
	assert.False(t, a.Allows(RightEnroll))
	assert.Contains(t, a.Grants(), Grant{SID: SIDAuthenticatedUsers, Right: RightEnroll, Conditional: true})
}

func TestDescriptorRefuses(t *testing.T) {
	for name, whole := range vectors(t) {
		for n := range whole {
			if _, err := decodeDescriptor(whole[:n]); err != nil {
				require.ErrorIs(t, err, ErrMalformed)
			} else {
				// What is cut off the end is not looked at: the group is before the list.
				require.Equal(t, "null", name, "%d of %d bytes", n, len(whole))
			}
		}
	}
	_, err := decodeDescriptor(make([]byte, maxDescriptor+1))
	require.ErrorIs(t, err, ErrMalformed)

	// An entry that is longer than the list, though not than what follows it; and more entries than there are.
	long := append(vectors(t)["all"], make([]byte, 64)...)
	entry := len(long) - 64 - 20
	long[entry+2] += 4
	_, err = decodeDescriptor(long)
	require.ErrorIs(t, err, ErrMalformed)
	more := vectors(t)["all"]
	more[entry-4]++
	_, err = decodeDescriptor(more)
	require.ErrorIs(t, err, ErrMalformed)
}

func FuzzDescriptor(f *testing.F) {
	for _, b := range vectors(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeDescriptor(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		for _, g := range a.Grants() {
			assert.NotNil(t, g.SID.encode(), g.SID)
			if !g.Conditional && g.Right != RightWrite {
				a.Allows(g.Right, g.SID)
			}
		}
	})
}

// FuzzTemplate reads templates and CAs with the same bytes in every attribute.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"", "1", "-1509949440", "4", "\x00@9\x87.\xe1\xfe\xff", "a`PZPWSTR`b`", "1.2.3.4"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o := object{attrs: map[string][][]byte{}}
		for _, name := range append(templateAttributes(), caAttributes()...) {
			o.attrs[strings.ToLower(name)] = [][]byte{b, b}
		}
		o.attrs["mspki-template-schema-version"] = [][]byte{[]byte("4")}
		tmpl, ca := newTemplate(o), newCA(o)
		assert.GreaterOrEqual(t, tmpl.Validity, tmpl.Renewal)
		assert.GreaterOrEqual(t, int64(tmpl.Validity), int64(0))
		s := &Snapshot{Templates: []*Template{tmpl}, CAs: []*CA{ca}}
		s.connect(nil)
		s.Findings()
		s.Inspect(tmpl)
	})
}
