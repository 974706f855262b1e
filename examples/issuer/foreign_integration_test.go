//go:build integration && linux

package issuer_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a foreign program may take for a step on a machine that is busy with others.
const patience = 30 * time.Second

// foreign is a server of somebody else's that runs in the foreground, and what it has said so far.
type foreign struct {
	name  string
	stop  func() // ends it, and waits for that
	ended chan struct{}

	mu   sync.Mutex
	said bytes.Buffer
	more chan struct{} // closed when more was said
}

// startForeign starts a server and returns when it says that it is ready. It ends with the test, and if the test binary
// is killed, the kernel ends it.
func startForeign(t *testing.T, ready, name string, args ...string) (*foreign, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &foreign{name: name, ended: make(chan struct{}), more: make(chan struct{})}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it can tidy up
	cmd.WaitDelay = patience
	started := make(chan error, 1)
	go func() {
		defer close(f.ended)
		// The kernel ties the child to the thread that started it, so the thread stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	f.stop = func() {
		cancel()
		<-f.ended
	}
	t.Cleanup(f.stop)
	if err := <-started; err != nil {
		return nil, err
	}
	if _, err := f.await(0, ready); err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

// Write takes what the server says.
func (f *foreign) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.more)
	f.more = make(chan struct{})
	return f.said.Write(b)
}

// since returns what was said after a point in what was said, and what to wait for if that is too little.
func (f *foreign) since(point int) (string, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.said.Bytes()[point:]), f.more
}

// now is the point that the server's words have come to.
func (f *foreign) now() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said.Len()
}

// await returns what was said after a point, once one of the texts is in it.
func (f *foreign) await(point int, texts ...string) (string, error) {
	deadline := time.After(patience)
	ended := f.ended
	for {
		said, more := f.since(point)
		for _, text := range texts {
			if strings.Contains(said, text) {
				return said, nil
			}
		}
		select {
		case <-more:
		case <-deadline:
			return "", fmt.Errorf("%s does not say %q: %s", f.name, texts, said)
		case <-ended:
			if ended = nil; f.now() == point+len(said) {
				return "", fmt.Errorf("%s has ended: %s", f.name, said)
			}
		}
	}
}

// foreignProgram is where a program is: Debian has those for servers in a folder that is not in everybody's PATH.
func foreignProgram(name string) string {
	if path, err := exec.LookPath("/usr/sbin/" + name); err == nil {
		return path
	}
	return name
}

// needForeign fails a test that needs a program which is not there.
func needForeign(t *testing.T, debian string, programs ...string) {
	t.Helper()
	for _, program := range programs {
		_, err := exec.LookPath(foreignProgram(program))
		require.NoError(t, err, "this test needs %s (Debian package %s)", program, debian)
	}
}
