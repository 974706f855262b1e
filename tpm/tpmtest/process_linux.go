package tpmtest

import "syscall"

// tiedToThisProcess lets the kernel end swtpm with the test binary, also when that is killed.
func tiedToThisProcess() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
