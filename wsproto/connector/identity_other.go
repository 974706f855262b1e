//go:build !unix

package connector

import (
	"fmt"
	"os"
)

// checkPrivate only sees that the path exists: the access list of the directory protects it, which whoever installs the
// connector sets.
func checkPrivate(path string) error {
	if _, err := os.Lstat(path); err != nil {
		return fmt.Errorf("connector: identity: %w", err)
	}
	return nil
}

// syncDir does nothing: directories cannot be synced here, and a rename is journaled.
func syncDir(string) error { return nil }
