package issuer_test

import (
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const keyfile = "../wifi/Example.nmconnection"

// keyfileValues are the values of a keyfile of NetworkManager, by section and key.
func keyfileValues(t *testing.T, text string) map[string]string {
	t.Helper()
	values, section := map[string]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch key, value, found := strings.Cut(line, "="); {
		case line == "", line[0] == '#':
		case line[0] == '[':
			section = line
		default:
			require.True(t, found, "%q", line)
			require.NotContains(t, values, section+key)
			values[section+key] = value
		}
	}
	return values
}

// withoutDefaults takes away what NetworkManager writes of itself: the name that it gives a connection, and its
// defaults.
func withoutDefaults(t *testing.T, values map[string]string) map[string]string {
	t.Helper()
	rest := maps.Clone(values)
	require.NotEmpty(t, rest["[connection]uuid"])
	delete(rest, "[connection]uuid")
	for key, value := range map[string]string{
		"[wifi]mode": "infrastructure", "[ipv4]method": "auto", "[ipv6]method": "auto", "[ipv6]addr-gen-mode": "default",
	} {
		if rest[key] == value {
			delete(rest, key)
		}
	}
	return rest
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// TestKeyfileIsNetworkManagersOwn compares the keyfile of the documents with what NetworkManager writes itself.
func TestKeyfileIsNetworkManagersOwn(t *testing.T) {
	recorded := withoutDefaults(t, keyfileValues(t, readText(t, "testdata/nmcli.nmconnection")))
	require.Len(t, recorded, 11)
	require.Equal(t, recorded, keyfileValues(t, readText(t, keyfile)))
}

// TestKeyfileSaysWhatWPASupplicantIsTold compares the two ways into the network that the documents show.
func TestKeyfileSaysWhatWPASupplicantIsTold(t *testing.T) {
	values := keyfileValues(t, readText(t, keyfile))
	block := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ +(\w+)="(.*)"$`).FindAllStringSubmatch(readText(t, "../wifi/wpa_supplicant.conf"), -1) {
		block[m[1]] = m[2]
	}
	require.Equal(t, map[string]string{
		"ssid": values["[wifi]ssid"], "identity": values["[802-1x]identity"], "ca_cert": values["[802-1x]ca-cert"],
		"domain_suffix_match": values["[802-1x]domain-suffix-match"], "private_key": values["[802-1x]private-key"],
		"private_key_passwd": values["[802-1x]private-key-password"],
	}, block)
}
