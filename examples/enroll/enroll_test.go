package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/internal/adtest"
	"github.com/adcskit/adcskit/pkcs12"
)

// bin is the folder with the two programs, built once.
var bin string

func TestMain(m *testing.M) {
	os.Exit(adtest.Run(func() int {
		dir, err := os.MkdirTemp("", "enroll")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		bin = dir
		out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), ".", "../testca").CombinedOutput()
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s\n", out)
			return 1
		}
		return m.Run()
	}))
}

// testCA is a running testca.
type testCA struct {
	ready map[string]string
	in    io.Writer
	lines *bufio.Scanner
}

const configuration = `{
	"users": [{"name": "bob", "passwordFile": "bob.password"}],
	"templates": [
		{"name": "Device", "oid": "1.3.6.1.4.1.311.21.8.1.1", "major": 100},
		{"name": "Held", "oid": "1.3.6.1.4.1.311.21.8.1.2", "major": 100, "hold": true, "validity": "24h"},
		{"name": "HeldUser", "hold": true, "directory": {"upn": true}},
		{"name": "Denied", "deny": "0x80094012"},
		{"name": "Strong", "minimumKeySize": 2048},
		{"name": "User", "directory": {"upn": true}},
		{"name": "Agent", "extKeyUsage": ["1.3.6.1.4.1.311.20.2.1"]}
	],
	"directory": [{"account": "CORP\\enroller", "commonName": "The Enroller", "upn": "enroller@corp.test",
		"sid": "S-1-5-21-1-2-3-1105"}]
}`

// startCA runs testca in a folder of its own, which it returns too, and stops it at the end of the test.
func startCA(t *testing.T, args ...string) (*testCA, string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bob.password"), []byte("Bob-pass1\r\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.json"), []byte(configuration), 0o600))
	cmd := exec.Command(filepath.Join(bin, "testca"),
		append([]string{"-epm-port", "0", "-host", "ca.corp.test", "-name", "Corp CA", "-config", "ca.json"}, args...)...)
	cmd.Dir = dir
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, stdout)
		assert.NoError(t, cmd.Wait(), "a signal ends testca with status 0: %s", &stderr)
	})
	ca := &testCA{in: stdin, lines: bufio.NewScanner(stdout), ready: map[string]string{}}
	require.True(t, ca.lines.Scan(), "testca says that it is ready: %s", &stderr)
	line := ca.lines.Text()
	require.True(t, strings.HasPrefix(line, "ready "), line)
	for _, m := range regexp.MustCompile(` ([\w-]+)=("(?:[^"\\]|\\.)*"|\S*)`).FindAllStringSubmatch(line, -1) {
		value, err := strconv.Unquote(m[2])
		if err != nil { // without quotes
			value = m[2]
		}
		ca.ready[m[1]] = value
	}
	return ca, dir
}

// say gives testca a command and returns its last line of answer.
func (ca *testCA) say(t *testing.T, command string) string {
	t.Helper()
	_, err := fmt.Fprintln(ca.in, command)
	require.NoError(t, err)
	for ca.lines.Scan() {
		if line := ca.lines.Text(); !strings.HasPrefix(line, "request ") {
			return line
		}
	}
	t.Fatal("testca has ended")
	return ""
}

// held asks testca until there is a request that waits for the manager, and returns its id.
func (ca *testCA) held(t *testing.T) int {
	t.Helper()
	for t.Context().Err() == nil {
		_, err := fmt.Fprintln(ca.in, "list")
		require.NoError(t, err)
		held := 0
		for ca.lines.Scan() && !strings.HasPrefix(ca.lines.Text(), "total ") {
			var id, disposition int
			if _, err := fmt.Sscanf(ca.lines.Text(), "request %d disposition=%d", &id, &disposition); err == nil && disposition == 5 {
				held = id
			}
		}
		if held != 0 {
			return held
		}
	}
	t.Fatal("no request is held")
	return 0
}

