//go:build unix

package tpm

import (
	"io/fs"
	"os"
	"syscall"
)

// openDevice opens a device file. It opens it blocking, since the drivers of TPMs answer a read that comes before the
// answer is there with the end of the file when they are not.
func openDevice(path string) (link, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&os.ModeCharDevice == 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errNotDevice}
	}
	for {
		fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		if err == nil {
			return device{os.NewFile(uintptr(fd), path)}, nil
		}
		if err != syscall.EINTR {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

func openTBS() (link, error) { return nil, errNotWindows }
