package cli

import (
	"fmt"
	"os"
	"runtime"
)

// CheckPrivate refuses a file with a key that others can use, except on Windows, where the mode does not tell. What is no
// regular file, such as a pipe, is left alone.
func CheckPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s has mode %#o, so that others can use the key; take their rights away with chmod go=", path, mode.Perm())
	}
	return nil
}
