package forward_test

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// deaf is an upstream that does not even refuse a connection.
func deaf(t *testing.T) *forward.Upstream {
	t.Helper()
	_, up := narrow(t)
	fill(t, up)
	return up
}

// narrow is an upstream with hardly a place for who waits to be accepted, which is
// the test's affair.
func narrow(t *testing.T) (fd int, up *forward.Upstream) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*syscall.SockaddrInet4).Port))
	return fd, &forward.Upstream{Name: "narrow", Address: at}
}

// fill connects to an upstream until there is no place.
func fill(t *testing.T, up *forward.Upstream) {
	t.Helper()
	for {
		c, err := net.DialTimeout("tcp", up.Address.String(), soon)
		if err != nil && isTimeout(err) { // of the dialing, or of the socket
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
}
