package connector

import (
	"errors"
	"path/filepath"
	"syscall"
)

// errorSharingViolation is the system's error when a file is open elsewhere (winerror.h).
const errorSharingViolation = syscall.Errno(32)

// tryLock opens a file that nobody else can open until it is closed, and that is deleted then.
func tryLock(dir string) (unlock func(), err error) {
	name, err := syscall.UTF16PtrFromString(filepath.Join(dir, ".lock"))
	if err != nil {
		return nil, err
	}
	const deleteOnClose, deleteRight = 0x04000000, 0x00010000 // FILE_FLAG_DELETE_ON_CLOSE, DELETE
	h, err := syscall.CreateFile(name, syscall.GENERIC_WRITE|deleteRight, 0, nil, syscall.OPEN_ALWAYS,
		syscall.FILE_ATTRIBUTE_NORMAL|deleteOnClose, 0)
	if errors.Is(err, errorSharingViolation) || errors.Is(err, syscall.ERROR_ACCESS_DENIED) {
		return nil, errLocked // denied while the file of the last holder goes away
	}
	if err != nil {
		return nil, err
	}
	return func() { syscall.CloseHandle(h) }, nil
}
