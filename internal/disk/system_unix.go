//go:build !windows

package disk

import (
	"errors"
	"os"
	"syscall"
)

// IsFull reports whether an error means that there is no room: the disk is
// full or the owner's quota is used up.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
