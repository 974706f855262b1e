package connector

import (
	"errors"
	"fmt"
	"sync"
)

// ErrIdentityInUse says that a connector runs with the keys that a rotation would replace: what it signs and is sent would
// be of no use from then on.
var ErrIdentityInUse = errors.New("connector: identity: a connector runs with these keys: stop it, then try again")

// Hold keeps [Identity.Rotate] from replacing the keys in use, in this process and in others, until release is called or
// the process ends, however it does. Call it before [Connector.Run], and release when that has returned; more than once
// does nothing. Several may hold the same keys: a newer connector takes over from an older one. The error matches
// [ErrIdentityChanged] if the keys were rotated since the identity was opened.
//
// It is an advisory lock on the file of the identity key, and writes nothing. A file system without locks, as that of some
// network shares, keeps nobody from anything.
func (id *Identity) Hold() (release func(), err error) {
	id.mu.Lock()
	defer id.mu.Unlock()
	unlock, err := id.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	let, err := holdFile(id.folder.path(id.state.keys().IdentityFile))
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return func() {}, nil
	case err != nil:
		return nil, fmt.Errorf("connector: identity: %s: holding the keys: %w", id.folder.dir, err)
	}
	return sync.OnceFunc(let), nil
}

// checkUnheld fails with ErrIdentityInUse if somebody holds the keys in use. The folder is locked, so that nobody begins to
// meanwhile.
func (id *Identity) checkUnheld() error {
	err := tryFile(id.folder.path(id.state.keys().IdentityFile))
	switch {
	case errors.Is(err, errLocked):
		return fmt.Errorf("%w (%s)", ErrIdentityInUse, id.folder.dir)
	case err != nil && !errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("connector: identity: %s: are the keys in use? %w", id.folder.dir, err)
	}
	return nil
}
