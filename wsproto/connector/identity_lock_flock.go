//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package connector

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks a directory for this open file.
func tryLock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			break
		}
	}
	switch {
	case err == nil:
		return func() { d.Close() }, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = errLocked
	case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EBADF), errors.Is(err, syscall.EINVAL):
		err = errors.ErrUnsupported // by this file system, for a directory that is open for reading
	}
	d.Close()
	return nil, err
}
