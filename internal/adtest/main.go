package adtest

import (
	"os"
	"strings"
	"testing"
)

// Main is the TestMain of a package whose tests want a domain: it runs the tests in namespaces of their own and stops
// the domain after them. It does not return.
func Main(m *testing.M) { os.Exit(Run(m.Run)) }

// Run is Main for a package that has more to do in its TestMain: it runs the tests by run and returns the exit status.
// In the process that the tests do not run in, run is not called.
func Run(run func() int) int {
	if !enabled || fuzzing() {
		return run()
	}
	return isolated(func() int {
		code := run()
		if err := shared.stop(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = max(code, 1)
		}
		return code
	})
}

// fuzzing reports whether this is a fuzz run: its workers inherit files that would not survive running again.
func fuzzing() bool {
	for _, arg := range os.Args[1:] {
		if strings.HasPrefix(strings.TrimLeft(arg, "-"), "test.fuzz=") || strings.Contains(arg, "test.fuzzworker") {
			return true
		}
	}
	return false
}
