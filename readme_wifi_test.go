package adcskit_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tested are the configurations that documents may show, by their first line, and the files that tests run.
var tested = map[string]string{
	"network={": "examples/wifi/wpa_supplicant.conf", "[connection]": "examples/wifi/Example.nmconnection",
}

// untested returns the configurations in a document that are not those of the files, but for comments in these.
func untested(t *testing.T, document string) []string {
	t.Helper()
	var bad []string
	for _, block := range regexp.MustCompile("(?ms)^```\\w*\n(.*?)^```").FindAllStringSubmatch(document, -1) {
		first, _, _ := strings.Cut(block[1], "\n")
		file, ok := tested[first]
		if !ok {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if block[1] != regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(text), "") {
			bad = append(bad, block[1])
		}
	}
	return bad
}

// What the README tells people to write is what laptops in the tests are configured with.
func TestREADMEShowsTestedConfigurations(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	assert.Empty(t, untested(t, string(text)))

	fine := "```\nnetwork={\n    ssid=\"Example\"\n    key_mgmt=WPA-EAP WPA-EAP-SHA256\n    eap=TLS\n" +
		"    identity=\"alice@example.com\"\n    ca_cert=\"/etc/ssl/example/root.pem\"\n" +
		"    domain_suffix_match=\"radius.example.com\"\n    private_key=\"/etc/ssl/example/alice.p12\"\n" +
		"    private_key_passwd=\"…\"\n}\n```\n"
	assert.Empty(t, untested(t, fine))
	assert.Len(t, untested(t, strings.Replace(fine, "domain_suffix_match", "domain_match", 1)), 1, "a difference is seen")
}