// result is what -json prints.
type result struct {
	Outcome, Serial, Subject, P12, Error, HResult, Summary, Remedy string

	RequestID       uint32 `json:"request_id"`
	ChainVerified   bool   `json:"chain_verified"`
	P12PasswordFile string `json:"p12_password_file"`
	KeyFile         string `json:"key_file"`
	Configuration   string `json:"configuration_profile"`
	RemovedKeyFile  string `json:"removed_key_file"`
	Next            []struct{ Command string }
}

// enroll runs enroll in dir and returns its exit status and what it printed.
func enroll(t *testing.T, dir string, args ...string) (int, string, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "enroll"), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ADCS_PASSWORD=", "P12_PASSWORD=", "KRB5CCNAME=", "KRB5_CONFIG="+os.DevNull)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		require.IsType(t, &exec.ExitError{}, err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// base are the flags that every call needs.
func (ca *testCA) base(more ...string) []string {
	return append([]string{"-host", "127.0.0.1", "-epm", ca.ready["epm"], "-ca", "Corp CA", "-user", ca.ready["user"],
		"-password-file", ca.ready["password-file"], "-transport", "tcp", "-auth", "ntlm", "-allow-ntlm", "-json"}, more...)
}

func (ca *testCA) enroll(t *testing.T, dir string, more ...string) (int, result) {
	t.Helper()
	status, out, _ := enroll(t, dir, ca.base(more...)...)
	var r result
	require.NoError(t, json.Unmarshal([]byte(out), &r), out)
	return status, r
}

func TestIssued(t *testing.T) {
	ca, _ := startCA(t)
	for name, args := range map[string][]string{
		"P-256": {"-dns", "device.corp.test", "-upn", "device@corp.test", "-ip", "192.0.2.1", "-sid", "S-1-5-21-1-2-3-9"},
		"RSA":   {"-key", "rsa2048", "-profile", "modern", "-auth", "negotiate"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			status, r := ca.enroll(t, dir, append([]string{"-template", "Device", "-subject", "CN=device,O=Corp",
				"-roots", ca.ready["roots"], "-out", "device.p12"}, args...)...)
			require.Zero(t, status, r.Error)
			assert.Equal(t, "issued", r.Outcome)
			assert.True(t, r.ChainVerified)
			assert.Equal(t, "CN=device,O=Corp", r.Subject)
			password, err := cli.Password(filepath.Join(dir, r.P12PasswordFile), "")
			require.NoError(t, err)
			checkP12(t, filepath.Join(dir, "device.p12"), password, r.Serial)
			assertFiles(t, dir, "device.p12", "device.password") // the key is in the .p12 alone
		})
	}
}

// TestPlatform has in the file what the platform wants of leaf, CA and root.
func TestPlatform(t *testing.T) {
	ca, _ := startCA(t)
	for platform, certificates := range map[string]int{"ios-18": 1, "windows": 2, "android": 3} {
		dir := t.TempDir()
		status, r := ca.enroll(t, dir, "-template", "Device", "-subject", "CN=device", "-roots", ca.ready["roots"],
			"-out", "device.p12", "-platform", platform)
		require.Zero(t, status, r.Error)
		file, err := os.ReadFile(filepath.Join(dir, "device.p12"))
		require.NoError(t, err)
		password, err := cli.Password(filepath.Join(dir, r.P12PasswordFile), "")
		require.NoError(t, err)
		info, err := pkcs12.Inspect(file, password)
		require.NoError(t, err)
		assert.Len(t, info.Chain, certificates, platform)
		made, _ := info.Profile()
		profile, err := pkcs12.ParseProfile(platform)
		require.NoError(t, err)
		assert.Equal(t, profile.Algorithms(), made)
	}
	dir := t.TempDir()
	status, r := ca.enroll(t, dir, "-template", "Device", "-subject", "CN=device", "-out", "device.p12", "-platform", "android")
	require.Zero(t, status, r.Error)
	password, err := cli.Password(filepath.Join(dir, r.P12PasswordFile), "")
	require.NoError(t, err)
	checkP12(t, filepath.Join(dir, "device.p12"), password, r.Serial) // without -roots nobody vouches for the root
}

