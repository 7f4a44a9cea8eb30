package forward

import (
	"syscall"
	"unsafe"
)

// untaken is how many bytes of what was written to a connection its other side does
// not have yet: closing it, while something is there that nobody has read, would
// destroy them. 0 where that is not known.
func untaken(fd int32) int {
	var n int32
	if _, _, e := syscall.RawSyscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n))); e != 0 {
		return 0
	}
	return int(n)
}
