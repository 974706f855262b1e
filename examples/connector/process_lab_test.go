//go:build unix

package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait.
const patience = 40 * time.Second

// programs builds the programs once.
var programs = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "build", "-o", programFolder+"/", "../testca", "../gateway", "../connector", "../unseal").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return programFolder, err
})

var programFolder string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if programFolder, err = os.MkdirTemp("", "programs"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(programFolder)
		return m.Run()
	}())
}

// lab is a folder with the programs, configured as examples/processes shows it, on ports of its own.
type lab struct {
	t         *testing.T
	dir       string
	ports     *strings.Replacer
	processes []*process
	admin     *http.Client
	secrets   []string

	ca, gateway, connector *process
}

func newLab(t *testing.T) *lab {
	t.Helper()
	t.Parallel()
	built, err := programs()
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "lab") // short: the path of a socket is bounded
	require.NoError(t, err)
	l := &lab{t: t, dir: dir, ports: strings.NewReplacer("11135", freePort(t), "8443", freePort(t))}
	t.Cleanup(l.close)
	l.admin = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "admin.sock"))
	}}}
	for _, name := range []string{"testca", "gateway", "connector", "unseal"} {
		require.NoError(t, os.Symlink(filepath.Join(built, name), filepath.Join(dir, name)))
	}
	configs, err := filepath.Glob("../processes/*.json")
	require.NoError(t, err)
	require.Len(t, configs, 4)
	for _, file := range configs {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		l.write(filepath.Base(file), l.ports.Replace(string(text)))
	}
	l.configure("connector.json", map[string]any{"tpm": "none"}) // not the TPM of the machine that runs the test
	return l
}

// freePort returns a port that nothing listens at, and that the system gives to nobody who asks for any.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := fmt.Sprint(10_000 + rand.IntN(20_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	require.Fail(t, "no free port")
	return ""
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) write(name, text string) {
	l.t.Helper()
	require.NoError(l.t, os.WriteFile(l.path(name), []byte(text), 0o600))
}

func (l *lab) read(name string) string {
	l.t.Helper()
	text, err := os.ReadFile(l.path(name))
	require.NoError(l.t, err)
	return string(text)
}

// configure changes a configuration file.
func (l *lab) configure(name string, change map[string]any) {
	l.t.Helper()
	var m map[string]any
	require.NoError(l.t, json.Unmarshal([]byte(l.read(name)), &m))
	for k, v := range change {
		m[k] = v
	}
	text, err := json.Marshal(m)
	require.NoError(l.t, err)
	l.write(name, string(text))
}

// configureCA changes what the connector's configuration says about its CA.
func (l *lab) configureCA(change map[string]any) {
	l.t.Helper()
	var m struct {
		CAs []map[string]any `json:"cas"`
	}
	require.NoError(l.t, json.Unmarshal([]byte(l.read("connector.json")), &m))
	for k, v := range change {
		m.CAs[0][k] = v
	}
	l.configure("connector.json", map[string]any{"cas": m.CAs})
}

// start starts a command line, as one types it into a shell.
func (l *lab) start(line string) *process {
	l.t.Helper()
	p := &process{t: l.t, line: line, done: make(chan struct{})}
	p.out.changed = make(chan struct{})
	shell := l.ports.Replace(line)
	if strings.HasPrefix(shell, "./") || strings.HasPrefix(shell, "swtpm ") {
		shell = "exec " + shell // signals are for the program and not for the shell
	}
	p.cmd = exec.Command("sh", "-c", shell)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = l.dir, &p.out, &p.out
	var err error
	p.in, err = p.cmd.StdinPipe()
	require.NoError(l.t, err)
	require.NoError(l.t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // the state of the process tells
		close(p.done)
	}()
	l.processes = append(l.processes, p)
	return p
}

// run runs a command line to its end and returns what it printed; it has to end well.
func (l *lab) run(line string) string {
	l.t.Helper()
	p := l.start(line)
	require.Zero(l.t, p.exit(), "%s:\n%s", line, &p.out)
	return p.out.String()
}

// close ends what still runs. Everything ends well, prints no secrets, and leaves nothing behind but what it documents.
func (l *lab) close() {
	for _, p := range l.processes {
		select {
		case <-p.done:
			continue
		default:
		}
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range l.processes {
		select {
		case <-p.done:
		case <-time.After(patience):
			_ = p.cmd.Process.Kill()
			<-p.done
			assert.Fail(l.t, "does not end", "%s", p.line)
		}
	}
	l.checkOutput()
	assert.NoError(l.t, os.RemoveAll(l.dir))
}

// checkOutput looks for secrets and traces of crashes in all that was printed.
func (l *lab) checkOutput() {
	secrets := l.secrets
	for _, pattern := range []string{"*.password", "password*", "enrollment-code*", "*.key", "*/*.pem"} {
		files, err := filepath.Glob(l.path(pattern))
		require.NoError(l.t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(l.t, err)
			for line := range strings.Lines(string(text)) {
				switch line = strings.TrimSpace(line); {
				case strings.HasPrefix(line, "adcs1"):
					// 8 bytes of an id that may be shown, 20 of a secret, and a fingerprint, in base32.
					secrets = append(secrets, line[5+13:5+29], line[5+29:5+44])
				case line != "" && !strings.HasPrefix(line, "-----"):
					secrets = append(secrets, line)
				}
			}
		}
	}
	for _, p := range l.processes {
		text := p.out.String()
		for _, s := range secrets {
			assert.False(l.t, strings.Contains(text, s), "%s printed a secret", p.line)
		}
		for _, s := range []string{"panic", "goroutine ", "DATA RACE", "PRIVATE KEY"} {
			assert.NotContains(l.t, text, s, p.line)
		}
	}
	for _, pattern := range []string{".*", "connector.state/.*"} {
		left, err := filepath.Glob(l.path(pattern))
		assert.NoError(l.t, err)
		assert.Empty(l.t, left, "temporary files")
	}
	if l.t.Failed() {
		for _, p := range l.processes {
			l.t.Logf("$ %s\n%s", p.line, &p.out)
		}
	}
}

// up starts everything, as the README says.
func (l *lab) up() {
	l.t.Helper()
	l.startCA()
	l.run("./gateway -config gateway.json init")
	l.startGateway()
	l.code("enrollment-code")
	l.startConnector()
}

func (l *lab) startCA() {
	l.t.Helper()
	l.ca = l.start("./testca -config testca.json -epm-port 11135")
	l.ca.await("^ready .*$")
}

func (l *lab) startGateway() {
	l.t.Helper()
	l.gateway = l.start("./gateway -config gateway.json serve")
	l.gateway.await("administration at")
}

func (l *lab) code(file string) {
	l.t.Helper()
	l.run(`./gateway -config gateway.json code acme 'ca.corp.test\Test CA' > ` + file)
}

func (l *lab) startConnector() {
	l.t.Helper()
	l.connector = l.start("./connector -config connector.json")
	l.connector.await("state=connected")
}
