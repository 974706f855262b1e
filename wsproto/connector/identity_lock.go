package connector

import (
	"errors"
	"fmt"
	"time"
)

const (
	// lockWait bounds how long another process may work on a folder: making keys in slow hardware takes seconds.
	lockWait = time.Minute
	lockPoll = 20 * time.Millisecond
)

// errLocked says that another process holds the lock now.
var errLocked = errors.New("another process works on it")

// lock makes this the only process that works on the folder. The lock is gone when its holder is, however it ends.
// exclusive is false where the file system has no locks: there, whoever creates a file first wins.
func (f folder) lock() (exclusive bool, unlock func(), err error) {
	for deadline := time.Now().Add(lockWait); ; time.Sleep(lockPoll) {
		unlock, err := tryLock(f.dir)
		switch {
		case err == nil:
			return true, unlock, nil
		case errors.Is(err, errors.ErrUnsupported):
			return false, func() {}, nil
		case !errors.Is(err, errLocked) || time.Now().After(deadline):
			return false, nil, fmt.Errorf("connector: identity: %s: locking: %w", f.dir, err)
		}
	}
}
