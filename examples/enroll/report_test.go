package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
)

// people runs enroll as a person does and returns the exit status and what it complains about.
func (ca *testCA) people(t *testing.T, dir string, more ...string) (int, string) {
	t.Helper()
	args := slices.DeleteFunc(ca.base(more...), func(arg string) bool { return arg == "-json" })
	status, _, stderr := enroll(t, dir, args...)
	return status, stderr
}

// shell runs the command that enroll told a person to run, with the words that it printed.
func shell(t *testing.T, dir, command string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.IsType(t, &exec.ExitError{}, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// command finds the line of advice that begins with these words.
func command(t *testing.T, text, words string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, words) {
			return line
		}
	}
	t.Fatalf("no line %q in %s", words, text)
	return ""
}

// TestFailuresNameTheirPlace looks for account, host and CA in every failure, and for repetitions.
func TestFailuresNameTheirPlace(t *testing.T) {
	ca, caDir := startCA(t)
	wrong := filepath.Join(caDir, "wrong.password")
	require.NoError(t, os.WriteFile(wrong, []byte("wrong\n"), 0o600))
	for name, tc := range map[string]struct {
		args   []string
		status int
		want   string
		once   string
	}{
		"logon":   {[]string{"-password-file", wrong}, 7, "logon failed", "the server rejected the logon"},
		"refused": {[]string{"-template", "Denied", "-subject", "CN=x"}, 4, "refused: CERTSRV_E_TEMPLATE_DENIED", "permission to enroll for this certificate template"},
		"DNS": {[]string{"-epm", "", "-host", "nonesuch.invalid"}, 1, "lookup nonesuch.invalid",
			"The name of the CA's host"}, // is not known to DNS, or there is no DNS to ask
		"network":  {[]string{"-epm", "127.0.0.1:1"}, 1, "127.0.0.1:1: connect: connection refused", "refuses connections"},
		"pipe":     {[]string{"-transport", "np", "-epm", "127.0.0.9:1"}, 1, "LanmanServer", "port 445"},
		"rejected": {[]string{"-template", "User", "-subject", "CN=x"}, 5, "issued, but not what was ordered", `not for "CN=x"`},
	} {
		t.Run(name, func(t *testing.T) {
			status, text := ca.people(t, t.TempDir(), append([]string{"-template", "Device"}, tc.args...)...)
			assert.Equal(t, tc.status, status, text)
			host := "127.0.0.1"
			if name == "DNS" {
				host = "nonesuch.invalid"
			}
			assert.True(t, strings.HasPrefix(text, fmt.Sprintf(`enroll: %s at %s ("Corp CA"): `, ca.ready["user"], host)), text)
			assert.Contains(t, text, tc.want)
			assert.Equal(t, 1, strings.Count(text, tc.once), "%q once in %s", tc.once, text)
		})
	}
}

