package tpmtest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// patience is how long a step of a test may take on a machine that is busy with others.
	patience = 30 * time.Second
	// pollInterval is how often somebody looks whether swtpm listens; it takes 5 to 12 ms.
	pollInterval = 2 * time.Millisecond
	// startAttempts is how often swtpm is started on ports of its own, since another program may have taken one.
	startAttempts = 10
)

// process is a swtpm process, its folder and its address.
type process struct {
	tb               testing.TB
	binary, folder   string
	network, address string
	control          bool

	mu   sync.Mutex
	kill func()
}

// newProcess prepares a folder and an address, and the end of both with the test. The folder's name is short: a unix
// socket's path has at most 107 bytes, and a test's own folder may be longer.
func newProcess(tb testing.TB, tcp, control bool) *process {
	tb.Helper()
	binary, err := exec.LookPath("swtpm")
	if err != nil {
		tb.Skip("no TPM: this test needs swtpm (Debian package swtpm)")
	}
	folder, err := os.MkdirTemp("", "tpmtest")
	if err != nil {
		tb.Fatalf("tpmtest: folder for the state of swtpm: %v", err)
	}
	p := &process{tb: tb, binary: binary, folder: folder, control: control, network: "unix"}
	tb.Cleanup(func() {
		p.stop()
		if err := os.RemoveAll(folder); err != nil {
			tb.Errorf("tpmtest: %v", err)
		}
	})
	p.address = filepath.Join(folder, "tpm")
	if tcp {
		p.network, p.address = "tcp", ""
	}
	return p
}

// apart is the same TPM at an address that nobody knows. Only one of the two may run at a time.
func (p *process) apart() *process {
	return &process{
		tb: p.tb, binary: p.binary, folder: p.folder, network: "unix", address: filepath.Join(p.folder, "apart"),
	}
}

// start starts swtpm and returns when it takes connections. The first start of a TPM on TCP chooses its ports.
func (p *process) start() error {
	choose := p.network == "tcp" && p.address == ""
	var failures []error
	for range startAttempts {
		if choose {
			var err error
			if p.address, err = freePorts(p.control); err != nil {
				return err
			}
		}
		err := p.startOnce()
		if err == nil {
			return nil
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// arguments are those of swtpm: https://manpages.debian.org/bookworm/swtpm/swtpm.8.en.html
func (p *process) arguments() ([]string, error) {
	args := []string{
		"socket", "--tpm2", "--tpmstate", "dir=" + p.folder, "--pid", "file=" + p.pidFile(),
		"--flags", "not-need-init,startup-clear",
	}
	if p.network == "unix" {
		return append(args, "--server", "type=unixio,path="+p.address), nil
	}
	_, text, err := net.SplitHostPort(p.address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	if p.control {
		args = append(args, "--ctrl", fmt.Sprintf("type=tcp,port=%d", port+1))
	}
	return append(args, "--server", fmt.Sprintf("type=tcp,port=%d", port)), nil
}

func (p *process) pidFile() string { return filepath.Join(p.folder, "pid") }

func (p *process) startOnce() error {
	args, err := p.arguments()
	if err != nil {
		return err
	}
	if err := os.Remove(p.pidFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cmd := exec.Command(p.binary, args...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = tiedToThisProcess()
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		// The kernel ties the child to the thread that started it, so the thread stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	p.mu.Lock()
	p.kill = func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	p.mu.Unlock()
	if err := p.await(cmd.Process.Pid, ended); err != nil {
		p.stop()
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}

// await returns when swtpm takes connections, or why it does not. That somebody does at its address is not enough:
// another program may have taken the port. But swtpm writes its number only when it listens on all its sockets.
func (p *process) await(pid int, ended <-chan struct{}) error {
	deadline := time.After(patience)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		written, err := os.ReadFile(p.pidFile())
		if strings.TrimSpace(string(written)) == strconv.Itoa(pid) {
			return nil
		}
		select {
		case <-ended:
			return errors.New("swtpm has ended")
		case <-deadline:
			return fmt.Errorf("swtpm does not say that it listens: %w", err)
		case <-tick.C:
		}
	}
}

// stop kills swtpm and waits for its end. It may be called again.
func (p *process) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kill != nil {
		p.kill()
		p.kill = nil
	}
}

// freePorts returns an address of the loopback interface whose port is free; with control, so is the next one, which
// is where others expect it.
func freePorts(control bool) (string, error) {
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		address := first.Addr().String()
		free := !control || nextIsFree(first.Addr().(*net.TCPAddr).Port)
		if err := first.Close(); err != nil {
			return "", err
		}
		if free {
			return address, nil
		}
	}
	return "", errors.New("no two free ports beside one another")
}

func nextIsFree(port int) bool {
	next, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1)))
	if err != nil {
		return false
	}
	return next.Close() == nil
}
