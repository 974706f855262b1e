//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package connector

import "errors"

// tryLock has nothing to lock with here.
func tryLock(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }

func holdFile(string) (release func(), err error) { return nil, errors.ErrUnsupported }

func tryFile(string) error { return errors.ErrUnsupported }
