package forward

import (
	"errors"
	"math"
	"net"
	"syscall"
)

// Clients may have most of the descriptors of the process, and not all: who is
// served needs one more, of an upstream's connection, and the admin API, the
// checks and the logs need some.
const (
	reserveShare  = 4  // one in so many is not for clients
	reserveLeast  = 16 // and so many are not
	maxDescriptor = 1 << 30
)

// tooFew is told when clients have all that they may have.
const tooFew = "no connection can be accepted until others end: the limit of open files (ulimit -n) is too low for them"

// descriptors is a bound: the lowest number that is free is never below how many
// are in use, so a client's connection whose number is this one, or a later one,
// is one too many.
type descriptors int

// newDescriptors leaves a reserve of what the process may have.
func newDescriptors() descriptors {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxInt
	}
	n := int(min(limit.Cur, maxDescriptor))
	return descriptors(max(n-max(n/reserveShare, reserveLeast), 1))
}

// room reports whether another client may have one.
func (d descriptors) room() bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	_ = syscall.Close(fd)
	return fd < int(d)
}

// exceeds reports whether a connection that was accepted is one too many.
func (d descriptors) exceeds(nc net.Conn) bool {
	s, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	over := false
	_ = raw.Control(func(fd uintptr) { over = int(fd) >= int(d) }) // one that is closed is none
	return over
}

// isShort reports whether an error says that there is nothing left here to make
// connections of, for which no upstream is to blame.
func isShort(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}
