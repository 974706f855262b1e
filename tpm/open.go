package tpm

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// ErrNoTPM is matched by the error of [Open] when there is no TPM 2.0 to be used: none in the machine, none at the path,
// or no permission to use it. The text says which and what to do.
var ErrNoTPM = errors.New("tpm: no TPM 2.0 that can be used")

var (
	errNotDevice  = errors.New("is not a device file; a socket of swtpm is named unix:PATH or tcp:HOST:PORT")
	errNotWindows = errors.New("the TPM Base Services (tbs) are a part of Windows; name a device or a socket instead")
)

// deviceNames are looked for in this order. The first is the kernel's resource manager, by which several programs can use
// the TPM; the second is the TPM itself.
var deviceNames = [...]string{"/dev/tpmrm0", "/dev/tpm0"}

// Open opens a TPM and asks it one question, so that it fails here if there is none. The path is one of
//
//   - "" or "auto": the TPM of this machine: on Linux /dev/tpmrm0, else /dev/tpm0; on Windows the TPM Base Services;
//   - "tbs": the TPM Base Services of Windows;
//   - "unix:/path" or "tcp:host:port": the data socket of swtpm. One connection is kept, and dialled anew after a failure;
//     swtpm serves one connection at a time;
//   - any other: a device file.
//
// A socket and a device other than a resource manager (whose name begins with tpmrm) are taken to be for this program
// alone: when they run out of memory or fail, everything that is loaded in the TPM is flushed.
//
// Errors match [ErrNoTPM] or say what is wrong with the options. Options may be nil.
func Open(path string, opts *Options) (*TPM, error) {
	o, err := opts.checked()
	if err != nil {
		return nil, err
	}
	if path == "" || path == "auto" {
		if path, err = detect(runtime.GOOS, deviceNames[:], canOpen); err != nil {
			return nil, err
		}
	}
	open, reach, err := opener(path, o.Timeout)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTPM, err)
	}
	t := newTPM(&redialer{open: open}, o, reach)
	t.path = path
	if err := t.probe(); err != nil {
		_ = t.Close()
		return nil, fmt.Errorf("%w: %s: %w", ErrNoTPM, path, err)
	}
	return t, nil
}

// Path returns what [Open] has opened: the path that it was given, or the one that it has found. It is empty after [New].
func (t *TPM) Path() string { return t.path }

// opener returns what opens the link that a path names.
func opener(path string, timeout time.Duration) (func() (link, error), reach, error) {
	kind, rest, _ := strings.Cut(path, ":")
	switch {
	case path == "tbs":
		return openTBS, private, nil
	case kind == "unix" && rest != "":
		return func() (link, error) { return dialSocket("unix", rest, timeout) }, exclusive, nil
	case kind == "tcp":
		if _, _, err := net.SplitHostPort(rest); err != nil {
			return nil, 0, fmt.Errorf("%q: want tcp:HOST:PORT: %w", path, err)
		}
		return func() (link, error) { return dialSocket("tcp", rest, timeout) }, exclusive, nil
	}
	open := func() (link, error) { return openDevice(path) }
	if strings.HasPrefix(filepath.Base(path), "tpmrm") {
		return open, private, nil
	}
	return open, exclusive, nil
}

// detect finds the TPM of this machine. The error tells of every device that is there and cannot be used.
func detect(system string, names []string, canOpen func(string) error) (string, error) {
	switch system {
	case "windows":
		return "tbs", nil
	case "linux":
	default:
		return "", fmt.Errorf("%w: none can be found by itself on %s; name a device or a socket", ErrNoTPM, system)
	}
	var failed []error
	for _, name := range names {
		err := canOpen(name)
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	switch err := errors.Join(failed...); {
	case err == nil:
		return "", fmt.Errorf("%w: this machine has neither %s: it has no TPM 2.0, or it is switched off in the firmware, "+
			"or hidden from this container", ErrNoTPM, strings.Join(names, " nor "))
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%w: give the account of this program access, on most systems by adding it to the group tss: %w",
			ErrNoTPM, err)
	default:
		return "", fmt.Errorf("%w: %w", ErrNoTPM, err)
	}
}

// canOpen opens a device and closes it at once. It does not read or write, so that nothing happens in the TPM.
func canOpen(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
