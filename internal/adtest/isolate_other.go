//go:build !linux

package adtest

// isolated runs the tests where they are: the namespaces are Linux's.
func isolated(run func() int) int { return run() }

// outside says why there can be no domain here.
func outside() string { return "a domain controller for tests needs Linux" }
