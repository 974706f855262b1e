package adtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// stageVariable tells a process of the test binary how far its parents have come.
const stageVariable = "ADCSKIT_ADTEST_STAGE"

// The values of stageVariable. A process that is inside leaves it as it is for its own children.
const (
	stageRoot   = "root"   // was made root by sudo; must end when its standard input does
	stageEnter  = "enter"  // in new namespaces that have yet to be furnished
	stageInside = "inside" // namespaces are ready
	stageBarred = "barred: "
)

// exitUnfurnished is the exit status of a process whose namespaces cannot be prepared.
const exitUnfurnished = 97

// outside says why the tests don't run in namespaces of their own; "" if they do.
func outside() string {
	switch stage := os.Getenv(stageVariable); {
	case stage == stageInside:
		return ""
	case strings.HasPrefix(stage, stageBarred):
		return strings.TrimPrefix(stage, stageBarred)
	default:
		return "the package's TestMain does not call adtest.Main"
	}
}

// isolated runs the tests in namespaces of their own, or where they are if that cannot be.
func isolated(run func() int) int {
	switch stage := os.Getenv(stageVariable); {
	case stage == stageInside:
		return run()
	case stage == stageEnter:
		if err := furnish(); err != nil {
			fmt.Fprintf(os.Stderr, "adtest: preparing namespaces: %v\n", err)
			return exitUnfurnished // half-made namespaces are no place for any test
		}
		os.Setenv(stageVariable, stageInside)
		return run()
	case os.Geteuid() == 0:
		return again(run, enterCommand(stage == stageRoot))
	default:
		cmd, err := sudoCommand()
		if err != nil {
			return barred(run, err)
		}
		return again(run, cmd)
	}
}

// barred runs the tests where they are, and lets those that want a domain say why there is none.
func barred(run func() int, err error) int {
	os.Setenv(stageVariable, stageBarred+err.Error())
	return run()
}

// again waits for the process that runs the tests and returns its exit status.
func again(run func() int, cmd *exec.Cmd) int {
	// The kernel sends the signal of Pdeathsig when the thread ends that started the process, not the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return barred(run, fmt.Errorf("no namespaces for a domain controller (run as root, not in a container that "+
			"forbids it): %w", err))
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() == exitUnfurnished:
		return barred(run, errors.New("a domain controller needs namespaces, which cannot be prepared here"))
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	default:
		fmt.Fprintf(os.Stderr, "adtest: the tests' process: %v\n", err)
		return 1
	}
}

// enterCommand is this process once more, in new namespaces. It ends with this one, and everything in it with it. With
// tied, this process itself ends when its standard input does.
func enterCommand(tied bool) *exec.Cmd {
	ctx := context.Background()
	if tied {
		ctx = untilInputEnds()
	}
	cmd := exec.CommandContext(ctx, selfPath(), os.Args[1:]...)
	cmd.Env = append(os.Environ(), stageVariable+"="+stageEnter)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	return cmd
}

// untilInputEnds is a context that ends with the standard input.
func untilInputEnds() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return ctx
}

func selfPath() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// sudoCommand is this process once more, as root. Sudo drops the environment and does not end with its parent, so what
// counts is passed in the command, and a pipe to its standard input tells that this process has ended.
func sudoCommand() (*exec.Cmd, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := exec.CommandContext(ctx, "sudo", "-n", "true").Run(); err != nil {
		return nil, fmt.Errorf("a domain controller needs root, and sudo without a password does not work: %w", err)
	}
	args := []string{"-n", "env", stageVariable + "=" + stageRoot}
	for _, kv := range os.Environ() {
		switch name, _, _ := strings.Cut(kv, "="); {
		case name == "HOME", name == "USER", name == "LOGNAME", name == stageVariable, strings.HasPrefix(name, "SUDO_"):
		default:
			args = append(args, kv)
		}
	}
	args = append(append(args, selfPath()), os.Args[1:]...)
	cmd := exec.Command("sudo", args...)
	if _, err := cmd.StdinPipe(); err != nil { // never written to; closed by the kernel with this process
		return nil, err
	}
	return cmd, nil
}