// TestFriendlyName: the certificate's own, that of the flag, or none.
func TestFriendlyName(t *testing.T) {
	ca, _ := startCA(t)
	for want, args := range map[string][]string{
		"device": nil, `Zoë's "key", 東京`: {"-friendly-name", `Zoë's "key", 東京`}, "": {"-friendly-name", ""},
	} {
		dir := t.TempDir()
		status, r := ca.enroll(t, dir, append([]string{"-template", "Device", "-subject", "CN=device", "-out", "device.p12"}, args...)...)
		require.Zero(t, status, r.Error)
		file, err := os.ReadFile(filepath.Join(dir, "device.p12"))
		require.NoError(t, err)
		password, err := cli.Password(filepath.Join(dir, r.P12PasswordFile), "")
		require.NoError(t, err)
		info, err := pkcs12.Inspect(file, password)
		require.NoError(t, err)
		assert.Equal(t, want, info.KeyName)
		assert.Equal(t, want, info.Chain[0].FriendlyName)
		assert.Empty(t, info.Chain[1].FriendlyName)
	}
}

// TestFIPS: where no .p12 can be made, nothing is sent, and no key is written.
func TestFIPS(t *testing.T) {
	ca, _ := startCA(t)
	dir := t.TempDir()
	t.Setenv("GODEBUG", "fips140=only")
	status, r := ca.enroll(t, dir, "-template", "Device", "-subject", "CN=device", "-out", "device.p12")
	assert.Equal(t, 2, status)
	assert.Contains(t, r.Error, "FIPS 140-3")
	assertFiles(t, dir)
	assert.Equal(t, "total 0", ca.say(t, "list"))
}

// checkP12 opens a file; it holds the key, the leaf and the issuing CA.
func checkP12(t *testing.T, path, password, serial string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	key, chain, err := pkcs12.Decode(data, password)
	require.NoError(t, err)
	require.Len(t, chain, 2)
	assert.Equal(t, serial, chain[0].SerialNumber.Text(16))
	assert.Equal(t, key.Public(), chain[0].PublicKey)
	require.NoError(t, chain[0].CheckSignatureFrom(chain[1]))
}

// assertFiles lists a folder and the modes in it.
func assertFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var got []string
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
		got = append(got, e.Name())
	}
	assert.Equal(t, want, got)
}

func TestHeldAndRetrieved(t *testing.T) {
	ca, _ := startCA(t)
	dir := t.TempDir()
	args := []string{"-template", "Held", "-subject", "CN=device", "-out", "device.p12"}
	status, r := ca.enroll(t, dir, args...)
	require.Equal(t, 3, status, r.Error)
	assert.Equal(t, "held", r.Outcome)
	assert.Equal(t, "device.key", r.KeyFile)
	assertFiles(t, dir, "device.key")

	status, again := ca.enroll(t, dir, args...)
	assert.Equal(t, 2, status, "the key of a held request is not overwritten")
	assert.Contains(t, again.Error, "device.key is there already")

	retrieve := []string{"-retrieve", fmt.Sprint(r.RequestID), "-key-file", "device.key", "-out", "device.p12",
		"-roots", ca.ready["roots"]}
	status, _ = ca.enroll(t, dir, retrieve...)
	assert.Equal(t, 3, status, "still held")
	require.Equal(t, fmt.Sprintf("done approve %d", r.RequestID), ca.say(t, fmt.Sprintf("approve %d", r.RequestID)))
	status, r = ca.enroll(t, dir, retrieve...)
	require.Zero(t, status, r.Error)
	assert.True(t, r.ChainVerified)
	password, err := cli.Password(filepath.Join(dir, "device.password"), "")
	require.NoError(t, err)
	checkP12(t, filepath.Join(dir, "device.p12"), password, r.Serial)
	assert.Equal(t, "device.key", r.RemovedKeyFile)
	assert.Empty(t, r.KeyFile)
	assertFiles(t, dir, "device.p12", "device.password")

	assert.Equal(t, "total 1", ca.say(t, "list"))
	assert.Contains(t, ca.say(t, "approve 1"), "error: ")
	assert.Contains(t, ca.say(t, "approve x"), "usage: ")
}

