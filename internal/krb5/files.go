package krb5

import (
	"fmt"
	"io"
	"os"
)

// maxFile bounds keytabs, credential caches and configurations, in bytes. Real ones have a few KiB.
const maxFile = 4 << 20

// readFile reads a file of no more than maxFile bytes. Anything but a regular file is refused: it may never end.
func readFile(path string) ([]byte, error) {
	if path == os.DevNull {
		return nil, nil // how people say that there is nothing
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	return b, err
}
