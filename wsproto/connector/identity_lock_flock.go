//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package connector

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks a directory for this open file.
func tryLock(dir string) (unlock func(), err error) { return flock(dir, syscall.LOCK_EX) }

// holdFile locks a file, which others may hold besides.
func holdFile(path string) (release func(), err error) { return flock(path, syscall.LOCK_SH) }

// tryFile fails with errLocked if somebody holds a file.
func tryFile(path string) error {
	unlock, err := flock(path, syscall.LOCK_EX)
	if err == nil {
		unlock()
	}
	return err
}

func flock(path string, how int) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err != syscall.EINTR {
			break
		}
	}
	switch {
	case err == nil:
		return func() { f.Close() }, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = errLocked
	case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EBADF), errors.Is(err, syscall.EINVAL):
		err = errors.ErrUnsupported // by this file system, for what is open for reading
	}
	f.Close()
	return nil, err
}
