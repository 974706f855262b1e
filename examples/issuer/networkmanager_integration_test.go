//go:build integration

package issuer_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

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

	spaced := strings.NewReplacer(`\`, `\\`, " ", `\ `) // a password may come behind this file
	add := func(password string) (map[string]string, error) {
		return nmcli("", "add", "type", "wifi", "con-name", "Example", "ifname", "*", "ssid", "Example", "wifi-sec.key-mgmt", "wpa-eap",
			"802-1x.eap", "tls", "802-1x.identity", "alice@example.com", "802-1x.ca-cert", root,
			"802-1x.domain-suffix-match", "radius.example.com", "802-1x.private-key-password", password,
			"802-1x.client-cert", p12, "802-1x.private-key", spaced.Replace(p12))
	}
	made, err := add(password)
	require.NoError(t, err)
	require.Equal(t, want, made, "made of the delivered file")
	_, err = add("not the password")
	require.Error(t, err, "the file is opened")
}
