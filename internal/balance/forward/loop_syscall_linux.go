package forward

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"time"
	"unsafe"
)

// The system calls of the loop. Those that never block are raw: Go's scheduler
// is not told of them, which would cost more than many of them take.

const (
	eventIn     = syscall.EPOLLIN
	eventOut    = syscall.EPOLLOUT
	eventError  = syscall.EPOLLERR
	eventHangup = syscall.EPOLLHUP
	eventEnd    = syscall.EPOLLRDHUP // the other side will send nothing more
	eventEdge   = 1 << 31            // EPOLLET, which package syscall has as a negative number

	soReusePort = 0xf // SO_REUSEPORT, which package syscall lacks
)

// The errors of reading and writing. Everything but again and those that are
// retried here means that the connection is gone.
const (
	fine  = syscall.Errno(0)
	again = syscall.EAGAIN
)

// receive reads what is there. It makes its call itself, as send does: what returns
// right behind a call into the kernel is predicted wrongly.
func receive(fd int32, b []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	if e == syscall.EINTR {
		return transfer(syscall.SYS_RECVFROM, fd, b, 0)
	}
	received(fd)
	return int(n), e
}

// peek reads what is there, and leaves it there.
func peek(fd int32, b []byte) (int, syscall.Errno) {
	return transfer(syscall.SYS_RECVFROM, fd, b, syscall.MSG_PEEK)
}

// send writes what fits.
func send(fd int32, b []byte) (int, syscall.Errno) {
	sending(fd)
	n, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
	if e == syscall.EINTR {
		return transfer(syscall.SYS_SENDTO, fd, b, syscall.MSG_NOSIGNAL)
	}
	return int(n), e
}

func transfer(call uintptr, fd int32, b []byte, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, e := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
		if e != syscall.EINTR {
			return int(n), e
		}
	}
}

// accept takes a client that waits, and tells its address.
func accept(fd int32) (int32, netip.Addr, syscall.Errno) {
	var from syscall.RawSockaddrInet6 // has room for both
	size := uint32(unsafe.Sizeof(from))
	n, _, e := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)),
		syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
	if e != fine {
		return -1, netip.Addr{}, e
	}
	if from.Family == syscall.AF_INET {
		return int32(n), netip.AddrFrom4((*syscall.RawSockaddrInet4)(unsafe.Pointer(&from)).Addr), fine
	}
	return int32(n), netip.AddrFrom16(from.Addr).Unmap(), fine
}

// itself reports whether a socket that was connected to an address has got that
// address for its own end, too: where nobody listens on a port that the system
// gives to who connects, it may, and hears what it says.
func itself(fd int32, to netip.AddrPort) bool {
	var own syscall.RawSockaddrInet6 // has room for both
	size := uint32(unsafe.Sizeof(own))
	_, _, e := syscall.RawSyscall(syscall.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&own)), uintptr(unsafe.Pointer(&size)))
	if port := (*[2]byte)(unsafe.Pointer(&own.Port)); e != fine || binary.BigEndian.Uint16(port[:]) != to.Port() {
		return false
	}
	if own.Family == syscall.AF_INET {
		return netip.AddrFrom4((*syscall.RawSockaddrInet4)(unsafe.Pointer(&own)).Addr) == to.Addr().Unmap()
	}
	return netip.AddrFrom16(own.Addr) == to.Addr().WithZone("")
}

// closeSocket closes it.
func closeSocket(fd int32) { _, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }

// register asks an epoll for a descriptor's events. What comes with them is tag.
func register(epoll, fd int32, events uint32, tag int32) error {
	e := syscall.EpollEvent{Events: events, Fd: fd, Pad: tag}
	return syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_ADD, int(fd), &e)
}

// unregister takes that back.
func unregister(epoll, fd int32) {
	var e syscall.EpollEvent
	_ = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_DEL, int(fd), &e) // one that is not watched is what is wanted
}

// ready fills in the events that are there, without waiting.
func ready(epoll int32, events []syscall.EpollEvent) int {
	n, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if e != fine {
		return 0
	}
	return int(n)
}

// await waits for events as long as that, without end where it is negative.
func await(epoll int32, events []syscall.EpollEvent, long time.Duration) int {
	ms := -1
	if long >= 0 {
		ms = int((long + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := syscall.EpollWait(int(epoll), events, ms)
	if err != nil {
		return 0
	}
	return n
}

// counter makes a descriptor whose writes wake whoever watches it.
func counter() (int32, error) {
	n, _, e := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if e != fine {
		return -1, e
	}
	return int32(n), nil
}

// count adds one to it.
func count(fd int32) {
	one := uint64(1)
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

// clearCount takes it back to zero.
func clearCount(fd int32) {
	var n uint64
	_, _, _ = syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&n)), unsafe.Sizeof(n))
}

// textOf is the bytes as a string, for as long as they stay as they are.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
