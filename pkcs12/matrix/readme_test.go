//go:build integration

package matrix_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table in README.md anew")

const (
	readme     = "../../README.md"
	tableBegin = "<!-- matrix -->\n"
	tableEnd   = "<!-- /matrix -->\n"
)

// render makes the table of README.md.
func render(columns []column, s *set) string {
	lines := [][]string{{"profile", "certificates in the file"}, {"---", "---"}}
	for _, c := range columns {
		lines[0] = append(lines[0], c.title())
		lines[1] = append(lines[1], "---")
	}
	certificates := []string{"leaf", "leaf, issuing CA", "leaf, issuing CA, root"}
	for _, r := range rows {
		line := []string{"`" + strings.Join(r.profiles, "`, `") + "`", certificates[r.cas]}
		if r.windows {
			line[1] += "; the key has no name"
		}
		for _, c := range columns {
			line = append(line, c.cell(r, s))
		}
		lines = append(lines, line)
	}
	named, unnamed := []string{"friendlyName is shown", ""}, []string{"and without one", ""}
	for _, c := range columns {
		named, unnamed = append(named, c.tool.named), append(unnamed, c.tool.unnamed)
	}
	var b strings.Builder
	for _, line := range append(lines, named, unnamed) {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
	}
	return b.String()
}

// title has the version without what changes with every update of a distribution.
func (c column) title() string {
	parts := strings.Split(c.version, ".")
	n := 2
	if c.tool.name == java.name || c.tool.name == python.name {
		n = 1 // the number that counts
	}
	return c.tool.name + " " + strings.Join(parts[:min(n, len(parts))], ".")
}

// cell says which keys a tool reads in a row.
func (c column) cell(r row, s *set) string {
	var all, read []string
	for _, f := range s.files {
		if f.row.profiles[0] != r.profiles[0] {
			continue
		}
		all = append(all, f.key)
		if c.results[f.name] == nil {
			read = append(read, f.key)
		}
	}
	switch len(read) {
	case len(all):
		return "yes"
	case 0:
		return "no"
	}
	slices.Sort(read)
	return fmt.Sprintf("%d of %d: %s", len(read), len(all), strings.Join(slices.Compact(read), ", "))
}

// compareREADME holds README.md to the table. The columns of other versions than there are another matter.
func compareREADME(t *testing.T, table string) {
	t.Helper()
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), tableBegin)
	require.True(t, ok, "README.md has no %q", tableBegin)
	old, after, ok := strings.Cut(rest, tableEnd)
	require.True(t, ok, "README.md has no %q", tableEnd)
	if *update {
		require.NoError(t, os.WriteFile(readme, []byte(before+tableBegin+table+tableEnd+after), 0o600))
		return
	}
	want, got := byTitle(old), byTitle(table)
	require.Len(t, want, len(got), "README.md has other columns; run this test with -update")
	same := 0
	for title, cells := range want {
		if got[title] == nil {
			t.Logf("%s is in README.md, another version here", title)
			continue
		}
		same++
		assert.Equal(t, cells, got[title], "%s in README.md is not what was run; run this test with -update", title)
	}
	assert.GreaterOrEqual(t, same, 2, "the first two columns are always the same")
}

// byTitle returns the columns of a table.
func byTitle(table string) map[string][]string {
	columns := map[string][]string{}
	var titles []string
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "|\n "), " | ")
		if titles == nil {
			titles = cells
		}
		for i, cell := range cells {
			title := titles[min(i, len(titles)-1)]
			columns[title] = append(columns[title], cell)
		}
	}
	return columns
}
