//go:build unix

package main_test

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// output keeps what a process prints, and tells who waits for it.
type output struct {
	mu      sync.Mutex
	text    []byte
	read    int // up to here it was awaited
	changed chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	close(o.changed)
	o.changed = make(chan struct{})
	return len(p), nil
}

// next looks for the expression behind what was awaited before; what it returns besides is closed when there is more.
func (o *output) next(re *regexp.Regexp) ([]string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rest := o.text[o.read:]
	rest = rest[:bytes.LastIndexByte(rest, '\n')+1]
	at := re.FindSubmatchIndex(rest)
	if at == nil {
		return nil, o.changed
	}
	var groups []string
	for _, g := range re.FindSubmatch(rest) {
		groups = append(groups, string(g))
	}
	o.read += at[1]
	return groups, nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// process is a program that runs.
type process struct {
	t    *testing.T
	line string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  output
	done chan struct{}
}

// await waits for a line of output that matches, behind those awaited before, and returns the groups.
func (p *process) await(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	deadline := time.After(patience)
	for ended := false; ; {
		groups, changed := p.out.next(re)
		if groups != nil {
			return groups
		}
		require.False(p.t, ended, "%s ended and did not print %q:\n%s", p.line, pattern, &p.out)
		select {
		case <-changed:
		case <-p.done:
			ended = true
		case <-deadline:
			require.Fail(p.t, "nothing like it was printed", "%s: %q:\n%s", p.line, pattern, &p.out)
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// exit waits for the end and returns the exit status, -1 after a signal that killed.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		require.Fail(p.t, "does not end", "%s:\n%s", p.line, &p.out)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop ends a process in the ordinary way.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	require.Zero(p.t, p.exit(), "%s:\n%s", p.line, &p.out)
}

// say types a line at the console and waits for an answer that begins with want.
func (p *process) say(line, want string) []string {
	p.t.Helper()
	_, err := fmt.Fprintln(p.in, line)
	require.NoError(p.t, err)
	return p.await("^" + want + ".*$")
}
