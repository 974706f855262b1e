//go:build integration

package matrix_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var java = batch(tool{
	name: "Java KeyStore, keytool",
	shown: func(name string) string { // the alias
		if name == "" {
			return "1"
		}
		return strings.ToLower(name)
	},
	ofKey: true,
	named: "in lower case", unnamed: "1",
	wrong:  "java.io.IOException: keystore password was incorrect",
	pbmac1: [2]string{"25", "26"}, // JDK-8343232
},
	// keytool is called inside the one virtual machine.
	"java", "-XX:-UsePerfData", "-Dkeystore.pkcs12.keyPbeIterationCount=1", "-Dkeystore.pkcs12.certPbeIterationCount=1",
	"-Dkeystore.pkcs12.macIterationCount=1", // of what keytool writes
	"--add-exports", "java.base/sun.security.tools.keytool=ALL-UNNAMED", "testdata/Import.java")

// python is Debian's, whatever else is in the path.
var python = batch(tool{
	name:  "Python cryptography",
	shown: func(name string) string { return name },
	named: "as it is", unnamed: "none",
	wrong:  "ValueError('Invalid password or PKCS12 data')",
	pbmac1: [2]string{"38", ""}, // its OpenSSL decides
}, "/usr/bin/python3", "testdata/import.py")

// batch adds to a tool that one process opens the whole folder and prints the outcomes.
func batch(tool tool, command ...string) tool {
	run := func(t *testing.T, arg string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), command[0], append(slices.Clone(command[1:]), arg)...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.NoError(t, err, "%s: %s", command, &stderr)
		return out
	}
	tool.version = func(t *testing.T) string {
		t.Helper()
		return strings.TrimSpace(string(run(t, "--version")))
	}
	tool.open = func(t *testing.T, s *set) map[string]outcome {
		var outcomes map[string]outcome
		require.NoError(t, json.Unmarshal(run(t, s.dir), &outcomes))
		return outcomes
	}
	return tool
}
