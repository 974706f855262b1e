package adcskit_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// untested looks at the configurations for networks in a document. It returns how many there are, and those that are
// not the files that tests log on with.
func untested(t *testing.T, document string) (shown int, bad []string) {
	t.Helper()
	files := map[string]string{
		"network={": "examples/wifi/wpa_supplicant.conf", "[connection]": "examples/wifi/Example.nmconnection",
	}
	for _, block := range regexp.MustCompile("(?ms)^```\\w*\n(.*?)^```").FindAllStringSubmatch(document, -1) {
		first, _, _ := strings.Cut(block[1], "\n")
		file, ok := files[first]
		if !ok {
			continue
		}
		shown++
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if block[1] != string(text) {
			bad = append(bad, block[1])
		}
	}
	return shown, bad
}

// What people are told to write is what laptops in the tests are configured with.
func TestDocumentsShowTestedConfigurations(t *testing.T) {
	for document, want := range map[string]int{"README.md": 0, "examples/wifi/README.md": 2} {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		shown, bad := untested(t, string(text))
		assert.GreaterOrEqual(t, shown, want, document)
		assert.Empty(t, bad, document)
	}
	_, bad := untested(t, "```\nnetwork={\n    ssid=\"Example\"\n}\n```\n")
	assert.Len(t, bad, 1, "a difference is seen")
}
