package adcskit_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readmeNames are what the examples of the README use without declaring it.
const readmeNames = `
var (
	ctx context.Context
	password string
	csr []byte
	key, signer crypto.Signer
	leaf, issuing, root *x509.Certificate
	certificates []*x509.Certificate
	roots *x509.CertPool
	result *adcs.Result
	client *adcs.Client
	err error
	code wsproto.EnrollmentCode
	file, identityKey []byte
	recipientKey ecdh.KeyExchanger
	manufacturers *x509.CertPool
)
`

var readmeImports = map[string]string{
	"adcs": "/adcs", "discovery": "/adcs/discovery", "adcstest": "/adcs/adcstest", "keygen": "/keygen", "pkcs12": "/pkcs12", "wsproto": "/wsproto",
	"sealed": "/pkcs12/sealed", "mobileconfig": "/pkcs12/mobileconfig", "due": "/adcs/due", "tpm": "/tpm", "time": "time",
	"gateway": "/wsproto/gateway", "connector": "/wsproto/connector", "issuer": "/examples/issuer",
	"errors": "errors", "fmt": "fmt", "context": "context", "crypto": "crypto", "ecdh": "crypto/ecdh", "x509": "crypto/x509", "http": "net/http",
}

// The Go code in the README compiles, each block by itself.
func TestREADMECompiles(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(blocks), 5)
	folder := t.TempDir()
	var files []string
	add := func(name, body string) {
		file := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(file, []byte(readmeFile(body)), 0o600))
		files = append(files, file)
	}
	add("names.go", readmeNames)
	for i, block := range blocks {
		add(fmt.Sprintf("block%d.go", i), readmeFunction(i, block[1]))
	}
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", os.DevNull}, files...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// readmeFunction makes a function of a block: what it declares counts as used.
func readmeFunction(i int, block string) string {
	var used strings.Builder
	for _, m := range regexp.MustCompile(`(?m)^(\w+(?:, \w+)*) :=`).FindAllStringSubmatch(block, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			if name != "_" {
				fmt.Fprintf(&used, "\t_ = %s\n", name)
			}
		}
	}
	if strings.HasPrefix(lastLine(block), "return ") {
		return fmt.Sprintf("func block%d() error {\n%s}\n", i, block)
	}
	return fmt.Sprintf("func block%d() error {\n%s\n%s\treturn nil\n}\n", i, block, &used)
}

func lastLine(block string) string {
	lines := strings.Split(strings.TrimSpace(block), "\n")
	return lines[len(lines)-1]
}

// readmeFile adds the imports that the code uses.
func readmeFile(body string) string {
	var imports strings.Builder
	for _, name := range slices.Sorted(maps.Keys(readmeImports)) {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(body) {
			path := readmeImports[name]
			if strings.HasPrefix(path, "/") {
				path = "github.com/adcskit/adcskit" + path
			}
			fmt.Fprintf(&imports, "\t%q\n", path)
		}
	}
	return "package readme\n\nimport (\n" + imports.String() + ")\n" + body
}

// The configurations in the page about devices are the files that the tests use.
func TestDevicesPageShowsTheFiles(t *testing.T) {
	page, err := os.ReadFile("examples/wifi/README.md")
	require.NoError(t, err)
	for _, file := range []string{"wpa_supplicant.conf", "Example.nmconnection"} {
		text, err := os.ReadFile(filepath.Join("examples/wifi", file))
		require.NoError(t, err)
		require.Contains(t, string(page), "\n"+string(text)+"```\n", file)
	}
}
