package device

import (
	"fmt"
	"syscall"
)

// tmpfsMagic is the type of a file system in memory (statfs(2)).
const tmpfsMagic = 0x01021994

// Check refuses a directory in memory: a sync costs nothing there.
func Check(path string) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return err
	}
	if s.Type == tmpfsMagic {
		return fmt.Errorf("%s lies in memory: set TMPDIR to a directory on a disk", path)
	}
	return nil
}
