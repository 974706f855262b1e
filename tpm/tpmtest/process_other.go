//go:build !linux

package tpmtest

import "syscall"

// tiedToThisProcess has nothing to offer here: a killed test binary may leave swtpm behind.
func tiedToThisProcess() *syscall.SysProcAttr { return nil }
