package connector

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// IdentityKind returns the kind of the keys that the identity in a directory has, as [OpenIdentity] has to be asked for
// it: [KindSoftware], or the Kind of a [KeyStore]. It is empty if there is no identity yet, or none that says. Nothing is
// made, changed or waited for; so another process may have changed it by the time it returns.
func IdentityKind(dir string) (string, error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("connector: identity: %w", err)
	}
	f, err := openFolder(dir, nil)
	if err != nil {
		return "", err
	}
	state, err := f.loadState()
	if err != nil {
		return "", err
	}
	if state != nil {
		return state.keys().Kind, nil
	}
	raw, err := f.read(identityFile) // of a creation that was interrupted
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer clear(raw)
	if isSoftware(raw) {
		return KindSoftware, nil
	}
	return "", nil
}
