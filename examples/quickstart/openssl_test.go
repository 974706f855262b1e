//go:build integration

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every file that quickstart writes is opened by OpenSSL with the password beside it, and its chain verified.
func TestOpenSSLReadsEveryFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), options{count: 4, out: folder, parallel: 2}, &out), out.String())
	files, err := filepath.Glob(filepath.Join(folder, "*.p12"))
	require.NoError(t, err)
	require.Len(t, files, 5)
	for _, file := range files {
		password := "file:" + strings.TrimSuffix(file, ".p12") + ".password"
		openssl(t, "", "pkcs12", "-info", "-in", file, "-passin", password, "-nodes")
		leaf := openssl(t, "", "pkcs12", "-in", file, "-passin", password, "-clcerts", "-nokeys")
		openssl(t, leaf, "verify", "-CAfile", filepath.Join(folder, "ca.pem"), "-purpose", "sslclient")
	}
}

// What quickstart says about the next step, where this machine can do it, is done.
func TestNextStepOfThisMachine(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{"java", "linux-nss", "linux-openssl"} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			home, folder := filepath.Join(t.TempDir(), "Alice B"), filepath.Join(t.TempDir(), "Alice's files")
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), options{out: folder, parallel: 1, platform: platform}, &out), out.String())
			_, look, found := strings.Cut(out.String(), "To look into one:\n")
			require.True(t, found)
			look, next, found := strings.Cut(look, "Onto the device ("+platform+"), held as the others:\n")
			require.True(t, found)
			if platform == "linux-nss" {
				next += next + "certutil -K -d \"sql:$HOME/.pki/nssdb\"\n" // twice: without a database, and with one
			}
			if platform == "linux-openssl" { // without a NetworkManager that runs
				if _, err := exec.LookPath("nmcli"); err != nil {
					t.Log("nmcli is not here, and nobody has to have it")
					return
				}
				next, _, _ = strings.Cut(strings.Replace(next, "nmcli connection", "nmcli --offline connection", 1), "  nmcli --ask")
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-ec", look+next)
			cmd.Env = append(os.Environ(), "HOME="+home, "LC_ALL=C.UTF-8", "JAVA_TOOL_OPTIONS=-Duser.language=en -XX:-UsePerfData")
			said, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", said)
			require.Contains(t, string(said), "held", "%s: the name of the entry", platform)
		})
	}
}

// NetworkManager's nmcli reads the file of the key in another way than that of the certificate.
func TestSpacesForNetworkManager(t *testing.T) {
	require.Contains(t, onto("linux-openssl", "", `/home/Alice B\C`),
		`802-1x.client-cert '/home/Alice B\C/held'.p12 802-1x.private-key '/home/Alice\ B\\C/held'.p12`)
}

func openssl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	return out.String()
}
