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
	const deleteOnClose, deleteRight = 0x04000000, 0x00010000 // FILE_FLAG_DELETE_ON_CLOSE, DELETE
	unlock, err = openFile(filepath.Join(dir, ".lock"), syscall.GENERIC_WRITE|deleteRight, 0, syscall.OPEN_ALWAYS,
		syscall.FILE_ATTRIBUTE_NORMAL|deleteOnClose)
	if errors.Is(err, syscall.ERROR_ACCESS_DENIED) {
		return nil, errLocked // while the file of the last holder goes away
	}
	return unlock, err
}

// holdFile has a file open, as others may besides, and lets them do everything but to open it for themselves alone.
func holdFile(path string) (release func(), err error) {
	const shareDelete = 0x00000004 // FILE_SHARE_DELETE
	return openFile(path, syscall.GENERIC_READ, syscall.FILE_SHARE_READ|syscall.FILE_SHARE_WRITE|shareDelete,
		syscall.OPEN_EXISTING, syscall.FILE_ATTRIBUTE_NORMAL)
}

// tryFile fails with errLocked if somebody holds a file.
func tryFile(path string) error {
	unlock, err := openFile(path, syscall.GENERIC_READ, 0, syscall.OPEN_EXISTING, syscall.FILE_ATTRIBUTE_NORMAL)
	if err == nil {
		unlock()
	}
	return err
}

// openFile opens a file, which no child inherits, and fails with errLocked if it is open elsewhere in a way that excludes
// this one.
func openFile(path string, access, share, mode, attributes uint32) (shut func(), err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, access, share, nil, mode, attributes, 0)
	if errors.Is(err, errorSharingViolation) {
		return nil, errLocked
	}
	if err != nil {
		return nil, err
	}
	return func() { syscall.CloseHandle(h) }, nil
}
