// Package descriptor keeps clients from having all descriptors of the process,
// and knows the errors of those that are left without.
package descriptor

import (
	"errors"
	"math"
	"syscall"
)

// Clients may have half of the descriptors of the process: each who is served
// needs one more, of an upstream's connection, and all may ask at once. The admin
// API, the checks and the logs need some, too.
const (
	reserveShare = 2  // one in so many is not for clients
	reserveLeast = 16 // and so many are not
	most         = 1 << 30
)

// Bound is how many descriptors may be in use when a client comes: the lowest
// number that is free is never below how many are, so a client's connection whose
// number is this one, or a later one, is one too many.
type Bound int

// NewBound leaves a reserve of what the process may have.
func NewBound() Bound {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxInt
	}
	n := int(min(limit.Cur, most))
	return Bound(max(n-max(n/reserveShare, reserveLeast), 1))
}

// Exceeded reports whether a client's connection with a number is one too many.
func (b Bound) Exceeded(fd int) bool { return fd >= int(b) }

// Room reports whether another client may have one.
func (b Bound) Room() bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	_ = syscall.Close(fd)
	return !b.Exceeded(fd)
}

// IsShort reports whether an error says that there is nothing left here to make
// connections of, for which no upstream is to blame.
func IsShort(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}
