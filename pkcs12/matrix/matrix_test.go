//go:build integration

// Package matrix_test has foreign programs open what pkcs12 writes: every profile with every usual kind of key, each of
// them with each program. README.md holds the result, which `go test -tags integration ./pkcs12/matrix -update` writes.
package matrix_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
)

// tool is a foreign program.
type tool struct {
	name    string // its column in README.md
	version func(t *testing.T) string
	// open has the program import all files of a folder, and says what came of each, by the file's name.
	open func(t *testing.T, s *set) map[string]outcome
	// shown is what the program makes of a friendlyName, and of none. In README.md these are named and unnamed.
	shown          func(name string) string
	ofKey          bool // it is that of the key, and not of the certificate
	named, unnamed string
	wrong          string // what it says to a wrong password
	// pbmac1: it is known not to read PBMAC1 up to the first version, and to read it from the second, if that is known.
	pbmac1 [2]string
}

func tools() []tool { return []tool{openSSL, gnuTLS, nss, java, python} }

// row is what is the same for a target: the profiles with the same algorithms and the same certificates. Files are made
// with the first of them.
type row struct {
	profiles []string
	cas      int  // of leaf, issuing CA and root, how many CAs are in the file
	windows  bool // the certificate has a friendlyName, the key has none
}

// rows has every platform on either side of the version from which on it reads the modern algorithms.
var rows = []row{
	{[]string{"compat"}, 2, false},
	{[]string{"modern"}, 2, false},
	{[]string{"pbmac1"}, 2, false},
	{[]string{"macos", "ios-17", "ipados-17", "tvos-17", "watchos-10", "visionos-1"}, 0, false},
	{[]string{"ios-18", "ipados-18", "tvos-18", "watchos-11", "visionos-2"}, 0, false},
	{[]string{"windows", "windows-server-2016"}, 1, true},
	{[]string{"windows-11", "windows-server-2019"}, 1, true},
	{[]string{"chromeos", "java-8", "linux-openssl-1.0.2", "linux-nss-3.68"}, 1, false},
	{[]string{"java-17", "linux-openssl-3.0", "linux-nss-3.87"}, 1, false},
	{[]string{"android"}, 2, false},
	{[]string{"android-16"}, 2, false},
}

// TestRows: the profiles of a row are alike, no two rows are, and no platform is missing.
func TestRows(t *testing.T) {
	type kind struct {
		algorithms pkcs12.Profile
		shape      pkcs12.Shape
		windows    bool
	}
	seen := map[kind]string{}
	kindOf := func(p pkcs12.Profile) kind {
		return kind{p.Algorithms(), p.Shape(), strings.HasPrefix(p.String(), "windows")}
	}
	var names []string
	for _, r := range rows {
		first := profile(t, r.profiles[0])
		assert.Empty(t, seen[kindOf(first)], r.profiles[0])
		seen[kindOf(first)] = r.profiles[0]
		assert.Equal(t, kindOf(first).windows, r.windows, r.profiles[0])
		for _, name := range r.profiles {
			assert.Equal(t, kindOf(first), kindOf(profile(t, name)), "%s is in the row of %s", name, first)
			names = append(names, name)
		}
	}
	for _, platform := range pkcs12.Platforms() {
		assert.Contains(t, strings.Join(names, " "), platform)
		for _, version := range []string{"", "99", "2999"} {
			p, err := pkcs12.ForPlatform(platform, version)
			if err != nil { // versions of windows-server are years, no others
				require.Equal(t, version == "99", platform == "windows-server", "%s-%s", platform, version)
				continue
			}
			assert.NotEmpty(t, seen[kindOf(p)], "%s has no row", p)
		}
	}
}

func profile(t *testing.T, name string) pkcs12.Profile {
	t.Helper()
	p, err := pkcs12.ParseProfile(name)
	require.NoError(t, err)
	return p
}

// TestMatrix has every tool import every file, sign with the key, verify with the certificate and its chain, show the
// friendlyName, and refuse a wrong password.
func TestMatrix(t *testing.T) {
	s := newSet(t)
	columns := make([]column, len(tools()))
	t.Run("tools", func(t *testing.T) {
		for i, tool := range tools() {
			t.Run(tool.name, func(t *testing.T) {
				t.Parallel()
				columns[i] = run(t, tool, s)
			})
		}
	})
	table := render(columns, s)
	t.Logf("%d files, %d tools\n%s", len(s.files), len(columns), table)
	all := !slices.ContainsFunc(columns, func(c column) bool { return c.results == nil }) // not so with -run
	if !t.Failed() && all {
		compareREADME(t, table)
	}
}

// column is what came of the files with one tool: their errors, nil for those that it read in all respects.
type column struct {
	tool    tool
	version string
	results map[string]error
}

// run fails for what is not as expected. That a tool does not read PBMAC1 is expected of its old versions.
func run(t *testing.T, tool tool, s *set) column {
	c := column{tool, tool.version(t), map[string]error{}}
	require.Regexp(t, `^\d+\.[\d.]+`, c.version)
	outcomes := tool.open(t, s)
	require.Len(t, outcomes, len(s.files))
	for _, f := range s.files {
		err := f.check(t, tool, outcomes[f.name])
		c.results[f.name] = err
		if f.row.profiles[0] == "pbmac1" && !c.mustReadPBMAC1() {
			c.checkPBMAC1(t, f, err)
			continue
		}
		assert.NoError(t, err, "%s %s: %s", tool.name, c.version, f.name)
	}
	return c
}

func (c column) mustReadPBMAC1() bool {
	return c.tool.pbmac1[1] != "" && compare(c.version, c.tool.pbmac1[1]) >= 0
}

// checkPBMAC1 is for versions that are known not to read it, or of which nothing is known.
func (c column) checkPBMAC1(t *testing.T, f *file, err error) {
	t.Helper()
	if err != nil {
		assert.ErrorIs(t, err, errRefused, "%s %s reads PBMAC1, and then something is wrong", c.tool.name, c.version)
		t.Logf("%s %s: %s: %.160s", c.tool.name, c.version, f.name, strings.Join(strings.Fields(err.Error()), " "))
		return
	}
	assert.Positive(t, compare(c.version, c.tool.pbmac1[0]), "%s %s reads PBMAC1; since when?", c.tool.name, c.version)
}

// compare compares as many numbers of a version as the bound has.
func compare(version, bound string) int {
	b := numbers(bound)
	v := numbers(version)
	return slices.Compare(v[:min(len(v), len(b))], b)
}

func numbers(version string) []int {
	var list []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part)
		list = append(list, n)
	}
	return list
}

func TestCompareVersions(t *testing.T) {
	for _, tc := range []struct {
		version, bound string
		want           int
	}{
		{"3.0.22", "3.4", -1}, {"3.4.0", "3.4", 0}, {"3.10.1", "3.4", 1}, {"17.0.15", "26", -1}, {"26", "26", 0},
		{"26", "26.1", -1}, {"38.0.4", "38", 0},
	} {
		assert.Equal(t, tc.want, compare(tc.version, tc.bound), "%s and %s", tc.version, tc.bound)
	}
}
