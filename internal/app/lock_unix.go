//go:build !windows

package app

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks an open file against every other process until it is closed,
// which the system does for a process that dies. free is false when another
// one holds the lock.
func tryLock(f *os.File) (free bool, err error) {
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}
