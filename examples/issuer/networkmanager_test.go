package issuer_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
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

// TestNetworkManagerTakesTheDeliveredFile has nmcli read the keyfile of the documents, and make one of a delivered
// file, which it opens with the password. NetworkManager takes over the network of the machine that it is installed on,
// so nobody has to have it: without it the test stands on what was recorded of it.
func TestNetworkManagerTakesTheDeliveredFile(t *testing.T) {
	program, err := exec.LookPath("nmcli")
	if err != nil {
		t.Log("nmcli is not here: only what was recorded of nmcli 1.42.4 is compared")
		return
	}
	folder := t.TempDir()
	p := startPath(t, 1)
	p12, root := filepath.Join(folder, "alice.p12"), filepath.Join(folder, "root.pem")
	o := p.outcome(t, nil)
	require.Equal(t, wsproto.Issued, o.Kind, "%s %s", o.Reason, o.Message)
	require.NoError(t, os.WriteFile(p12, o.PKCS12, 0o600))
	require.NoError(t, os.WriteFile(root, pemOf(p.ca.Chain()[1]), 0o600))
	password := p.device("").Password
	conf := strings.NewReplacer("/etc/ssl/example/alice.p12", p12, "/etc/ssl/example/root.pem", root, "…", password).
		Replace(readText(t, keyfile))
	want := keyfileValues(t, conf)

	nmcli := func(input string, args ...string) (map[string]string, error) {
		var out, complaint bytes.Buffer
		cmd := exec.CommandContext(t.Context(), program, append([]string{"--offline", "connection"}, args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &complaint
		if err := cmd.Run(); err != nil {
			return nil, err
		}
		return withoutDefaults(t, keyfileValues(t, out.String())), nil
	}
	read, err := nmcli(conf, "modify", "connection.id", "Example")
	require.NoError(t, err)
	require.Equal(t, want, read, "read and written again")

	wired := regexp.MustCompile(`(?s)\[wifi\].*(\[802-1x\])`).ReplaceAllString(strings.Replace(conf, "type=wifi", "type=ethernet", 1), "$1")
	read, err = nmcli(wired, "modify", "connection.id", "Example")
	require.NoError(t, err)
	require.Equal(t, keyfileValues(t, wired), read, "for a cable")

	add := func(password string) (map[string]string, error) {
		return nmcli("", "add", "type", "wifi", "con-name", "Example", "ifname", "*", "ssid", "Example", "wifi-sec.key-mgmt", "wpa-eap",
			"802-1x.eap", "tls", "802-1x.identity", "alice@example.com", "802-1x.ca-cert", root,
			"802-1x.domain-suffix-match", "radius.example.com", "802-1x.private-key-password", password,
			"802-1x.client-cert", p12, "802-1x.private-key", p12)
	}
	made, err := add(password)
	require.NoError(t, err)
	require.Equal(t, want, made, "made of the delivered file")
	_, err = add("not the password")
	require.Error(t, err, "the file is opened")
}
