package disk

import (
	"errors"
	"syscall"
)

// Windows error codes that package syscall does not name.
const (
	errHandleDiskFull    = syscall.Errno(39)   // ERROR_HANDLE_DISK_FULL
	errDiskFull          = syscall.Errno(112)  // ERROR_DISK_FULL
	errDiskQuotaExceeded = syscall.Errno(1295) // ERROR_DISK_QUOTA_EXCEEDED
)

// IsFull reports whether an error means that there is no room: the disk is
// full or the owner's quota is used up.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, errHandleDiskFull) ||
		errors.Is(err, errDiskFull) || errors.Is(err, errDiskQuotaExceeded)
}

// syncDir does nothing: NTFS journals its names and offers no call to wait for
// them.
func syncDir(string) error { return nil }