// TestWait lets enroll wait for a manager: one who comes too late, one who approves and one who denies.
func TestWait(t *testing.T) {
	ca, _ := startCA(t)
	args := []string{"-template", "Held", "-subject", "CN=device", "-poll", "10ms", "-wait"}
	dir := t.TempDir()
	status, r := ca.enroll(t, dir, append(args, "1ms")...)
	assert.Equal(t, 3, status, r.Error)
	assert.Equal(t, "done deny 1", ca.say(t, "deny 1"))
	status, r = ca.enroll(t, dir, "-retrieve", "1", "-key-file", "certificate.key", "-wait", "1m")
	assert.Equal(t, 4, status)
	assert.Equal(t, "0x80094014", r.HResult)
	assertFiles(t, dir, "certificate.key") // a refusal may be for a wrong id

	for _, decision := range []struct {
		verb    string
		status  int
		outcome string
		files   []string
	}{
		{"approve", 0, "issued", []string{"certificate.p12", "certificate.password"}},
		{"deny", 4, "refused", nil},
	} {
		dir := t.TempDir()
		type ended struct {
			status int
			out    string
		}
		done := make(chan ended, 1)
		go func() {
			cmd := exec.Command(filepath.Join(bin, "enroll"), ca.base(append(args, "1m")...)...)
			cmd.Dir = dir
			out, _ := cmd.Output() // the status tells
			done <- ended{cmd.ProcessState.ExitCode(), string(out)}
		}()
		n := ca.held(t)
		require.Equal(t, fmt.Sprintf("done %s %d", decision.verb, n), ca.say(t, fmt.Sprintf("%s %d", decision.verb, n)))
		got := <-done
		assert.Equal(t, decision.status, got.status, got.out)
		assert.Contains(t, got.out, fmt.Sprintf("%q: %q", "outcome", decision.outcome))
		assertFiles(t, dir, decision.files...)
	}
}