// TestWrongUse prints the mistake and where to read on, and nothing more.
func TestWrongUse(t *testing.T) {
	ca, _ := startCA(t)
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"bad key":       {[]string{"-key", "rsa1"}, `"rsa1" is none of`},
		"bad duration":  {[]string{"-wait", "soon"}, `"soon" for flag -wait`},
		"negative":      {[]string{"-timeout", "-1s"}, "-timeout must not be negative"},
		"bad platform":  {[]string{"-platform", "windows-xp"}, `"windows-xp"`},
		"bad name":      {[]string{"-friendly-name", "a\nb"}, "-friendly-name: "},
		"no platform":   {[]string{"-platform", "modern"}, `"modern" is no platform`},
		"two profiles":  {[]string{"-platform", "ios", "-profile", "modern"}, "-profile and -platform: give one"},
		"bad profile":   {[]string{"-profile", "new"}, `"new"`},
		"bad address":   {[]string{"-ip", "x"}, `"x" for flag -ip`},
		"bad transport": {[]string{"-transport", "http"}, `transport "http"`},
		"bad auth":      {[]string{"-auth", "basic"}, `authentication "basic"`},
		"two secrets":   {[]string{"-keytab", "file"}, "give one of them"},
		"ntlm, keytab":  {[]string{"-password-file", "", "-keytab", "file"}, "-auth ntlm needs a password"},
		"bad KDC":       {[]string{"-kdc", "tcp/dc"}, `"tcp/dc" is neither host nor host:port`},
		"bad SPN":       {[]string{"-spn", "ca"}, `"ca" is not service/host`},
		"no secret":     {[]string{"-password-file", ""}, "or -keytab or -ccache"},
		"no user":       {[]string{"-user", ""}, "-user is required"},
		"cache type":    {[]string{"-auth", "kerberos", "-password-file", "", "-ccache", "KCM:0"}, "of type KCM"},
		"signer":        {[]string{"-renew", "x", "-on-behalf-of", "y"}, "give one of them"},
		"unknown flag":  {[]string{"-pasword", "x"}, "not defined: -pasword"},
	} {
		t.Run(name, func(t *testing.T) {
			status, text := ca.people(t, t.TempDir(), append([]string{"-template", "Device"}, tc.args...)...)
			assert.Equal(t, 2, status)
			assert.Contains(t, text, tc.want)
			assert.Equal(t, 2, strings.Count(text, "\n"), "one line and the hint: %s", text)
			assert.True(t, strings.HasSuffix(text, "  enroll -h explains the flags\n"), text)
		})
	}
	status, out, stderr := enroll(t, t.TempDir(), "-nonesuch", "-json")
	assert.Equal(t, 2, status)
	assert.Empty(t, stderr)
	var r result
	require.NoError(t, json.Unmarshal([]byte(out), &r), "wherever -json stands: %s", out)
	assert.Equal(t, "usage", r.Outcome)
}

// TestRejectedAdvice gets a certificate that is not wanted and follows each advice.
func TestRejectedAdvice(t *testing.T) {
	ca, _ := startCA(t)
	other, _ := startCA(t)
	var r struct {
		Serial    string
		RequestID uint32 `json:"request_id"`
		Next      []struct{ When, Command string }
	}
	t.Run("another subject", func(t *testing.T) {
		dir := t.TempDir()
		status, text := ca.people(t, dir, "-template", "User", "-subject", "CN=x")
		require.Equal(t, 5, status)
		assert.Regexp(t, `(?m)^  request 1, serial [0-9a-f]{16,}$`, text)
		assert.Regexp(t, regexp.MustCompile(`certutil -config "127.0.0.1\\Corp CA" -revoke [0-9a-f]{16,}`), text)
		status, out := shell(t, dir, command(t, text, "enroll -retrieve 1 "))
		require.Zero(t, status, out)
		assertFiles(t, dir, "certificate.p12", "certificate.password")
	})
	t.Run("other roots", func(t *testing.T) {
		dir := t.TempDir()
		roots := filepath.Join(dir, "the roots.pem") // to be quoted
		wrong, err := os.ReadFile(other.ready["roots"])
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(roots, wrong, 0o600))
		status, out, _ := enroll(t, dir, ca.base("-template", "Device", "-subject", "CN=x", "-roots", roots)...)
		require.Equal(t, 5, status)
		require.NoError(t, json.Unmarshal([]byte(out), &r))
		require.Len(t, r.Next, 2)
		assert.True(t, strings.HasSuffix(r.Next[0].Command, "-revoke "+r.Serial), r.Next[0].Command)
		right, err := os.ReadFile(ca.ready["roots"])
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(roots, right, 0o600))
		assert.Contains(t, r.Next[1].When, "-roots")
		status, out = shell(t, dir, r.Next[1].Command)
		require.Zero(t, status, out)
		assert.Contains(t, out, "verified up to a root of -roots")
	})
	t.Run("held", func(t *testing.T) {
		dir := t.TempDir()
		status, text := ca.people(t, dir, "-template", "Held", "-subject", "CN=x", "-out", "it's.p12", "-platform", "ios",
			"-friendly-name", "it's me")
		require.Equal(t, 3, status)
		again := command(t, text, "enroll -retrieve 3 ")
		ca.say(t, "approve 3")
		status, out := shell(t, dir, again)
		require.Zero(t, status, out)
		assertFiles(t, dir, "it's.mobileconfig", "it's.p12", "it's.password")
		assert.Contains(t, out, "it's.mobileconfig: give the device")
		file, err := os.ReadFile(filepath.Join(dir, "it's.p12"))
		require.NoError(t, err)
		password, err := cli.Password(filepath.Join(dir, "it's.password"), "")
		require.NoError(t, err)
		info, err := pkcs12.Inspect(file, password)
		require.NoError(t, err)
		assert.Equal(t, "it's me", info.KeyName)
		assert.Len(t, info.Chain, 1)
	})
	t.Run("held, from the directory", func(t *testing.T) {
		dir := t.TempDir()
		status, text := ca.people(t, dir, "-csr-template", "HeldUser", "-roots", ca.ready["roots"])
		require.Equal(t, 3, status, text)
		again := command(t, text, "enroll -retrieve 4 ")
		ca.say(t, "approve 4")
		status, out := shell(t, dir, again)
		require.Zero(t, status, out)
		assert.Contains(t, out, "CN=The Enroller")
	})
}

