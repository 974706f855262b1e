package sspi

import "golang.org/x/sys/windows"

// Account is the account that this process runs as, DOMAIN\name, a computer with $ at the end; empty if the system does
// not say.
func Account() string {
	size := uint32(512)
	name := make([]uint16, size)
	if windows.GetUserNameEx(windows.NameSamCompatible, &name[0], &size) != nil {
		return ""
	}
	return windows.UTF16ToString(name)
}