func TestRefusals(t *testing.T) {
	ca, caDir := startCA(t)
	other, _ := startCA(t)
	require.NoError(t, os.WriteFile(filepath.Join(caDir, "wrong.password"), []byte("wrong\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(caDir, "short.password"), []byte("abc\n"), 0o600))
	for name, tc := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"template denies":     {[]string{"-template", "Denied", "-subject", "CN=x"}, 4, "0x80094012"},
		"template unknown":    {[]string{"-template", "Nonesuch", "-subject", "CN=x"}, 4, "0x80094800"},
		"weak key":            {[]string{"-template", "Strong", "-subject", "CN=x"}, 4, "0x80094811"},
		"wrong CA name":       {[]string{"-template", "Device", "-ca", "Other", "-subject", "CN=x"}, 4, "0x80070057"},
		"wrong password":      {[]string{"-template", "Device", "-password-file", filepath.Join(caDir, "wrong.password")}, 7, "logon"},
		"unknown user":        {[]string{"-template", "Device", "-user", `CORP\nobody`}, 7, "logon"},
		"other roots":         {[]string{"-template", "Device", "-subject", "CN=x", "-roots", other.ready["roots"]}, 5, "chain"},
		"subject from the CA": {[]string{"-template", "User", "-subject", "CN=x"}, 5, "subject"},
		"no KDC":              {[]string{"-template", "Device", "-auth", "kerberos", "-user", "a@CORP.TEST", "-kdc", "127.0.0.1:1"}, 1, "no KDC"},
		"no KDC, no NTLM": {[]string{"-template", "Device", "-auth", "negotiate", "-allow-ntlm=false", "-user", "a@CORP.TEST", "-kdc",
			"127.0.0.1:1"}, 1, "no KDC"},
		"no realm":             {[]string{"-template", "Device", "-auth", "kerberos", "-user", "a"}, 1, "unknown realm"},
		"no template":          {nil, 2, "-template is required"},
		"bad name":             {[]string{"-template", "Device", "-dns", "a b"}, 2, "a b"},
		"bad SID":              {[]string{"-template", "Device", "-sid", "S-1"}, 2, "security identifier"},
		"short .p12 password":  {[]string{"-template", "Device", "-p12-password-file", filepath.Join(caDir, "short.password")}, 2, "password"},
		"retrieve without key": {[]string{"-retrieve", "1"}, 2, "-key-file"},
		"retrieve, no such":    {[]string{"-retrieve", "1", "-key-file", "none.key"}, 1, "none.key"},
		"nobody listens":       {[]string{"-template", "Device", "-epm", "127.0.0.1:1"}, 1, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			status, out, stderr := enroll(t, dir, ca.base(tc.args...)...)
			assert.Equal(t, tc.status, status, out)
			assert.Contains(t, out, tc.want)
			assert.NotContains(t, out+stderr, "wrong\\n")
			var r result
			require.NoError(t, json.Unmarshal([]byte(out), &r))
			aboutTheCA := status != 2 && name != "retrieve, no such"
			assert.Equal(t, aboutTheCA, r.Remedy != "", "advice about the CA: %q", r.Remedy)
			if name != "other roots" && name != "subject from the CA" {
				assertFiles(t, dir)
			} else {
				assertFiles(t, dir, "certificate.key") // issued: the key may be needed yet
			}
		})
	}
}

// TestNothingInVain finds out before the CA is asked that the result has no place to go.
func TestNothingInVain(t *testing.T) {
	ca, caDir := startCA(t)
	for name, tc := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"key into -out":     {[]string{"-key-file", "./certificate.p12"}, 2, "same file"},
		"absolute":          {[]string{"-key-file", "DIR/certificate.p12"}, 2, "same file"},
		"key into password": {[]string{"-key-file", "certificate.password"}, 2, "same file"},
		"-out over input":   {[]string{"-out", ca.ready["password-file"]}, 2, "same file"},
		"no folder":         {[]string{"-out", "none/a.p12", "-key-file", "a.key"}, 1, "none/a.p12"},
		"-out is a folder":  {[]string{"-out", caDir, "-key-file", "a.key"}, 1, "not a regular file"},
		"-out is a device":  {[]string{"-out", os.DevNull, "-key-file", "a.key"}, 1, "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i, arg := range tc.args {
				tc.args[i] = strings.ReplaceAll(arg, "DIR", dir)
			}
			status, r := ca.enroll(t, dir, append([]string{"-template", "Device", "-subject", "CN=x"}, tc.args...)...)
			assert.Equal(t, tc.status, status, r.Error)
			assert.Contains(t, r.Error, tc.want)
			assert.Empty(t, r.Remedy, "the CA has nothing to do with it")
			assertFiles(t, dir)
		})
	}
	assert.Equal(t, "total 0", ca.say(t, "list"))
}

// TestLostAnswer loses the CA's answer after it has issued: nobody submits again, and the key is still there.
func TestLostAnswer(t *testing.T) {
	server, err := adcstest.NewServer(&adcstest.Options{Name: "Corp CA"})
	require.NoError(t, err)
	defer server.Close()
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, cli.WritePrivate(secret, []byte(server.User().Password)))
	ca := &testCA{ready: map[string]string{
		"epm": server.EndpointMapper(), "user": server.User().Account(), "password-file": secret,
	}}

	server.InjectFault(adcstest.Fault{Cut: adcstest.CutBeforeAnswer})
	status, r := ca.enroll(t, dir, "-template", "Device", "-subject", "CN=device")
	assert.Equal(t, 6, status, r.Error)
	assert.Equal(t, "unknown", r.Outcome)
	assert.Equal(t, "certificate.key", r.KeyFile)
	assert.NotEmpty(t, r.Remedy)
	rows := server.Requests()
	require.Len(t, rows, 1)

	status, r = ca.enroll(t, dir, "-retrieve", "1", "-key-file", r.KeyFile)
	require.Zero(t, status, r.Error)
	assert.Equal(t, rows[0].Serial, r.Serial)

	// A certificate for somebody else's key is issued, and not delivered.
	server.InjectFault(adcstest.Fault{Forge: adcstest.Forgery{OtherKey: true}})
	status, r = ca.enroll(t, t.TempDir(), "-template", "Device", "-subject", "CN=device")
	assert.Equal(t, 5, status)
	assert.Contains(t, r.Error, "public key")
	assert.Empty(t, r.P12)
}