// TestJSON has all that a program needs.
func TestJSON(t *testing.T) {
	ca, _ := startCA(t)
	for template, want := range map[string][]string{
		"Device": {"outcome", "exit_status", "account", "host", "ca", "request_id", "subject", "issuer", "serial", "sha256",
			"thumbprint", "not_before", "not_after", "chain_verified", "p12", "p12_password_file", "removed_key_file"},
		"Denied": {"outcome", "exit_status", "account", "host", "ca", "request_id", "chain_verified", "error", "hresult",
			"summary", "remedy", "retry"},
		"Held": {"outcome", "exit_status", "account", "host", "ca", "request_id", "chain_verified", "error", "key_file", "next"},
	} {
		status, out, _ := enroll(t, t.TempDir(), ca.base("-template", template, "-subject", "CN=x")...)
		var r map[string]any
		require.NoError(t, json.Unmarshal([]byte(out), &r))
		got := make([]string, 0, len(r))
		for name := range r {
			got = append(got, name)
		}
		assert.ElementsMatch(t, want, got, template)
		assert.EqualValues(t, status, r["exit_status"])
		assert.Equal(t, ca.ready["user"], r["account"])
	}
}

// TestTemplates leaves -template out, for a CA that has none, and names a template in the certification request alone.
func TestTemplates(t *testing.T) {
	ca, _ := startCA(t)
	status, r := ca.enroll(t, t.TempDir(), "-subject", "CN=x")
	assert.Equal(t, 2, status)
	assert.Contains(t, r.Error, "-template is required")

	status, r = ca.enroll(t, t.TempDir(), "-subject", "CN=x", "-template", "")
	assert.Equal(t, 4, status, "this CA has templates: %s", r.Error)
	assert.NotEmpty(t, r.Remedy)

	status, r = ca.enroll(t, t.TempDir(), "-csr-template", "Device", "-subject", "CN=x")
	assert.Zero(t, status, r.Error)
	assert.Equal(t, "CN=x", r.Subject)

	status, r = ca.enroll(t, t.TempDir(), "-csr-template", "Device", "-template", "Held", "-subject", "CN=x")
	assert.Equal(t, 4, status)
	assert.Equal(t, "0x80094802", r.HResult, "they have to agree")

	status, r = ca.enroll(t, t.TempDir(), "-csr-template", "User")
	assert.Zero(t, status, r.Error)
}