func TestTextForPeople(t *testing.T) {
	ca, _ := startCA(t)
	dir := t.TempDir()
	args := ca.base("-json=false", "-template", "User")
	status, out, stderr := enroll(t, dir, args...)
	require.Zero(t, status, stderr)
	assert.Contains(t, out, "NOT checked against anything trusted")
	assert.Contains(t, out, `"CN=The Enroller"`)
	assert.Contains(t, out, "certificate.password")
	assert.Empty(t, stderr)

	status, out, stderr = enroll(t, t.TempDir(), append(args, "-template", "Denied", "-subject", "CN=x")...)
	assert.Equal(t, 4, status)
	assert.Empty(t, out)
	assert.Contains(t, stderr, "CERTSRV_E_TEMPLATE_DENIED")

	status, _, stderr = enroll(t, dir, "-help")
	assert.Zero(t, status)
	assert.Contains(t, stderr, "-p12-password-file")
	assert.Contains(t, stderr, "Exit status")

	status, _, stderr = enroll(t, dir, "-pasword-file", "x")
	assert.Equal(t, 2, status)
	assert.Equal(t, "enroll: flag provided but not defined: -pasword-file\n  enroll -h explains the flags\n", stderr)
}

// TestExampleConfiguration starts testca with the file that its documentation shows.
func TestExampleConfiguration(t *testing.T) {
	example, err := filepath.Abs("../testca/example.json")
	require.NoError(t, err)
	ca, _ := startCA(t, "-config", example)
	status, r := ca.enroll(t, t.TempDir(), "-template", "Laptop", "-subject", "CN=laptop7", "-key", "rsa2048")
	assert.Zero(t, status, r.Error)
	status, r = ca.enroll(t, t.TempDir(), "-template", "Person")
	assert.Zero(t, status, r.Error)
	assert.Equal(t, "CN=Enroller,OU=Services,DC=corp,DC=test", r.Subject)
}

func TestSecondUser(t *testing.T) {
	ca, caDir := startCA(t)
	status, r := ca.enroll(t, t.TempDir(), "-user", "bob@corp.test", "-password-file", filepath.Join(caDir, "bob.password"),
		"-template", "Device", "-subject", "CN=x")
	assert.Zero(t, status, r.Error)
}

// TestTestCARefuses starts testca with what it cannot use.
func TestTestCARefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	ca, _ := startCA(t)
	_, taken, _ := strings.Cut(ca.ready["epm"], ":")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"unknown key":    {[]string{"-config", file("a", `{"template": []}`)}, `unknown field "template"`},
		"two values":     {[]string{"-config", file("b", `{}{}`)}, "more after"},
		"bad level":      {[]string{"-config", file("c", `{"minAuthLevel": "none"}`)}, "none of connect"},
		"bad deny":       {[]string{"-config", file("d", `{"templates": [{"name": "A", "deny": "no"}]}`)}, "0x80094012"},
		"bad validity":   {[]string{"-config", file("e", `{"templates": [{"name": "A", "validity": "1y"}]}`)}, "8760h"},
		"no such file":   {[]string{"-config", "none"}, "none"},
		"no password":    {[]string{"-config", file("f", `{"users": [{"name": "x", "passwordFile": "none"}]}`)}, `user "x"`},
		"no file named":  {[]string{"-config", file("h", `{"users": [{"name": "x"}]}`)}, `user "x": passwordFile is missing`},
		"user":           {[]string{"-user", "x"}, `DOMAIN\name`},
		"empty password": {[]string{"-password-file", file("g", "\n")}, "one line"},
		"port in use":    {[]string{"-epm-port", taken}, "-epm-port with another port"},
		"argument":       {[]string{"x"}, `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "testca"), append([]string{"-epm-port", "0"}, tc.args...)...)
			cmd.Dir = t.TempDir()
			cmd.WaitDelay = 10 * time.Second
			out, err := cmd.CombinedOutput()
			require.IsType(t, &exec.ExitError{}, err)
			assert.Contains(t, string(out), tc.want)
		})
	}
}
